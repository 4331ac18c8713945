//! Which frames an expectation rests on.

use crate::model::{
    CapturePoint, Captures, Check, FrameMatch, InterfaceName, IpProtocol, NodeName, PathPoint,
    PointNode, ServerKind, SourceTranslation, StepAction, StepName,
};
use crate::resolve::Report;
use crate::resolve::context::Context;
use labsim_codes::file;
use labsim_yaml::Span;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

/// Complains about an expectation that rests on frames which are not captured.
pub(in crate::resolve) fn check_captured(
    place: Span,
    check: &Check,
    context: &Context<'_>,
    report: &mut Report<'_>,
) {
    let captures = context.scenario.captures;
    let Some(written) = &captures.place else { return };
    if captures.is_complete() {
        return;
    }
    if let Err(missing) = (Needs { captures, context }).check(check) {
        let message = format!(
            "{missing}, which `captures` ({written}) leaves out; capture it too, or remove this expectation"
        );
        report.at(place, file::NOT_CAPTURED, message);
    }
}

/// What is captured, and of what.
struct Needs<'a> {
    captures: &'a Captures,
    context: &'a Context<'a>,
}

impl Needs<'_> {
    /// # Errors
    /// What is missing: `the diagnosis rests on all frames`.
    fn check(&self, check: &Check) -> Result<(), String> {
        match check {
            Check::Forwarder { .. } | Check::Kernel { .. } | Check::Filter { .. } => Ok(()),
            Check::Answer { source: None, .. } => Ok(()),
            Check::Answer { step, source: Some(_), .. } => self.answers(step),
            Check::ServerSaw { .. } | Check::AnsweredBy { .. } => self.translations(),
            Check::Distribution { step, nodes, .. } => self.distribution(step, nodes),
            Check::Diagnosis { .. } => {
                Err("a diagnosis rests on all frames of all interfaces".to_owned())
            }
            Check::Frames { at, matching, .. } => {
                self.at(at)?;
                self.frames(matching)
            }
            Check::Exchange { at, step, .. } => {
                self.at(at)?;
                self.flow(step)
            }
            Check::Path(path) => {
                for PathPoint { node, interface, .. } in [&path.from, &path.to] {
                    self.point(node, interface)?;
                }
                self.frames(&path.matching)
            }
        }
    }

    fn point(&self, node: &NodeName, interface: &InterfaceName) -> Result<(), String> {
        match self.captures.takes(node, interface) {
            true => Ok(()),
            false => Err(format!("this rests on the frames of {node}:{interface}")),
        }
    }

    /// All interfaces of a node that have a link.
    fn node(&self, node: &NodeName) -> Result<(), String> {
        let found = self.context.scenario.lookup.get(node);
        let mut interfaces = found.into_iter().flat_map(|found| &found.interfaces);
        interfaces.try_for_each(|interface| self.point(node, &interface.name))
    }

    fn at(&self, at: &CapturePoint) -> Result<(), String> {
        match &at.node {
            PointNode::Named(node) => self.point(node, &at.interface),
            PointNode::RealServerOf(step) => {
                let kind = self.context.requests(step).map(|requests| requests.kind);
                let mut servers = kind.into_iter().flat_map(|kind| self.context.servers(kind));
                servers.try_for_each(|node| self.point(node, &at.interface))?;
                self.translations()
            }
        }
    }

    /// Frames of one kind. Their numbers are relative to those of both directions' first ones.
    fn frames(&self, matching: &FrameMatch) -> Result<(), String> {
        self.passes(matching)?;
        if matching.sequence.is_none() && matching.acknowledgement.is_none() {
            return Ok(());
        }
        let there = FrameMatch {
            source: matching.source.clone(),
            destination: matching.destination.clone(),
            protocol: matching.protocol,
            source_port: matching.source_port,
            destination_port: matching.destination_port,
            ..FrameMatch::default()
        };
        let back = reversed(&there);
        [there, back].iter().try_for_each(|matching| {
            let missing = || "`seq` and `ack` rest on all frames of the flow, both ways".to_owned();
            self.passes(matching).map_err(|_| missing())
        })
    }

    fn passes(&self, matching: &FrameMatch) -> Result<(), String> {
        match self.captures.passes(matching) {
            true => Ok(()),
            false => Err("this rests on frames that no `filter` is sure to pass".to_owned()),
        }
    }

    /// What comes in at a step's clients.
    fn answers(&self, step: &StepName) -> Result<(), String> {
        let Some(clients) = self.clients(step) else { return Ok(()) };
        clients.nodes.iter().try_for_each(|node| self.node(node))?;
        for address in &clients.addresses {
            let matching = FrameMatch {
                destination: Some((*address).into()),
                protocol: Some(clients.protocol.number()),
                ..FrameMatch::default()
            };
            self.passes(&matching)?;
        }
        Ok(())
    }

    /// Frames of a step's flow, both ways.
    fn flow(&self, step: &StepName) -> Result<(), String> {
        let Some(clients) = self.clients(step) else { return Ok(()) };
        for address in &clients.addresses {
            let there = FrameMatch {
                source: Some((*address).into()),
                destination: Some(clients.to.ip().into()),
                protocol: Some(clients.protocol.number()),
                destination_port: Some(clients.to.port()),
                ..FrameMatch::default()
            };
            self.passes(&there)?;
            self.passes(&reversed(&there))?;
        }
        self.translations()
    }

    /// A server's log says which client it saw: where a load balancer translates addresses, its frames
    /// say which that was.
    fn translations(&self) -> Result<(), String> {
        let balancers = self.context.scenario.load_balancers.iter();
        let translating = balancers.filter(|(_, balancer)| {
            balancer.virtual_servers.values().any(|server| {
                let members = balancer.pools.get(&server.pool).into_iter();
                let mut ports =
                    members.flat_map(|pool| &pool.members).map(|one| one.address.port());
                server.source_address_translation != SourceTranslation::None
                    || server.translate_address
                    || server.translate_port
                        && ports.any(|port| Some(port) != server.destination.port())
            })
        });
        for (node, _) in translating {
            self.node(node)?;
            if !self.captures.filter.is_empty() {
                return Err(format!(
                    "this rests on all frames of {node}, which translates addresses"
                ));
            }
        }
        Ok(())
    }

    fn distribution(&self, step: &StepName, nodes: &[NodeName]) -> Result<(), String> {
        let scenario = &self.context.scenario;
        let aaa = scenario.tacacs_servers.keys().chain(scenario.radius_servers.keys());
        let serving = aaa.chain(scenario.services.keys()).chain(scenario.real_servers.keys());
        let servers: BTreeSet<&NodeName> = serving.chain(nodes).collect();
        servers.into_iter().try_for_each(|node| self.node(node))?;
        self.flow(step)
    }

    fn clients(&self, step: &StepName) -> Option<Clients> {
        let steps = self.context.scenario.steps;
        let action = &steps.iter().find(|one| one.name == *step)?.action;
        let StepAction::Exchange(exchange) = action else { return None };
        let ipv4 = exchange.to.is_ipv4();
        let lookup = self.context.scenario.lookup;
        let nodes = exchange.from.iter().filter_map(|node| lookup.get(node));
        let interfaces = nodes.flat_map(|node| &node.interfaces);
        let addresses = interfaces.flat_map(|one| &one.addresses).map(|net| net.addr());
        Some(Clients {
            nodes: exchange.from.clone(),
            addresses: addresses.filter(|address| address.is_ipv4() == ipv4).collect(),
            to: exchange.to,
            protocol: match exchange.kind() {
                ServerKind::Tacacs | ServerKind::Tcp => IpProtocol::Tcp,
                ServerKind::Radius | ServerKind::Udp => IpProtocol::Udp,
            },
        })
    }
}

/// Who asks, and whom.
struct Clients {
    nodes: Vec<NodeName>,
    addresses: Vec<IpAddr>,
    to: SocketAddr,
    protocol: IpProtocol,
}

/// The other direction's addresses and ports.
fn reversed(matching: &FrameMatch) -> FrameMatch {
    FrameMatch {
        source: matching.destination.clone(),
        destination: matching.source.clone(),
        source_port: matching.destination_port,
        destination_port: matching.source_port,
        ..matching.clone()
    }
}
