//! Packets of load balancers' monitors, which no expectation is about.

use labsim_model::ProbeSources;
use labsim_wire::decode::{Decoded, Packet, Transport};
use labsim_wire::protocol;

/// Whether a frame is a probe from these sources or a reply to one, in a tunnel or not, or an ICMP
/// error about either.
#[must_use]
pub fn is_probe(sources: &ProbeSources, decoded: &Decoded) -> bool {
    decoded.packet().is_some_and(|packet| is_probe_packet(sources, packet))
}

fn is_probe_packet(sources: &ProbeSources, packet: &Packet) -> bool {
    let header = packet.innermost();
    let own = |address| sources.addresses.contains(&address);
    if let Some((source, destination)) = packet.ports() {
        let ports = match header.protocol {
            protocol::TCP => &sources.tcp,
            protocol::UDP => &sources.udp,
            _ => return false,
        };
        return own(header.source) && ports.contains(&source)
            || own(header.destination) && ports.contains(&destination);
    }
    let Transport::Icmp(icmp) = &packet.transport else { return false };
    let echo = icmp.echo.is_some_and(|(identifier, _)| sources.icmp.contains(&identifier));
    echo && (own(header.source) || own(header.destination))
        || icmp.quoted.as_ref().is_some_and(|quoted| is_probe_packet(sources, quoted))
}
