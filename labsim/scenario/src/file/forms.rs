//! Shapes that several parts of the files share: ordered tables, and values with a short form.

use super::lenient::leave_out;
use labsim_yaml::{Located, Span};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// A map in the file's order, with the place of each key.
#[derive(Debug, Clone)]
pub(crate) struct Table<V>(pub(crate) Vec<(Located<String>, V)>);

impl<V> Default for Table<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<V> Table<V> {
    /// The entries in the file's order.
    pub(crate) fn iter(&self) -> std::slice::Iter<'_, (Located<String>, V)> {
        self.0.iter()
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Table<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<V>(PhantomData<V>);
        impl<'de, V: Deserialize<'de>> Visitor<'de> for Entries<V> {
            type Value = Table<V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(key) = map.next_key::<Located<String>>()? {
                    match map.next_value() {
                        // At the default place stands a key that was made up for a wrong one.
                        Ok(value) if key.span != Span::default() => entries.push((key, value)),
                        Ok(_) => {}
                        Err(error) => leave_out(Some(&key), error)?,
                    }
                }
                Ok(Table(entries))
            }
        }
        deserializer.deserialize_map(Entries(PhantomData))
    }
}

impl<V: JsonSchema> JsonSchema for Table<V> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("TableOf{}", V::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "additionalProperties": {
                "anyOf": [generator.subschema_for::<V>(), { "type": "null" }],
            },
        })
    }
}

/// A list, of which a lenient reading takes the items that it can read.
#[derive(Debug, Clone)]
pub(crate) struct Items<T>(pub(crate) Vec<T>);

impl<T> Default for Items<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> std::ops::Deref for Items<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Items<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for List<T> {
            type Value = Items<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                loop {
                    match list.next_element() {
                        Ok(Some(item)) => items.push(item),
                        Ok(None) => return Ok(Items(items)),
                        Err(error) => leave_out(None, error)?,
                    }
                }
            }
        }
        deserializer.deserialize_seq(List(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for Items<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        Vec::<T>::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Vec::<T>::json_schema(generator)
    }
}

/// A string or a number, kept as text: sysctl values and protocols.
#[derive(Debug, Clone)]
pub(crate) struct Scalar(pub(crate) String);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number or a text")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Scalar, E> {
                Ok(Scalar(text.to_owned()))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Scalar, E> {
                Ok(Scalar(number.to_string()))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Scalar, E> {
                Ok(Scalar(number.to_string()))
            }
        }
        deserializer.deserialize_any(Text)
    }
}

impl JsonSchema for Scalar {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Scalar".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "integer"] })
    }
}

/// Declares a value that may be written in more than one way: as a text, as a list, as a map.
///
/// serde's own untagged enums try one variant after the other and lose every place on the way;
/// this looks at what is there and reads only that.
macro_rules! forms {
    (
        $(#[$doc:meta])*
        $name:ident = $expecting:literal {
            $(text: $text:literal;)?
            $(number: $number:literal;)?
            $(list: $item:ty;)?
            $(map: $fields:ty;)?
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub(crate) enum $name {
            $(#[doc = $text] Text(String),)?
            $(#[doc = $number] Number(u64),)?
            $(/// A list.
            List($crate::file::Items<$item>),)?
            $(/// A map.
            Map(Box<$fields>),)?
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
                struct Any;
                impl<'de> serde::de::Visitor<'de> for Any {
                    type Value = $name;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str($expecting)
                    }

                    $(#[doc = $text]
                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$name, E> {
                        Ok($name::Text(text.to_owned()))
                    })?

                    $(#[doc = $number]
                    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<$name, E> {
                        Ok($name::Number(number))
                    })?

                    $(fn visit_seq<A: serde::de::SeqAccess<'de>>(
                        self,
                        list: A,
                    ) -> Result<$name, A::Error> {
                        let list = serde::de::value::SeqAccessDeserializer::new(list);
                        <$crate::file::Items<$item> as serde::Deserialize>::deserialize(list).map($name::List)
                    })?

                    $(fn visit_map<A: serde::de::MapAccess<'de>>(
                        self,
                        map: A,
                    ) -> Result<$name, A::Error> {
                        let map = $crate::file::structure::Structure(map);
                        <Box<$fields> as serde::Deserialize>::deserialize(map).map($name::Map)
                    })?
                }
                reader.deserialize_any(Any)
            }
        }

        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let _ = &generator;
                schemars::json_schema!({ "anyOf": [
                    $({ "type": "string", "description": $text },)?
                    $({ "type": "integer", "minimum": 0, "description": $number },)?
                    $({ "type": "array", "items": generator.subschema_for::<$item>() },)?
                    $(generator.subschema_for::<$fields>(),)?
                ] })
            }
        }
    };
}
pub(crate) use forms;

forms! {
    /// One text, or a list of texts.
    Texts = "a text or a list of texts" {
        text: "One.";
        list: Located<String>;
    }
}
