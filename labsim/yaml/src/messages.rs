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

/// Joins what the variants of an untagged enum expect.
#[must_use]
pub fn either(expected: &[String]) -> String {
    match expected {
        [] => String::new(),
        [only] => only.clone(),
        [others @ .., last] => format!("{}, or {last}", others.join(", ")),
    }
}

/// What a tagged enum expects: one of its words.
#[must_use]
pub fn one_of(words: &[&str]) -> String {
    match words {
        [one] => quote(one),
        [one, other] => format!("{} or {}", quote(one), quote(other)),
        many => format!("one of {}", list(many, "or")),
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
        Kind::Map(entries) if entries.is_empty() => "an empty map".to_owned(),
        Kind::Map(_) => "a map".to_owned(),
    }
}

/// The one of `names` that `given` is a slip of, if any.
#[must_use]
pub fn meant<'n>(given: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    // Longer words are not misspelled keys, and the time grows with the product of the lengths.
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

/// "from 0 to 65535".
pub(crate) fn from_to(low: i128, high: i128) -> String {
    format!("from {low} to {high}")
}

#[cfg(test)]
mod tests {
    use super::{list, meant, quote};

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
}
