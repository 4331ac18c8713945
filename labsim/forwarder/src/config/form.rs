//! Values that are a word, or a map of one key with options: `gre`, `{gre: {key: 7}}`.
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
    /// The word that can have options.
    const KEY: &'static str;
    /// Its options.
    type Options: Default + for<'de> Deserialize<'de>;

    /// The value of one of the words, but for the one that can have options.
    fn plain(word: &str) -> Option<Self>;

    /// The value with options.
    fn with(options: Self::Options) -> Self;
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
        if word == T::KEY {
            return Ok(T::with(T::Options::default()));
        }
        T::plain(word).ok_or_else(|| E::unknown_variant(word, T::WORDS))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key::<String>()? {
            if key != T::KEY {
                return Err(A::Error::custom(format_args!(
                    "unknown key `{key}`; expected `{}`",
                    T::KEY
                )));
            }
            if found.is_some() {
                return Err(A::Error::custom(format_args!("duplicate key `{key}`")));
            }
            found = Some(map.next_value::<Option<T::Options>>()?.unwrap_or_default());
        }
        found.map(T::with).ok_or_else(|| A::Error::missing_field(T::KEY))
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
