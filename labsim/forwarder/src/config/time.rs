//! Times of a configuration: whole seconds as a number, `200ms` or `5s` as a text.

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::time::Duration;

/// A time in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Time(pub(super) Duration);

impl Time {
    fn read(text: &str) -> Option<Self> {
        let (number, scale) = match text.strip_suffix("ms") {
            Some(number) => (number, 1),
            None => (text.strip_suffix('s')?, 1000),
        };
        // Neither a sign nor a blank.
        let digits = number.bytes().all(|byte| byte.is_ascii_digit());
        let number = number.parse::<u64>().ok().filter(|_| digits)?;
        Some(Self(Duration::from_millis(number.checked_mul(scale)?)))
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}ms", self.0.as_millis()))
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl Visitor<'_> for Any {
            type Value = Time;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("seconds, or a time such as `200ms` or `5s`")
            }

            fn visit_u64<E: Error>(self, seconds: u64) -> Result<Time, E> {
                Ok(Time(Duration::from_secs(seconds)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Time, E> {
                Time::read(text).ok_or_else(|| {
                    E::custom(format_args!(
                        "`{}` is no time; write one such as `200ms` or `5s`",
                        text.escape_debug()
                    ))
                })
            }
        }
        deserializer.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use super::Time;
    use std::time::Duration;

    #[test]
    fn times_are_seconds_or_have_a_unit() {
        for (text, milliseconds) in
            [("5", 5000), (r#""5s""#, 5000), (r#""200ms""#, 200), (r#""0ms""#, 0)]
        {
            let time: Time = serde_json::from_str(text).unwrap();
            assert_eq!(time.0, Duration::from_millis(milliseconds), "{text}");
            let written = serde_json::to_string(&time).unwrap();
            assert_eq!(serde_json::from_str::<Time>(&written).unwrap(), time);
        }
        for text in [r#""5""#, r#""ms""#, r#""-1s""#, r#""+1s""#, r#""1.5s""#, "-5", "1.5", "null"]
        {
            assert!(serde_json::from_str::<Time>(text).is_err(), "{text}");
        }
        let overflow = format!("\"{}s\"", u64::MAX);
        assert!(serde_json::from_str::<Time>(&overflow).is_err());
    }
}
