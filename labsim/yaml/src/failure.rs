//! The error by which one reading of the file ends: what is wrong, and at which value.

use std::fmt;

use serde::de::{Expected, Unexpected};

use crate::tree::NodeId;
use crate::words::{list, quote};

/// Why one reading ended.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The innermost value that the reading had come to.
    pub(crate) place: Option<Place>,
    pub(crate) what: What,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Place {
    Node(NodeId),
    /// A stand-in did not fit; see [`Slot`].
    StandIn(NodeId, Slot),
}

/// Where in a collection something stands in for a value that is missing or wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Slot {
    /// The value of a structure's key.
    Field(&'static str),
    /// An item of a list of fixed length.
    Item(usize),
    /// The key of the entry with this value.
    Key(NodeId),
    /// What belongs to an enum's variant.
    Payload,
}

#[derive(Debug)]
pub(crate) enum What {
    /// This crate's own sentence about the value.
    Said(String),
    /// A type's own sentence about the value.
    Custom(String),
    /// The value is of the right kind, and is not this.
    Expected(String),
    MissingKey(&'static str),
    /// The key that was read last is none of these.
    UnknownKey(&'static [&'static str]),
    RepeatedKey(&'static str),
    /// More values were read than a person would wait for.
    Tired,
}

impl Failure {
    pub(crate) fn at(node: NodeId, what: What) -> Self {
        Self { place: Some(Place::Node(node)), what }
    }

    /// The same, placed at `node` unless it has a more exact place.
    pub(crate) fn or_at(mut self, node: NodeId) -> Self {
        self.place.get_or_insert(Place::Node(node));
        self
    }
}

impl From<What> for Failure {
    fn from(what: What) -> Self {
        Self { place: None, what }
    }
}

/// Never shown: every failure becomes a [`Mistake`](crate::Mistake).
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Said(text) | What::Custom(text) => f.write_str(text),
            What::Expected(text) => write!(f, "expected {text}"),
            What::MissingKey(key) => write!(f, "the key `{key}` is missing"),
            What::UnknownKey(_) => f.write_str("unknown key"),
            What::RepeatedKey(key) => write!(f, "the key `{key}` is given twice"),
            What::Tired => f.write_str("too many values"),
        }
    }
}

impl std::error::Error for Failure {}

impl serde::de::Error for Failure {
    fn custom<T: fmt::Display>(message: T) -> Self {
        let message = message.to_string();
        // What serde's derive says of an untagged enum names a Rust type and nothing else.
        let derived = message.starts_with("data did not match any variant of untagged enum");
        if derived { What::Expected(message).into() } else { What::Custom(message).into() }
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        What::Expected(expected.to_string()).into()
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        What::Expected(expected.to_string()).into()
    }

    fn invalid_length(_: usize, expected: &dyn Expected) -> Self {
        What::Expected(expected.to_string()).into()
    }

    fn unknown_variant(variant: &str, variants: &'static [&'static str]) -> Self {
        let variants = list(variants, "or");
        What::Custom(format!("expected {variants}, found {}", quote(variant))).into()
    }

    fn unknown_field(_: &str, allowed: &'static [&'static str]) -> Self {
        What::UnknownKey(allowed).into()
    }

    fn missing_field(key: &'static str) -> Self {
        What::MissingKey(key).into()
    }

    fn duplicate_field(key: &'static str) -> Self {
        What::RepeatedKey(key).into()
    }
}
