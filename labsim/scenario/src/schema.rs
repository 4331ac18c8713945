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
    /// A scenario whose lab a student is to repair: a scenario file with the key `exercise`.
    Exercise,
}

/// The format's JSON Schema (draft 7, which editors' YAML support reads best), with a final line
/// break. It checks the shape of what is there; what is missing, and what names mean, is
/// checked by [`load`](crate::load()) alone.
#[must_use]
pub fn schema(kind: Kind) -> String {
    let generator = SchemaSettings::draft07().into_generator();
    let mut schema = match kind {
        Kind::Topology => generator.into_root_schema_for::<TopologyFile>(),
        Kind::Scenario | Kind::Exercise => generator.into_root_schema_for::<ScenarioFile>(),
    };
    RecursiveTransform(of_a_part).transform(&mut schema);
    // A `serde_json::Value` always has a text form.
    let mut text = serde_json::to_string_pretty(schema.as_value()).unwrap_or_default();
    text.push('\n');
    text
}

/// Takes away what Rust's integers leave in a schema, and every `required`: a file that extends
/// another one leaves out what stands there, and a part need not be whole. For the same reason
/// `null` is allowed where a key can be taken out.
fn of_a_part(schema: &mut Schema) {
    let Some(fields) = schema.as_object_mut() else { return };
    fields.remove("required");
    if fields.get("default") == Some(&Value::Null) {
        fields.remove("default");
    }
    if let Some(format) = fields.get("format").and_then(Value::as_str)
        && (format.starts_with("uint") || format == "double")
    {
        fields.remove("format");
    }
    // A file that extends another one changes an enum's variant by `{new: {}, old: null}`.
    if let Some(variants) = fields.remove("oneOf") {
        fields.insert("anyOf".to_owned(), variants);
    }
    for variant in fields.get_mut("anyOf").and_then(Value::as_array_mut).into_iter().flatten() {
        let keys = variant.get("properties").and_then(Value::as_object).map(|keys| keys.len());
        if keys == Some(1) && variant.get("additionalProperties") == Some(&Value::Bool(false)) {
            variant["additionalProperties"] = serde_json::json!({ "type": "null" });
        }
    }
    if let Some(keys) = fields.get_mut("properties").and_then(Value::as_object_mut) {
        keys.values_mut().for_each(or_null);
    }
    if let Some(entry) = fields.get_mut("additionalProperties").filter(|entry| entry.is_object()) {
        or_null(entry);
    }
}

/// Allows `null` where it is not allowed yet.
fn or_null(value: &mut Value) {
    let is_null = |one: &Value| one == "null" || one.get("type").is_some_and(|it| it == "null");
    let allows = ["anyOf", "type"].iter().any(|key| match value.get(key) {
        Some(Value::Array(forms)) => forms.iter().any(is_null),
        _ => false,
    });
    if allows || is_null(value) {
        return;
    }
    // The description stays where editors look for it.
    let description = value.as_object_mut().and_then(|schema| schema.remove("description"));
    let forms = vec![value.take(), serde_json::json!({ "type": "null" })];
    *value = serde_json::json!({ "anyOf": forms });
    if let Some(text) = description {
        value["description"] = text;
    }
}
