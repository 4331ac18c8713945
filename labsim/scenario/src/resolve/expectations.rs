//! Expectations: exactly one check each, about steps and capture points that exist.

use super::exchange::exchange;
use super::lookup::Lookup;
use super::rows::{Row, rows};
use super::topology::REAL_SERVER;
use super::{Report, address, frames};
use crate::file::{
    AnsweredByCheck, CountForm, ExpectationFields, FramesCheck, LoginCheck, LoginResultWord,
    ScenarioFile, ServerSawCheck,
};
use crate::model::{
    CapturePoint, Check, Count, Expectation, InterfaceName, LoginResult, NodeName, Place,
    PointNode, RealServer, Step, StepAction, StepName, TacacsLogin, TacacsServer,
};
use crate::text::{listed, quoted};
use labsim_yaml::{Located, Span};
use std::collections::BTreeMap;

/// Most expectations of a scenario.
const EXPECTATIONS: usize = 1024;
/// Most conversations of a scenario.
const CONVERSATIONS: usize = 256;
/// Most rows of all exchanges together.
const ROWS: usize = 20_000;
/// Most frames that a count can ask for.
const FRAMES: u64 = 1_000_000;
/// Longest sentence in bytes.
const SENTENCE: usize = 500;

/// What expectations may speak of.
pub(super) struct Context<'a> {
    pub(super) lookup: &'a Lookup<'a>,
    pub(super) steps: &'a [Step],
    /// The names of all steps, those with mistakes among them.
    pub(super) names: &'a [StepName],
    pub(super) real_servers: &'a BTreeMap<NodeName, RealServer>,
    pub(super) tacacs_servers: &'a BTreeMap<NodeName, TacacsServer>,
    /// `None` for one that could not be read.
    pub(super) conversations: BTreeMap<&'a str, Option<Vec<Row>>>,
    /// How many rows may still follow.
    pub(super) rows_left: usize,
}

/// Resolves all expectations.
pub(super) fn expectations(
    file: &ScenarioFile,
    mut context: Context<'_>,
    report: &mut Report<'_>,
) -> Vec<Expectation> {
    if file.expect.is_empty() {
        report.empty(
            Span::default(),
            "`expect` is empty; a scenario expects something, such as a `login`",
        );
    }
    if let Some(first) = file.expect.get(EXPECTATIONS) {
        report.limit(first.span, file.expect.len(), EXPECTATIONS, "expectation");
    }
    let list = file.expect.iter().take(EXPECTATIONS);
    list.filter_map(|one| expectation(one, &mut context, report)).collect()
}

impl<'a> Context<'a> {
    /// Reads the conversations, and leaves room for the rest.
    pub(super) fn new(
        file: &'a ScenarioFile,
        lookup: &'a Lookup<'a>,
        (steps, names): (&'a [Step], &'a [StepName]),
        real_servers: &'a BTreeMap<NodeName, RealServer>,
        tacacs_servers: &'a BTreeMap<NodeName, TacacsServer>,
        report: &mut Report<'_>,
    ) -> Self {
        let table = &file.conversations;
        if let Some((key, _)) = table.iter().nth(CONVERSATIONS) {
            report.limit(key.span, table.len(), CONVERSATIONS, "conversation");
        }
        let mut conversations = BTreeMap::new();
        for (key, list) in table.iter().take(CONVERSATIONS) {
            if list.is_empty() {
                report.empty(
                    key.span,
                    "a conversation without rows; add one such as `client S seq 0`",
                );
            }
            conversations.insert(key.as_str(), rows(list, report));
        }
        let rows_left = ROWS;
        Self { lookup, steps, names, real_servers, tacacs_servers, conversations, rows_left }
    }

    /// The step that is meant: the named one, or the only one.
    pub(super) fn step(
        &self,
        written: Option<&Located<String>>,
        place: Span,
        report: &mut Report<'_>,
    ) -> Option<StepName> {
        let names = self.names;
        match (written, names) {
            (None, [only]) => Some(only.clone()),
            // That is a mistake already.
            (_, []) => None,
            (None, _) => {
                report.at(
                    place,
                    format!("say which step: `step` is one of {}", listed(names.iter())),
                );
                None
            }
            (Some(name), _) => {
                let known = names.iter().find(|known| known.as_str() == name.value);
                if known.is_none() {
                    report.absent(
                        name.span,
                        name,
                        format!(
                            "there is no step {}; `steps` has {}",
                            quoted(name),
                            listed(names.iter())
                        ),
                    );
                }
                known.cloned()
            }
        }
    }

    /// The login that a step makes.
    pub(super) fn login(&self, name: &StepName) -> Option<&'a TacacsLogin> {
        self.steps.iter().find(|step| step.name == *name).map(|step| {
            let StepAction::TacacsLogin(login) = &step.action;
            login
        })
    }

    /// Whether a node serves: its side of a conversation is the server's.
    pub(super) fn is_server(&self, node: &NodeName) -> bool {
        self.real_servers.contains_key(node) || self.tacacs_servers.contains_key(node)
    }

    /// The interface that `node:interface` names.
    pub(super) fn point(
        &self,
        text: &Located<String>,
        step: Option<&StepName>,
        report: &mut Report<'_>,
    ) -> Option<CapturePoint> {
        let Some((node, interface)) = text.split_once(':') else {
            report.at(
                text.span,
                format!("{} is no `node:interface`; write it such as `lb:eth0`", quoted(text)),
            );
            return None;
        };
        let interface_name = report.take(text.span, InterfaceName::new(interface));
        let (point, nodes): (_, Vec<NodeName>) = if node == REAL_SERVER {
            if self.tacacs_servers.is_empty() {
                report.empty(text.span, "no server can have answered; add one to `tacacs_servers`");
                return None;
            }
            (PointNode::RealServerOf(step?.clone()), self.tacacs_servers.keys().cloned().collect())
        } else {
            let name = self.lookup.node(&Located::new(node.to_owned(), text.span), report)?;
            (PointNode::Named(name.clone()), vec![name])
        };
        let interface = interface_name?;
        let known = self.lookup.knows_names();
        if let Some(without) = nodes.iter().find(|node| known && !self.has(node, &interface)) {
            report.empty(text.span, self.lacks(without, &interface));
            return None;
        }
        Some(CapturePoint { node: point, interface })
    }

    fn has(&self, node: &NodeName, interface: &InterfaceName) -> bool {
        self.lookup.get(node).is_none_or(|found| {
            interface.as_str() == "lo"
                || found.interfaces.iter().any(|one| one.name == *interface)
                || self.tunnel(node).is_some_and(|tunnel| tunnel == interface)
        })
    }

    fn tunnel(&self, node: &NodeName) -> Option<&InterfaceName> {
        Some(&self.real_servers.get(node)?.tunnel.as_ref()?.name)
    }

    fn lacks(&self, node: &NodeName, interface: &InterfaceName) -> String {
        let lo = InterfaceName::new("lo").ok();
        let found = self.lookup.get(node);
        let mut names: Vec<&InterfaceName> =
            found.iter().flat_map(|node| &node.interfaces).map(|one| &one.name).collect();
        names.extend(self.tunnel(node));
        names.extend(&lo);
        format!("`{node}` has no interface `{interface}`; it has {}", listed(names.into_iter()))
    }
}

fn expectation(
    written: &Located<ExpectationFields>,
    context: &mut Context<'_>,
    report: &mut Report<'_>,
) -> Option<Expectation> {
    let fields = &written.value;
    let pass = sentence(&fields.pass, report);
    let fail = sentence(&fields.fail, report);
    let checks = [
        fields.login.as_ref().map(|check| login(check, context, report)),
        fields.server_saw.as_ref().map(|check| server_saw(check, context, report)),
        fields.answered_by.as_ref().map(|check| answered_by(check, context, report)),
        fields.frames.as_ref().map(|check| counted(check, context, report)),
        fields.exchange.as_ref().map(|check| exchange(check, context, report)),
    ];
    let mut checks: Vec<Option<Check>> = checks.into_iter().flatten().collect();
    const KINDS: &str = "`login`, `server_saw`, `answered_by`, `frames` or `exchange`";
    let number = checks.len();
    if number == 0 {
        report.empty(written.span, format!("this expectation checks nothing; add {KINDS}"));
        return None;
    }
    if number > 1 {
        let message = format!("this expectation checks {number} things; keep one of {KINDS}");
        report.at(written.span, message);
        return None;
    }
    let place = Place { file: report.source().name().to_owned(), line: written.span.line() };
    Some(Expectation { pass, fail, place, check: checks.pop()?? })
}

fn sentence(text: &Located<String>, report: &mut Report<'_>) -> String {
    let trimmed = Located::new(text.trim().to_owned(), text.span);
    report.plain(&trimmed, "sentence", SENTENCE);
    trimmed.value
}

fn login(
    check: &Located<LoginCheck>,
    context: &Context<'_>,
    report: &mut Report<'_>,
) -> Option<Check> {
    let step = context.step(check.value.step.as_ref(), check.span, report);
    let result = match check.value.result {
        LoginResultWord::Pass => LoginResult::Pass,
        LoginResultWord::Fail => LoginResult::Fail,
        LoginResultWord::Error => LoginResult::Error,
        LoginResultWord::Refused => LoginResult::Refused,
        LoginResultWord::Timeout => LoginResult::Timeout,
    };
    let source = match &check.value.source {
        Some(text) => Some(report.take(text.span, address::host(text))?),
        None => None,
    };
    if let (Some(text), LoginResult::Timeout) = (&check.value.source, result) {
        report.at(text.span, "a login without an answer has no source to check; leave it out");
    }
    Some(Check::Login { step: step?, result, source })
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
    let mut nodes = Vec::new();
    for node in context.lookup.nodes(&check.value.node, report) {
        if !context.tacacs_servers.contains_key(&node.value) {
            report.empty(
                node.span,
                format!("`{}` runs no TACACS+ server; name a node of `tacacs_servers`", node.value),
            );
        }
        nodes.push(node.value);
    }
    Some(Check::AnsweredBy { step: step?, nodes })
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
    let (count, number, place) = match &fields.count.value {
        CountForm::Number(number) => (Count::Exactly(*number), *number, fields.count.span),
        CountForm::Map(map) => {
            let least = map.at_least;
            if least.value == 0 {
                report.at(least.span, "there are always 0 frames or more; write at least 1");
            }
            (Count::AtLeast(least.value), least.value, least.span)
        }
    };
    if number > FRAMES {
        report.at(place, format!("{number} frames; at most {FRAMES} can be asked for"));
    }
    Some(Check::Frames { at: at?, matching: matching.ok()?, count })
}
