//! Times of a configuration: whole seconds as a number, `200ms` or `5s` as a text.

use crate::quantity::parse_time;
use labsim_yaml::{Context, Forms, FromYaml, Node};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::time::Duration;

/// A time. Written in milliseconds, or in microseconds where it is no whole number of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Time(pub(super) Duration);

impl From<Time> for Duration {
    fn from(time: Time) -> Self {
        time.0
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_micros() {
            whole if whole % 1000 == 0 => {
                serializer.collect_str(&format_args!("{}ms", whole / 1000))
            }
            part => serializer.collect_str(&format_args!("{part}us")),
        }
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
                parse_time(text).map(Time).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Any)
    }
}

impl FromYaml for Time {
    const FORMS: Forms = Forms::SCALAR;

    fn expected() -> String {
        "seconds, or a time such as `200ms` or `5s`".to_owned()
    }

    fn from_yaml(node: Node<'_>, context: &mut Context) -> Option<Self> {
        let errors = context.errors();
        let text = context.text(node, &Self::expected()).map(str::to_owned);
        let time = |text: String| match text.parse() {
            Ok(seconds) => Ok(Duration::from_secs(seconds)),
            Err(_) => parse_time(&text),
        };
        context.convert(node, text, errors, time).map(Self)
    }
}

impl schemars::JsonSchema for Time {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": ["string", "integer"] })
    }
}

#[cfg(test)]
mod tests {
    use super::Time;
    use std::time::Duration;

    #[test]
    fn times_are_seconds_or_have_a_unit() {
        for (text, microseconds) in [
            ("5", 5_000_000),
            (r#""5s""#, 5_000_000),
            (r#""200ms""#, 200_000),
            (r#""20us""#, 20),
            (r#""1.5s""#, 1_500_000),
            (r#""0ms""#, 0),
        ] {
            let time: Time = labsim_yaml::read(&labsim_yaml::Source::new("test", text)).unwrap();
            assert_eq!(time.0, Duration::from_micros(microseconds), "{text}");
            let written = serde_json::to_string(&time).unwrap();
            assert_eq!(
                labsim_yaml::read::<Time>(&labsim_yaml::Source::new("test", written.as_str()))
                    .unwrap(),
                time
            );
        }
        for text in [r#""ms""#, r#""-1s""#, r#""+1s""#, "-5", "1.5", "null"] {
            assert!(
                labsim_yaml::read::<Time>(&labsim_yaml::Source::new("test", text)).is_err(),
                "{text}"
            );
        }
        let overflow = format!("\"{}s\"", u64::MAX);
        assert!(
            labsim_yaml::read::<Time>(&labsim_yaml::Source::new("test", overflow.as_str()))
                .is_err()
        );
    }
}
