//! Passwords and shared secrets: never printed, compared in constant time.

use labsim_yaml::{Context, Forms, FromYaml, Node};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::hint::black_box;

/// A password, a shared secret, or a field of a message that may hold one. `Debug` does not show
/// it; serde reads and writes it as text.
///
/// `==` takes a time that depends on the lengths only.
#[derive(Clone, Default, JsonSchema)]
pub struct Secret(#[schemars(with = "String")] Vec<u8>);

impl Secret {
    /// Keeps `bytes` from being printed.
    #[must_use]
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The secret itself, for the protocol that needs it.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The secret as text; one that was read from a file is text. Other bytes are replaced.
    #[must_use]
    pub fn expose_text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }

    /// Whether it has no byte.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        constant_time_eq(&self.0, &other.0)
    }
}

impl Eq for Secret {}

/// Compares without stopping at the first difference.
#[must_use]
pub fn constant_time_eq(left: &[u8], right: &[u8]) -> bool {
    let differing = left.iter().zip(right).fold(0, |sum, (a, b)| black_box(sum | (a ^ b)));
    left.len() == right.len() && differing == 0
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = std::str::from_utf8(&self.0);
        serializer.serialize_str(text.map_err(|_| serde::ser::Error::custom("not UTF-8"))?)
    }
}

impl FromYaml for Secret {
    const FORMS: Forms = <String as FromYaml>::FORMS;

    fn expected() -> String {
        <String as FromYaml>::expected()
    }

    fn from_yaml(node: Node<'_>, context: &mut Context) -> Option<Self> {
        <String as FromYaml>::from_yaml(node, context).map(Self::new)
    }

    fn placeholder() -> Option<Self> {
        Some(Self::default())
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn a_secret_is_not_shown_by_debug() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(…)");
    }

    #[test]
    fn secrets_are_equal_only_byte_for_byte() {
        assert_eq!(Secret::new("abc"), Secret::new("abc"));
        for other in ["abd", "bbc", "ab", "abcd", ""] {
            assert_ne!(Secret::new("abc"), Secret::new(other));
        }
    }
}
