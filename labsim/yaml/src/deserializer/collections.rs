//! The parts of lists and mappings, without those that were taken out, with what stands in.

use serde::de::{DeserializeSeed, MapAccess, SeqAccess};
use serde::forward_to_deserialize_any;

use super::{At, name};
use crate::failure::{Failure, Slot};
use crate::stand_in::StandIn;
use crate::tree::NodeId;

/// The items of a list of any length.
pub(super) struct Items<'r, 't> {
    at: At<'r, 't>,
    left: std::slice::Iter<'t, NodeId>,
}

impl<'r, 't> Items<'r, 't> {
    pub(super) fn new(at: At<'r, 't>, items: &'t [NodeId]) -> Self {
        Self { at, left: items.iter() }
    }
}

impl<'de> SeqAccess<'de> for Items<'_, '_> {
    type Error = Failure;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Failure> {
        let run = self.at.run;
        let Some(item) = self.left.find(|item| {
            let skips = run.skips(self.at.node, **item);
            if skips {
                run.lose_other();
            }
            !skips
        }) else {
            return Ok(None);
        };
        let value = self.at.to(*item).read(seed)?;
        run.is_well(*item);
        Ok(Some(value))
    }

    fn size_hint(&self) -> Option<usize> {
        self.left.size_hint().1
    }
}

/// The items of a list of fixed length.
pub(super) struct Tuple<'r, 't> {
    at: At<'r, 't>,
    left: std::iter::Enumerate<std::slice::Iter<'t, NodeId>>,
}

impl<'r, 't> Tuple<'r, 't> {
    pub(super) fn new(at: At<'r, 't>, items: &'t [NodeId]) -> Self {
        Self { at, left: items.iter().enumerate() }
    }
}

impl<'de> SeqAccess<'de> for Tuple<'_, '_> {
    type Error = Failure;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Failure> {
        let Some((index, item)) = self.left.next() else { return Ok(None) };
        if self.at.run.is_out(*item) {
            StandIn::read(self.at, Slot::Item(index), seed).map(Some)
        } else {
            self.at.to(*item).read(seed).map(Some)
        }
    }
}

/// The entries of a mapping with any keys.
pub(super) struct Entries<'r, 't> {
    at: At<'r, 't>,
    left: std::slice::Iter<'t, (NodeId, NodeId)>,
    standing_in: std::vec::IntoIter<&'static str>,
    value: Value,
}

/// The value that comes next.
enum Value {
    Node(NodeId),
    StandIn(&'static str),
}

impl Value {
    fn read<'de, S: DeserializeSeed<'de>>(
        &self,
        at: At<'_, '_>,
        seed: S,
    ) -> Result<S::Value, Failure> {
        match self {
            Self::Node(node) => at.to(*node).read(seed),
            Self::StandIn(field) => StandIn::read(at, Slot::Field(field), seed),
        }
    }
}

impl<'r, 't> Entries<'r, 't> {
    pub(super) fn new(at: At<'r, 't>, entries: &'t [(NodeId, NodeId)]) -> Self {
        // A type that takes text or a mapping may have fields, which are not known here.
        let standing_in = at.run.fields_standing_in(at.node).into_iter();
        Self { at, left: entries.iter(), standing_in, value: Value::Node(at.node) }
    }

    /// The next entry that takes part in this attempt.
    fn next(&mut self) -> Option<(NodeId, NodeId)> {
        let run = self.at.run;
        for (key, value) in self.left.by_ref() {
            if run.skips(self.at.node, *value) || run.is_out(*key) && !run.makes_up() {
                run.lose_key(*key);
            } else {
                return Some((*key, *value));
            }
        }
        None
    }
}

impl<'de> MapAccess<'de> for Entries<'_, '_> {
    type Error = Failure;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Failure> {
        let Some((key, value)) = self.next() else {
            let Some(field) = self.standing_in.next() else { return Ok(None) };
            self.value = Value::StandIn(field);
            return seed.deserialize(name(field)).map(Some);
        };
        self.value = Value::Node(value);
        if self.at.run.is_out(key) {
            // The value is examined all the same.
            StandIn::read(self.at, Slot::Key(value), seed).map(Some)
        } else {
            let key = self.at.to(key);
            key.run.work()?;
            seed.deserialize(Key(key)).map_err(|failure| failure.or_at(key.node)).map(Some)
        }
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Failure> {
        let value = self.value.read(self.at, seed)?;
        if let Value::Node(node) = self.value {
            self.at.run.is_well(node);
        }
        Ok(value)
    }

    fn size_hint(&self) -> Option<usize> {
        self.left.size_hint().1
    }
}

/// The entries of a mapping whose keys are known.
pub(super) struct Fields<'r, 't> {
    at: At<'r, 't>,
    given: std::slice::Iter<'t, (NodeId, NodeId)>,
    fields: &'static [&'static str],
    standing_in: std::vec::IntoIter<&'static str>,
    value: Value,
}

impl<'r, 't> Fields<'r, 't> {
    pub(super) fn new(
        at: At<'r, 't>,
        entries: &'t [(NodeId, NodeId)],
        fields: &'static [&'static str],
    ) -> Self {
        let standing_in = at.run.fields_standing_in(at.node).into_iter();
        Self { at, given: entries.iter(), fields, standing_in, value: Value::Node(at.node) }
    }
}

impl<'de> MapAccess<'de> for Fields<'_, '_> {
    type Error = Failure;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Failure> {
        let run = self.at.run;
        for (key, value) in self.given.by_ref() {
            let text = run.tree.text(*key);
            if !self.fields.contains(&text) {
                run.unknown_key(self.at.node, *key, self.fields);
            } else if run.is_out(*value) {
                run.lose_other();
            } else {
                self.value = Value::Node(*value);
                return seed.deserialize(name(text)).map(Some);
            }
        }
        let Some(field) = self.standing_in.next() else { return Ok(None) };
        self.value = Value::StandIn(field);
        seed.deserialize(name(field)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Failure> {
        self.value.read(self.at, seed)
    }
}

/// A key: always its text, and a number only where one is wanted.
struct Key<'r, 't>(At<'r, 't>);

macro_rules! as_the_node {
    ($($method:ident)*) => {
        $(fn $method<V: serde::de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
            self.0.$method(visitor)
        })*
    };
}

impl<'de> serde::Deserializer<'de> for Key<'_, '_> {
    type Error = Failure;

    fn deserialize_any<V: serde::de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_str(self.0.run.tree.text(self.0.node))
    }

    as_the_node! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_i128 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_u128 deserialize_char deserialize_str deserialize_string
    }

    fn deserialize_newtype_struct<V: serde::de::Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Failure> {
        self.0.deserialize_newtype_struct(name, visitor)
    }

    fn deserialize_enum<V: serde::de::Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        self.0.deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        f32 f64 bytes byte_buf option unit unit_struct seq tuple tuple_struct map struct
        identifier ignored_any
    }
}
