//! `labsim graph`.

use crate::args::{self, GraphFormat};
use crate::exit::Exit;
use crate::{graph_run, load, output};
use labsim_picture::{Lab, Layout, SvgOptions, d2, dot, mermaid, svg};
use labsim_scenario::Kind;
use std::path::Path;

/// Draws the lab of a scenario or a topology. Builds nothing.
pub(crate) fn graph(args: &args::Graph) -> Exit {
    let format = match (args.format, &args.output) {
        (Some(format), _) => format,
        (None, None) => GraphFormat::Svg,
        (None, Some(path)) => match by_ending(path) {
            Some(format) => format,
            None => {
                let path = path.display();
                output::error(format_args!(
                    "{path}: the ending names no format; end it with .svg, .dot, .gv, .mmd, .mermaid \
                     or .d2, or give --format"
                ));
                return Exit::Invalid;
            }
        },
    };
    if let (Some(dir), Some(packet)) = (&args.run, &args.packet) {
        return graph_run::graph(args, format, dir, packet);
    }
    // clap asks for one of both.
    let Some(file) = &args.file else { return Exit::Invalid };
    let lab = match lab(file) {
        Ok(lab) => lab,
        Err(exit) => return exit,
    };
    if format == GraphFormat::Svg && !lab.is_sound() {
        let file = file.display();
        output::error(format_args!("{file}: the lab is too large to be drawn; try --format dot"));
        return Exit::Invalid;
    }
    let text = match format {
        GraphFormat::Svg => svg(&lab, &Layout::new(&lab), SvgOptions { prefix: "", is_file: true }),
        GraphFormat::Dot => dot(&lab),
        GraphFormat::Mermaid => mermaid(&lab),
        GraphFormat::D2 => d2(&lab),
    };
    let Some(path) = &args.output else {
        output::text(text);
        return Exit::Success;
    };
    write(path, &text)
}

/// Writes a picture.
pub(crate) fn write(path: &Path, text: &str) -> Exit {
    match labsim_report::write_file(path, text) {
        Ok(()) => Exit::Success,
        Err(reason) => unwritable(path, reason),
    }
}

pub(crate) fn unwritable(path: &Path, reason: impl std::fmt::Display) -> Exit {
    let path = path.display();
    output::error(format_args!("the picture {path} cannot be written: {reason}"));
    Exit::Invalid
}

/// What a file describes.
pub(crate) fn lab(file: &Path) -> Result<Lab, Exit> {
    match labsim_scenario::kind(file) {
        Ok(Kind::Topology) => labsim_scenario::load_topology(file)
            .map(|topology| Lab::of_topology(&topology))
            .map_err(|diagnostics| load::reject(&diagnostics)),
        // A file of no known kind is reported as a scenario.
        Ok(Kind::Scenario | Kind::Exercise) | Err(_) => {
            load::scenario(file).map(|scenario| Lab::of_scenario(&scenario))
        }
    }
}

fn by_ending(path: &Path) -> Option<GraphFormat> {
    match path.extension()?.to_str()? {
        "svg" => Some(GraphFormat::Svg),
        "dot" | "gv" => Some(GraphFormat::Dot),
        "mmd" | "mermaid" => Some(GraphFormat::Mermaid),
        "d2" => Some(GraphFormat::D2),
        _ => None,
    }
}
