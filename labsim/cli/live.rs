//! `labsim list`, `status`, `logs`, `exec` and `shell`: labs that are up.

use crate::args;
use crate::exit::Exit;
use crate::output;
use labsim_live::{Ended, Entry, Lab, LabName, LabsFolder, LiveError, Logs, NodeStatus, Status};
use std::fmt::Write as _;
use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

/// Exit codes of shells: a program that is not there, and one that cannot be started.
const NOT_FOUND: u8 = 127;
const NOT_STARTED: u8 = 126;

/// Changes of a node that `status` lists.
const MOST_CHANGES: usize = 20;

/// Prints a line for each lab.
pub(crate) fn list() -> Exit {
    let folder = LabsFolder::of_user();
    let names = match folder.up() {
        Ok(names) => names,
        Err(error) => return fail(&error),
    };
    let mut exit = Exit::Success;
    for name in names {
        match Lab::find(&folder, Some(&name)).and_then(|lab| lab.status()) {
            Ok(status) => output::visible_line(format_args!("{name}: {}", summary(&status))),
            // It has ended meanwhile.
            Err(LiveError::Unknown { .. }) => {}
            Err(error) => exit = fail(&error),
        }
    }
    exit
}

/// Prints what a lab consists of, or all labs.
pub(crate) fn status(args: &args::LabName) -> Exit {
    let folder = LabsFolder::of_user();
    match Lab::find(&folder, args.name.as_ref()).and_then(|lab| Ok((lab.status()?, lab))) {
        Ok((status, lab)) => {
            output::visible_text(describe(lab.name(), &status, MOST_CHANGES));
            Exit::Success
        }
        Err(error) => fail(&error),
    }
}

/// Prints what was printed and logged in a node.
pub(crate) fn logs(args: &args::Logs) -> Exit {
    let lab = Lab::find(&LabsFolder::of_user(), args.name.as_ref());
    let Logs { lines, lost } = match lab.and_then(|lab| lab.logs(&args.node)) {
        Ok(logs) => logs,
        Err(error) => return fail(&error),
    };
    if lost > 0 {
        let earlier = labsim_model::count_of(usize::try_from(lost).unwrap_or(usize::MAX), "line");
        output::error(format_args!("the first {earlier} are not kept"));
    }
    lines.iter().for_each(|line| output::visible_line(log_line(line)));
    Exit::Success
}

/// A line that was printed or logged, with what it is from.
pub(crate) fn log_line((program, text): &(String, String)) -> String {
    format!("{program}: {}", text.replace('\t', "    "))
}

/// Runs a command in a node.
pub(crate) fn exec(args: &args::Exec) -> ExitCode {
    let entry = Entry::Command { node: args.node.clone(), command: args.command.clone() };
    enter(args.name.as_ref(), &entry)
}

/// Opens a shell in a node, or in the lab.
pub(crate) fn shell(args: &args::Shell) -> ExitCode {
    let entry = match &args.node {
        Some(node) => Entry::Shell { node: node.clone() },
        None => Entry::Control,
    };
    if !io::stdin().is_terminal() {
        let node = args.node.as_deref().unwrap_or("NODE").escape_debug();
        output::error(format_args!(
            "a shell needs a terminal as its standard input; `labsim exec {node} -- sh` runs commands \
             from other inputs"
        ));
        return Exit::Invalid.into();
    }
    enter(args.name.as_ref(), &entry)
}

fn enter(name: Option<&LabName>, entry: &Entry) -> ExitCode {
    let folder = LabsFolder::of_user();
    let entered =
        Lab::find(&folder, name).and_then(|lab| Ok((labsim_live::enter(&lab, entry)?, lab)));
    match entered {
        Ok((Ended { code, with_lab }, lab)) => {
            if with_lab {
                output::error(format_args!("the lab `{}` has ended", lab.name()));
            }
            code.into()
        }
        Err(error) => {
            let code = match &error {
                LiveError::Start { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                    NOT_FOUND.into()
                }
                LiveError::Start { .. } => NOT_STARTED.into(),
                _ => return fail(&error).into(),
            };
            fail(&error);
            code
        }
    }
}

/// Prints an error, and returns its exit code.
pub(crate) fn fail(error: &LiveError) -> Exit {
    match error {
        LiveError::Rejected(_) => output::diagnostics(error),
        error => output::error(error),
    }
    match error {
        LiveError::Failed(_) => Exit::Failed,
        LiveError::EndedMeanwhile(_)
        | LiveError::NoAnswer { .. }
        | LiveError::Stuck(_)
        | LiveError::Enter(_) => Exit::CannotRun,
        _ => Exit::Invalid,
    }
}

/// What a lab is, on one line.
fn summary(status: &Status) -> String {
    let nodes = match status.nodes.len() {
        1 => "1 node".to_owned(),
        nodes => format!("{nodes} nodes"),
    };
    let ended = status.nodes.iter().flat_map(|it| &it.running).filter(|it| it.ended.is_some());
    let ended = match ended.count() {
        0 => String::new(),
        count => format!(", {count} of what runs in them ended"),
    };
    format!("{nodes}{ended}, up for {}, from {}", time(status.seconds), status.file.display())
}

/// What a lab is, with so many changes of each node at most.
pub(crate) fn describe(name: &LabName, status: &Status, most: usize) -> String {
    let mut text = format!("{name}: {}\n", summary(status));
    // Writing to a string cannot fail.
    let _ = writeln!(text, "  tunnel: {}", status.tunnel);
    if let Some(impairments) = &status.impairments {
        let _ = writeln!(text, "  impairments: {impairments}");
    }
    let _ = writeln!(text, "  {}", steps(status));
    for node in &status.nodes {
        describe_node(&mut text, node, most);
    }
    text
}

/// The steps of its scenario, and which is next.
fn steps(status: &Status) -> String {
    let (next, steps) = &status.next;
    let count = labsim_model::count_of(*steps, "step");
    let next = match next {
        _ if *steps == 0 => "no steps".to_owned(),
        Some(next) => format!("{count}, the next one is {next}"),
        None => format!("{count}, all were run"),
    };
    match &status.busy {
        Some((what, seconds)) => {
            format!(
                "{next}; busy: {what}, for {seconds} s (what runs below is as it was when that began)"
            )
        }
        None => next,
    }
}

fn describe_node(text: &mut String, node: &NodeStatus, most: usize) {
    let NodeStatus { name, addresses, unread, changed, reconfigured, virtual_servers, running } =
        node;
    let _ = writeln!(text, "{name}");
    for address in addresses {
        let _ = writeln!(text, "  {address}");
    }
    if let Some(reason) = unread {
        let _ = writeln!(text, "  not all addresses could be read: {reason}");
    }
    for server in virtual_servers {
        let _ = writeln!(text, "  virtual server {server}");
    }
    for running in running {
        let state = running.ended.as_deref().unwrap_or("running");
        let _ = writeln!(text, "  {}: {state}", running.what);
    }
    let changed: Vec<&String> = changed.iter().chain(reconfigured).collect();
    let (shown, more) = changed.split_at(changed.len().min(most));
    for change in shown {
        let _ = writeln!(text, "  changed: {change}");
    }
    if !more.is_empty() {
        let _ = writeln!(text, "  changed: {} more", more.len());
    }
}

/// `42 s`, `3 min`, `5 h 10 min`.
pub(crate) fn time(seconds: u64) -> String {
    match (seconds / 3600, seconds / 60 % 60) {
        (0, 0) => format!("{seconds} s"),
        (0, minutes) => format!("{minutes} min"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}
