//! The JSON Schemas of the two file formats, for editors.

use crate::file::{ScenarioFile, TopologyFile};
use schemars::generate::SchemaSettings;

/// A file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nodes and how they are wired.
    Topology,
    /// What is done in a lab, and what must have been observed.
    Scenario,
}

/// The format's JSON Schema (draft 7, which editors' YAML support reads best), with a final line
/// break. It checks a file's shape; what names mean is checked by [`crate::load`] alone.
#[must_use]
pub fn schema(kind: Kind) -> String {
    let generator = SchemaSettings::draft07().into_generator();
    let schema = match kind {
        Kind::Topology => generator.into_root_schema_for::<TopologyFile>(),
        Kind::Scenario => generator.into_root_schema_for::<ScenarioFile>(),
    };
    // A `serde_json::Value` always has a text form.
    let mut text = serde_json::to_string_pretty(schema.as_value()).unwrap_or_default();
    text.push('\n');
    text
}
