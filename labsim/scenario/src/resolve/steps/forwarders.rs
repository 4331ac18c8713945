//! Steps and expectations about a load balancer's own process: its life, its counters.

use super::seconds;
use crate::file::{RawAwaitCounter, RawFailover};
use crate::model::{FailoverState, LoadBalancer, NodeName, StepAction};
use crate::resolve::Report;
use crate::resolve::lookup::Lookup;
use crate::text::{listed, quoted};
use labsim_codes::file;
use labsim_yaml::Located;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Longest name of a counter.
const COUNTER: usize = 200;
/// How long a counter is waited for, in seconds.
const TIMEOUT: u64 = 5;

/// The forwarders while the steps go by.
pub(super) struct Forwarders<'a> {
    load_balancers: &'a BTreeMap<NodeName, LoadBalancer>,
    dead: BTreeSet<NodeName>,
    standby: BTreeSet<NodeName>,
}

impl<'a> Forwarders<'a> {
    /// All of them run, in the state that the file says.
    pub(super) fn new(load_balancers: &'a BTreeMap<NodeName, LoadBalancer>) -> Self {
        let standby = load_balancers
            .iter()
            .filter(|(_, balancer)| balancer.failover_state == FailoverState::Standby)
            .map(|(node, _)| node.clone());
        Self { load_balancers, dead: BTreeSet::new(), standby: standby.collect() }
    }

    /// A step that kills one, which must be running.
    pub(super) fn kill(
        &mut self,
        node: &Located<String>,
        lookup: &Lookup<'_>,
        report: &mut Report<'_>,
    ) -> Option<StepAction> {
        let name = load_balancer(node, self.load_balancers, lookup, report)?;
        if !self.dead.insert(name.clone()) {
            report.at(
                node.span,
                file::STEP_ORDER,
                format!("`{name}`'s forwarder was killed before; start it again in between"),
            );
        }
        Some(StepAction::KillForwarder { node: name })
    }

    /// A step that starts one, which must have been killed.
    pub(super) fn start(
        &mut self,
        node: &Located<String>,
        lookup: &Lookup<'_>,
        report: &mut Report<'_>,
    ) -> Option<StepAction> {
        let name = load_balancer(node, self.load_balancers, lookup, report)?;
        if !self.dead.remove(&name) && !report.lacks_some() {
            report.at(
                node.span,
                file::STEP_ORDER,
                format!("`{name}`'s forwarder runs already; kill it first, by `kill_forwarder`"),
            );
        }
        Some(StepAction::StartForwarder { node: name })
    }

    /// A step that makes one active in place of another.
    pub(super) fn fail_over(
        &mut self,
        fields: &RawFailover,
        lookup: &Lookup<'_>,
        report: &mut Report<'_>,
    ) -> Option<StepAction> {
        let RawFailover { from: from_field, to: to_field } = fields;
        let from = load_balancer(from_field, self.load_balancers, lookup, report);
        let to = load_balancer(to_field, self.load_balancers, lookup, report);
        let (from, to) = (from?, to?);
        if from == to {
            let message = format!("`{to}` takes nothing over from itself; write another one");
            report.at(to_field.span, file::CONFLICT, message);
            return None;
        }
        self.must_run(&to, to_field, "cannot become active", report);
        let vips = |node: &NodeName| -> BTreeSet<IpAddr> {
            let servers = self.load_balancers.get(node).map(|balancer| &balancer.virtual_servers);
            let servers = servers.into_iter().flat_map(BTreeMap::values);
            servers.map(|server| server.destination.ip()).collect()
        };
        if vips(&from).is_disjoint(&vips(&to)) && !report.lacks_some() {
            report.at(
                to_field.span,
                file::CONFLICT,
                format!(
                    "`{to}` has no VIP of `{from}`; give it a virtual server with the same VIP"
                ),
            );
        }
        if !self.standby.insert(from.clone()) && !report.lacks_some() {
            report.at(
                from_field.span,
                file::STEP_ORDER,
                format!("`{from}` is on standby at this step; write the active load balancer"),
            );
        }
        if !self.standby.remove(&to) && !report.lacks_some() {
            report.at(
                to_field.span,
                file::STEP_ORDER,
                format!(
                    "`{to}` is active at this step; give it `failover_state: standby`, under \
                     `load_balancers`"
                ),
            );
        }
        Some(StepAction::Failover { from, to })
    }
}

impl Forwarders<'_> {
    /// Complains about one that was killed, of which a step wants something.
    pub(super) fn must_run(
        &self,
        name: &NodeName,
        place: &Located<String>,
        lack: &str,
        report: &mut Report<'_>,
    ) {
        if self.dead.contains(name) {
            report.at(
                place.span,
                file::STEP_ORDER,
                format!("`{name}`'s forwarder was killed, and {lack}; start it first"),
            );
        }
    }
}

/// Resolves a step that waits for a counter of a running forwarder.
pub(super) fn await_counter(
    fields: &RawAwaitCounter,
    forwarders: &Forwarders<'_>,
    lookup: &Lookup<'_>,
    report: &mut Report<'_>,
) -> Option<StepAction> {
    let node = load_balancer(&fields.node, forwarders.load_balancers, lookup, report);
    let counter = counter(&fields.counter, report);
    if fields.at_least.value == 0 {
        report.at(
            fields.at_least.span,
            file::NO_EFFECT,
            "every counter is at least 0; write at least 1",
        );
    }
    let timeout = seconds(fields.timeout, TIMEOUT, report);
    if let Some(name) = &node {
        forwarders.must_run(name, &fields.node, "has no counters", report);
    }
    let at_least = fields.at_least.value;
    Some(StepAction::AwaitCounter { node: node?, counter: counter?, at_least, timeout })
}

/// The load balancer of that name.
pub(in crate::resolve) fn load_balancer(
    node: &Located<String>,
    load_balancers: &BTreeMap<NodeName, LoadBalancer>,
    lookup: &Lookup<'_>,
    report: &mut Report<'_>,
) -> Option<NodeName> {
    let name = lookup.node(node, report)?;
    if !load_balancers.contains_key(&name) {
        report.absent(
            node.span,
            node,
            format!(
                "{} is not a load balancer; `load_balancers` has {}",
                quoted(node),
                listed(load_balancers.keys())
            ),
        );
        return None;
    }
    Some(name)
}

/// A counter's name. Only its shape is checked; the forwarder knows the names.
pub(in crate::resolve) fn counter(
    text: &Located<String>,
    report: &mut Report<'_>,
) -> Option<String> {
    let plain = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    };
    if text.len() > COUNTER || !text.split('.').all(plain) {
        report.at(
            text.span,
            file::UNKNOWN_NAME,
            format!(
                "{} is not a valid counter; write an outcome such as `no_flow`, or such as \
                 `flows.timed_out`",
                quoted(text)
            ),
        );
        return None;
    }
    Some(text.value.clone())
}
