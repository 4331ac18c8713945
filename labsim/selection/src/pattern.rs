//! Patterns of names, tags and paths.

use glob::{MatchOptions, Pattern};

/// `*` and `?` do not match a `/`; everything else is as in a shell.
const OPTIONS: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: false,
};

/// A pattern is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PatternError {
    /// Where in the pattern, in characters from 0.
    pub at: usize,
    /// A sentence.
    pub message: String,
}

/// A pattern with `*`, `?` and `[a-z]`; `**` stands for any number of folders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Glob(Pattern);

impl Glob {
    pub(crate) fn new(text: &str) -> Result<Self, PatternError> {
        if text.is_empty() {
            return Err(PatternError { at: 0, message: "a pattern is missing; write one".into() });
        }
        Pattern::new(text).map(Self).map_err(|error| PatternError {
            at: error.pos,
            message: format!("the pattern is not valid: {}", error.msg),
        })
    }

    pub(crate) fn matches(&self, text: &str) -> bool {
        self.0.matches_with(text, OPTIONS)
    }

    /// The pattern as it was written.
    pub(crate) fn text(&self) -> &str {
        self.0.as_str()
    }
}

/// A pattern of scenarios' names; with a `/` one of their paths below the named folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamePattern(Glob);

impl NamePattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// It is empty or not valid.
    pub fn new(text: &str) -> Result<Self, PatternError> {
        Glob::new(text).map(Self)
    }

    /// Whether it matches a scenario.
    #[must_use]
    pub fn matches(&self, name: &str, id: &str) -> bool {
        self.0.matches(if self.text().contains('/') { id } else { name })
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        self.0.text()
    }
}

impl From<Glob> for NamePattern {
    fn from(glob: Glob) -> Self {
        Self(glob)
    }
}
