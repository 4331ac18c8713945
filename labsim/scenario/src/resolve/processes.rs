//! Programs of the user's: what is started where, with which files, and when it is ready.

mod program;

use super::Report;
use super::context::Context;
use super::lookup::Lookup;
use super::steps::{StepInfo, StepKind, seconds};
use crate::file::{PortProtocol, RawProcess, RawReadiness, RawRun};
use crate::model::{NodeName, Process, ProcessName, Readiness, Run, StepAction, StepName};
use crate::text::quoted;
use labsim_codes::file;
use labsim_yaml::{Located, Span, Table};
use program::Written;

/// Most processes of a scenario, each counted once for every node that it runs in.
const PROCESSES: usize = 64;
/// Seconds that a program may take to be ready or to end.
const TIMEOUT: u64 = 10;
/// Longest text that a line is looked through for, in bytes.
const LINE: usize = 500;

/// Resolves all processes.
pub(super) fn processes(
    table: &Table<Located<RawProcess>>,
    lookup: &Lookup<'_>,
    report: &mut Report<'_>,
) -> Vec<Process> {
    let (mut processes, mut number) = (Vec::new(), 0);
    for (key, fields) in table.iter().take(PROCESSES + 1) {
        let name = report.take(key.span, ProcessName::new(key));
        let process = process(key.span, &fields.value, lookup, report);
        let Some((name, process)) = name.zip(process) else { continue };
        number += process.nodes.len();
        if !report.limit(key.span, number, PROCESSES, "program") {
            break;
        }
        processes.push(Process { name, ..process });
    }
    processes
}

/// A process, its name aside.
fn process(
    key: Span,
    fields: &RawProcess,
    lookup: &Lookup<'_>,
    report: &mut Report<'_>,
) -> Option<Process> {
    let nodes: Vec<NodeName> = match (&fields.node, &fields.nodes) {
        (Some(node), None) => lookup.node(node, report).into_iter().collect(),
        (None, Some(nodes)) => {
            lookup.nodes(nodes, report).into_iter().map(|node| node.value).collect()
        }
        (None, None) => {
            report.empty(key, "this process has no node; add `node`, or `nodes`");
            Vec::new()
        }
        (Some(node), Some(_)) => {
            report.at(node.span, file::CONFLICT, "both `node` and `nodes`; keep one of them");
            Vec::new()
        }
    };
    let written = Written {
        command: &fields.command,
        environment: &fields.environment,
        files: &fields.files,
        package: fields.package.as_ref(),
    };
    let program = written.resolve(report);
    let ready = readiness(&fields.ready, report);
    let timeout = seconds(fields.timeout, TIMEOUT, report);
    let name = ProcessName::new("unnamed").ok()?;
    let start = fields.start;
    Some(Process { name, nodes, program: program?, ready: ready?, timeout, start })
}

fn readiness(written: &Located<RawReadiness>, report: &mut Report<'_>) -> Option<Readiness> {
    let RawReadiness { port, protocol, line, exit } = &written.value;
    if let (Some(protocol), None) = (protocol, port) {
        report.empty(protocol.span, "a `protocol` without a `port`; add the port");
    }
    match (port, line, exit) {
        (Some(port), None, None) => {
            if port.value == 0 {
                report.at(port.span, file::OUT_OF_RANGE, "port 0 does not exist; write 1 to 65535");
                return None;
            }
            Some(match protocol.as_ref().map(|word| word.value).unwrap_or_default() {
                PortProtocol::Tcp => Readiness::Tcp(port.value),
                PortProtocol::Udp => Readiness::Udp(port.value),
            })
        }
        (None, Some(line), None) => {
            report.plain(line, "line", LINE).then(|| Readiness::Line(line.value.clone()))
        }
        (None, None, Some(exit)) => {
            if !exit.value {
                report.at(
                    exit.span,
                    file::INVALID_VALUE,
                    "`exit` accepts only `true`; leave it out otherwise",
                );
            }
            exit.value.then_some(Readiness::Exit)
        }
        (None, None, None) => {
            report.empty(written.span, "`ready` is empty; write one of `port`, `line` and `exit`");
            None
        }
        _ => {
            report.at(written.span, file::CONFLICT, "keep one of `port`, `line` and `exit`");
            None
        }
    }
}

/// Resolves the step that runs a program.
pub(super) fn run(
    fields: &RawRun,
    lookup: &Lookup<'_>,
    report: &mut Report<'_>,
) -> Option<StepAction> {
    let node = lookup.node(&fields.node, report);
    let written = Written {
        command: &fields.command,
        environment: &fields.environment,
        files: &fields.files,
        package: fields.package.as_ref(),
    };
    let program = written.resolve(report);
    let exit = fields.exit.map_or(0, |exit| exit.value);
    let timeout = seconds(fields.timeout, TIMEOUT, report);
    Some(StepAction::Run(Box::new(Run { node: node?, program: program?, exit, timeout })))
}

/// Complains about a process of a step's name: each has a log of its own, by its name.
pub(super) fn distinct(
    table: &Table<Located<RawProcess>>,
    names: &[StepInfo],
    report: &mut Report<'_>,
) {
    for (key, _) in table.iter().take(PROCESSES) {
        if names.iter().any(|known| known.name.as_str() == key.value) {
            report.at(
                key.span,
                file::DUPLICATE_VALUE,
                format!("a step is named {} too; rename one", quoted(key)),
            );
        }
    }
}

/// The step that runs a program, if it is one that is meant: named, or the only one that has an
/// answer at all.
pub(super) fn program_step(
    written: Option<&Located<String>>,
    context: &Context<'_>,
) -> Option<StepName> {
    let names = context.scenario.names;
    let mut running =
        names.iter().filter(|known| known.kind == Some(StepKind::Runs)).map(|known| &known.name);
    match written {
        Some(name) => running.find(|known| known.as_str() == name.value).cloned(),
        None => {
            let only = running.next()?;
            let others = running.next().is_some()
                || names.iter().any(|known| known.kind == Some(StepKind::Asks));
            (!others).then(|| only.clone())
        }
    }
}
