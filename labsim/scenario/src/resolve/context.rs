//! What expectations may speak of: steps, nodes, capture points, conversations.

use super::Report;
use super::lookup::Lookup;
use super::rows::{Row, rows};
use super::steps::{Known, ServerKind};
use super::topology::REAL_SERVER;
use crate::file::ScenarioFile;
use crate::model::{
    CapturePoint, InterfaceName, LoadBalancer, NodeName, PointNode, RadiusServer, RealServer, Step,
    StepAction, StepName, TacacsServer,
};
use crate::text::{listed, quoted};
use labsim_yaml::{Located, Span};
use std::collections::BTreeMap;

/// Most conversations of a scenario.
const CONVERSATIONS: usize = 256;
/// Most rows of all exchanges together.
const ROWS: usize = 20_000;

/// The rest of the scenario, as far as it could be resolved.
pub(super) struct World<'a> {
    pub(super) lookup: &'a Lookup<'a>,
    pub(super) steps: &'a [Step],
    /// The names of all steps, those with mistakes among them.
    pub(super) names: &'a [Known],
    pub(super) load_balancers: &'a BTreeMap<NodeName, LoadBalancer>,
    pub(super) real_servers: &'a BTreeMap<NodeName, RealServer>,
    pub(super) tacacs_servers: &'a BTreeMap<NodeName, TacacsServer>,
    pub(super) radius_servers: &'a BTreeMap<NodeName, RadiusServer>,
}

/// What expectations may speak of.
pub(super) struct Context<'a> {
    pub(super) world: World<'a>,
    /// `None` for one that could not be read.
    pub(super) conversations: BTreeMap<&'a str, Option<Vec<Row>>>,
    /// How many rows may still follow.
    pub(super) rows_left: usize,
    /// Whether a step has no good name.
    lacks_names: bool,
}

/// What a step asks of whom.
pub(super) struct Asking<'a> {
    /// The clients.
    pub(super) from: &'a [NodeName],
    /// How many logins or requests, repetitions not among them.
    pub(super) number: u64,
    /// The servers that it speaks to.
    pub(super) kind: ServerKind,
}

impl<'a> Context<'a> {
    /// Reads the conversations, and leaves room for the rest.
    pub(super) fn new(file: &'a ScenarioFile, world: World<'a>, report: &mut Report<'_>) -> Self {
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
        let lacks_names = world.names.len() < file.steps.len() || file.steps.is_empty();
        Self { world, conversations, rows_left: ROWS, lacks_names }
    }

    /// The step that is meant: the named one, or the only one that asks a server.
    pub(super) fn step(
        &self,
        written: Option<&Located<String>>,
        place: Span,
        report: &mut Report<'_>,
    ) -> Option<StepName> {
        let asking: Vec<&StepName> =
            self.world.names.iter().filter(|known| known.asks).map(|known| &known.name).collect();
        let Some(name) = written else {
            return match asking.as_slice() {
                [only] => Some((*only).clone()),
                // That is a mistake already.
                [] if self.lacks_names => None,
                [] => {
                    report.empty(place, "no step asks a server; add one such as a `tacacs_login`");
                    None
                }
                _ => {
                    let asking = listed(asking.iter());
                    report.at(place, format!("say which step: `step` is one of {asking}"));
                    None
                }
            };
        };
        let Some(known) = self.world.names.iter().find(|known| known.name.as_str() == name.value)
        else {
            let steps = listed(self.world.names.iter().map(|known| &known.name));
            let message = format!("there is no step {}; `steps` has {steps}", quoted(name));
            report.absent(name.span, name, message);
            return None;
        };
        if !known.asks {
            let asking = listed(asking.iter());
            report.at(
                name.span,
                format!("the step {} asks no server; those that do are {asking}", quoted(name)),
            );
            return None;
        }
        Some(known.name.clone())
    }

    /// What a step asks; nothing for one with a mistake.
    pub(super) fn asking(&self, name: &StepName) -> Option<Asking<'a>> {
        let step = self.world.steps.iter().find(|step| step.name == *name)?;
        match &step.action {
            StepAction::TacacsLogin(login) => Some(Asking {
                from: &login.from,
                number: u64::from(login.times) * login.from.len() as u64,
                kind: ServerKind::Tacacs,
            }),
            StepAction::Radius(request) => Some(Asking {
                from: std::slice::from_ref(&request.from),
                number: 1,
                kind: ServerKind::Radius,
            }),
            StepAction::Resume { .. }
            | StepAction::Finish { .. }
            | StepAction::ChangeMember(_)
            | StepAction::AwaitMember { .. }
            | StepAction::StopServer { .. }
            | StepAction::StartServer { .. }
            | StepAction::SetLink { .. }
            | StepAction::Run(_)
            | StepAction::SendPacket(_)
            | StepAction::KillForwarder { .. }
            | StepAction::StartForwarder { .. }
            | StepAction::AwaitCounter { .. } => None,
        }
    }

    /// Complains where one flow is spoken of and a step has several.
    pub(super) fn one_flow(&self, step: &StepName, place: Span, report: &mut Report<'_>) {
        if let Some(asking) = self.asking(step).filter(|asking| asking.number > 1) {
            report.at(
                place,
                format!(
                    "the step `{step}` makes {} logins, and this is about one; name another step, \
                     or check `frames` at a node",
                    asking.number
                ),
            );
        }
    }

    /// The nodes that run a server of a kind.
    pub(super) fn servers(&self, kind: ServerKind) -> Vec<&'a NodeName> {
        match kind {
            ServerKind::Tacacs => self.world.tacacs_servers.keys().collect(),
            ServerKind::Radius => self.world.radius_servers.keys().collect(),
        }
    }

    /// Whether a node serves: its side of a conversation is the server's.
    pub(super) fn is_server(&self, node: &NodeName) -> bool {
        let World { real_servers, tacacs_servers, radius_servers, .. } = &self.world;
        real_servers.contains_key(node)
            || tacacs_servers.contains_key(node)
            || radius_servers.contains_key(node)
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
            let step = step?;
            self.one_flow(step, text.span, report);
            let servers = self.servers(self.asking(step)?.kind);
            if servers.is_empty() {
                report.empty(
                    text.span,
                    "no server can have answered; add one to `tacacs_servers` or `radius_servers`",
                );
                return None;
            }
            (PointNode::RealServerOf(step.clone()), servers.into_iter().cloned().collect())
        } else {
            let name = self.world.lookup.node(&Located::new(node.to_owned(), text.span), report)?;
            (PointNode::Named(name.clone()), vec![name])
        };
        let interface = interface_name?;
        let known = self.world.lookup.knows_names();
        if let Some(without) = nodes.iter().find(|node| known && !self.has(node, &interface)) {
            report.empty(text.span, self.lacks(without, &interface));
            return None;
        }
        Some(CapturePoint { node: point, interface })
    }

    fn has(&self, node: &NodeName, interface: &InterfaceName) -> bool {
        self.world.lookup.get(node).is_none_or(|found| {
            interface.as_str() == "lo"
                || found.interfaces.iter().any(|one| one.name == *interface)
                || self.tunnels(node).any(|tunnel| tunnel == interface)
        })
    }

    fn tunnels(&self, node: &NodeName) -> impl Iterator<Item = &InterfaceName> {
        let server = self.world.real_servers.get(node);
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
        let found = self.world.lookup.get(node);
        let mut names: Vec<&InterfaceName> =
            found.iter().flat_map(|node| &node.interfaces).map(|one| &one.name).collect();
        names.extend(self.tunnels(node));
        names.extend(&lo);
        format!("`{node}` has no interface `{interface}`; it has {}", listed(names.into_iter()))
    }
}
