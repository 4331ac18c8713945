//! Packets of load balancers' monitors: nobody's exchange, and no expectation is about them.

use labsim_wire::decode::{Decoded, Packet, Transport};
use labsim_wire::protocol;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Where a load balancer's monitors sent their probes from, as they say themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Probes {
    /// The load balancer's own addresses.
    pub addresses: BTreeSet<IpAddr>,
    /// Ports of TCP.
    pub tcp: BTreeSet<u16>,
    /// Ports of UDP.
    pub udp: BTreeSet<u16>,
    /// Identifiers of ICMP echo.
    pub icmp: BTreeSet<u16>,
}

impl Probes {
    /// Whether a frame is a probe's or an answer to one, in a tunnel or not, or an ICMP error about
    /// either.
    #[must_use]
    pub fn has(&self, decoded: &Decoded) -> bool {
        decoded.packet().is_some_and(|packet| self.has_packet(packet))
    }

    fn has_packet(&self, packet: &Packet) -> bool {
        let header = packet.innermost();
        let own = |address| self.addresses.contains(&address);
        if let Some((source, destination)) = packet.ports() {
            let ports = match header.protocol {
                protocol::TCP => &self.tcp,
                protocol::UDP => &self.udp,
                _ => return false,
            };
            return own(header.source) && ports.contains(&source)
                || own(header.destination) && ports.contains(&destination);
        }
        let Transport::Icmp(icmp) = &packet.transport else { return false };
        let echo = icmp.echo.is_some_and(|(identifier, _)| self.icmp.contains(&identifier));
        echo && (own(header.source) || own(header.destination))
            || icmp.quoted.as_ref().is_some_and(|quoted| self.has_packet(quoted))
    }
}
