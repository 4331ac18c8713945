//! The JSON Schema of the events.

use crate::EventRecord;
use schemars::generate::SchemaSettings;

/// The JSON Schema (draft 7) of one line of `events.jsonl`, with a final line break.
#[must_use]
pub fn schema() -> String {
    let generator = SchemaSettings::draft07().into_generator();
    let schema = generator.into_root_schema_for::<EventRecord>();
    // A `serde_json::Value` always has a text form.
    let mut text = serde_json::to_string_pretty(schema.as_value()).unwrap_or_default();
    text.push('\n');
    text
}
