//! `labsim schema`.

use crate::args::{self, Format};
use crate::exit::Exit;
use crate::say;
use labsim_scenario::Kind;

/// Prints the JSON Schema of a file format.
pub(crate) fn schema(args: &args::Schema) -> Exit {
    let kind = match args.format {
        Format::Topology => Kind::Topology,
        Format::Scenario => Kind::Scenario,
    };
    say::line(labsim_scenario::schema(kind).trim_end());
    Exit::Success
}
