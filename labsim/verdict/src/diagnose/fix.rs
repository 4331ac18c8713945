//! What cures a cause, from what is known of the lab: a change of the scenario, Linux commands,
//! tmsh commands and ACOS lines.

mod acos;
mod balancer;
mod filter;
mod links;
mod path;
mod rp_filter;
mod server;
mod tunnel;

pub(super) use balancer::{
    action_on_down, announce, fastl4, fastl4_of, flow_moved, idle_timeout, no_virtual_server,
    one_source_port, or_mirror, or_without_faults, source_translation, start_forwarder,
    translate_address, transparent,
};
pub(super) use filter::{fragments, half_flow, mark, protocol};
pub(super) use links::{checksum_offload, delay, impairment, link_up};
pub(super) use path::{forwarding, mtu, outer_source, reply_source, route, ttl};
pub(super) use rp_filter::{rp_filter, without_rp_filter};
pub(super) use server::{
    address, arp, client, listen, login, message_authenticator, port, reply_address, secret,
};
pub(super) use tunnel::{device_up, tunnel, tunnel_profile};

use super::change::{list, scalar};
use super::subject::Served;
use super::{Change, Fix, Subject};
use labsim_codes::{Code, cause};
use labsim_scenario::model::filter::Filter;
use labsim_scenario::model::{NodeChange, NodeName, Service, Step, StepAction, StepName};

/// A named part of the scenario file that can be changed by a file that extends it.
#[derive(Debug, Clone)]
struct Part {
    key: &'static str,
    name: String,
    /// The nodes that it is about.
    nodes: Vec<NodeName>,
    /// Whether the file does not have it yet.
    is_new: bool,
}

impl Part {
    /// The part of `real_servers` that sets the node up; a new one if none does.
    fn of_real_server(subject: &Subject<'_>, node: &NodeName) -> Result<Self, String> {
        let all = &subject.context.scenario.real_servers;
        let groups = all.iter().map(|(node, server)| (node, server.group.as_ref()));
        if subject.context.scenario.load_balancers.contains_key(node) {
            return Err(format!("{node} is a load balancer, which takes no such settings"));
        }
        Self::find("real_servers", node, groups, true)
    }

    /// The part of the file's servers under that key that runs in the node.
    fn of_server(
        subject: &Subject<'_>,
        key: &'static str,
        node: &NodeName,
    ) -> Result<Self, String> {
        let scenario = subject.context.scenario;
        let (tacacs, radius) = (&scenario.tacacs_servers, &scenario.radius_servers);
        match key {
            "tacacs_servers" => {
                let groups = tacacs.iter().map(|(node, server)| (node, server.group.as_ref()));
                Self::find(key, node, groups, false)
            }
            "radius_servers" => {
                let groups = radius.iter().map(|(node, server)| (node, server.group.as_ref()));
                Self::find(key, node, groups, false)
            }
            _ => match server::service(subject, node) {
                Some(service) => Self::of_service(subject, key, node, service),
                None => Err(format!(
                    "no server of the scenario's `{key}` listens at port {} on {node}",
                    subject.flow.destination.port()
                )),
            },
        }
    }

    /// The part that a server of a node is of.
    fn of_service(
        subject: &Subject<'_>,
        key: &'static str,
        node: &NodeName,
        service: &Service,
    ) -> Result<Self, String> {
        let all = subject.context.scenario.services.iter();
        let same = all.flat_map(|(node, list)| list.iter().map(move |one| (node, one)));
        let same = same
            .filter(|(_, one)| one.group == service.group && one.protocol() == service.protocol());
        Self::find(key, node, same.map(|(node, one)| (node, one.group.as_ref())), false)
    }

    fn find<'a>(
        key: &'static str,
        node: &NodeName,
        groups: impl Iterator<Item = (&'a NodeName, Option<&'a String>)>,
        may_be_new: bool,
    ) -> Result<Self, String> {
        let groups: Vec<_> = groups.collect();
        let own = groups.iter().find(|(other, _)| *other == node).map(|(_, group)| *group);
        match own {
            Some(Some(name)) => {
                let members = groups.iter().filter(|(_, group)| *group == Some(name));
                let nodes = members.map(|(node, _)| (*node).clone()).collect();
                Ok(Self { key, name: name.clone(), nodes, is_new: false })
            }
            None if may_be_new && groups.iter().all(|(_, group)| group.is_some()) => {
                let is_taken = |name: &String| groups.iter().any(|(_, it)| *it == Some(name));
                let name = node.to_string();
                let name = if is_taken(&name) { format!("{name}-node") } else { name };
                Ok(Self { key, name, nodes: vec![node.clone()], is_new: true })
            }
            None if !may_be_new => {
                Err(format!("no server of the scenario's `{key}` runs in {node}"))
            }
            _ => {
                Err(format!("`{key}` is a list; give its parts names, so that they can be changed"))
            }
        }
    }

    fn change(&self, below: &[&str], yaml: impl Into<String>) -> Change {
        let keys: Vec<&str> =
            [self.key, self.name.as_str()].into_iter().chain(below.iter().copied()).collect();
        let change = Change::of(&keys, yaml);
        if !self.is_new {
            return change;
        }
        let nodes = self.nodes.iter().map(|node| scalar(node.as_str())).collect::<Vec<_>>();
        let nodes = if nodes.len() == 1 { nodes.concat() } else { list(nodes) };
        let mut whole = Change::of(&[self.key, self.name.as_str(), "nodes"], nodes);
        whole.lay(&change);
        whole
    }
}

impl Fix {
    /// With what changes a part of the file and its nodes, or why that is not possible.
    fn on_part(
        self,
        part: Result<Part, String>,
        node: &NodeName,
        change: impl FnOnce(&Part) -> Change,
        linux: impl Fn(&NodeName) -> Vec<String>,
    ) -> Self {
        let (fix, nodes) = match part {
            Ok(part) => (self.change(&change(&part)), part.nodes),
            Err(reason) => (self.not_in_scenario(reason), vec![node.clone()]),
        };
        nodes.iter().fold(fix, |fix, node| {
            linux(node).into_iter().fold(fix, |fix, command| fix.linux(node, command))
        })
    }
}

fn virtual_server(served: &Served<'_>, below: &[&str], yaml: impl Into<String>) -> Change {
    of_balancer(served.balancer, &["virtual_servers", served.name], below, yaml)
}

fn pool(served: &Served<'_>, below: &[&str], yaml: impl Into<String>) -> Change {
    of_balancer(served.balancer, &["pools", &served.server.pool], below, yaml)
}

fn of_balancer(node: &NodeName, keys: &[&str], below: &[&str], yaml: impl Into<String>) -> Change {
    let above = ["load_balancers", node.as_str()];
    let keys: Vec<&str> =
        above.into_iter().chain(keys.iter().copied()).chain(below.iter().copied()).collect();
    Change::of(&keys, yaml)
}

/// The last step that was done and does that; nothing if one after it undoes it.
fn last_step<'a>(
    subject: &Subject<'a>,
    does: impl Fn(&StepAction) -> Option<bool>,
) -> Option<&'a StepName> {
    let mut last = None;
    for step in subject.done_steps() {
        match does(&step.action) {
            Some(true) => last = Some(&step.name),
            Some(false) => last = None,
            None => {}
        }
    }
    last
}

/// Steps that changed a node, of which each is tried without.
const CHANGES: usize = 4;

/// The fix of a cause at a node, and beside it each of the last steps that changed what the cause is
/// about there, left out.
pub(super) fn or_without_changes(
    fix: Fix,
    subject: &Subject<'_>,
    code: Code,
    node: &NodeName,
) -> Fix {
    let filters = &subject.context.scenario.filters;
    let is_of = |change: &NodeChange| match change {
        NodeChange::Route { node: own, .. } => own == node && is_about(code, Setting::Route),
        NodeChange::Sysctls { node: own, .. } => own == node && is_about(code, Setting::Sysctl),
        NodeChange::Address { node: own, .. } => own == node && is_about(code, Setting::Address),
        NodeChange::Filter { filter, present } => {
            let own = |it: &Filter| it.name == *filter && it.nodes.contains(node);
            *present && filters.iter().any(own) && is_about(code, Setting::Filter)
        }
    };
    let mut steps: Vec<&Step> = subject
        .done_steps()
        .filter(|step| matches!(&step.action, StepAction::ChangeNode(change) if is_of(change)))
        .collect();
    let older = steps.len().saturating_sub(CHANGES);
    steps.drain(..older);
    steps.into_iter().fold(fix, |fix, step| {
        let what =
            format!("leave out the step `{}`, which {}", step.name, step.action.description());
        fix.or(Fix::new(what).change(&without_step(&step.name)))
    })
}

/// What steps change of a node.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Setting {
    Route,
    Sysctl,
    Address,
    Filter,
}

/// Whether such a setting can lead to a cause.
fn is_about(code: Code, setting: Setting) -> bool {
    use Setting::{Address, Filter, Route, Sysctl};
    const ABOUT: &[(Code, &[Setting])] = &[
        (cause::RP_FILTER, &[Sysctl, Route]),
        (cause::OUTER_SOURCE_FILTERED, &[Sysctl, Route, Filter]),
        (cause::REPLY_SOURCE_FILTERED, &[Sysctl, Route, Filter]),
        (cause::PROTOCOL_FILTERED, &[Filter]),
        (cause::FRAGMENTS_DROPPED, &[Filter]),
        (cause::HALF_FLOW_FILTERED, &[Filter]),
        (cause::MARK_CHANGED, &[Filter]),
        (cause::VIP_MISSING, &[Address]),
        (cause::NOT_LISTENING_AT_VIP, &[Address]),
        (cause::NO_ROUTE, &[Route]),
        (cause::NO_ROUTE_TO_VIP, &[Route]),
        (cause::ROUTING_LOOP, &[Route]),
        (cause::MTU_BLACK_HOLE, &[Route]),
        (cause::PMTU_ERROR_IGNORED, &[Route]),
        (cause::SERVER_ANSWERS_ARP, &[Sysctl, Address]),
    ];
    ABOUT.iter().any(|(known, settings)| *known == code && settings.contains(&setting))
}

/// Takes a step out of the scenario.
fn without_step(step: &StepName) -> Change {
    Change::of(&["steps", step.as_str()], "null")
}
