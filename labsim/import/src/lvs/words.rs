//! Words of both languages, and the values that they stand for.

use crate::address::{Family, mask_length};
use crate::place::Place;
use crate::report::Report;
use labsim_model::quote;
use std::ops::RangeInclusive;

/// A word and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) place: Place,
}

/// A number of a range, or an error that names it.
pub(super) fn number(
    word: &Word,
    what: &str,
    range: RangeInclusive<u32>,
    report: &mut Report<'_>,
) -> Option<u32> {
    let is_number = word.text.bytes().all(|byte| byte.is_ascii_digit());
    match word.text.parse() {
        Ok(number) if is_number && range.contains(&number) => Some(number),
        _ => {
            let (least, most) = (range.start(), range.end());
            let message = format!(
                "{} is not {what}; write a number from {least} to {most}",
                quote(&word.text)
            );
            report.reject(word.place, message)
        }
    }
}

/// A port by its number; 0 is every port.
pub(super) fn port(word: &Word, report: &mut Report<'_>) -> Option<u16> {
    let port = number(word, "a port", 0..=u32::from(u16::MAX), report)?;
    u16::try_from(port).ok()
}

/// The length of a mask such as 255.255.255.0, or of IPv6 a number; none of the whole address's.
pub(super) fn prefix_length(word: &Word, family: Family, report: &mut Report<'_>) -> Option<u8> {
    let most = family.bits();
    let length = match family {
        Family::V4 => report.check(word.place, mask_length(&word.text))?,
        Family::V6 => {
            let length = number(word, "a prefix length", 1..=most.into(), report)?;
            u8::try_from(length).ok()?
        }
    };
    Some(length).filter(|length| *length < most)
}
