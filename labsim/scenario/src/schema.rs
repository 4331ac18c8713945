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
/// break. It checks the shape of what is there; what is missing, and what names mean, is
/// checked by [`load`](crate::load()) alone.
#[must_use]
pub fn schema(kind: Kind) -> String {
    let generator = SchemaSettings::draft07().into_generator();
    let mut schema = match kind {
        Kind::Topology => generator.into_root_schema_for::<TopologyFile>(),
        Kind::Scenario => generator.into_root_schema_for::<ScenarioFile>(),
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
}
