//! Numbers with units, exact and without floating point.

use crate::text::quote;
use std::time::Duration;

/// Longest quantity, in bytes.
const LONGEST: usize = 30;

/// Reads a time such as `20ms`, in `us`, `ms` or `s`.
///
/// # Errors
/// A sentence that says what would be right.
pub fn parse_time(text: &str) -> Result<Duration, String> {
    const UNITS: [(&str, u64); 3] = [("us", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000)];
    parse_number_with_unit(text, &UNITS).map(Duration::from_nanos).ok_or_else(|| {
        format!("{} is not a time; write one such as `20ms`, in `us`, `ms` or `s`", quote(text))
    })
}

/// Reads how long ago something was, such as `5m`, in `s`, `m` (also `min`) or `h`.
///
/// # Errors
/// A sentence that says what would be right.
pub fn parse_age(text: &str) -> Result<Duration, String> {
    const SECOND: u64 = 1_000_000_000;
    const UNITS: [(&str, u64); 5] = [
        ("ms", SECOND / 1000),
        ("min", 60 * SECOND),
        ("s", SECOND),
        ("m", 60 * SECOND),
        ("h", 3600 * SECOND),
    ];
    parse_number_with_unit(text, &UNITS).map(Duration::from_nanos).ok_or_else(|| {
        format!("{} is not a time; write one such as `5m`, in `s`, `m` or `h`", quote(text))
    })
}

/// Reads a decimal number and one of these units, in the units' base. Longer units come before
/// those that they end in. `None` if it is none, does not fit or is finer than the base.
#[must_use]
pub fn parse_number_with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    if text.len() > LONGEST {
        return None;
    }
    let (number, scale) = units
        .iter()
        .find_map(|(unit, scale)| Some((text.strip_suffix(unit)?.trim_end(), *scale)))?;
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(part) || number.ends_with('.') {
        return None;
    }
    let whole = whole.parse::<u64>().ok()?.checked_mul(scale)?;
    let part = part.trim_end_matches('0');
    if part.is_empty() {
        return Some(whole);
    }
    let divisor = 10_u64.checked_pow(u32::try_from(part.len()).ok()?)?;
    let scaled = part.parse::<u64>().ok()?.checked_mul(scale)?;
    (scaled % divisor == 0).then(|| whole.checked_add(scaled / divisor))?
}

#[cfg(test)]
mod tests {
    use super::{parse_age, parse_time};
    use std::time::Duration;

    #[test]
    fn ages_are_in_the_units_of_people() {
        for (text, seconds) in [("90s", 90), ("5m", 300), ("1.5 min", 90), ("2h", 7200)] {
            assert_eq!(parse_age(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(parse_age("250ms"), Ok(Duration::from_millis(250)));
        for text in ["", "5", "m", "5 days", "-1m", "yesterday", "9999999999h"] {
            assert!(parse_age(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_are_exact() {
        assert_eq!(parse_time("20ms"), Ok(Duration::from_millis(20)));
        assert_eq!(parse_time("0.25 s"), Ok(Duration::from_millis(250)));
        assert_eq!(parse_time("1.50us"), Ok(Duration::from_nanos(1500)));
        for text in
            ["", "20", "ms", ".5ms", "5.ms", "-1ms", "1e3ms", "0.0001us", "99999999999999999999s"]
        {
            assert!(parse_time(text).is_err(), "{text}");
        }
    }
}
