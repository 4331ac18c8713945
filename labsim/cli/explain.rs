//! `labsim explain` and `labsim merge-captures`.

mod configuration;
mod fragmented;
mod frames;
mod html;
mod input;
mod kept;
mod merge;
mod packets;
mod points;
mod progress;
mod read;
mod reproduce;
mod spool;

pub(crate) use merge::merge_captures;

use crate::args::LogArgs;
use crate::exit::Exit;
use crate::{args, output};
use input::Input;
use labsim_explain::{Redaction, Role, Text, Ticket, Trace};
use labsim_reproduce::Document;
use progress::Progress;
use read::Reading;
use std::ffi::OsString;

/// What fits into the text fields and mails of tickets.
const TICKET_WIDTH: usize = 80;
/// Of captures that share no connection.
const NOTHING_IN_COMMON: &str = "no connection was seen by more than one of these captures; send captures of the \
     same connection at the same time, taken at client, load balancer and server";

/// Reads captures of several places, and explains what they show of each connection.
pub(crate) fn explain(args: &args::Explain, log: &LogArgs) -> Exit {
    let progress = Progress::new();
    let mut trace = match read(args, &progress) {
        Ok(trace) => trace,
        Err(exit) => return exit,
    };
    if !trace.points.is_empty() && trace.empty.len() == trace.points.len() {
        for point in &trace.points {
            output::error(format_args!("{}: {}", point.file, frames::NO_FRAME));
        }
        return Exit::Invalid;
    }
    trace.vips.clone_from(&args.vip);
    trace.flows.clone_from(&args.flow);
    if let Err(exit) = give_roles(&mut trace, &args.role) {
        return exit;
    }
    match configuration::read(args) {
        Ok(configuration) => trace.configuration = configuration,
        Err(exit) => return exit,
    }
    let mut redaction = args.redact.then(Redaction::default);
    if let Some(redaction) = &mut redaction {
        redaction.names(&mut trace);
    }
    progress.stage("explaining");
    let mut explanation = trace.explain();
    progress.erase();
    if let Some(redaction) = &mut redaction {
        redaction.addresses(&mut explanation);
    }
    if explanation.connections.is_empty() {
        explanation.notices.iter().for_each(output::error);
        output::error(if args.flow.is_empty() {
            "no TCP connection and no UDP exchange in these captures, and other protocols are not explained; \
             capture again without a filter of ports, which cannot match inside a tunnel"
        } else {
            "no connection in these captures has an end that --flow names; without it all are explained"
        });
        return Exit::Invalid;
    }
    if let Some(path) = &args.html
        && let Err(reason) = labsim_report::write_file(path, &html::page(&explanation))
    {
        output::error(format_args!("{}: the page cannot be written: {reason}", path.display()));
        return Exit::Invalid;
    }
    let (mut reproduction, mut exit) = (None, Exit::Success);
    if let Some(folder) = &args.reproduce {
        match reproduce::reproduce(folder, (&trace, &explanation), log) {
            Ok((made, ended)) => (reproduction, exit) = (Some(made), ended),
            Err(exit) => return exit,
        }
    }
    if args.json {
        let document = Document { explanation: &explanation, reproduction: reproduction.as_ref() };
        match serde_json::to_string_pretty(&document) {
            Ok(document) => output::foreign_json(&document),
            Err(error) => {
                output::error(error);
                return Exit::Failed;
            }
        }
    } else if args.ticket {
        output::foreign_lines(Ticket(&explanation), TICKET_WIDTH);
    } else {
        output::foreign_text(Text(&explanation));
        if let Some(reproduction) = &reproduction {
            output::foreign_text(reproduction);
        }
    }
    let has_packets = |place: &usize| !trace.empty.contains(place);
    let captures = (0..trace.points.len()).filter(has_packets);
    let captures = captures.filter_map(|place| Some(explanation.points.get(place)?.capture));
    if explanation.connections_in_common == 0 && has_several(captures) {
        output::error(NOTHING_IN_COMMON);
        return Exit::Invalid;
    }
    exit
}

/// Reads all captures; twice if they have more packets than are kept, and the second time those of the
/// connections that are explained.
fn read(args: &args::Explain, progress: &Progress) -> Result<Trace, Exit> {
    let mut reading = if args.redact { Reading::without_quotes() } else { Reading::default() };
    reading.progress = progress.clone();
    reading.wanted.clone_from(&args.flow);
    read_all(&args.files, &mut reading)?;
    if let Some(mut again) = reading.selected() {
        read_all(&args.files, &mut again)?;
        reading = again;
    }
    Ok(reading.finish().0)
}

/// Gives points their roles; a name that none has is an error.
fn give_roles(trace: &mut Trace, roles: &[(String, Role)]) -> Result<(), Exit> {
    for (name, role) in roles {
        if !trace.give_role(name, *role) {
            let points: Vec<&str> = trace.points.iter().map(|it| it.name.as_str()).collect();
            output::error(format_args!(
                "--role {name}: no capture point has this name; there are {}",
                points.join(", ")
            ));
            return Err(Exit::Invalid);
        }
    }
    Ok(())
}

/// Reads all files, and names each that cannot be read.
fn read_all(files: &[OsString], reading: &mut Reading) -> Result<(), Exit> {
    let inputs: Vec<Input> = files.iter().map(|it| Input::new(it)).collect();
    if inputs.iter().filter(|input| input.is_stdin()).count() > 1 {
        output::error("standard input (`-`) is named twice; it can be read once");
        return Err(Exit::Invalid);
    }
    let mut problems = Vec::new();
    for input in &inputs {
        if let Err(problem) = reading.read(input) {
            problems.push(format!("{}: {problem}", input.shown()));
        }
    }
    reading.progress.erase();
    problems.iter().for_each(output::error);
    if problems.is_empty() { Ok(()) } else { Err(Exit::Invalid) }
}

/// Whether there are several captures.
fn has_several(mut captures: impl Iterator<Item = usize>) -> bool {
    let first = captures.next();
    captures.any(|capture| Some(capture) != first)
}
