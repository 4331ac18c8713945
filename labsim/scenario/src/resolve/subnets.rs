//! Addresses in the lab: each once, and each in the subnet of the wire that it is on.

use super::Report;
use super::topology::{Lab, Port};
use ipnet::IpNet;
use labsim_codes::file;
use labsim_yaml::Located;
use std::collections::HashMap;

/// Finds addresses that are used twice or stand alone on their wire; fills the lab's owners.
pub(super) fn check(lab: &mut Lab<'_>, report: &mut Report<'_>) {
    for node in 0..lab.nodes.len() {
        for interface in 0..lab.nodes[node].interfaces.len() {
            own(lab, (node, interface), report);
        }
    }
    for domain in 0..lab.domains.len() {
        for of_ipv4 in [true, false] {
            unlinked_in_subnet(lab, domain, of_ipv4, report);
        }
    }
}

fn own(lab: &mut Lab<'_>, port: Port, report: &mut Report<'_>) {
    for net in lab.port(port).addresses.clone() {
        let address = net.addr();
        if let Some((other, place)) = lab.owners.get(&address) {
            let (shown, line) = (lab.show(*other), report.line(*place, net.span));
            report.at(
                net.span,
                file::DUPLICATE_ADDRESS,
                format!("{address} is the address of {shown} already ({line}); give each its own"),
            );
        } else {
            lab.owners.insert(address, (port, net.span));
        }
    }
}

/// Addresses whose subnet no other interface on the wire shares, where others share one, or where
/// the two ends of a link disagree: they are typing errors.
fn unlinked_in_subnet(lab: &Lab<'_>, domain: usize, of_ipv4: bool, report: &mut Report<'_>) {
    let ports = &lab.domains[domain].ports;
    let mut here: Vec<(Port, Located<IpNet>)> = Vec::new();
    for port in ports {
        let nets = lab.port(*port).addresses.iter().filter(|net| net.addr().is_ipv4() == of_ipv4);
        here.extend(nets.map(|net| (*port, *net)));
    }
    // How many interfaces share each subnet, and the first place of it: ties go to the first.
    let mut shared: HashMap<IpNet, (Vec<Port>, usize)> = HashMap::new();
    for (place, (port, net)) in here.iter().enumerate() {
        let (holders, _) = shared.entry(net.trunc()).or_insert_with(|| (Vec::new(), place));
        if holders.last() != Some(port) {
            holders.push(*port);
        }
    }
    let usual = shared
        .iter()
        .max_by_key(|(_, (holders, first))| (holders.len(), std::cmp::Reverse(*first)));
    let Some((usual, (holders, _))) = usual else { return };
    let known_at = holders.first().map(|port| lab.show(*port)).unwrap_or_default();
    for (port, net) in &here {
        let alone = shared.get(&net.trunc()).is_some_and(|(holders, _)| holders.len() == 1);
        // An interface that has an address of the usual subnet may have others besides.
        if alone && net.trunc() != *usual && !holders.contains(port) {
            report.at(
                net.span,
                file::WRONG_SUBNET,
                format!(
                    "{} is not of the subnet on this wire, {usual}, where {known_at} is; give \
                     {} an address of it",
                    net.value,
                    lab.show(*port)
                ),
            );
        }
    }
}
