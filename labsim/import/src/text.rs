//! Foreign text in messages and comments.

pub(crate) use labsim_model::printable;

/// Whether a word is in a list with blanks between.
pub(crate) fn has_word(list: &str, word: &str) -> bool {
    list.split_ascii_whitespace().any(|one| one == word)
}

/// The reason in the line whose list has a word: `a b: REASON`.
pub(crate) fn reason(reasons: &'static str, word: &str) -> &'static str {
    let mut lines = reasons.lines().filter_map(|line| line.split_once(": "));
    let found = lines.find(|(words, _)| has_word(words, word));
    found.map_or("labsim does not support it", |(_, reason)| reason)
}
