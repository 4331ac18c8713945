//! Links, and what is done to packets on them.

use super::{Change, Fix, Subject, last_step, without_step};
use labsim_scenario::model::{Attachment, NodeName, Scenario, StepAction};

pub(in crate::diagnose) fn checksum_offload(subject: &Subject<'_>) -> Fix {
    let (client, source) = (subject.client, subject.flow.source.ip());
    let interfaces = subject.node(client).map(|node| node.interfaces.as_slice());
    let own = interfaces
        .unwrap_or_default()
        .iter()
        .find(|interface| interface.addresses.iter().any(|net| net.addr() == source));
    let fix = Fix::new("turn transmit checksum offload off where the segments come from")
        .not_in_scenario(in_topology(subject.context.scenario, "a link's offloads"));
    match own {
        Some(interface) => fix.linux(client, format!("ethtool -K {} tx off", interface.name)),
        None => fix,
    }
}

/// Why something of the topology cannot be changed.
pub(super) fn in_topology(scenario: &Scenario, what: &str) -> String {
    let name = &scenario.topology.name;
    format!("{what} are part of the topology `{name}`, which a scenario cannot change")
}

pub(in crate::diagnose) fn impairment(sender: &Attachment) -> Fix {
    Fix::new(format!("have the link behind {sender} lose less, or expect it"))
        .change(&Change::of(&["impairments", &sender.to_string()], "null"))
}

/// A link without what delays its frames.
pub(in crate::diagnose) fn delay(sender: &Attachment) -> Fix {
    Fix::new(format!("take the delay off the link behind {sender}, or have the client wait longer"))
        .change(&Change::of(&["impairments", &sender.to_string()], "null"))
}

pub(in crate::diagnose) fn link_up(subject: &Subject<'_>, node: &NodeName, interface: &str) -> Fix {
    let fix = Fix::new(format!("set {interface} of {node} up, or take {node} out of the pool"))
        .linux(node, format!("ip link set {interface} up"));
    let step = last_step(subject, |action| match action {
        StepAction::SetLink { interface: own, up }
            if own.node == *node && own.interface.as_str() == interface =>
        {
            Some(!up)
        }
        _ => None,
    });
    match step {
        Some(step) => fix.change(&without_step(step)),
        None => fix.not_in_scenario("no step of the scenario set the link down"),
    }
}
