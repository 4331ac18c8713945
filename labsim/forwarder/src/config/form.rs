//! Values that are a word, or a map of one word with options: `gre`, `{gre: {key: 7}}`.
//!
//! A derived reader would want a map for every word that can have options.

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;

/// A value of that form.
pub(super) trait Form: Sized {
    /// What belongs there, as a sentence says it.
    const EXPECTING: &'static str;
    /// All words.
    const WORDS: &'static [&'static str];
    /// The words that can have options.
    const KEYS: &'static [&'static str];
    /// Their options.
    type Options: Default + for<'de> Deserialize<'de>;

    /// The value of one of the words, but for those that can have options.
    fn plain(word: &str) -> Option<Self>;

    /// The value of one that can have options.
    fn with(key: &str, options: Self::Options) -> Option<Self>;
}

/// Reads one.
pub(super) fn read<'de, T: Form, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_any(Any(PhantomData))
}

struct Any<T>(PhantomData<T>);

impl<'de, T: Form> Visitor<'de> for Any<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTING)
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<T, E> {
        let value = match T::KEYS.contains(&word) {
            true => T::with(word, T::Options::default()),
            false => T::plain(word),
        };
        value.ok_or_else(|| E::unknown_variant(word, T::WORDS))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let keys = || T::KEYS.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
        let mut found: Option<(String, T)> = None;
        while let Some(key) = map.next_key::<String>()? {
            if !T::KEYS.contains(&key.as_str()) {
                return Err(A::Error::custom(format_args!(
                    "unknown key `{key}`; expected {}",
                    keys()
                )));
            }
            if let Some((first, _)) = &found {
                return Err(A::Error::custom(match *first == key {
                    true => format!("duplicate key `{key}`"),
                    false => format!("both `{first}` and `{key}`; give one"),
                }));
            }
            let options = map.next_value::<Option<T::Options>>()?.unwrap_or_default();
            found = T::with(&key, options).map(|value| (key, value));
        }
        match found {
            Some((_, value)) => Ok(value),
            None => Err(A::Error::custom(format_args!("an empty map; expected {}", keys()))),
        }
    }
}

/// Has a type of this form read by serde.
macro_rules! reads {
    ($name:ty) => {
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::config::form::read(deserializer)
            }
        }
    };
}
pub(super) use reads;
