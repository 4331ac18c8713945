//! Numbers with units: times, shares, rates. Exact, without floating point.

use crate::model::Percent;
use crate::text::quoted;
use std::time::Duration;

/// Longest quantity, in bytes.
const LONGEST: usize = 30;

/// A time such as `20ms`.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    const UNITS: [(&str, u64); 3] = [("us", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000)];
    with_unit(text, &UNITS).map(Duration::from_nanos).ok_or_else(|| {
        format!("{} is no time; write one such as `20ms`, in `us`, `ms` or `s`", quoted(text))
    })
}

/// A share such as `10%`.
pub(super) fn percent(text: &str) -> Result<Percent, String> {
    let Some(millionths) = with_unit(text, &[("%", 10_000)]) else {
        return Err(format!("{} is no share; write one such as `10%`", quoted(text)));
    };
    let share = u32::try_from(millionths).ok().and_then(Percent::of_millionths);
    share.ok_or_else(|| format!("{} is more than all frames; write 0% to 100%", quoted(text)))
}

/// A rate such as `1mbit`, in bits a second.
pub(super) fn rate(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 4] =
        [("kbit", 1_000), ("mbit", 1_000_000), ("gbit", 1_000_000_000), ("bit", 1)];
    with_unit(text, &UNITS).ok_or_else(|| {
        format!(
            "{} is no rate; write one such as `1mbit`, in `bit`, `kbit`, `mbit` or `gbit` a second",
            quoted(text)
        )
    })
}

/// A decimal number and one of these units, in the units' base; `None` if it is none, does not fit
/// or is finer than the base.
fn with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    if text.len() > LONGEST {
        return None;
    }
    // The first that fits: longer units come before those that they end in.
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
    use super::*;

    #[test]
    fn quantities_are_exact() {
        assert_eq!(time("20ms"), Ok(Duration::from_millis(20)));
        assert_eq!(time("0.25 s"), Ok(Duration::from_millis(250)));
        assert_eq!(time("1.50us"), Ok(Duration::from_nanos(1500)));
        assert_eq!(percent("10%").map(Percent::millionths), Ok(100_000));
        assert_eq!(percent("0.0001%").map(Percent::millionths), Ok(1));
        assert_eq!(percent("100%").map(Percent::millionths), Ok(1_000_000));
        assert_eq!(rate("1mbit"), Ok(1_000_000));
        assert_eq!(rate("2.4kbit"), Ok(2_400));
        assert_eq!(rate("9600bit"), Ok(9_600));
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        for text in
            ["", "20", "ms", ".5ms", "5.ms", "-1ms", "1e3ms", "0.0001us", "99999999999999999999s"]
        {
            assert!(time(text).is_err(), "{text}");
        }
        for text in ["10", "100.0001%", "101%", "0.00001%", "%"] {
            assert!(percent(text).is_err(), "{text}");
        }
        for text in ["1", "1mb", "1.5bit", "1Mbit", "bit"] {
            assert!(rate(text).is_err(), "{text}");
        }
    }
}
