//! `labsim show`.

use crate::exit::Exit;
use crate::{args, load, output};

/// Prints a scenario or a topology merged with what it extends.
pub(crate) fn show(args: &args::Show) -> Exit {
    match labsim_scenario::merged(&args.file) {
        Ok(yaml) => {
            output::text(yaml);
            Exit::Success
        }
        Err(diagnostics) => load::reject(&diagnostics),
    }
}
