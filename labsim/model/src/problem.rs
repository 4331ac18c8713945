//! What is wrong with a configuration, and the key that holds it.

use labsim_codes::Code;
use std::fmt;

/// The keys from a configuration's root to a value; an element of a list by its number from 0.
/// Displayed with dots: `pools.p_tacacs-test_49.members.0`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyPath(Vec<String>);

impl KeyPath {
    /// The keys from the root on.
    #[must_use]
    pub fn new<const N: usize>(keys: [&str; N]) -> Self {
        Self(keys.map(str::to_owned).to_vec())
    }

    /// The path of a value within this one's.
    #[must_use]
    pub fn join(&self, key: impl fmt::Display) -> Self {
        let mut keys = self.0.clone();
        keys.push(key.to_string());
        Self(keys)
    }

    /// The keys, the root's first.
    #[must_use]
    pub fn keys(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

/// One error of a configuration that can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key that holds it. It may be absent from the file: its default is what is wrong then.
    pub path: KeyPath,
    /// What is wrong and what would be right, in a sentence.
    pub message: String,
    /// The kind of error.
    pub code: Code,
    /// What is missing, where something is: its name, or nothing for what has no name. The parts of
    /// a file that could not be read may hold it.
    pub missing: Option<String>,
}

impl Problem {
    /// An error at a key.
    #[must_use]
    pub fn new(code: Code, path: KeyPath, message: impl Into<String>) -> Self {
        Self { path, message: message.into(), code, missing: None }
    }

    /// Something that is missing; `name` is empty for what has no name.
    #[must_use]
    pub fn absence(code: Code, path: KeyPath, name: &str, message: impl Into<String>) -> Self {
        Self { missing: Some(name.to_owned()), ..Self::new(code, path, message) }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, message, code, .. } = self;
        write!(f, "{path}: {message} [{code}]")
    }
}

impl std::error::Error for Problem {}
