//! Numbers with units: shares and rates. Exact, without floating point.

use crate::model::Percent;
use crate::text::quoted;
use labsim_model::parse_number_with_unit;

/// A share such as `10%`.
pub(super) fn percent(text: &str) -> Result<Percent, String> {
    let Some(millionths) = parse_number_with_unit(text, &[("%", 10_000)]) else {
        return Err(format!("{} is not a valid percentage; write one such as `10%`", quoted(text)));
    };
    let share = u32::try_from(millionths).ok().and_then(Percent::of_millionths);
    share.ok_or_else(|| format!("{} is above 100%; write 0% to 100%", quoted(text)))
}

/// A rate such as `1mbit`, in bits a second.
pub(super) fn rate(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 4] =
        [("kbit", 1_000), ("mbit", 1_000_000), ("gbit", 1_000_000_000), ("bit", 1)];
    parse_number_with_unit(text, &UNITS).ok_or_else(|| {
        format!(
            "{} is not a valid rate; write one such as `1mbit`, in `bit`, `kbit`, `mbit` or `gbit` a second",
            quoted(text)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_exact() {
        assert_eq!(percent("10%").map(Percent::millionths), Ok(100_000));
        assert_eq!(percent("0.0001%").map(Percent::millionths), Ok(1));
        assert_eq!(percent("100%").map(Percent::millionths), Ok(1_000_000));
        assert_eq!(rate("1mbit"), Ok(1_000_000));
        assert_eq!(rate("2.4kbit"), Ok(2_400));
        assert_eq!(rate("9600bit"), Ok(9_600));
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        for text in ["10", "100.0001%", "101%", "0.00001%", "%"] {
            assert!(percent(text).is_err(), "{text}");
        }
        for text in ["1", "1mb", "1.5bit", "1Mbit", "bit"] {
            assert!(rate(text).is_err(), "{text}");
        }
    }
}
