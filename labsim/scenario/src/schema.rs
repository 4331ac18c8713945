//! The JSON Schemas of the two file formats, for editors.

use crate::file::{ScenarioFile, TopologyFile};
use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform};
use serde_json::Value;

/// A file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nodes and how they are wired.
    Topology,
    /// What is done in a lab, and what must have been observed.
    Scenario,
}

/// The format's JSON Schema (draft 7, which editors' YAML support reads best), with a final line
/// break. It checks a file's shape; what names mean is checked by [`load`](crate::load()) alone.
#[must_use]
pub fn schema(kind: Kind) -> String {
    let generator = SchemaSettings::draft07().into_generator();
    let mut schema = match kind {
        Kind::Topology => generator.into_root_schema_for::<TopologyFile>(),
        Kind::Scenario => generator.into_root_schema_for::<ScenarioFile>(),
    };
    RecursiveTransform(without_null).transform(&mut schema);
    // A `serde_json::Value` always has a text form.
    let mut text = serde_json::to_string_pretty(schema.as_value()).unwrap_or_default();
    text.push('\n');
    text
}

/// Takes away what serde's `Option` and Rust's integers leave in a schema: an editor need not
/// offer `null` where a key can be left out.
fn without_null(schema: &mut Schema) {
    let Some(fields) = schema.as_object_mut() else { return };
    if fields.get("default") == Some(&Value::Null) {
        fields.remove("default");
    }
    if fields.get("format").and_then(Value::as_str).is_some_and(|format| format.starts_with("uint"))
    {
        fields.remove("format");
    }
    if let Some(Value::Array(types)) = fields.get_mut("type") {
        types.retain(|one| one != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            fields.insert("type".to_owned(), only);
        }
    }
    let Some(Value::Array(forms)) = fields.get_mut("anyOf") else { return };
    forms.retain(|form| form.get("type").is_none_or(|kind| kind != "null"));
    if let [Value::Object(only)] = forms.as_slice() {
        let only = only.clone();
        fields.remove("anyOf");
        // draft 7 ignores what stands beside a `$ref`.
        if only.contains_key("$ref") {
            fields.insert("allOf".to_owned(), Value::Array(vec![Value::Object(only)]));
        } else {
            for (key, value) in only {
                fields.entry(key).or_insert(value);
            }
        }
    }
}
