//! Foreign text in messages.

use std::fmt;

/// Characters of a foreign text that a message shows.
const SHOWN: usize = 60;
/// Names that a list in a message shows.
const LISTED: usize = 5;

/// `text` between backquotes: shortened, and without anything that a terminal would execute.
#[must_use]
pub fn quote(text: &str) -> String {
    let mut shown = String::from("`");
    for character in text.chars().take(SHOWN) {
        if is_plain(character) {
            shown.push(character);
        } else {
            shown.extend(character.escape_debug());
        }
    }
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown.push('`');
    shown
}

/// `text` as [`quote`] shows it, without the backquotes.
#[must_use]
pub fn printable(text: &str) -> String {
    let quoted = quote(text);
    quoted.get(1..quoted.len() - 1).unwrap_or_default().to_owned()
}

/// Whether a terminal shows this character and does nothing else with it: no control character, no
/// direction mark, no zero-width character.
#[must_use]
pub fn is_plain(character: char) -> bool {
    let is_format = matches!(
        character,
        '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
    );
    !character.is_control() && !is_format
}

/// `a`, `b` and `c`: at most five of `names`, and how many more there are.
pub fn list_of<T: fmt::Display>(names: impl ExactSizeIterator<Item = T>) -> String {
    let total = names.len();
    let mut shown: Vec<String> = names.take(LISTED).map(|name| quote(&name.to_string())).collect();
    if total > shown.len() {
        shown.push(format!("{} more", total - shown.len()));
    }
    match shown.split_last() {
        None => "none".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    }
}

/// The end of a sentence about a name that nothing has: `did you mean \`rs1\`? Its nodes: lb, rs1`, or
/// `its nodes: lb, rs1`. `label` is what comes before all names, as it stands within a sentence.
pub fn known_names<'n>(
    given: &str,
    label: &str,
    names: impl IntoIterator<Item = &'n str, IntoIter: Clone>,
) -> String {
    let names = names.into_iter();
    let all: Vec<&str> = names.clone().collect();
    let all = if all.is_empty() { "none".to_owned() } else { all.join(", ") };
    match labsim_yaml::meant(given, names) {
        Some(name) => {
            let mut label = label.chars();
            let first = label.next().map(|first| first.to_ascii_uppercase());
            let label: String = first.into_iter().chain(label).collect();
            format!("did you mean `{name}`? {label}: {all}")
        }
        None => format!("{label}: {all}"),
    }
}

/// `1 member`, `2 members`.
#[must_use]
pub fn count_of(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_text_is_short_and_harmless() {
        assert_eq!(quote("it's"), "`it's`");
        assert_eq!(quote("a\u{1b}[31m\n"), "`a\\u{1b}[31m\\n`");
        assert_eq!(quote(&"x".repeat(61)), format!("`{}…`", "x".repeat(60)));
    }

    #[test]
    fn a_name_that_nothing_has_is_answered_with_the_nearest_or_with_all() {
        let names = ["lb", "rs1"];
        assert_eq!(
            known_names("sr1", "its nodes", names),
            "did you mean `rs1`? Its nodes: lb, rs1"
        );
        assert_eq!(known_names("database", "its nodes", names), "its nodes: lb, rs1");
        assert_eq!(known_names("\u{1b}", "its nodes", []), "its nodes: none");
    }

    #[test]
    fn a_list_names_five_and_counts_the_rest() {
        assert_eq!(list_of(["a"].iter()), "`a`");
        assert_eq!(list_of(["a", "b", "c"].iter()), "`a`, `b` and `c`");
        assert_eq!(list_of(1..9_usize), "`1`, `2`, `3`, `4`, `5` and 3 more");
    }
}
