//! `labsim schema`.

use crate::args::{self, Format};
use crate::exit::Exit;
use crate::output;
use labsim_scenario::Kind;
use schemars::generate::SchemaSettings;

/// All formats.
pub(crate) const ALL: &[Format] =
    &[Format::Topology, Format::Scenario, Format::Forwarder, Format::Events, Format::Results];

/// Prints the JSON Schema of a file format.
pub(crate) fn schema(args: &args::Schema) -> Exit {
    output::text(text(args.format));
    Exit::Success
}

/// The JSON Schema of a format (draft 7, which editors' YAML support reads best), with a final line
/// break.
pub(crate) fn text(format: Format) -> String {
    match format {
        Format::Topology => labsim_scenario::schema(Kind::Topology),
        Format::Scenario => labsim_scenario::schema(Kind::Scenario),
        Format::Forwarder => {
            let generator = SchemaSettings::draft07().into_generator();
            let schema = generator.into_root_schema_for::<labsim_model::ForwarderConfig>();
            // A `serde_json::Value` always has a text form.
            let text = serde_json::to_string_pretty(schema.as_value()).unwrap_or_default();
            format!("{text}\n")
        }
        Format::Events => labsim_event::schema(),
        Format::Results => labsim_report::results_schema(),
    }
}

/// A format's name on the command line, and that of its schema's file.
pub(crate) fn name(format: Format) -> &'static str {
    match format {
        Format::Topology => "topology",
        Format::Scenario => "scenario",
        Format::Forwarder => "forwarder",
        Format::Events => "events",
        Format::Results => "results",
    }
}
