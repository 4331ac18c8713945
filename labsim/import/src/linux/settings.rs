//! The kernel settings that decide what becomes of a real server's packets.

use super::host::{Host, SysctlName};
use crate::lab::server_state::ServerState;
use crate::place::Place;
use crate::report::Report;
use crate::text::printable;
use std::collections::BTreeMap;

/// A setting that the lab leaves at the kernel's own value.
const LEFT: &str = "kernel setting that does not decide what becomes of a real server's packets";
/// A setting of an interface that the lab does not have, or of those to come.
const OTHER_INTERFACE: &str = "kernel setting of an interface that the lab's node does not have";

/// Settings of IPv4 interfaces that matter, with their greatest values; the kernel's own value of each is
/// 0 (`ipv4_devconf` of net/ipv4/devinet.c).
const INTERFACE: [(&str, u32); 10] = [
    ("rp_filter", 2),
    ("arp_ignore", 8),
    ("arp_announce", 2),
    ("accept_local", 1),
    ("arp_accept", 2),
    ("arp_filter", 1),
    ("disable_policy", 1),
    ("proxy_arp", 1),
    ("route_localnet", 1),
    ("src_valid_mark", 1),
];
/// Those of them that a real server is set up with: shown whatever their value is.
const ALWAYS: [&str; 3] = ["rp_filter", "arp_ignore", "arp_announce"];

/// Other settings that matter, the kernel's own values, and the bounds of what it takes
/// (Documentation/networking/ip-sysctl.rst).
const GLOBAL: [(&str, u32, u32, u32); 8] = [
    ("net.ipv4.ip_default_ttl", 64, 1, 255),
    ("net.ipv4.ip_no_pmtu_disc", 0, 0, 3),
    ("net.ipv4.ip_nonlocal_bind", 0, 0, 1),
    ("net.ipv4.fwmark_reflect", 0, 0, 1),
    ("net.ipv4.tcp_mtu_probing", 0, 0, 2),
    ("net.ipv4.tcp_sack", 1, 0, 1),
    ("net.ipv4.tcp_timestamps", 1, 0, 2),
    ("net.ipv4.tcp_window_scaling", 1, 0, 1),
];

/// Takes the host's settings over. `interfaces`: the host's names of the node's interfaces, and
/// the names that they have in the lab.
pub(super) fn settings(
    host: &Host,
    interfaces: &BTreeMap<String, String>,
    state: &mut ServerState,
    report: &mut Report<'_>,
) {
    let mut found: BTreeMap<String, (String, Option<Place>)> = BTreeMap::new();
    let mut known = Vec::new();
    for (name, sysctl) in &host.sysctls {
        let (place, value) = (sysctl.place, sysctl.value.as_str());
        let number = value.parse::<u32>().ok();
        let (name, usual, (least, most), is_always) = match name {
            SysctlName::Global(name) => {
                if name == "net.ipv4.ip_forward" {
                    forwarding(value, place, report);
                    continue;
                }
                if name == "net.ipv4.tcp_tw_recycle" && value != "0" {
                    let why = "kernels since 4.12 do not have it; with it, servers drop the \
                               connections of clients behind one address";
                    report.not_imported(place, format!("kernel setting {name}"), why);
                    continue;
                }
                let known = GLOBAL.iter().find(|(known, ..)| known == name);
                let Some((_, usual, least, most)) = known else {
                    report.left_out(place, LEFT);
                    continue;
                };
                (name.clone(), *usual, (*least, *most), false)
            }
            SysctlName::Interface { family, interface, key } => {
                let known = INTERFACE.iter().find(|(known, _)| known == key);
                let Some((_, most)) = known.filter(|_| family == "ipv4") else {
                    report.left_out(place, LEFT);
                    continue;
                };
                let Some(interface) = interfaces.get(interface) else {
                    report.left_out(place, OTHER_INTERFACE);
                    continue;
                };
                let is_always = ALWAYS.contains(&key.as_str());
                (format!("net.ipv4.conf.{interface}.{key}"), 0, (0, *most), is_always)
            }
        };
        let Some(number) = number.filter(|number| (least..=most).contains(number)) else {
            let why = format!("{} is no value of it ({least} to {most})", printable(value));
            report.not_imported(place, format!("kernel setting {}", printable(&name)), why);
            continue;
        };
        known.push(name.clone());
        if is_always || number != usual {
            found.insert(name, (number.to_string(), Some(place)));
        }
    }
    if let (true, Some(link)) = (host.sysctls.is_empty(), host.links.first()) {
        let why = "no `sysctl -a` among the files: those of the scenario are used";
        report.warn(link.place, "kernel settings", why);
    }
    // What no text shows is not known, and stays as the scenario has it.
    for (name, (value, place)) in std::mem::take(&mut state.sysctls) {
        let parts: Vec<&str> = name.split('.').collect();
        let is_gone = match parts.as_slice() {
            ["net", _, "conf", interface, _] => interfaces.values().all(|it| it != interface),
            _ => false,
        };
        if is_gone || known.contains(&name) {
            continue;
        }
        if let Some(first) = host.sysctls.values().map(|sysctl| sysctl.place).min() {
            let why = format!("no file shows it; {value} of the scenario is used");
            report.warn(first, format!("kernel setting {name}"), why);
        }
        found.entry(name).or_insert((value, place));
    }
    state.sysctls = found;
}

fn forwarding(value: &str, place: Place, report: &mut Report<'_>) {
    if value == "0" {
        report.left_out(place, LEFT);
    } else {
        let why = "the lab's server does not forward; write `forward: true` at its node in the \
                   topology if that matters";
        report.not_imported(place, "kernel setting net.ipv4.ip_forward", why);
    }
}
