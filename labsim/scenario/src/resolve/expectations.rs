//! Expectations: exactly one check each, about steps and capture points that exist.

use super::captures::check_captured;
use super::context::Context;
use super::exchange::exchange;
use super::path::path;
use super::processes::program_step;
use super::steps::forwarders::{counter, load_balancer};
use super::topology::REAL_SERVER;
use super::{Report, address, frames};
use crate::file::{
    AnswerCheck, AnsweredByCheck, DiagnosisCheck, DistributionCheck, FilterCheck, ForwarderCheck,
    FramesCheck, KernelCheck, RawCount, RawExpectation, ScenarioFile, ServerSawCheck, Texts,
};
use crate::model::{Check, Count, DEVICE_COUNTERS, Expectation, LoginResult, NodeName, StepName};
use crate::text::{listed, quoted};
use labsim_codes::{Code, cause, file};
use labsim_yaml::{Located, Span, meant};

/// Most expectations of a scenario.
const EXPECTATIONS: usize = 1024;
/// Most frames that a count can ask for.
const FRAMES: u64 = 1_000_000;
/// Longest name of an expectation, and longest sentence, in bytes.
const NAME: usize = 100;
const SENTENCE: usize = 500;

/// Resolves all expectations.
pub(super) fn expectations(
    file: &ScenarioFile,
    mut context: Context<'_>,
    report: &mut Report<'_>,
) -> Vec<Expectation> {
    if file.expect.is_empty() {
        report.empty(
            Span::default(),
            "`expect` is empty; a scenario expects something, such as an `answer`",
        );
    }
    if let Some((key, _)) = file.expect.iter().nth(EXPECTATIONS) {
        report.limit(key.span, file.expect.len(), EXPECTATIONS, "expectation");
    }
    let list = file.expect.iter().take(EXPECTATIONS);
    list.filter_map(|(key, one)| expectation(key, one, &mut context, report)).collect()
}

fn expectation(
    key: &Located<String>,
    written: &Located<RawExpectation>,
    context: &mut Context<'_>,
    report: &mut Report<'_>,
) -> Option<Expectation> {
    let fields = &written.value;
    report.plain(key, "expectation's name", NAME);
    let pass = sentence(&fields.pass, report);
    let fail = sentence(&fields.fail, report);
    let checks = [
        fields.answer.as_ref().map(|check| answer(check, context, report)),
        fields.server_saw.as_ref().map(|check| server_saw(check, context, report)),
        fields.answered_by.as_ref().map(|check| answered_by(check, context, report)),
        fields.distribution.as_ref().map(|check| spread(check, context, report)),
        fields.diagnosis.as_ref().map(|check| diagnosis(check, context, report)),
        fields.forwarder.as_ref().map(|check| forwarder(check, context, report)),
        fields.kernel.as_ref().map(|check| kernel(check, context, report)),
        fields.filter.as_ref().map(|check| filter(check, context, report)),
        fields.frames.as_ref().map(|check| counted(check, context, report)),
        fields.exchange.as_ref().map(|check| exchange(check, context, report)),
        fields.path.as_ref().map(|check| path(check, context, report)),
    ];
    let mut checks: Vec<Option<Check>> = checks.into_iter().flatten().collect();
    const KINDS: &str = "`answer`, `server_saw`, `answered_by`, `distribution`, `diagnosis`, \
                         `forwarder`, `kernel`, `filter`, `frames`, `exchange` or `path`";
    let number = checks.len();
    if number == 0 {
        report.empty(key.span, format!("this expectation has no check; add {KINDS}"));
        return None;
    }
    if number > 1 {
        let message = format!("this expectation has {number} checks; keep one of {KINDS}");
        report.at(key.span, file::CONFLICT, message);
        return None;
    }
    let place = report.place(key.span);
    let name = key.value.clone();
    let check = checks.pop()??;
    check_captured(key.span, &check, context, report);
    Some(Expectation { name, pass, fail, place, check })
}

fn sentence(text: &Located<String>, report: &mut Report<'_>) -> String {
    let trimmed = Located::new(text.trim().to_owned(), text.span);
    report.plain(&trimmed, "sentence", SENTENCE);
    trimmed.value
}

fn answer(
    check: &Located<AnswerCheck>,
    context: &Context<'_>,
    report: &mut Report<'_>,
) -> Option<Check> {
    let program = program_step(check.value.step.as_ref(), context);
    if let (Some(text), Some(_)) = (&check.value.source, &program) {
        report.at(
            text.span,
            file::NO_EFFECT,
            "the end of a program or a transfer has no `source`; leave it out, and count `frames`",
        );
    }
    let step = program.or_else(|| context.step(check.value.step.as_ref(), check.span, report));
    let result = check.value.result;
    let source = match &check.value.source {
        Some(text) => Some(report.take(text.span, address::host(text))?),
        None => None,
    };
    if let (Some(text), LoginResult::Timeout) = (&check.value.source, result) {
        report.at(
            text.span,
            file::NO_EFFECT,
            "`timeout` has no answer with a source; leave `source` out",
        );
    }
    Some(Check::Answer { step: step?, result, source })
}

fn server_saw(
    check: &Located<ServerSawCheck>,
    context: &Context<'_>,
    report: &mut Report<'_>,
) -> Option<Check> {
    let step = context.step(check.value.step.as_ref(), check.span, report);
    let client = report.take(check.value.client.span, address::host(&check.value.client));
    Some(Check::ServerSaw { step: step?, client: client? })
}

fn answered_by(
    check: &Located<AnsweredByCheck>,
    context: &Context<'_>,
    report: &mut Report<'_>,
) -> Option<Check> {
    let step = context.step(check.value.step.as_ref(), check.span, report);
    let nodes = servers(&check.value.node, step.as_ref(), context, report);
    Some(Check::AnsweredBy { step: step?, nodes })
}

/// Nodes that run a server of the kind that a step asks.
fn servers(
    texts: &Located<Texts>,
    step: Option<&StepName>,
    context: &Context<'_>,
    report: &mut Report<'_>,
) -> Vec<NodeName> {
    let nodes = context.scenario.lookup.nodes(texts, report);
    let Some(requests) = step.and_then(|step| context.requests(step)) else { return Vec::new() };
    let (what, list) = requests.kind.words();
    let known = context.servers(requests.kind);
    let mut servers = Vec::new();
    for node in nodes {
        if !known.contains(&&node.value) {
            report.empty(
                node.span,
                format!("`{}` runs no {what} server; name a node of `{list}`", node.value),
            );
        }
        servers.push(node.value);
    }
    servers
}

fn spread(
    check: &Located<DistributionCheck>,
    context: &Context<'_>,
    report: &mut Report<'_>,
) -> Option<Check> {
    let step = context.step(check.value.step.as_ref(), check.span, report);
    let nodes = servers(&check.value.nodes, step.as_ref(), context, report);
    let at_least = check.value.at_least;
    let requests = context.requests(step.as_ref()?)?;
    let least = at_least.value.saturating_mul(nodes.len() as u64);
    if at_least.value == 0 {
        report.at(at_least.span, file::NO_EFFECT, "every count is at least 0; write at least 1");
    } else if least > requests.number {
        report.at(
            at_least.span,
            file::NO_EFFECT,
            format!(
                "that is {least} {}s, and the step makes {}; write less",
                requests.noun, requests.number
            ),
        );
    }
    Some(Check::Distribution { step: step?, nodes, at_least: at_least.value })
}

fn diagnosis(
    check: &Located<DiagnosisCheck>,
    context: &Context<'_>,
    report: &mut Report<'_>,
) -> Option<Check> {
    let DiagnosisCheck { step, cause, node } = &check.value;
    let step = context.diagnosed_step(step.as_ref(), check.span, report);
    let cause = report.take_as(cause.span, file::UNKNOWN_NAME, known_cause(cause));
    let node = match node {
        Some(node) => Some(context.scenario.lookup.node(node, report)?),
        None => None,
    };
    Some(Check::Diagnosis { step: step?, cause: cause?, node })
}

/// The cause of that code.
pub(super) fn known_cause(name: &str) -> Result<Code, String> {
    if let Some(code) = cause::all().find(|code| code.name() == name) {
        return Ok(code);
    }
    let meant = meant(name, cause::all().map(Code::name));
    let meant = meant.map_or_else(String::new, |meant| format!("did you mean `{meant}`? "));
    Err(format!("unknown cause {}; {meant}`labsim help codes` lists all", quoted(name)))
}

fn forwarder(
    check: &Located<ForwarderCheck>,
    context: &Context<'_>,
    report: &mut Report<'_>,
) -> Option<Check> {
    let fields = &check.value;
    let (balancers, lookup) = (context.scenario.load_balancers, context.scenario.lookup);
    let node = load_balancer(&fields.node, balancers, lookup, report);
    let counter = counter(&fields.counter, report);
    let count = count(&fields.count, report);
    Some(Check::Forwarder { node: node?, counter: counter?, count })
}

fn kernel(
    check: &Located<KernelCheck>,
    context: &Context<'_>,
    report: &mut Report<'_>,
) -> Option<Check> {
    let KernelCheck { node, device, counter, count } = &check.value;
    let node = context.scenario.lookup.node(node, report);
    let count = self::count(count, report);
    let device = match (device, &node) {
        (Some(written), Some(node)) => {
            let device = report.take(written.span, context.tunnel_device(node, written));
            if !DEVICE_COUNTERS.contains(&counter.as_str()) {
                let known = listed(DEVICE_COUNTERS.iter());
                let message =
                    format!("a device has no counter {}; it has {known}", quoted(counter));
                report.absent(counter.span, counter, message);
                return None;
            }
            Some(device?)
        }
        (Some(_), None) => return None,
        (None, _) => {
            let of_group = counter.starts_with(|first: char| first.is_ascii_uppercase());
            let plain = counter.bytes().all(|byte| byte.is_ascii_alphanumeric());
            if !of_group || !plain || counter.len() > NAME {
                let message = format!(
                    "{} is not a valid kernel counter; write it as nstat(8) does, such as \
                     `IpInAddrErrors`, or name the `device` that it is of",
                    quoted(counter)
                );
                report.at(counter.span, file::UNKNOWN_NAME, message);
                return None;
            }
            None
        }
    };
    Some(Check::Kernel { node: node?, device, counter: counter.value.clone(), count })
}

fn filter(
    check: &Located<FilterCheck>,
    context: &Context<'_>,
    report: &mut Report<'_>,
) -> Option<Check> {
    let FilterCheck { name, node, dropped } = &check.value;
    let dropped = count(dropped, report);
    let node = node.as_ref().and_then(|node| {
        Some(Located::new(context.scenario.lookup.node(node, report)?, node.span))
    });
    let filters = context.scenario.filters;
    let Some(filter) = filters.iter().find(|filter| filter.name.as_str() == name.value) else {
        let known = listed(filters.iter().map(|filter| &filter.name));
        let message = format!("unknown filter {}; `filters` has {known}", quoted(name));
        report.absent(name.span, name, message);
        return None;
    };
    if let Some(node) = node.as_ref().filter(|node| !filter.nodes.contains(&node.value)) {
        let known = listed(filter.nodes.iter());
        let message = format!("`{}` does not have this filter; it is in {known}", node.value);
        report.empty(node.span, message);
        return None;
    }
    let (filter, node) = (filter.name.clone(), node.map(|node| node.value));
    Some(Check::Filter { filter, node, dropped })
}

/// How many.
pub(super) fn count(form: &Located<RawCount>, report: &mut Report<'_>) -> Count {
    let map = match &form.value {
        RawCount::Number(number) => {
            return Count::Exactly(bounded(Located::new(*number, form.span), report));
        }
        RawCount::Map(map) => map,
    };
    match (map.at_least, map.at_most) {
        (None, None) => {
            report.empty(form.span, "this accepts every number; add `at_least` or `at_most`");
            Count::AtLeast(0)
        }
        (Some(least), None) => {
            if least.value == 0 {
                report.at(
                    least.span,
                    file::NO_EFFECT,
                    "every count is at least 0; write at least 1",
                );
            }
            Count::AtLeast(bounded(least, report))
        }
        (least, Some(most)) => {
            let number = least.map_or(0, |least| bounded(least, report));
            if let Some(least) = least.filter(|least| least.value > most.value) {
                let message =
                    format!("`at_least` {} is above `at_most` {}", least.value, most.value);
                report.at(least.span, file::NO_EFFECT, format!("{message}; swap them"));
            }
            Count::Between(number, most.value)
        }
    }
}

fn bounded(number: Located<u64>, report: &mut Report<'_>) -> u64 {
    if number.value > FRAMES {
        let message = format!("a count of {}; at most {FRAMES} are allowed", number.value);
        report.at(number.span, file::TOO_MANY, message);
    }
    number.value
}

fn counted(
    check: &Located<FramesCheck>,
    context: &Context<'_>,
    report: &mut Report<'_>,
) -> Option<Check> {
    let fields = &check.value;
    let of_server = fields.at.split_once(':').is_some_and(|(node, _)| node == REAL_SERVER);
    let step = if of_server || fields.step.is_some() {
        context.step(fields.step.as_ref(), check.span, report)
    } else {
        None
    };
    if let Some(name) = fields.step.as_ref().filter(|_| !of_server) {
        report.at(
            name.span,
            file::CONFLICT,
            "`step` has an effect only with `real_server`; leave it out",
        );
    }
    let at = context.point(&fields.at, step.as_ref(), report);
    let matching = frames::fields(&fields.matching.value, report);
    let matching = frames::complete(matching, fields.matching.span, report);
    let count = count(&fields.count, report);
    Some(Check::Frames { at: at?, matching: matching.ok()?, count })
}
