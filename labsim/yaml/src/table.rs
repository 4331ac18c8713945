//! Maps in the file's order, and scalars that are text or numbers.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::scalar::{Whole, float, whole};
use crate::tree::Kind;
use crate::{Context, Forms, FromYaml, Located, Node};

/// A map in the file's order, with the place of each key.
#[derive(Debug, Clone)]
pub struct Table<V>(Vec<(Located<String>, V)>);

impl<V> Default for Table<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<V> Table<V> {
    /// The entries in the file's order.
    pub fn iter(&self) -> std::slice::Iter<'_, (Located<String>, V)> {
        self.0.iter()
    }

    /// Keeps those entries only whose key fulfils a condition.
    pub fn retain_keys(&mut self, keep: impl Fn(&str) -> bool) {
        self.0.retain(|(key, _)| keep(key));
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<V> IntoIterator for Table<V> {
    type Item = (Located<String>, V);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<V: FromYaml> FromYaml for Table<V> {
    const FORMS: Forms = Forms::MAP;

    fn expected() -> String {
        "a map, such as `{key: value}`".to_owned()
    }

    fn from_yaml(node: Node<'_>, context: &mut Context) -> Option<Self> {
        context.entries(node).map(Self)
    }

    fn placeholder() -> Option<Self> {
        Some(Self::default())
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
            "additionalProperties": generator.subschema_for::<V>(),
        })
    }
}

/// A text or a whole number, as its text: values of sysctls, protocols, times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scalar(pub String);

impl FromYaml for Scalar {
    const FORMS: Forms = Forms::SCALAR;

    fn expected() -> String {
        "a number or a text".to_owned()
    }

    fn from_yaml(node: Node<'_>, context: &mut Context) -> Option<Self> {
        if let Kind::Scalar { text, plain: true } = node.kind() {
            let is_fraction = whole(text) == Whole::No && float(text).is_some();
            if is_fraction || text == "true" || text == "false" {
                context.wrong_type(node, &Self::expected());
                return None;
            }
        }
        context.text(node, &Self::expected()).map(|text| Self(text.to_owned()))
    }

    fn placeholder() -> Option<Self> {
        Some(Self(String::new()))
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
