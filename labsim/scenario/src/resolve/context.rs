//! What expectations may speak of: steps, nodes, capture points, conversations.

use super::Report;
use super::lookup::Lookup;
use super::rows::{Row, rows};
use super::steps::{StepInfo, StepKind};
use super::topology::REAL_SERVER;
use crate::file::ScenarioFile;
use crate::model::filter::Filter;
use crate::model::{
    CapturePoint, Captures, InterfaceName, LoadBalancer, NodeName, PointNode, RadiusServer,
    RealServer, ServerKind, ServerRequests, Service, Step, StepName, TacacsServer,
};
use crate::text::{listed, quoted};
use labsim_codes::file;
use labsim_model::IpProtocol;
use labsim_yaml::{Located, Span};
use std::collections::BTreeMap;

/// Most conversations of a scenario.
const CONVERSATIONS: usize = 256;
/// Most rows of all exchanges together.
const ROWS: usize = 20_000;

/// The rest of the scenario, as far as it could be resolved.
pub(super) struct ScenarioContext<'a> {
    pub(super) lookup: &'a Lookup<'a>,
    pub(super) steps: &'a [Step],
    /// The names of all steps, those with errors among them.
    pub(super) names: &'a [StepInfo],
    pub(super) load_balancers: &'a BTreeMap<NodeName, LoadBalancer>,
    pub(super) real_servers: &'a BTreeMap<NodeName, RealServer>,
    pub(super) tacacs_servers: &'a BTreeMap<NodeName, TacacsServer>,
    pub(super) radius_servers: &'a BTreeMap<NodeName, RadiusServer>,
    pub(super) services: &'a BTreeMap<NodeName, Vec<Service>>,
    pub(super) filters: &'a [Filter],
    pub(super) captures: &'a Captures,
}

/// What expectations may refer to.
pub(super) struct Context<'a> {
    pub(super) scenario: ScenarioContext<'a>,
    /// `None` for one that could not be read.
    pub(super) conversations: BTreeMap<&'a str, Option<Vec<Row>>>,
    /// How many rows may still follow.
    pub(super) rows_left: usize,
    /// Whether a step has no good name, or an error.
    lacks_steps: bool,
}

impl<'a> Context<'a> {
    /// Reads the conversations, and leaves room for the rest.
    pub(super) fn new(
        file: &'a ScenarioFile,
        scenario: ScenarioContext<'a>,
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
        let lacks_steps = scenario.names.len() < file.steps.len()
            || scenario.names.iter().any(|step| step.kind.is_none())
            || file.steps.is_empty();
        Self { scenario, conversations, rows_left: ROWS, lacks_steps }
    }

    /// The step that is meant: the named one, or the only one that asks a server.
    pub(super) fn step(
        &self,
        written: Option<&Located<String>>,
        place: Span,
        report: &mut Report<'_>,
    ) -> Option<StepName> {
        let steps = self.scenario.names.iter();
        let asks = |step: &&StepInfo| step.kind == Some(StepKind::Asks);
        let asking: Vec<&StepName> = steps.filter(asks).map(|step| &step.name).collect();
        let Some(name) = written else {
            return match asking.as_slice() {
                [only] => Some((*only).clone()),
                // That is an error already.
                [] if self.lacks_steps => None,
                [] => {
                    report.empty(
                        place,
                        "no step sends a request to a server; add one such as a `tacacs_login`",
                    );
                    None
                }
                _ => {
                    let asking = listed(asking.iter());
                    report.at(
                        place,
                        file::AMBIGUOUS,
                        format!("the step is ambiguous; set `step` to one of {asking}"),
                    );
                    None
                }
            };
        };
        let known = self.named(name, report)?;
        // A step with an error may ask one once it is corrected.
        if known.kind.is_some_and(|kind| kind != StepKind::Asks) {
            let asking = listed(asking.iter());
            report.at(
                name.span,
                file::UNKNOWN_NAME,
                format!(
                    "the step {} sends no request to a server; those that do are {asking}",
                    quoted(name)
                ),
            );
            return None;
        }
        Some(known.name.clone())
    }

    /// The step whose diagnosis is meant: the named one, or the only one that asks a server.
    pub(super) fn diagnosed_step(
        &self,
        written: Option<&Located<String>>,
        place: Span,
        report: &mut Report<'_>,
    ) -> Option<StepName> {
        let Some(name) = written else { return self.step(None, place, report) };
        let known = self.named(name, report)?;
        let has_diagnosis = |kind| kind != StepKind::Other;
        // A step with an error may have one once it is corrected.
        if known.kind.is_some_and(|kind| !has_diagnosis(kind)) {
            let steps = self.scenario.names.iter();
            let others = steps.filter(|step| step.kind.is_some_and(has_diagnosis));
            let others: Vec<&StepName> = others.map(|step| &step.name).collect();
            let others = listed(others.iter());
            let message = format!(
                "the step {} sends no request to a server, runs no program and waits for nothing; those \
                 that do are {others}",
                quoted(name)
            );
            report.at(name.span, file::UNKNOWN_NAME, message);
            return None;
        }
        Some(known.name.clone())
    }

    fn named(&self, name: &Located<String>, report: &mut Report<'_>) -> Option<&'a StepInfo> {
        let names = self.scenario.names;
        let known = names.iter().find(|known| known.name.as_str() == name.value);
        if known.is_none() {
            let steps = listed(names.iter().map(|known| &known.name));
            let message = format!("unknown step {}; `steps` has {steps}", quoted(name));
            report.absent(name.span, name, message);
        }
        known
    }

    /// What a step asks of servers; nothing for one with an error.
    pub(super) fn requests(&self, name: &StepName) -> Option<ServerRequests<'a>> {
        let step = self.scenario.steps.iter().find(|step| step.name == *name)?;
        step.action.server_requests()
    }

    /// Complains where one flow is spoken of and a step has several.
    pub(super) fn one_flow(&self, step: &StepName, place: Span, report: &mut Report<'_>) {
        if let Some(requests) = self.requests(step).filter(|requests| requests.number > 1) {
            report.at(
                place,
                file::AMBIGUOUS,
                format!(
                    "the step `{step}` makes {} {}s, and this is about one; name another step, \
                     or check `frames` at a node",
                    requests.number, requests.noun
                ),
            );
        }
    }

    /// The nodes that run a server of a kind.
    pub(super) fn servers(&self, kind: ServerKind) -> Vec<&'a NodeName> {
        match kind {
            ServerKind::Tacacs => self.scenario.tacacs_servers.keys().collect(),
            ServerKind::Radius => self.scenario.radius_servers.keys().collect(),
            ServerKind::Tcp => self.serving(IpProtocol::Tcp),
            ServerKind::Udp => self.serving(IpProtocol::Udp),
        }
    }

    fn serving(&self, protocol: IpProtocol) -> Vec<&'a NodeName> {
        let serves = |list: &[Service]| list.iter().any(|one| one.protocol() == protocol);
        let services = self.scenario.services.iter();
        services.filter(|(_, list)| serves(list)).map(|(node, _)| node).collect()
    }

    /// Whether a node serves: its side of a conversation is the server's.
    pub(super) fn is_server(&self, node: &NodeName) -> bool {
        let ScenarioContext { real_servers, tacacs_servers, radius_servers, services, .. } =
            &self.scenario;
        real_servers.contains_key(node)
            || tacacs_servers.contains_key(node)
            || radius_servers.contains_key(node)
            || services.contains_key(node)
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
                file::INVALID_VALUE,
                format!(
                    "{} is not a valid `node:interface`; write it such as `lb:eth0`",
                    quoted(text)
                ),
            );
            return None;
        };
        let interface_name = report.take(text.span, InterfaceName::new(interface));
        let (point, nodes): (_, Vec<NodeName>) = if node == REAL_SERVER {
            let step = step?;
            self.one_flow(step, text.span, report);
            let servers = self.servers(self.requests(step)?.kind);
            if servers.is_empty() {
                let (_, list) = self.requests(step)?.kind.words();
                report.empty(
                    text.span,
                    format!("the scenario has no such server; add one to `{list}`"),
                );
                return None;
            }
            (PointNode::RealServerOf(step.clone()), servers.into_iter().cloned().collect())
        } else {
            let name =
                self.scenario.lookup.node(&Located::new(node.to_owned(), text.span), report)?;
            (PointNode::Named(name.clone()), vec![name])
        };
        let interface = interface_name?;
        let known = self.scenario.lookup.knows_names();
        if let Some(without) = nodes.iter().find(|node| known && !self.has(node, &interface)) {
            report.empty(text.span, self.lacks(without, &interface));
            return None;
        }
        Some(CapturePoint { node: point, interface })
    }

    fn has(&self, node: &NodeName, interface: &InterfaceName) -> bool {
        self.scenario.lookup.get(node).is_none_or(|found| {
            interface.as_str() == "lo"
                || found.interfaces.iter().any(|one| one.name == *interface)
                || self.tunnels(node).any(|tunnel| tunnel == interface)
        })
    }

    fn tunnels(&self, node: &NodeName) -> impl Iterator<Item = &InterfaceName> {
        let server = self.scenario.real_servers.get(node);
        server.into_iter().flat_map(|server| &server.tunnels).map(|tunnel| &tunnel.name)
    }

    /// A node's tunnel device, named.
    pub(super) fn tunnel_device(
        &self,
        node: &NodeName,
        written: &str,
    ) -> Result<InterfaceName, String> {
        let tunnels: Vec<_> = self.tunnels(node).collect();
        match (tunnels.iter().find(|tunnel| tunnel.as_str() == written), &*tunnels) {
            (Some(tunnel), _) => Ok((*tunnel).clone()),
            (None, []) => Err(format!("`{node}` has no tunnel device; leave `device` out")),
            (None, [only]) => Err(format!("the tunnel device of `{node}` is `{only}`")),
            (None, several) => {
                Err(format!("the tunnel devices of `{node}` are {}", listed(several.iter())))
            }
        }
    }

    fn lacks(&self, node: &NodeName, interface: &InterfaceName) -> String {
        let lo = InterfaceName::new("lo").ok();
        let found = self.scenario.lookup.get(node);
        let mut names: Vec<&InterfaceName> =
            found.iter().flat_map(|node| &node.interfaces).map(|one| &one.name).collect();
        names.extend(self.tunnels(node));
        names.extend(&lo);
        format!("`{node}` has no interface `{interface}`; it has {}", listed(names.into_iter()))
    }
}
