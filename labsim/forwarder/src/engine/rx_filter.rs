//! Which packets a data plane hands to the engine.

use super::{Engine, Path};
use crate::{PortRange, SnatPorts};
use std::net::IpAddr;

/// What a data plane has to hand to the engine, beside ARP and neighbour discovery: neighbour
/// solicitations and advertisements (RFC 4861), including those to multicast groups (33:33:...).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RxFilter {
    /// Every IP packet to these addresses: VIPs, and SNAT addresses that the interface does not
    /// have. Sorted, without duplicates.
    pub owned: Vec<IpAddr>,
    /// Of `owned`, what the host's kernel must not handle: it would answer or forward it as well.
    /// Sorted, without duplicates.
    pub kept_from_host: Vec<Kept>,
    /// SNAT addresses that are the interface's own: TCP and UDP to `ports` of them, ICMP errors,
    /// and non-first fragments of TCP and UDP, which have no ports. The kernel must not answer
    /// that TCP and UDP, for which it has no socket. Sorted, without duplicates.
    pub shared: Vec<IpAddr>,
    /// The interface's own addresses that are outer sources of tunnel packets: ICMP errors to them
    /// (with ICMPv6, the types below 128). Sorted, without duplicates.
    pub tunnel_sources: Vec<IpAddr>,
    /// The SNAT port range.
    pub ports: SnatPorts,
}

/// Packets that are the engine's alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kept {
    /// The destination.
    pub address: IpAddr,
    /// What of it; `None` is every packet.
    pub service: Option<Service>,
}

/// What a virtual server takes at an address that the host has too: all of this protocol to the ports,
/// and fragments of it that have no ports. Those of them that are the host's own, the engine sends to
/// the interface's own link-layer address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Service {
    /// TCP's or UDP's number.
    pub protocol: u8,
    /// `None` is every port.
    pub ports: Option<PortRange>,
}

impl Engine {
    /// The packets that the data plane has to hand to this engine.
    #[must_use]
    pub fn rx_filter(&self) -> RxFilter {
        let snat_addresses = |shared| {
            let addresses = self.snat.addresses().filter(move |address| address.shared == shared);
            addresses.map(|address| address.ip)
        };
        let mut owned: Vec<IpAddr> = self.services.vips.keys().copied().collect();
        owned.extend(snat_addresses(false));
        owned.sort_unstable();
        owned.dedup();
        let mut kept_from_host: Vec<Kept> = owned
            .iter()
            .filter(|address| !self.services.is_hosts(**address))
            .map(|address| Kept { address: *address, service: None })
            .collect();
        let single = self.services.servers.keys();
        let single = single.map(|(vip, protocol, port)| (*vip, *protocol, Some((*port).into())));
        let wide = self.services.wide.iter().flat_map(|((vip, protocol), wide)| {
            let ranges = wide.ranges.iter().map(|(range, _)| Some(*range));
            ranges.chain(wide.any.map(|_| None)).map(|ports| (*vip, *protocol, ports))
        });
        let services = single.chain(wide).filter(|(vip, ..)| self.services.is_hosts(*vip));
        kept_from_host.extend(services.map(|(address, protocol, ports)| Kept {
            address,
            service: Some(Service { protocol, ports }),
        }));
        kept_from_host.sort_unstable();
        let mut shared: Vec<IpAddr> = snat_addresses(true).collect();
        shared.sort_unstable();
        let mut tunnel_sources: Vec<IpAddr> = self
            .members
            .iter()
            .filter_map(|member| match member.path {
                Path::Tunnel { outer, .. } => outer.source(),
                Path::Plain { .. } => None,
            })
            .collect();
        tunnel_sources.sort_unstable();
        tunnel_sources.dedup();
        RxFilter { owned, kept_from_host, shared, tunnel_sources, ports: self.snat.range() }
    }
}
