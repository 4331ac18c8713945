//! Names of labs that are up.

use crate::error::LiveError;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

/// The longest name.
const LONGEST: usize = 64;

/// The name of a lab that is up, which is also that of its folder: 1 to 64 letters, digits, `-`, `_`
/// and `.`, the first a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LabName(String);

impl LabName {
    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of a file's lab: the file's name without its ending.
    ///
    /// # Errors
    /// [`LiveError::Name`].
    pub fn of_file(file: &Path) -> Result<Self, LiveError> {
        file.file_stem().unwrap_or_default().to_string_lossy().parse()
    }
}

impl FromStr for LabName {
    type Err = LiveError;

    fn from_str(text: &str) -> Result<Self, LiveError> {
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric();
        let is_allowed = |byte: &u8| is_plain(byte) || b"-_.".contains(byte);
        let bytes = text.as_bytes();
        if bytes.first().is_some_and(is_plain)
            && bytes.len() <= LONGEST
            && bytes.iter().all(is_allowed)
        {
            return Ok(Self(text.to_owned()));
        }
        let shown: String = text.chars().take(2 * LONGEST).collect();
        Err(LiveError::Name(shown.escape_debug().to_string()))
    }
}

impl fmt::Display for LabName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::LabName;
    use std::path::Path;

    #[test]
    fn a_name_is_one_plain_part_of_a_path() {
        for name in ["a", "tacacs-ipip", "9.b_C", &"x".repeat(64)] {
            assert!(name.parse::<LabName>().is_ok(), "{name}");
        }
        for name in ["", ".", "..", ".a", "-a", "a/b", "a b", "ä", "a\n", &"x".repeat(65)] {
            let error = name.parse::<LabName>().unwrap_err().to_string();
            assert!(error.contains("is no name of a lab"), "{error}");
        }
    }

    #[test]
    fn a_file_without_another_name_gives_its_own() {
        let name = LabName::of_file(Path::new("scenarios/tacacs-ipip.yaml")).unwrap();
        assert_eq!(name.as_str(), "tacacs-ipip");
        assert!(LabName::of_file(Path::new("/")).is_err());
    }
}
