//! serde's deserializer over one node of the tree.

mod collections;
mod variants;

use serde::de::value::{StrDeserializer, U64Deserializer};
use serde::de::{DeserializeSeed, Deserializer, Expected, IntoDeserializer, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use crate::failure::{Failure, What};
use crate::located::ASKS_FOR_PLACE;
use crate::run::Run;
use crate::scalar::{Whole, float, is_null, meant_boolean, whole};
use crate::tree::{Kind, NodeId};
use crate::words::{expected, found, from_to, list, quote};

use collections::{Entries, Fields, Items, Tuple};

const TEXT: &str = "text, such as `abc`";

/// One node, to be read.
#[derive(Clone, Copy)]
pub(crate) struct At<'r, 't> {
    pub(crate) run: &'r Run<'t>,
    pub(crate) node: NodeId,
}

impl<'r, 't> At<'r, 't> {
    fn kind(self) -> &'t Kind {
        self.run.tree.kind(self.node)
    }

    fn to(self, node: NodeId) -> Self {
        Self { node, ..self }
    }

    fn is_null(self) -> bool {
        matches!(self.kind(), Kind::Scalar { text, plain: true } if is_null(text))
    }

    /// Whether no mistake was noted that takes this value out.
    fn needs_no_stand_in(self) -> bool {
        !self.run.is_out(self.node)
    }

    /// Neither a value nor a promise of one.
    fn is_empty(self) -> bool {
        self.is_null() || self.is_nothing()
    }

    fn is_nothing(self) -> bool {
        matches!(self.kind(), Kind::Nothing)
    }

    fn say(self, message: impl Into<String>) -> Failure {
        Failure::at(self.node, What::Said(message.into()))
    }

    /// "expected this, found that", with a remedy where one is known.
    fn wrong(self, expected: &str, remedy: Option<String>) -> Failure {
        let remedy = remedy
            .or_else(|| self.is_nothing().then(|| "write a value, or take the key out".to_owned()));
        let remedy = remedy.map_or_else(String::new, |remedy| format!("; {remedy}"));
        self.say(format!("expected {expected}, found {}{remedy}", found(self.kind())))
    }

    fn placed<T>(self, result: Result<T, Failure>) -> Result<T, Failure> {
        result.map_err(|failure| failure.or_at(self.node))
    }

    /// Reads this node as `seed` wants it.
    fn read<'de, S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Failure> {
        self.run.work()?;
        seed.deserialize(self).map_err(|failure| failure.or_at(self.node))
    }

    /// The node as a whole number of a type's range.
    fn whole(self, low: i128, high: i128) -> Result<i128, Failure> {
        let expected = format!("a whole number {}", from_to(low, high));
        let Kind::Scalar { text, plain } = self.kind() else {
            return Err(self.wrong(&expected, None));
        };
        match whole(text) {
            Whole::Number(_) if !plain => {
                Err(self.wrong(&expected, Some("take the quotes away".to_owned())))
            }
            Whole::Number(number) if (low..=high).contains(&number) => Ok(number),
            Whole::Number(_) | Whole::Huge => {
                Err(self.say(format!("{} is out of range; write {expected}", quote(text))))
            }
            Whole::LeadingZero => {
                let remedy = "write it without the leading zero, or as `0o…` if it is octal";
                Err(self.wrong(&expected, Some(remedy.to_owned())))
            }
            Whole::No => Err(self.wrong(&expected, None)),
        }
    }

    /// The node as text: a plain scalar is what stands there.
    fn text(self, expected: &str) -> Result<&'t str, Failure> {
        match self.kind() {
            Kind::Scalar { .. } if self.is_null() => {
                let word = expected == TEXT;
                let remedy = word.then(|| "quote it if you mean the word".to_owned());
                Err(self.wrong(expected, remedy))
            }
            Kind::Scalar { text, .. } => Ok(text),
            _ => Err(self.wrong(expected, None)),
        }
    }

    fn visit_text<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        let wanted = (&visitor as &dyn Expected).to_string();
        let phrase = expected(&wanted).unwrap_or_else(|| TEXT.to_owned());
        visitor.visit_str(self.text(&phrase)?).map_err(|failure: Failure| match failure {
            // std's own words say neither what is expected nor what was found.
            Failure { place: None, what: What::Custom(_) } if phrase != wanted => {
                self.wrong(&phrase, None)
            }
            other => other.or_at(self.node),
        })
    }

    fn items(self, expected: &str) -> Result<&'t [NodeId], Failure> {
        match self.kind() {
            Kind::List(items) => Ok(items),
            _ => Err(self.wrong(expected, None)),
        }
    }

    fn entries(self, expected: &str) -> Result<&'t [(NodeId, NodeId)], Failure> {
        match self.kind() {
            Kind::Map(entries) => Ok(entries),
            Kind::Nothing => {
                Err(self.wrong(expected, Some("write `{}` for an empty one".to_owned())))
            }
            _ => Err(self.wrong(expected, None)),
        }
    }

    fn structure<'de, V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        let expected = match fields {
            [] => "an empty mapping, `{}`".to_owned(),
            [one] => format!("a mapping with the key {}", quote(one)),
            [one, two] => format!("a mapping with keys such as {} and {}", quote(one), quote(two)),
            [one, two, three, ..] => {
                format!("a mapping with keys such as {}", list(&[one, two, three], "and"))
            }
        };
        let entries = self.entries(&expected)?;
        self.placed(visitor.visit_map(Fields::new(self, entries, fields)))
    }

    fn tuple<'de, V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Failure> {
        let example =
            ["a", "b", "c", "d"].get(..length).map_or("a, b, …".to_owned(), |e| e.join(", "));
        let expected = format!("a list of {length}, such as `[{example}]`");
        let items = self.items(&expected)?;
        if items.len() != length {
            return Err(self.say(format!("expected {expected}, found a list of {}", items.len())));
        }
        self.placed(visitor.visit_seq(Tuple::new(self, items)))
    }
}

macro_rules! whole_numbers {
    ($($deserialize:ident $visit:ident $type:ty;)*) => {
        $(fn $deserialize<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
            let number = self.whole(<$type>::MIN as i128, i128::try_from(<$type>::MAX).unwrap_or(i128::MAX))?;
            // In range, as has just been checked.
            let number = <$type>::try_from(number).unwrap_or_default();
            self.placed(visitor.$visit(number))
        })*
    };
}

impl<'de> Deserializer<'de> for At<'_, '_> {
    type Error = Failure;

    whole_numbers! {
        deserialize_u8 visit_u8 u8;
        deserialize_u16 visit_u16 u16;
        deserialize_u32 visit_u32 u32;
        deserialize_u64 visit_u64 u64;
        deserialize_u128 visit_u128 u128;
        deserialize_i8 visit_i8 i8;
        deserialize_i16 visit_i16 i16;
        deserialize_i32 visit_i32 i32;
        deserialize_i64 visit_i64 i64;
        deserialize_i128 visit_i128 i128;
    }

    /// What YAML 1.2's core schema makes of the node, for types that take several kinds of values.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        let result = match self.kind() {
            Kind::Nothing | Kind::Broken => visitor.visit_unit(),
            Kind::List(items) => visitor.visit_seq(Items::new(self, items)),
            Kind::Map(entries) => visitor.visit_map(Entries::new(self, entries)),
            Kind::Scalar { text, plain: false } => visitor.visit_str(text),
            Kind::Scalar { text, plain: true } => match (text.as_str(), whole(text), float(text)) {
                (text, ..) if is_null(text) => visitor.visit_unit(),
                ("true", ..) => visitor.visit_bool(true),
                ("false", ..) => visitor.visit_bool(false),
                (_, Whole::Number(number), _) => {
                    match (u64::try_from(number), i64::try_from(number)) {
                        (Ok(number), _) => visitor.visit_u64(number),
                        (_, Ok(number)) => visitor.visit_i64(number),
                        _ => visitor.visit_i128(number),
                    }
                }
                (_, Whole::No, Some(number)) => visitor.visit_f64(number),
                (text, ..) => visitor.visit_str(text),
            },
        };
        self.placed(result)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        let value = match self.kind() {
            Kind::Scalar { text, plain: true } if text == "true" => true,
            Kind::Scalar { text, plain: true } if text == "false" => false,
            Kind::Scalar { text, plain } => {
                let remedy = match meant_boolean(text) {
                    Some(_) if !plain && (text == "true" || text == "false") => {
                        Some("take the quotes away".to_owned())
                    }
                    Some(value) => Some(format!("write `{value}`")),
                    None => None,
                };
                return Err(self.wrong("`true` or `false`", remedy));
            }
            _ => return Err(self.wrong("`true` or `false`", None)),
        };
        self.placed(visitor.visit_bool(value))
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        let expected = "a number, such as `1.5`";
        let number = match self.kind() {
            Kind::Scalar { text, plain } => match float(text) {
                Some(number) if *plain => number,
                Some(_) => {
                    return Err(self.wrong(expected, Some("take the quotes away".to_owned())));
                }
                None => return Err(self.wrong(expected, None)),
            },
            _ => return Err(self.wrong(expected, None)),
        };
        self.placed(visitor.visit_f64(number))
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        self.visit_text(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        self.visit_text(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        self.visit_text(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        if self.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        if !self.is_empty() {
            return Err(self.wrong("no value", Some("take it out".to_owned())));
        }
        self.placed(visitor.visit_unit())
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Failure> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Failure> {
        if name == ASKS_FOR_PLACE {
            visitor.visit_seq(Placed { at: self, next: 0 })
        } else {
            visitor.visit_newtype_struct(self)
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        let expected = "a list, such as `[a, b]`";
        let items = match self.kind() {
            Kind::Scalar { text, .. } if !self.is_null() => {
                let remedy = format!("write {} for a list of one", quote(&format!("[{text}]")));
                return Err(self.wrong(expected, Some(remedy)));
            }
            Kind::Nothing => {
                return Err(self.wrong(expected, Some("write `[]` for an empty one".to_owned())));
            }
            _ => self.items(expected)?,
        };
        self.placed(visitor.visit_seq(Items::new(self, items)))
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Failure> {
        self.tuple(length, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Failure> {
        self.tuple(length, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        let entries = self.entries("a mapping, such as `{key: value}`")?;
        self.placed(visitor.visit_map(Entries::new(self, entries)))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        self.structure(fields, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        let chosen = self.choose(variants)?;
        self.placed(visitor.visit_enum(chosen))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! { bytes byte_buf identifier }
}

/// The place of a value in three numbers, then the value: what [`Located`](crate::Located) reads.
struct Placed<'r, 't> {
    at: At<'r, 't>,
    next: usize,
}

impl<'de> SeqAccess<'de> for Placed<'_, '_> {
    type Error = Failure;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Failure> {
        self.next += 1;
        let numbers = self.at.run.tree.span(self.at.node).pack();
        match numbers.get(self.next - 1) {
            Some(number) => {
                let number: U64Deserializer<Failure> = number.into_deserializer();
                seed.deserialize(number).map(Some)
            }
            None => seed.deserialize(self.at).map(Some),
        }
    }
}

/// A name that serde's derived code is told.
fn name<'a>(name: &'a str) -> StrDeserializer<'a, Failure> {
    name.into_deserializer()
}
