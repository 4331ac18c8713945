//! A derived structure out of a map that is being read already.
//!
//! A form that is a text or a map sees a map's keys before it knows which are allowed, and serde's
//! own bridge reports an unknown one without its place. This one does it as `labsim_yaml` does.

use super::lenient::is_lenient;
use labsim_yaml::{Located, Span};
use serde::de::value::StrDeserializer;
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error as _, IgnoredAny, IntoDeserializer,
    MapAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use std::fmt;

/// The rest of a map, as the deserializer of a structure.
pub(super) struct Structure<A>(pub(super) A);

impl<'de, A: MapAccess<'de>> Deserializer<'de> for Structure<A> {
    type Error = A::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, A::Error> {
        visitor.visit_map(self.0)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        visitor.visit_map(Fields { map: self.0, fields }).map_err(|fault| match fault {
            // As the structure's own complaint, which `labsim_yaml` does not believe where a part
            // of the map was taken out.
            Fault::Missing(field) => {
                A::Error::custom(format!("the key `{field}` is missing here; add it"))
            }
            Fault::Other(error) => error,
        })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// Why a structure could not be read.
#[derive(Debug)]
enum Fault<E> {
    Missing(&'static str),
    Other(E),
}

impl<E: fmt::Display> fmt::Display for Fault<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(field) => write!(f, "missing key `{field}`"),
            Self::Other(error) => error.fmt(f),
        }
    }
}

impl<E: std::error::Error> std::error::Error for Fault<E> {}

impl<E: serde::de::Error> serde::de::Error for Fault<E> {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Other(E::custom(message))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::Missing(field)
    }
}

/// The entries whose keys are fields.
struct Fields<A> {
    map: A,
    fields: &'static [&'static str],
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Fields<A> {
    type Error = Fault<A::Error>;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Self::Error> {
        loop {
            let key = self.map.next_key_seed(Key { fields: self.fields });
            match key.map_err(Fault::Other)? {
                Some(Some(field)) => {
                    let field: StrDeserializer<'_, Self::Error> = field.into_deserializer();
                    return seed.deserialize(field).map(Some);
                }
                // An unknown key, reported before.
                Some(None) => {
                    self.map.next_value::<IgnoredAny>().map_err(Fault::Other)?;
                }
                None => return Ok(None),
            }
        }
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<S::Value, Self::Error> {
        self.map.next_value_seed(seed).map_err(Fault::Other)
    }
}

/// A field's name; `None` for a key that stands in for a wrong one.
struct Key {
    fields: &'static [&'static str],
}

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Option<&'static str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let key = Located::<String>::deserialize(deserializer)?;
        let field = self.fields.iter().find(|field| **field == key.value).copied();
        if field.is_some() || key.span == Span::default() || is_lenient() {
            return Ok(field);
        }
        Err(D::Error::custom(unknown(&key, self.fields)))
    }
}

/// In the words of `labsim_yaml`.
fn unknown(key: &str, fields: &[&str]) -> String {
    let near = fields
        .iter()
        .map(|field| (strsim::osa_distance(key, field), *field))
        .filter(|(distance, field)| *distance <= field.len().div_ceil(3))
        .min();
    let remedy = match near {
        Some((_, field)) => format!("did you mean `{field}`?"),
        None => "take it out or correct it".to_owned(),
    };
    let known: Vec<String> = fields.iter().map(|field| format!("`{field}`")).collect();
    let known = match known.split_last() {
        Some((last, others)) if !others.is_empty() => {
            format!("are {} and {last}", others.join(", "))
        }
        _ => format!("is {}", known.join("")),
    };
    format!("unknown key {}; {remedy} (allowed here {known})", crate::text::quoted(key))
}
