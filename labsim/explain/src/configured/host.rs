//! A server's state against what came in at it.

use super::{Effect, Finding};
use crate::configuration::Host;
use crate::connection::Protocol;
use crate::known::Known;
use crate::sentence::list;
use crate::verdict::Verdict;
use labsim_codes::cause;
use labsim_import::linux::{Address, Device, Setting};
use std::net::IpAddr;

/// What the state of the server that got the packets says, in the order of their way through it.
pub(super) fn findings(known: &Known<'_>, host: &Host) -> Vec<Finding> {
    let mut findings = Vec::new();
    let device = tunnel(known, host, &mut findings);
    vip(known, host, &mut findings);
    // What comes out of the device is of the VIP's family, and rp_filter is IPv4's.
    if let Some(device) = device.filter(|_| known.connection.server.is_ipv4()) {
        rp_filter(host, device, &mut findings);
    }
    sockets(known, host, &mut findings);
    findings
}

/// Whether all devices of the host are shown with their addresses: `ip addr` has the loopback device as well.
fn is_whole(host: &Host) -> bool {
    host.state.addresses.is_some()
        && host.state.devices.iter().any(is_loopback)
        && host.state.devices.iter().any(|it| !is_loopback(it))
}

fn is_loopback(device: &Device) -> bool {
    device.name == "lo" || device.kind.as_deref() == Some("loopback")
}

/// The kinds of devices that take a tunnel's packets out, as ip-link(8) names them.
fn takers(kind: &str, outer: IpAddr) -> Option<&'static [&'static str]> {
    match (kind, outer) {
        ("IPIP", IpAddr::V4(_)) => Some(&["ipip"]),
        ("IPIP", IpAddr::V6(_)) => Some(&["tunnel6", "ip6tnl"]),
        ("GRE", IpAddr::V4(_)) => Some(&["gre"]),
        ("GRE", IpAddr::V6(_)) => Some(&["gre6", "ip6gre"]),
        // What is in UDP comes to a device by way of `ip fou`, which no state shows.
        _ => None,
    }
}

/// The device that takes the connection's packets out of their tunnel, if there is one.
fn tunnel<'a>(known: &Known<'_>, host: &'a Host, found: &mut Vec<Finding>) -> Option<&'a Device> {
    let tunnel = known.tunnels.iter().find(|it| host.has_address(it.destination))?;
    let kinds = takers(tunnel.kind, tunnel.destination)?;
    let name = &host.name;
    let devices = || host.state.devices.iter().filter(|it| !is_loopback(it));
    // A device of kind `sit` may take IPv4 as well (`mode any`), which is not shown, and so may a program
    // that reads a TUN device (`link/none`).
    let is_open = |it: &Device| match it.kind.as_deref() {
        Some("none") => true,
        None | Some("sit") => it.is_up != Some(false),
        Some(_) => false,
    };
    if !is_whole(host) || devices().any(is_open) {
        return None;
    }
    let takes = |it: &&Device| it.kind.as_deref().is_some_and(|kind| kinds.contains(&kind));
    let of_kind: Vec<&Device> = devices().filter(takes).collect();
    let is_up = |it: &&&Device| it.is_up != Some(false);
    let from = |it: &Device| it.remote.is_none_or(|remote| remote == tunnel.source);
    let Some(up) = of_kind.iter().find(|it| is_up(it) && from(it)) else {
        let (text, code) = match (of_kind.iter().find(is_up), of_kind.first()) {
            (Some(device), _) => (
                format!(
                    "{name}'s tunnel device {} takes packets of one sender only ({}), and they came from {}",
                    device.name, device.line, tunnel.source
                ),
                cause::ENCAPSULATION_MISMATCH,
            ),
            (None, Some(device)) => (
                format!("{name}'s tunnel device {} is down ({})", device.name, device.line),
                cause::TUNNEL_DOWN,
            ),
            (None, None) => {
                let is_other = |it: &&Device| {
                    let kind = it.kind.as_deref().unwrap_or_default();
                    is_up(&it)
                        && ["ipip", "gre", "gre6", "ip6gre", "ip6tnl", "tunnel6"].contains(&kind)
                };
                let first = host.state.devices.first()?;
                match devices().find(is_other) {
                    Some(other) => (
                        format!(
                            "{name}'s files show no tunnel device for {}, which its packets came in; {} is one of another \
                             kind ({})",
                            tunnel.kind, other.name, other.line
                        ),
                        cause::ENCAPSULATION_MISMATCH,
                    ),
                    None => (
                        format!(
                            "{name}'s files show no tunnel device for {}, which its packets came in ({} and below)",
                            tunnel.kind, first.line
                        ),
                        cause::TUNNEL_MISSING,
                    ),
                }
            }
        };
        found.push(Finding::new(text, Effect::Is(code)));
        return None;
    };
    let mut excluded = vec![cause::TUNNEL_MISSING, cause::TUNNEL_DOWN];
    if up.has_options && tunnel.kind == "IPIP" {
        excluded.push(cause::ENCAPSULATION_MISMATCH);
    }
    let state = if up.is_up.is_some() { "up" } else { "there" };
    let text = format!("{name}'s tunnel device {} is {state} ({})", up.name, up.line);
    found.push(Finding::new(text, Effect::Excludes(excluded)));
    Some(up)
}

/// Whether an address is the host's own: on a loopback device all of its network is.
pub(super) fn is_local(host: &Host, at: &Address, address: IpAddr) -> bool {
    let is_loopback = host.state.devices.iter().any(|it| it.name == at.device && is_loopback(it));
    at.net.addr() == address || is_loopback && at.net.contains(&address)
}

fn vip(known: &Known<'_>, host: &Host, found: &mut Vec<Finding>) {
    let (vip, name) = (known.connection.server.ip(), &host.name);
    let Some(addresses) = &host.state.addresses else { return };
    if let Some(at) = addresses.iter().find(|it| is_local(host, it, vip)) {
        let text = format!("{name} has {vip} on {} ({})", at.device, at.line);
        found.push(Finding::new(text, Effect::Excludes(vec![cause::VIP_MISSING])));
    } else if let Some(first) = addresses.first().filter(|_| is_whole(host)) {
        let text =
            format!("{name}'s files show {vip} on none of its devices ({} and below)", first.line);
        found.push(Finding::new(text, Effect::Is(cause::VIP_MISSING)));
    }
}

/// A setting of a device, and of all; the greater is in force.
fn setting<'a>(host: &'a Host, device: &str, key: &str) -> [Option<&'a Setting>; 2] {
    let of =
        |device: &str| host.state.settings.iter().find(|it| it.device == device && it.key == key);
    [of(device), of("all")]
}

fn rp_filter(host: &Host, device: &Device, found: &mut Vec<Finding>) {
    let both = setting(host, &device.name, "rp_filter");
    let Some(most) = both.into_iter().flatten().max_by_key(|it| it.value) else { return };
    let (name, line) = (&host.name, &most.line);
    let has_address = || {
        let mut addresses = host.state.addresses.iter().flatten();
        addresses.any(|it| it.device == device.name && it.net.addr().is_ipv4())
    };
    let finding = match most.value {
        0 if both.iter().all(Option::is_some) => Finding::new(
            format!("rp_filter is 0 on {name}'s {} ({line})", device.name),
            Effect::Excludes(vec![cause::RP_FILTER]),
        ),
        // Where one is not shown it may be 2, which is in force then.
        1 if both.iter().all(Option::is_some) => Finding::new(
            format!(
                "rp_filter 1 is in force on {name}'s {} ({line}): it drops packets whose route back does not \
                 use this device, as the answers of direct server return do not",
                device.name
            ),
            Effect::Is(cause::RP_FILTER),
        ),
        2 if host.state.addresses.is_some() && !has_address() => Finding::new(
            format!(
                "rp_filter 2 is in force on {name}'s {} ({line}), which has no IPv4 address: it then drops as 1 does",
                device.name
            ),
            Effect::Is(cause::RP_FILTER),
        ),
        _ => return,
    };
    found.push(finding);
}

fn sockets(known: &Known<'_>, host: &Host, found: &mut Vec<Finding>) {
    let (server, name) = (known.connection.server, &host.name);
    let sockets = match known.connection.protocol {
        Protocol::Tcp => &host.state.tcp,
        Protocol::Udp => &host.state.udp,
    };
    let Some(sockets) = sockets else { return };
    let of_port = || sockets.iter().filter(|it| it.port == server.port());
    if let Some(at) = of_port().find(|it| it.address.is_none_or(|at| at == server.ip())) {
        let text = format!("{name} listens at {server} ({})", at.line);
        found.push(Finding::new(text, Effect::Excludes(vec![cause::NOT_LISTENING_AT_VIP])));
        return;
    }
    let configured = known.trace.configuration.virtual_server(server, known.connection.protocol);
    let members = configured.into_iter().flat_map(|it| it.members.iter().map(move |one| (it, one)));
    let member = members.into_iter().find(|(_, one)| host.has_address(one.address));
    let other = member.and_then(|(_, member)| {
        let port = member.port.filter(|port| *port != server.port())?;
        let socket = sockets
            .iter()
            .find(|it| it.port == port && it.address.is_none_or(|at| at == server.ip()))?;
        Some((member, socket))
    });
    if let Some((member, socket)) = other {
        let text = format!(
            "{name} listens at port {} ({}), which is the member's ({}), and not at {}, which packets keep in direct \
             server return",
            socket.port,
            socket.line,
            member.line,
            server.port()
        );
        found.push(Finding::new(text, Effect::Is(cause::PORT_DIFFERS)));
        return;
    }
    let others: Vec<String> =
        of_port().filter_map(|it| Some(format!("{} ({})", it.address?, it.line))).collect();
    if others.is_empty() {
        let text = format!(
            "{name} has no socket that listens at {server}, among those that its files list"
        );
        let is_same_port =
            member.is_some_and(|(_, member)| member.port.is_none_or(|port| port == server.port()));
        // Without a member's port the service may be meant to listen at another one.
        let effect = if is_same_port {
            Effect::Is(cause::NOT_LISTENING_AT_VIP)
        } else {
            Effect::Likely(vec![cause::NOT_LISTENING_AT_VIP, cause::PORT_DIFFERS])
        };
        found.push(Finding::new(text, effect));
        return;
    }
    let text = format!(
        "{name} listens at port {} of {} only, and not of {}",
        server.port(),
        list(others.iter().map(String::as_str)),
        server.ip()
    );
    found.push(Finding::new(text, Effect::Is(cause::NOT_LISTENING_AT_VIP)));
}

/// Servers that answer ARP for the VIP, if that may be why the load balancer was bypassed.
pub(super) fn arp(known: &Known<'_>, hosts: &[Host], verdict: &Verdict) -> Vec<Finding> {
    let code = cause::SERVER_ANSWERS_ARP;
    if verdict.cause != Some(code) && !verdict.possible.contains(&code) {
        return Vec::new();
    }
    let vip = known.connection.server.ip();
    let answers = |host: &Host| {
        let has_vip = host.state.addresses.iter().flatten().any(|it| is_local(host, it, vip));
        let is_link = |it: &&Setting| it.device != "lo" && it.device != "default";
        let keys = || host.state.settings.iter().filter(|it| it.key == "arp_ignore");
        let all = keys().find(|it| it.device == "all").filter(|it| it.value == 0)?;
        let mut links = keys().filter(is_link);
        (has_vip && links.all(|it| it.value == 0)).then(|| {
            let text = format!(
                "{} has {vip}, and answers ARP for it: arp_ignore is 0 ({})",
                host.name, all.line
            );
            Finding::new(text, Effect::Likely(vec![code]))
        })
    };
    hosts.iter().filter_map(answers).collect()
}
