//! The words of messages: what was found, what was expected, what was meant.

use crate::scalar::{Whole, float, is_null, whole};
use crate::source::visible;
use crate::tree::Kind;

/// How many characters of a value a message repeats.
const QUOTED: usize = 40;
/// How many names a message lists.
const LISTED: usize = 40;

/// A piece of a file between backticks, shortened, with control characters made visible.
pub(crate) fn quote(text: &str) -> String {
    let mut shown: String = text.chars().take(QUOTED).map(visible).collect();
    if text.chars().nth(QUOTED).is_some() {
        shown.push('…');
    }
    format!("`{shown}`")
}

/// "`a`, `b` and `c`".
pub(crate) fn list(names: &[&str], conjunction: &str) -> String {
    let quoted: Vec<String> = names.iter().take(LISTED).map(|name| quote(name)).collect();
    match quoted.as_slice() {
        [] => String::new(),
        [only] => only.clone(),
        shown if names.len() > LISTED => format!("{}, …", shown.join(", ")),
        [rest @ .., last] => format!("{} {conjunction} {last}", rest.join(", ")),
    }
}

/// What stands in the file, as a sentence's object.
pub(crate) fn found(kind: &Kind) -> String {
    match kind {
        Kind::Nothing | Kind::Broken => "nothing".to_owned(),
        Kind::Scalar { text, plain: true } if is_null(text) => quote(text),
        Kind::Scalar { text, plain: true } if text == "true" || text == "false" => quote(text),
        Kind::Scalar { text, plain: true } if whole(text) != Whole::No || float(text).is_some() => {
            format!("the number {}", quote(text))
        }
        Kind::Scalar { text, .. } if text.is_empty() => "an empty text".to_owned(),
        Kind::Scalar { text, plain: true } => format!("the text {}", quote(text)),
        Kind::Scalar { text, plain: false } => format!("the quoted text {}", quote(text)),
        Kind::List(items) if items.is_empty() => "an empty list".to_owned(),
        Kind::List(_) => "a list".to_owned(),
        Kind::Map(entries) if entries.is_empty() => "an empty mapping".to_owned(),
        Kind::Map(_) => "a mapping".to_owned(),
    }
}

/// The one of `names` that `given` is a slip of, if any.
pub(crate) fn meant<'n>(given: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    // Nobody misspells a longer word, and the time grows with the product of the lengths.
    if given.len() > 64 {
        return None;
    }
    let same = |name: &str| name.to_ascii_lowercase().replace(['-', ' '], "_");
    let given = same(given);
    names
        .into_iter()
        .filter_map(|name| {
            let name_same = same(name);
            let distance = strsim::osa_distance(&given, &name_same);
            let longer = given.chars().count().max(name_same.chars().count());
            (distance <= (longer / 3).max(1) && distance < longer).then_some((distance, name))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// What a person is told that a value should be, for what serde and std's types say of themselves.
///
/// Nothing for the names of Rust types, which tell a person nothing.
pub(crate) fn expected(serde: &str) -> Option<String> {
    let phrase = match serde {
        "IPv4 address" => "an IPv4 address, such as `192.0.2.1`",
        "IPv6 address" => "an IPv6 address, such as `2001:db8::1`",
        "IP address" => "an IP address, such as `192.0.2.1` or `2001:db8::1`",
        "IPv4 socket address" | "socket address" => "an address and a port, such as `192.0.2.1:49`",
        "IPv6 socket address" => "an address and a port, such as `[2001:db8::1]:49`",
        "IPv4 network address" => "an IPv4 network, such as `192.0.2.0/24`",
        "IPv6 network address" => "an IPv6 network, such as `2001:db8::/32`",
        "IPv4 or IPv6 network address" => "a network, such as `192.0.2.0/24` or `2001:db8::/32`",
        "a string" | "a borrowed string" | "str" | "string" => "text, such as `abc`",
        "path string" | "a borrowed path" | "os string" => "a path, such as `dir/file`",
        "a character" => "one character, such as `a`",
        "a boolean" => "`true` or `false`",
        "a map" => "a mapping, such as `{key: value}`",
        "a sequence" => "a list, such as `[a, b]`",
        "unit" | "option" => "no value",
        "f32" | "f64" => "a number, such as `1.5`",
        _ => {
            return match serde.strip_prefix("a nonzero ").unwrap_or(serde) {
                integer if range(integer).is_some() => {
                    let nonzero = if integer == serde { "" } else { ", but not 0" };
                    range(integer).map(|range| format!("a whole number {range}{nonzero}"))
                }
                _ if is_type_name(serde) => None,
                _ => Some(serde.to_owned()),
            };
        }
    };
    Some(phrase.to_owned())
}

/// Whether serde's derive speaks of a Rust type here.
fn is_type_name(serde: &str) -> bool {
    ["struct ", "enum ", "variant ", "tuple ", "unit ", "field ", "union "]
        .iter()
        .any(|kind| serde.starts_with(kind))
        || serde.contains("variant identifier")
        || serde.contains("field identifier")
        || serde.contains("data did not match any variant")
        || serde.contains("::")
}

fn range(integer: &str) -> Option<String> {
    let (low, high) = match integer {
        "u8" => (0, u8::MAX.into()),
        "u16" => (0, u16::MAX.into()),
        "u32" => (0, u32::MAX.into()),
        "u64" | "usize" => (0, u64::MAX.into()),
        "i8" => (i8::MIN.into(), i8::MAX.into()),
        "i16" => (i16::MIN.into(), i16::MAX.into()),
        "i32" => (i32::MIN.into(), i32::MAX.into()),
        "i64" | "isize" => (i64::MIN.into(), i64::MAX.into()),
        "u128" => (0, i128::MAX),
        "i128" => (i128::MIN, i128::MAX),
        _ => return None,
    };
    Some(from_to(low, high))
}

/// "from 0 to 65535".
pub(crate) fn from_to(low: i128, high: i128) -> String {
    format!("from {low} to {high}")
}

/// The example between backticks in an expectation, if it has one.
pub(crate) fn example(expected: &str) -> Option<&str> {
    expected.split('`').nth(1).filter(|example| !example.is_empty())
}

#[cfg(test)]
mod tests {
    use super::{example, expected, list, meant, quote};

    #[test]
    fn slips_are_recognized_and_other_words_are_not() {
        let names = ["destination", "ip_protocol", "pool", "members", "loose_initiation"];
        for (given, name) in [
            ("poool", Some("pool")),
            ("pol", Some("pool")),
            ("opol", Some("pool")),
            ("Pool", Some("pool")),
            ("member", Some("members")),
            ("ip-protocol", Some("ip_protocol")),
            ("loose-initialization", Some("loose_initiation")),
            ("mtu", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(meant(given, names), name, "{given:?}");
        }
        let long = "pool".repeat(20);
        assert_eq!(meant(&long[1..], [long.as_str()]), None, "no time is spent on long words");
        assert_eq!(meant(&long[1..60], [&long[..60]]), Some(&long[..60]));
        assert_eq!(meant("a", ["b"]), None, "one letter for another is no slip");
    }

    #[test]
    fn names_are_listed_as_in_a_sentence() {
        assert_eq!(list(&[], "and"), "");
        assert_eq!(list(&["a"], "or"), "`a`");
        assert_eq!(list(&["a", "b", "c"], "or"), "`a`, `b` or `c`");
        assert!(list(&["a"; 100], "or").ends_with("`a`, …"));
    }

    #[test]
    fn quoted_text_is_short_and_harmless() {
        assert_eq!(quote("a\u{1b}[2Jb"), "`a␛[2Jb`");
        assert_eq!(quote(&"x".repeat(1000)).chars().count(), 43);
    }

    #[test]
    fn no_rust_type_is_named() {
        for name in ["struct Pool", "enum Step", "variant identifier", "struct variant Step::Login"]
        {
            assert_eq!(expected(name), None);
        }
        assert_eq!(expected("a node name").as_deref(), Some("a node name"));
        let number = expected("a nonzero u8").unwrap();
        assert_eq!(number, "a whole number from 0 to 255, but not 0");
    }

    #[test]
    fn an_expectation_carries_its_example() {
        assert_eq!(example("a node name, such as `rs1`"), Some("rs1"));
        assert_eq!(example("a node name"), None);
    }
}
