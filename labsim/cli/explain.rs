//! `labsim explain`.

mod points;
mod read;

use crate::exit::Exit;
use crate::{args, output};
use labsim_explain::{Explanation, Text};
use read::{Input, Reading};

/// Reads captures of several places, and tells what they show of each connection.
pub(crate) fn explain(args: &args::Explain) -> Exit {
    let inputs: Vec<Input> = args.files.iter().map(|it| Input::new(it)).collect();
    if inputs.iter().filter(|input| input.is_stdin()).count() > 1 {
        output::error("standard input (`-`) is named twice; it can be read once");
        return Exit::Invalid;
    }
    let mut reading = Reading::default();
    let mut problems = Vec::new();
    for input in &inputs {
        if let Err(problem) = reading.read(input) {
            problems.push(format!("{}: {problem}", input.shown()));
        }
    }
    if !problems.is_empty() {
        problems.iter().for_each(output::error);
        return Exit::Invalid;
    }
    let explanation = reading.finish().explain();
    if explanation.connections.is_empty() {
        explanation.notices.iter().for_each(output::error);
        output::error(
            "no TCP connection in these captures, and other protocols are not explained yet; capture again \
             without a filter of ports, which cannot match inside a tunnel",
        );
        return Exit::Invalid;
    }
    if args.json {
        match serde_json::to_string_pretty(&explanation) {
            Ok(document) => output::foreign_json(&document),
            Err(error) => {
                output::error(error);
                return Exit::Failed;
            }
        }
    } else {
        output::foreign_text(Text(&explanation));
    }
    if has_nothing_in_common(&explanation) {
        output::error(
            "no connection was seen by more than one of these captures; send captures of the same connection at \
             the same time, taken at client, load balancer and server",
        );
        return Exit::Invalid;
    }
    Exit::Success
}

/// Whether there are several captures, and none saw a connection of another.
fn has_nothing_in_common(explanation: &Explanation) -> bool {
    let mut captures = explanation.points.iter().map(|point| point.capture);
    let first = captures.next();
    captures.any(|capture| Some(capture) != first) && explanation.connections_in_common == 0
}
