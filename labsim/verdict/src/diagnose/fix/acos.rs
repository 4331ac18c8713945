//! Changes of the load balancer as lines of an A10 Thunder's configuration (ACOS), such as
//! `labsim import a10` reads.

use super::super::subject::Served;
use labsim_model::{IpProtocol, PortRange};
use labsim_scenario::model::VirtualServer;

/// A setting of the virtual port that serves what was asked.
pub(super) fn virtual_port(served: &Served<'_>, setting: &str) -> Vec<String> {
    of_port(served.name, served.server, setting)
}

/// An idle timeout of the virtual port's flows, in seconds; ACOS counts in minutes.
pub(super) fn idle_timeout(served: &Served<'_>, seconds: u64) -> Vec<String> {
    let (name, port) = own_name(served.name, served.server);
    let kind = word(served.server);
    let seconds = seconds.div_ceil(60).saturating_mul(60);
    let template = format!("idle_{name}_{port}");
    let mut lines =
        vec![format!("slb template {kind} {template}"), format!("  idle-timeout {seconds}")];
    lines.extend(virtual_port(served, &format!("template {kind} {template}")));
    lines
}

fn of_port(name: &str, server: &VirtualServer, setting: &str) -> Vec<String> {
    let (name, port) = own_name(name, server);
    vec![
        format!("slb virtual-server {name} {}", server.destination.ip()),
        format!("  port {port} {}{}", word(server), range(server)),
        format!("    {setting}"),
    ]
}

/// The device's name of a virtual server, which has several ports there: an import adds each
/// port to it.
fn own_name<'a>(name: &'a str, server: &VirtualServer) -> (&'a str, u16) {
    let port = server.destination.ports().first().unwrap_or_default();
    (name.strip_suffix(&format!("_{port}")).unwrap_or(name), port)
}

/// The ports after the first, as ACOS writes how many there are.
fn range(server: &VirtualServer) -> String {
    match server.destination.ports().ranges() {
        [PortRange { first, last }] if first < last => format!(" range {}", last - first),
        _ => String::new(),
    }
}

fn word(server: &VirtualServer) -> &'static str {
    if server.ip_protocol == IpProtocol::Udp { "udp" } else { "tcp" }
}
