//! Which lines of a scenario make which cause.

mod table;

use crate::scenario::Words;
use crate::wiring::Wiring;
use labsim_codes::Code;
use table::FAULTS;

/// A fault.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    pub(crate) cause: Code,
    /// Tells the ways apart in which one cause is built; empty for the only or usual one.
    pub(crate) variant: &'static str,
    /// What is wrong, in words.
    pub(crate) what: &'static str,
    /// Words of the network that the lines have not and that it has to have, with blanks between.
    needs: &'static str,
    /// How its topology differs.
    pub(crate) wiring: Wiring,
    /// What changes, with words of the network, such as `<vip>`.
    change: &'static str,
}

/// The faults that are cases of a cause.
pub(crate) fn of_cause(cause: Code) -> impl Iterator<Item = &'static Fault> {
    FAULTS.iter().filter(move |fault| fault.cause == cause)
}

/// All faults.
pub(crate) fn all() -> impl Iterator<Item = &'static Fault> {
    FAULTS.iter()
}

impl Fault {
    /// The name of its file without the ending.
    pub(crate) fn name(&self) -> String {
        if self.variant.is_empty() {
            self.cause.name().to_owned()
        } else {
            format!("{}-{}", self.cause.name(), self.variant)
        }
    }

    /// The step that is diagnosed.
    pub(crate) fn step(&self) -> &'static str {
        if self.change.contains("later: ") { "later" } else { "exchange" }
    }

    /// Its lines; `None` if the network has not what they are made of.
    pub(crate) fn lines(&self, words: &Words) -> Option<String> {
        let mut needs = self.needs.split_ascii_whitespace().chain(self.wiring.needs());
        if !needs.all(|need| words.contains_key(need)) {
            return None;
        }
        let mut lines = String::new();
        let mut rest = self.change;
        while let Some((before, after)) = rest.split_once('<') {
            let (word, after) = after.split_once('>')?;
            lines.push_str(before);
            lines.push_str(words.get(word)?);
            rest = after;
        }
        lines.push_str(rest);
        lines.push('\n');
        Some(lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_two_faults_have_one_file() {
        let names: BTreeSet<String> = FAULTS.iter().map(Fault::name).collect();
        assert_eq!(names.len(), FAULTS.len());
    }
}
