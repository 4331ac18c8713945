//! `labsim graph --run`: the way of a packet of a kept run.

use crate::args::{self, GraphFormat};
use crate::exit::Exit;
use crate::{graph, output};
use labsim_picture::{Layout, SvgOptions, Way, way_svg};
use labsim_report::{KeptRun, Output, ResultsReader};
use std::path::{Path, PathBuf};

/// Files of slides at most.
const SLIDES: usize = 200;
/// Names that a message lists at most.
const NAMED: usize = 8;

/// Draws the way of a packet: in one picture, or a slide for each hop.
pub(crate) fn graph(args: &args::Graph, format: GraphFormat, dir: &Path, packet: &str) -> Exit {
    if format != GraphFormat::Svg {
        output::error("the way of a packet is drawn as SVG only; leave --format out");
        return Exit::Invalid;
    }
    // Found before anything is read.
    if let Some(path) = &args.output
        && let Err(reason) = Output::open(path)
    {
        return graph::unwritable(path, reason);
    }
    let (kept, name) = match read(dir) {
        Ok(read) => read,
        Err(exit) => return exit,
    };
    let Some(lab) = &kept.lab else {
        output::error(format_args!(
            "{}: its events do not tell how the lab is wired; run it again with this labsim",
            name.display()
        ));
        return Exit::Invalid;
    };
    let way = match way(&kept, lab, packet) {
        Ok(way) => way,
        Err(reason) => {
            output::error(format_args!("{}: {reason}", name.display()));
            return Exit::Invalid;
        }
    };
    let layout = Layout::new(lab);
    let options = SvgOptions { prefix: "", is_file: true };
    let draw = |slide| way_svg(lab, &layout, &way, slide, options);
    match (&args.output, args.slides) {
        (None, _) => {
            output::text(draw(None));
            Exit::Success
        }
        (Some(path), false) => graph::write(path, &draw(None)),
        (Some(path), true) => {
            let count = way.hops.len().min(SLIDES);
            for slide in 0..count {
                let exit = graph::write(&slide_path(path, slide, count), &draw(Some(slide)));
                if exit != Exit::Success {
                    return exit;
                }
            }
            if count < way.hops.len() {
                let more = way.hops.len() - count;
                output::error(format_args!(
                    "{more} more hops have no slide; at most {SLIDES} have"
                ));
            }
            Exit::Success
        }
    }
}

/// Reads the only scenario of a folder, with the path of its own folder.
fn read(dir: &Path) -> Result<(KeptRun, PathBuf), Exit> {
    let reject = |reason: &dyn std::fmt::Display| {
        output::error(reason);
        Exit::Invalid
    };
    let folder = ResultsReader::open(dir).map_err(|error| reject(&error))?;
    let [name] = folder.names() else {
        let names: Vec<String> = folder.names().iter().take(NAMED).cloned().collect();
        let more = if folder.names().len() > NAMED { ", ..." } else { "" };
        return Err(reject(&format!(
            "{}: it has {} scenarios; name the folder of one of them: {}{more}",
            dir.display(),
            folder.names().len(),
            names.join(", ").escape_debug()
        )));
    };
    match folder.read_kept(name) {
        Ok(kept) => Ok((kept, folder.dir().join(name))),
        Err(errors) => {
            errors.into_iter().for_each(output::error);
            Err(Exit::Invalid)
        }
    }
}

/// The way that `--packet` asks for.
fn way(kept: &KeptRun, lab: &labsim_picture::Lab, packet: &str) -> Result<Way, String> {
    let saved = &kept.saved;
    let count = saved.observations.capture.len();
    if let Ok(number) = packet.parse::<usize>() {
        return labsim_page::packet_way(lab, saved, number).ok_or_else(|| {
            if (1..=count).contains(&number) {
                format!("frame {number} is a marker of labsim's, which is no packet")
            } else {
                format!("no frame {number}; capture.pcapng has the frames 1 to {count}")
            }
        });
    }
    let Some(step) = saved.steps.iter().find(|step| step.name == packet) else {
        let names: Vec<&str> =
            saved.steps.iter().take(NAMED).map(|step| step.name.as_str()).collect();
        let more = if saved.steps.len() > NAMED { ", ..." } else { "" };
        return Err(format!(
            "no step `{}` was done; its steps are {}{more}",
            packet.escape_debug(),
            names.join(", ").escape_debug()
        ));
    };
    labsim_page::step_way(lab, saved, step)
        .ok_or_else(|| format!("no packet was captured that step {packet} sent"))
}

/// `way-3.svg`, with as many digits as the last one has.
fn slide_path(path: &Path, slide: usize, count: usize) -> PathBuf {
    let digits = count.to_string().len();
    let stem = path.file_stem().map(|stem| stem.to_string_lossy()).unwrap_or_default();
    let ending = path.extension().map(|ending| format!(".{}", ending.to_string_lossy()));
    path.with_file_name(format!("{stem}-{:0digits$}{}", slide + 1, ending.unwrap_or_default()))
}
