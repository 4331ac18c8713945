//! Tunnel packets that came to the tunnel's end and were not decapsulated.

use super::Found;
use crate::diagnose::fix;
use crate::diagnose::{Cause, Subject, Trace};
use labsim_codes::cause;
use labsim_scenario::model::{NodeName, TunnelDevice, TunnelKind};
use labsim_wire::protocol;

/// What the kernel at the tunnel's end says of tunnel packets: that nothing takes the protocol, or
/// that no tunnel takes the packet (`tunnel4_rcv`, `gre_rcv`: ICMP port unreachable).
pub(super) fn not_decapsulated(found: &Found<'_, '_>, trace: &Trace) -> Option<Cause> {
    let subject = found.subject;
    let packet = subject.packet(trace.last)?;
    packet.outer()?;
    let (node, header) = (&trace.last_node, &packet.outermost);
    let forwards = subject.node(node).is_some_and(|node| node.forward);
    if forwards && !subject.is_configured(node, header.destination) {
        return None;
    }
    let ipv4 = header.destination.is_ipv4();
    let name = if ipv4 { "IpInUnknownProtos" } else { "Ip6InUnknownProtos" };
    let counted = subject.counter(node, name);
    let refusals = found.errors.iter().filter(|error| {
        error.sender == Some(node)
            && (error.is_protocol_unreachable() || error.is_port_unreachable())
            && error.quoted.outermost.protocol == header.protocol
    });
    let refusals: Vec<_> = refusals.collect();
    if counted.is_none() && refusals.is_empty() {
        return None;
    }
    let said: Vec<String> = counted
        .map(|counted| format!("{name} +{counted}"))
        .into_iter()
        .chain(refusals.iter().map(|error| format!("ICMP {}", error.name())))
        .collect();
    let said = said.join(", ");
    let carried = protocol_name(header.protocol);
    let scenario = subject.context.scenario;
    let devices = scenario.real_servers.get(node).map_or(&[][..], |server| &server.tunnels);
    let takes = |device: &&TunnelDevice| {
        device.kind.ip_protocols().contains(&header.protocol) && device.kind.outer_ipv4() == ipv4
    };
    let refused = format!("{node} does not decapsulate {carried} packets ({said})");
    let fix = |has| fix::tunnel(subject, node, header.protocol, has);
    let cause = match (devices.iter().find(takes), devices.first()) {
        (Some(device), _) if !is_up(subject, node, device) => {
            let sentence = format!("{refused}: its tunnel device {} is down", device.name);
            Cause::new(cause::TUNNEL_DOWN, sentence, fix::device_up(subject, node, device))
                .device(device.name.to_string())
        }
        (Some(device), _) => {
            let sentence = format!(
                "{refused}: its tunnel device {} takes others; key, checksum or local address \
                 differ, or it was set down (`ip -d link show {}` tells)",
                device.name, device.name
            );
            Cause::new(cause::ENCAPSULATION_MISMATCH, sentence, fix(Some(device)))
                .device(device.name.to_string())
        }
        (None, Some(other)) => {
            let sentence = format!(
                "{refused}: its tunnel device {} takes {} packets",
                other.name,
                kind_name(other.kind)
            );
            Cause::new(cause::ENCAPSULATION_MISMATCH, sentence, fix(Some(other)))
                .device(other.name.to_string())
        }
        (None, None) => {
            let sentence = format!("{refused}: it has no tunnel device for them");
            Cause::new(cause::TUNNEL_MISSING, sentence, fix(None))
        }
    };
    let mut frames = trace.at_last.clone();
    frames.extend(refusals.iter().flat_map(|error| &error.frames));
    frames.sort_unstable();
    let cause = cause.at(node).packets(trace.at_last.len() as u64);
    let cause = match counted {
        Some(counted) => cause.counted(name, counted),
        None => cause,
    };
    Some(subject.shown(cause, &frames))
}

/// Whether the device is up, as it was read or else as the scenario sets it.
fn is_up(subject: &Subject<'_>, node: &NodeName, device: &TunnelDevice) -> bool {
    let read = subject.state(node).and_then(|state| state.device(device.name.as_str()));
    read.map_or(device.up, |read| read.up)
}

/// `IPIP (IP protocol 4)`
pub(super) fn protocol_name(number: u8) -> String {
    let name = match number {
        protocol::TCP => "TCP",
        protocol::UDP => "UDP",
        protocol::IPIP => "IPIP",
        protocol::IPV6 => "IPv6-in-IP",
        protocol::GRE => "GRE",
        protocol::ICMP => "ICMP",
        _ => return format!("IP protocol {number}"),
    };
    format!("{name} (IP protocol {number})")
}

fn kind_name(kind: TunnelKind) -> &'static str {
    match kind {
        TunnelKind::Ipip => "IPIP",
        TunnelKind::Sit | TunnelKind::Ip6tnl => "IPv6 tunnel",
        TunnelKind::Gre(_) | TunnelKind::Ip6gre(_) => "GRE",
        TunnelKind::GueIpip(_) | TunnelKind::GueSit(_) | TunnelKind::GueIp6tnl(_) => "GUE",
    }
}
