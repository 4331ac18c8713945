//! `labsim validate`.

use crate::exit::Exit;
use crate::{args, discover, load, output};
use labsim_scenario::{Kind, Validated};

/// Reads every file and prints whether it is valid, with all errors and warnings.
pub(crate) fn validate(args: &args::Validate) -> Exit {
    let mut errors = 0;
    let visited = discover::visit_files(&args.paths, |file, opened| {
        match opened.and_then(|opened| opened.validate()) {
            Ok(Validated { kind, warnings }) => {
                output::line(format_args!("{}: a valid {}", file.path.display(), name(kind)));
                for warning in &warnings {
                    output::line(format_args!("  ! {}", load::on_one_line(warning)));
                }
            }
            Err(found) => {
                errors += found.len();
                output::diagnostics(found);
            }
        }
    });
    if let Err(exit) = visited {
        return exit;
    }
    if errors > 0 {
        output::error(load::error_count(errors));
        return Exit::Invalid;
    }
    Exit::Success
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Topology => "topology",
        Kind::Scenario => "scenario",
        Kind::Exercise => "exercise",
    }
}
