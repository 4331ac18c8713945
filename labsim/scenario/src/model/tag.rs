//! The words that scenarios are selected by.

use crate::text::quoted;
use std::fmt;

/// Most bytes of a tag.
const LENGTH: usize = 32;

/// A tag: 1 to 32 bytes of lowercase letters, digits and `-`, beginning with a letter or digit.
///
/// None of these characters means anything in a filter expression, a shell or an XML attribute.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(String);

impl Tag {
    /// Checks a tag.
    ///
    /// # Errors
    /// What is wrong with it, and the remedy.
    pub fn new(text: &str) -> Result<Self, String> {
        let is_of_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        if text.is_empty() {
            Err(format!("an empty tag; write 1 to {LENGTH} bytes"))
        } else if text.len() > LENGTH {
            let shown = quoted(text);
            Err(format!("the tag {shown} has {} bytes; at most {LENGTH} are allowed", text.len()))
        } else if !text.bytes().next().is_some_and(is_of_word)
            || !text.bytes().all(|byte| is_of_word(byte) || byte == b'-')
        {
            Err(format!(
                "the tag {} may hold lowercase letters, digits and `-`, and begins with a letter \
                 or a digit",
                quoted(text)
            ))
        } else {
            Ok(Self(text.to_owned()))
        }
    }

    /// The tag as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
