//! Expectations: exactly one check each, about steps and capture points that exist.

use super::context::Context;
use super::exchange::exchange;
use super::forwarders::{counter, load_balancer};
use super::passage::passage;
use super::processes::program_step;
use super::topology::REAL_SERVER;
use super::{Report, address, frames};
use crate::file::{
    AnswerCheck, AnsweredByCheck, CountForm, ExpectationFields, ForwarderCheck, FramesCheck,
    KernelCheck, LoginResultWord, ScenarioFile, ServerSawCheck, SpreadCheck, Texts,
};
use crate::model::{Check, Count, DEVICE_COUNTERS, Expectation, LoginResult, NodeName, StepName};
use crate::text::{listed, quoted};
use labsim_yaml::{Located, Span};

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
    written: &Located<ExpectationFields>,
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
        fields.spread.as_ref().map(|check| spread(check, context, report)),
        fields.forwarder.as_ref().map(|check| forwarder(check, context, report)),
        fields.kernel.as_ref().map(|check| kernel(check, context, report)),
        fields.frames.as_ref().map(|check| counted(check, context, report)),
        fields.exchange.as_ref().map(|check| exchange(check, context, report)),
        fields.passage.as_ref().map(|check| passage(check, context, report)),
    ];
    let mut checks: Vec<Option<Check>> = checks.into_iter().flatten().collect();
    const KINDS: &str = "`answer`, `server_saw`, `answered_by`, `spread`, `forwarder`, `kernel`, \
                         `frames`, `exchange` or `passage`";
    let number = checks.len();
    if number == 0 {
        report.empty(key.span, format!("this expectation checks nothing; add {KINDS}"));
        return None;
    }
    if number > 1 {
        let message = format!("this expectation checks {number} things; keep one of {KINDS}");
        report.at(key.span, message);
        return None;
    }
    let place = report.place(key.span);
    let name = key.value.clone();
    Some(Expectation { name, pass, fail, place, check: checks.pop()?? })
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
        report.at(text.span, "a program's end has no source; leave it out, and count `frames`");
    }
    let step = program.or_else(|| context.step(check.value.step.as_ref(), check.span, report));
    let result = match check.value.result {
        LoginResultWord::Pass => LoginResult::Pass,
        LoginResultWord::Fail => LoginResult::Fail,
        LoginResultWord::Error => LoginResult::Error,
        LoginResultWord::Refused => LoginResult::Refused,
        LoginResultWord::Timeout => LoginResult::Timeout,
        LoginResultWord::Paused => LoginResult::Paused,
    };
    let source = match &check.value.source {
        Some(text) => Some(report.take(text.span, address::host(text))?),
        None => None,
    };
    if let (Some(text), LoginResult::Timeout) = (&check.value.source, result) {
        report.at(text.span, "without an answer there is no source to check; leave it out");
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
    let nodes = context.world.lookup.nodes(texts, report);
    let Some(asking) = step.and_then(|step| context.asking(step)) else { return Vec::new() };
    let (what, list) = asking.kind.words();
    let known = context.servers(asking.kind);
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
    check: &Located<SpreadCheck>,
    context: &Context<'_>,
    report: &mut Report<'_>,
) -> Option<Check> {
    let step = context.step(check.value.step.as_ref(), check.span, report);
    let nodes = servers(&check.value.nodes, step.as_ref(), context, report);
    let at_least = check.value.at_least;
    let asking = context.asking(step.as_ref()?)?;
    let least = at_least.value.saturating_mul(nodes.len() as u64);
    if at_least.value == 0 {
        report.at(at_least.span, "every server answers 0 logins or more; write at least 1");
    } else if least > asking.number {
        report.at(
            at_least.span,
            format!("that is {least} logins, and the step makes {}; write less", asking.number),
        );
    }
    Some(Check::Spread { step: step?, nodes, at_least: at_least.value })
}

fn forwarder(
    check: &Located<ForwarderCheck>,
    context: &Context<'_>,
    report: &mut Report<'_>,
) -> Option<Check> {
    let fields = &check.value;
    let (balancers, lookup) = (context.world.load_balancers, context.world.lookup);
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
    let node = context.world.lookup.node(node, report);
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
                    "{} is no counter of a kernel; write it as nstat(8) does, such as \
                     `IpInAddrErrors`, or name the `device` that it is of",
                    quoted(counter)
                );
                report.at(counter.span, message);
                return None;
            }
            None
        }
    };
    Some(Check::Kernel { node: node?, device, counter: counter.value.clone(), count })
}

/// How many.
pub(super) fn count(form: &Located<CountForm>, report: &mut Report<'_>) -> Count {
    let map = match &form.value {
        CountForm::Number(number) => {
            return Count::Exactly(bounded(Located::new(*number, form.span), report));
        }
        CountForm::Map(map) => map,
    };
    match (map.at_least, map.at_most) {
        (None, None) => {
            report.empty(form.span, "any number is right; add `at_least` or `at_most`");
            Count::AtLeast(0)
        }
        (Some(least), None) => {
            if least.value == 0 {
                report.at(least.span, "it is always 0 or more; write at least 1");
            }
            Count::AtLeast(bounded(least, report))
        }
        (least, Some(most)) => {
            let number = least.map_or(0, |least| bounded(least, report));
            if let Some(least) = least.filter(|least| least.value > most.value) {
                let message =
                    format!("nothing is at least {} and at most {}", least.value, most.value);
                report.at(least.span, format!("{message}; swap them"));
            }
            Count::Between(number, most.value)
        }
    }
}

fn bounded(number: Located<u64>, report: &mut Report<'_>) -> u64 {
    if number.value > FRAMES {
        let message = format!("{} frames; at most {FRAMES} can be asked for", number.value);
        report.at(number.span, message);
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
        report.at(name.span, "`step` says whose `real_server` is meant; leave it out here");
    }
    let at = context.point(&fields.at, step.as_ref(), report);
    let matching = frames::fields(&fields.matching.value, report);
    let matching = frames::complete(matching, fields.matching.span, report);
    let count = count(&fields.count, report);
    Some(Check::Frames { at: at?, matching: matching.ok()?, count })
}
