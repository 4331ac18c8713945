//! What the parts of a diagnosis look at: one login's or request's packets, and the lab.

use super::Cause;
use super::roles::Roles;
use crate::check_result::CheckContext;
use crate::frames::{Frame, FrameList};
use crate::observe::{Attempt, IntervalCounters, kernel_counter};
use labsim_model::node_state::RouteQuery;
use labsim_model::{NodeState, StatePart};
use labsim_scenario::model::{
    Direction, Node, NodeChange, NodeName, Pool, Step, StepAction, StepName, VirtualServer,
};
use labsim_wire::decode::{Flow, Packet};
use labsim_wire::tcp::Flags;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// One login or request, and its packets.
#[derive(Debug)]
pub(super) struct Subject<'a> {
    pub(super) context: &'a CheckContext<'a>,
    /// The step.
    pub(super) step: &'a StepName,
    /// How it went.
    pub(super) attempt: &'a Attempt,
    /// From the client to what it connected to.
    pub(super) flow: Flow,
    /// The client's node.
    pub(super) client: &'a NodeName,
    /// Frames of the client's packets, behind translations too, in time's order. What a segment
    /// flooded to interfaces that it is not for is not among them.
    pub(super) forward: Vec<usize>,
    /// Frames of the other way, and everything for the client's address and port from any sender.
    pub(super) back: Vec<usize>,
    /// The intervals in which its packets can have been counted; empty if counters were not read
    /// between the steps.
    pub(super) counted: Vec<&'a IntervalCounters>,
}

/// A virtual server that takes the flow, and where it runs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Served<'a> {
    pub(super) balancer: &'a NodeName,
    pub(super) name: &'a str,
    pub(super) server: &'a VirtualServer,
    pub(super) pool: Option<&'a Pool>,
}

impl<'a> Subject<'a> {
    pub(super) fn frame(&self, index: usize) -> Option<Frame<'a>> {
        self.context.frames.get(index)
    }

    pub(super) fn packet(&self, index: usize) -> Option<&'a Packet> {
        self.frame(index).and_then(|frame| frame.decoded.packet())
    }

    pub(super) fn list(&self, frames: &[usize]) -> FrameList {
        self.context.frames.list(frames)
    }

    /// The cause with those frames, their number if it has none yet.
    pub(super) fn shown(&self, cause: Cause, frames: &[usize]) -> Cause {
        let count = if cause.count == 0 { frames.len() as u64 } else { cause.count };
        cause.packets(count).shown_by(self.list(frames))
    }

    pub(super) fn node(&self, name: &NodeName) -> Option<&'a Node> {
        self.context.scenario.topology.node(name)
    }

    /// The node that has an interface with that address.
    pub(super) fn owner(&self, address: IpAddr) -> Option<&'a NodeName> {
        let nodes = &self.context.scenario.topology.nodes;
        let has = |node: &&Node| {
            let mut addresses = node.interfaces.iter().flat_map(|interface| &interface.addresses);
            addresses.any(|net| net.addr() == address)
        };
        nodes.iter().find(has).map(|node| &node.name)
    }

    /// Whether the node has the address, as the scenario gives it to it.
    pub(super) fn is_configured(&self, node: &NodeName, address: IpAddr) -> bool {
        let on_link = || {
            let interfaces = self.node(node).map(|node| node.interfaces.as_slice());
            let addresses = interfaces.unwrap_or_default().iter().flat_map(|it| &it.addresses);
            addresses.into_iter().any(|net| net.addr() == address)
        };
        let server = self.context.scenario.real_servers.get(node);
        let as_vip = || server.is_some_and(|it| it.vips.iter().any(|vip| vip.address == address));
        on_link() || as_vip()
    }

    /// Whether an interface of the node has the address, as its state was read.
    pub(super) fn has_address(&self, node: &NodeName, address: IpAddr) -> bool {
        self.state(node).is_some_and(|state| state.addresses_at(address).next().is_some())
    }

    /// Whether the node has the address, by the scenario or by its state.
    pub(super) fn holds(&self, node: &NodeName, address: IpAddr) -> bool {
        self.is_configured(node, address) || self.has_address(node, address)
    }

    /// Whether a frame is a TCP reset.
    pub(super) fn is_reset(&self, index: usize) -> bool {
        let tcp = self.frame(index).and_then(|frame| frame.decoded.tcp());
        tcp.is_some_and(|tcp| tcp.flags.contains(Flags::RST))
    }

    /// The nodes that a load balancer has in a pool.
    pub(super) fn members(&self) -> BTreeSet<&'a NodeName> {
        let balancers = self.context.scenario.load_balancers.values();
        let pools = balancers.flat_map(|balancer| balancer.pools.values());
        let members = pools.flat_map(|pool| &pool.members);
        members.filter_map(|member| self.owner(member.address.ip())).collect()
    }

    /// What the node was set up with, if that was read: it is read in the end, and says nothing of what
    /// was before a later step changed the node.
    pub(super) fn state(&self, node: &NodeName) -> Option<&'a NodeState> {
        let steps = &self.context.scenario.steps;
        let mut later = steps.iter().skip(self.last_own_step() + 1);
        let is_other = later.any(|step| changes(self.context, &step.action, node));
        self.context.observations.states.get(node).filter(|_| !is_other)
    }

    /// Whether a forwarder of labsim's takes frames in at the node. The kernel there sees them too,
    /// and counts what it is not for.
    pub(super) fn has_forwarder(&self, node: &NodeName) -> bool {
        self.context.observations.forwarder_counters.contains_key(node)
    }

    /// The virtual server that the flow goes to: of a load balancer that is not on standby, if there is one.
    pub(super) fn served(&self) -> Option<Served<'a>> {
        let roles = Roles::of(self);
        self.served_by(|node| !roles.is_standby(node)).or_else(|| self.served_by(|_| true))
    }

    /// The virtual server of that load balancer that takes the flow.
    pub(super) fn served_at(&self, balancer: &NodeName) -> Option<Served<'a>> {
        self.served_by(|node| node == balancer)
    }

    fn served_by(&self, is_asked: impl Fn(&NodeName) -> bool) -> Option<Served<'a>> {
        let (protocol, asked) = (self.flow.protocol, self.flow.destination);
        let mut found: Option<Served<'a>> = None;
        let balancers = &self.context.scenario.load_balancers;
        for (balancer, config) in balancers.iter().filter(|(node, _)| is_asked(node)) {
            for (name, server) in &config.virtual_servers {
                let ports = server.destination.ports();
                let fits = server.destination.ip() == asked.ip()
                    && ports.contains(asked.port())
                    && [0, server.ip_protocol.number()].contains(&protocol);
                // One for this very port comes before one for any port.
                if fits && (!ports.is_any() || found.is_none()) {
                    let pool = config.pools.get(&server.pool);
                    found = Some(Served { balancer, name, server, pool });
                }
            }
        }
        found
    }

    /// Whether the address is a VIP of a load balancer.
    pub(super) fn is_vip(&self, address: IpAddr) -> bool {
        let balancers = self.context.scenario.load_balancers.values();
        let mut servers = balancers.flat_map(|balancer| balancer.virtual_servers.values());
        servers.any(|server| server.destination.ip() == address)
            || address == self.flow.destination.ip() && self.owner(address).is_none()
    }

    /// By how much a kernel counter of a node rose while its packets were on their way, with or
    /// without its section's name; `None` if it did not.
    pub(super) fn counter(&self, node: &NodeName, name: &str) -> Option<u64> {
        let rose = match self.counted.is_empty() {
            true => kernel_counter(self.context.observations.kernel_counters.get(node)?, name),
            false => self.counted.iter().map(|interval| interval.kernel(node, name)).sum(),
        };
        Some(rose).filter(|rose| *rose > 0)
    }

    /// Whether a node's kernel counters were read.
    pub(super) fn is_counted(&self, node: &NodeName) -> bool {
        self.context.observations.kernel_counters.contains_key(node)
    }

    /// By how much a counter of the forwarder at the node rose while its packets were on their way,
    /// 0 if it has none.
    pub(super) fn forwarder(&self, node: &NodeName, name: &str) -> u64 {
        if self.counted.is_empty() {
            return self.forwarder_in_run(node, name);
        }
        let counters = self.counted.iter().filter_map(|interval| interval.forwarders.get(node));
        counters.map(|counters| crate::forwarder::value(counters, name)).sum()
    }

    /// A counter of the forwarder at the node since it started, 0 if it has none.
    pub(super) fn forwarder_in_run(&self, node: &NodeName, name: &str) -> u64 {
        let counters = self.context.observations.forwarder_counters.get(node);
        counters.map_or(0, |counters| crate::forwarder::value(counters, name))
    }

    /// Whether a frame can be among what [`counter`](Self::counter) counts.
    pub(super) fn is_then(&self, frame: &Frame<'_>) -> bool {
        let time = frame.record.time_ns;
        self.counted.is_empty()
            || self.counted.iter().any(|it| (it.from_ns..=it.until_ns).contains(&time))
    }

    /// The node where a frame was captured.
    pub(super) fn at(&self, frame: &Frame<'_>) -> Option<&'a NodeName> {
        self.context.frames.node(frame)
    }

    /// The interface where a frame was captured.
    pub(super) fn interface(&self, frame: &Frame<'_>) -> &'a str {
        self.context.frames.point(frame.record.point).map_or("", |point| point.interface.as_str())
    }

    /// Whether a frame is addressed to the interface that captured it, or sent by it.
    pub(super) fn is_meant(&self, frame: &Frame<'_>) -> bool {
        self.context.frames.is_meant(frame)
    }

    /// Those of `frames` that a node captured in a direction.
    pub(super) fn seen_at(
        &self,
        frames: &[usize],
        node: &NodeName,
        direction: Direction,
    ) -> Vec<usize> {
        let is_there = |index: &usize| {
            self.frame(*index).is_some_and(|frame| {
                frame.record.direction == direction && self.at(&frame) == Some(node)
            })
        };
        frames.iter().copied().filter(is_there).collect()
    }

    /// What was done up to this step; of a login that others resume, up to the last of these.
    pub(super) fn done(&self) -> impl Iterator<Item = &'a StepAction> {
        self.done_steps().map(|step| &step.action)
    }

    /// The same with their names.
    pub(super) fn done_steps(&self) -> impl Iterator<Item = &'a Step> {
        let context = self.context;
        let done = move |name: &StepName| context.observations.step(name).is_some();
        let steps = context.scenario.steps.iter().take(self.last_own_step() + 1);
        steps.filter(move |step| done(&step.name))
    }

    /// The place of this step; of a login that others resume, of the last of these.
    fn last_own_step(&self) -> usize {
        let context = self.context;
        let steps = &context.scenario.steps;
        let login = context.step(self.step).map(|step| &step.name);
        let is_own = |name: &StepName| context.step(name).map(|step| &step.name) == login;
        steps.iter().rposition(|step| is_own(&step.name)).unwrap_or(steps.len())
    }
}

/// Whether a step changes what the node's state holds.
pub(super) fn changes(context: &CheckContext<'_>, action: &StepAction, node: &NodeName) -> bool {
    match action {
        StepAction::ChangeNode(change) => match &**change {
            NodeChange::Route { node: changed, .. }
            | NodeChange::Sysctls { node: changed, .. }
            | NodeChange::Address { node: changed, .. } => changed == node,
            NodeChange::Filter { filter, .. } => {
                let mut filters = context.scenario.filters.iter().filter(|it| it.name == *filter);
                filters.any(|filter| filter.nodes.contains(node))
            }
        },
        StepAction::SetLink { interface, .. } => interface.node == *node,
        StepAction::StopServer { node: changed, .. }
        | StepAction::StartServer { node: changed } => changed == node,
        _ => false,
    }
}

/// The intervals from the first to the last of `frames`, which are in time's order, and the step's
/// own.
pub(super) fn counted<'a>(
    context: &CheckContext<'a>,
    step: &StepName,
    frames: &[&[usize]],
) -> Vec<&'a IntervalCounters> {
    let time = |index: &usize| context.frames.get(*index).map(|frame| frame.record.time_ns);
    let first = frames.iter().filter_map(|way| time(way.first()?)).min();
    let last = frames.iter().filter_map(|way| time(way.last()?)).max();
    let overlaps = |it: &IntervalCounters| {
        first.is_some_and(|first| first <= it.until_ns)
            && last.is_some_and(|last| it.from_ns <= last)
    };
    let intervals = context.observations.step_counters.iter();
    intervals.filter(|(name, it)| *name == step || overlaps(it)).map(|(_, it)| it).collect()
}

/// Whether a node's routes were read, and none is for such a packet.
pub(super) fn has_no_route(state: &NodeState, query: &RouteQuery<'_>) -> bool {
    // The kernel has routes of its own for each address of the node.
    let read = !state.routes.is_empty()
        && state.is_complete(StatePart::Routes)
        && state.is_complete(StatePart::Rules);
    read && state.route(query).is_none_or(|route| route.refuses())
}
