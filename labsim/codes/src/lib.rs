//! Stable codes of everything that labsim reports as wrong: mistakes in files, errors of a run, and
//! causes of failed exchanges.
//!
//! A code's name is printed at the end of the message, stands in JUnit's `type` and in events, and
//! never changes its meaning. `labsim help CODE` prints its text; the manual lists all of them.
//! Each code is declared once, in [`mod@file`], [`run`] or [`cause`].

#![forbid(unsafe_code)]

pub mod cause;
pub mod file;
pub mod run;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// A stable code. Compares and displays by its name, such as `vip-missing`.
#[derive(Clone, Copy)]
pub struct Code(&'static Text);

/// What a code means.
#[derive(Debug)]
struct Text {
    name: &'static str,
    meaning: &'static str,
    evidence: &'static str,
    remedy: &'static str,
}

impl Code {
    /// The name: lower case words joined by hyphens.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.0.name
    }

    /// What went wrong, in a sentence or two.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        self.0.meaning
    }

    /// The observation that it rests on.
    #[must_use]
    pub const fn evidence(self) -> &'static str {
        self.0.evidence
    }

    /// What to change.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        self.0.remedy
    }

    /// Every code: of files, of runs, then causes.
    pub fn all() -> impl Iterator<Item = Self> {
        [file::ALL, run::ALL, cause::ALL].into_iter().flatten().copied()
    }

    /// The code of that name.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Self::all().find(|code| code.name() == name)
    }
}

impl PartialEq for Code {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Code {}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::find(&name)
            .ok_or_else(|| serde::de::Error::custom(format_args!("unknown code `{name}`")))
    }
}

/// Declares codes, and `ALL` of them in this order.
macro_rules! codes {
    ($(
        $(#[$doc:meta])*
        $constant:ident = $name:literal {
            meaning: $meaning:literal,
            evidence: $evidence:literal,
            remedy: $remedy:literal $(,)?
        }
    )*) => {
        $(
            $(#[$doc])*
            pub const $constant: $crate::Code = $crate::Code(&$crate::Text {
                name: $name,
                meaning: $meaning,
                evidence: $evidence,
                remedy: $remedy,
            });
        )*

        /// All codes of this module, in the order of their declaration.
        pub(crate) const ALL: &[$crate::Code] = &[$($constant),*];
    };
}
use codes;

#[cfg(test)]
mod tests {
    use super::Code;
    use std::collections::BTreeSet;

    #[test]
    fn every_code_has_a_name_of_its_own_and_a_text() {
        let mut names = BTreeSet::new();
        for code in Code::all() {
            let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
            assert!(
                code.name().split('-').all(|word| !word.is_empty() && word.bytes().all(is_plain)),
                "{code}"
            );
            assert!(names.insert(code.name()), "{code} is declared twice");
            for text in [code.meaning(), code.evidence(), code.remedy()] {
                assert!(text.len() > 10 && text.ends_with('.'), "{code}: {text}");
            }
            assert_eq!(Code::find(code.name()), Some(code));
        }
    }
}
