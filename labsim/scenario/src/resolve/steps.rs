//! Steps: who does what, in which order.

mod begun;
mod common;
mod exchanges;
mod flood;
pub(super) mod forwarders;
mod links;
mod members;
mod nodes;
mod packet;
mod radius;
mod servers;
mod tacacs_login;
mod transfer;

use super::lookup::{Lookup, Vips};
use super::servers::SECRET;
use super::{Report, processes};
use crate::file::RawStep;
use crate::model::filter::Filter;
use crate::model::{
    LoadBalancer, NodeName, RealServer, Secret, ServerKind, Step, StepAction, StepName,
};
use begun::{finish, resume, unfinished};
use forwarders::{Forwarders, await_counter};
use labsim_codes::file;
use labsim_yaml::{Located, Span, Table};
use links::LinkState;
use members::Pools;
use nodes::Nodes;
use servers::ServerState;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;
use tacacs_login::tacacs_login;

/// Most steps of a scenario.
const STEPS: usize = 1024;
/// Shortest and longest time in seconds that anything is waited for.
const SHORTEST: f64 = 0.05;
const LONGEST: f64 = 3600.0;

/// What the servers hold that steps speak to.
pub(super) struct Servers<'a> {
    pub(super) vips: &'a Vips,
    pub(super) load_balancers: &'a BTreeMap<NodeName, LoadBalancer>,
    pub(super) real_servers: &'a BTreeMap<NodeName, RealServer>,
    pub(super) filters: &'a [Filter],
    /// The TCP ports of built-in servers with what listens there, by node.
    pub(super) tcp_ports: BTreeMap<&'a NodeName, BTreeMap<u16, &'static str>>,
    /// Nodes with built-in servers.
    pub(super) serving: BTreeSet<&'a NodeName>,
    pub(super) tacacs_secrets: &'a [Secret],
    pub(super) radius_secrets: &'a [Secret],
}

/// What other parts of a scenario may know of a step.
#[derive(Debug, Clone)]
pub(super) struct StepInfo {
    pub(super) name: StepName,
    /// `None` of a step with an error.
    pub(super) kind: Option<StepKind>,
}

/// What expectations can be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StepKind {
    /// It asks a server, and so has an answer.
    Asks,
    /// It runs a program or moves bytes: it has an end, and no server of the file answers it.
    Runs,
    /// It waits for something that may not happen.
    Waits,
    /// None of these.
    Other,
}

impl StepKind {
    fn of(action: &StepAction) -> Self {
        match action {
            StepAction::Run(_) | StepAction::TcpTransfer(_) => Self::Runs,
            StepAction::AwaitCounter { .. } | StepAction::AwaitMember { .. } => Self::Waits,
            _ if action.server_requests().is_some() => Self::Asks,
            _ => Self::Other,
        }
    }
}

/// Resolves all steps. A step with an error is left out, but its name is known.
pub(super) fn steps(
    table: &Table<Located<RawStep>>,
    servers: &Servers<'_>,
    lookup: &Lookup<'_>,
    report: &mut Report<'_>,
) -> (Vec<Step>, Vec<StepInfo>) {
    let (mut steps, mut names) = (Vec::new(), Vec::new());
    let mut forwarders = Forwarders::new(servers.load_balancers);
    let mut pools = Pools::new(servers.load_balancers);
    let mut server_state = ServerState::new(&servers.serving);
    let mut link_state = LinkState::default();
    let mut nodes = Nodes::new(servers, lookup);
    if table.is_empty() {
        report.empty(
            Span::default(),
            "`steps` is empty; a scenario does something, such as a `tacacs_login`",
        );
    }
    if let Some((key, _)) = table.iter().nth(STEPS) {
        report.limit(key.span, table.len(), STEPS, "step");
    }
    for (key, form) in table.iter().take(STEPS) {
        let name = report.take(key.span, StepName::new(key));
        let step = ServerStep { key: key.span, servers, lookup };
        let action = match &form.value {
            RawStep::TacacsLogin(fields) => tacacs_login(fields, &step, report),
            RawStep::TcpExchange(fields) => exchanges::tcp(fields, &step, report),
            RawStep::UdpExchange(fields) => exchanges::udp(fields, &step, report),
            RawStep::HttpGet(fields) => exchanges::http_get(fields, &step, report),
            RawStep::DnsQuery(fields) => exchanges::dns_query(fields, &step, report),
            RawStep::Resume(fields) => resume(&fields.login, (&steps, &names), report),
            RawStep::Finish(fields) => finish(&fields.login, (&steps, &names), report),
            RawStep::RadiusLogin(fields) => radius::login(fields, &step, report),
            RawStep::RadiusAccounting(fields) => radius::accounting(fields, &step, report),
            RawStep::RadiusStatus(fields) => radius::status(fields, &step, report),
            RawStep::Run(fields) => processes::run(fields, lookup, report),
            RawStep::SendPacket(fields) => packet::send(fields, lookup, report),
            RawStep::Flood(fields) => flood::flood(fields, &step, report),
            RawStep::TcpTransfer(fields) => transfer::transfer(fields, &step, report),
            RawStep::KillForwarder(fields) => forwarders.kill(&fields.node, lookup, report),
            RawStep::StartForwarder(fields) => forwarders.start(&fields.node, lookup, report),
            RawStep::Failover(fields) => forwarders.fail_over(fields, lookup, report),
            RawStep::AwaitCounter(fields) => await_counter(fields, &forwarders, lookup, report),
            RawStep::AddMember(fields) => pools.add(fields, &forwarders, lookup, report),
            RawStep::SetMember(fields) => pools.set(fields, &forwarders, lookup, report),
            RawStep::RemoveMember(fields) => pools.remove(fields, &forwarders, lookup, report),
            RawStep::AwaitMember(fields) => pools.await_state(fields, &forwarders, lookup, report),
            RawStep::StopServer(fields) => server_state.stop(fields, lookup, report),
            RawStep::StartServer(fields) => server_state.start(&fields.node, lookup, report),
            RawStep::SetLink(fields) => link_state.set(fields, lookup, report),
            RawStep::SetRoute(fields) => nodes.set_route(fields, report),
            RawStep::SetSysctls(fields) => nodes.set_sysctls(fields, report),
            RawStep::SetAddress(fields) => nodes.set_address(fields, report),
            RawStep::SetFilter(fields) => nodes.set_filter(fields, report),
        };
        if let Some(StepAction::StartForwarder { node }) = &action {
            pools.begin_anew(node);
        }
        let Some(name) = name else { continue };
        let kind = action.as_ref().map(StepKind::of);
        names.push(StepInfo { name: name.clone(), kind });
        let place = report.place(key.span);
        steps.extend(action.map(|action| Step { name, place, action }));
    }
    for (key, form) in table.iter().take(STEPS) {
        if form.value.is_in_background() {
            unfinished(key, table, report);
        }
    }
    (steps, names)
}

/// What every step that asks a server needs.
pub(super) struct ServerStep<'a> {
    /// Where the step's name stands.
    pub(super) key: Span,
    pub(super) servers: &'a Servers<'a>,
    pub(super) lookup: &'a Lookup<'a>,
}

impl ServerStep<'_> {
    /// Where the step connects to; every client must have an address of that family.
    pub(super) fn to(
        &self,
        text: &Located<String>,
        from: &[NodeName],
        report: &mut Report<'_>,
    ) -> Option<SocketAddr> {
        let to = report.take(text.span, super::address::one_port(text))?;
        if !report.lacks_some() {
            report.take(text.span, self.reachable(to, from));
        }
        report.take_as(text.span, file::CONFLICT, self.enters_balancer(to, from));
        Some(to)
    }

    /// Checks that no client is in the node of the load balancer that it connects to: what a node
    /// sends to itself never passes the interface that the load balancer works on.
    fn enters_balancer(&self, to: SocketAddr, from: &[NodeName]) -> Result<(), String> {
        let has_vip = |node: &&NodeName| {
            self.servers.load_balancers.get(*node).is_some_and(|balancer| {
                balancer.virtual_servers.values().any(|one| one.destination.ip() == to.ip())
            })
        };
        match from.iter().find(has_vip) {
            Some(node) => Err(format!(
                "`{node}` runs the load balancer of {} and is the client as well; name another \
                 node in `from`",
                to.ip()
            )),
            None => Ok(()),
        }
    }

    /// Checks that a node has the address, and that the clients have one of its family.
    fn reachable(&self, to: SocketAddr, from: &[NodeName]) -> Result<(), String> {
        if !self.lookup.knows_addresses() {
            return Ok(());
        }
        let address = to.ip();
        if self.lookup.owner(address).is_none() && !self.servers.vips.may_hold(address) {
            return Err(format!(
                "no node has {address}; name a virtual server's destination, or an address of a node"
            ));
        }
        for node in from.iter().filter_map(|name| self.lookup.get(name)) {
            let mut own = node.interfaces.iter().flat_map(|one| &one.addresses);
            if !own.any(|net| net.addr().is_ipv4() == address.is_ipv4()) {
                let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
                return Err(format!(
                    "`{}` has no {family} address to connect to {address} from; give it one",
                    node.name
                ));
            }
        }
        Ok(())
    }

    /// The step's own secret, or the one that all servers of a kind share.
    pub(super) fn secret(
        &self,
        own: Option<&Located<String>>,
        kind: ServerKind,
        report: &mut Report<'_>,
    ) -> Option<Secret> {
        if let Some(secret) = own {
            let good = report.plain(secret, "secret", SECRET);
            return good.then(|| Secret::new(secret.value.clone()));
        }
        let secrets = match kind {
            ServerKind::Tacacs => self.servers.tacacs_secrets,
            ServerKind::Radius => self.servers.radius_secrets,
            ServerKind::Tcp | ServerKind::Udp => &[],
        };
        let (what, list) = kind.words();
        let Some((first, others)) = secrets.split_first() else {
            report.empty(
                self.key,
                format!(
                    "no {what} server defines a secret; add one to `{list}`, or write this \
                     step's `secret`"
                ),
            );
            return None;
        };
        if others.iter().any(|secret| secret != first) {
            report.at(
                self.key,
                file::AMBIGUOUS,
                format!("the {what} servers have different secrets; write this step's `secret`"),
            );
            return None;
        }
        Some(first.clone())
    }
}

/// How long something may take: `usual` seconds by default.
pub(super) fn seconds(
    written: Option<Located<f64>>,
    usual: u64,
    report: &mut Report<'_>,
) -> Duration {
    let Some(written) = written else { return Duration::from_secs(usual) };
    if !(SHORTEST..=LONGEST).contains(&written.value) {
        report.at(
            written.span,
            file::OUT_OF_RANGE,
            format!("a timeout of {} s; write {SHORTEST} to {LONGEST}", written.value),
        );
        return Duration::from_secs(usual);
    }
    Duration::from_secs_f64(written.value)
}

/// How often: from 1 to `most`, `usual` by default.
pub(super) fn number(
    written: Option<Located<u32>>,
    (usual, most): (u32, u32),
    what: &str,
    report: &mut Report<'_>,
) -> u32 {
    let Some(written) = written else { return usual };
    if !(1..=most).contains(&written.value) {
        report.at(
            written.span,
            file::OUT_OF_RANGE,
            format!("`{what}` is {}; write 1 to {most}", written.value),
        );
        return usual;
    }
    written.value
}
