//! Which packets the engine is to be given, for whoever feeds it.

use super::{Engine, Path};
use crate::SnatPorts;
use std::net::IpAddr;

/// What a data plane has to hand to the engine, beside ARP and neighbour discovery: neighbour
/// solicitations and advertisements (RFC 4861), among them those to groups (33:33:...).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Takes {
    /// Every IP packet to these addresses: VIPs, and addresses that stand in for clients. In
    /// order, each once.
    pub whole: Vec<IpAddr>,
    /// The interface's own addresses that stand in for clients: TCP and UDP to `ports` of them, and
    /// ICMP errors, and later fragments of TCP and UDP, which have no ports. The kernel must not
    /// answer that TCP and UDP, which it knows no socket for. In order, each once.
    pub shared: Vec<IpAddr>,
    /// The interface's own addresses that tunnel packets come from: ICMP errors to them (ICMPv6's are
    /// the types below 128). In order, each once.
    pub tunnel_sources: Vec<IpAddr>,
    /// The ports that stand in for clients'.
    pub ports: SnatPorts,
}

impl Engine {
    /// What this engine has to be given.
    #[must_use]
    pub fn takes(&self) -> Takes {
        let stands = |shared| {
            let addresses = self.snat.addresses().filter(move |address| address.shared == shared);
            addresses.map(|address| IpAddr::V4(address.ip))
        };
        let mut whole: Vec<IpAddr> = self.services.vips.keys().copied().collect();
        whole.extend(stands(false));
        whole.sort_unstable();
        whole.dedup();
        let mut shared: Vec<IpAddr> = stands(true).collect();
        shared.sort_unstable();
        let mut tunnel_sources: Vec<IpAddr> = self
            .members
            .iter()
            .filter_map(|member| match member.path {
                Path::Tunnel { outer, .. } => outer.source(),
                Path::Plain => None,
            })
            .collect();
        tunnel_sources.sort_unstable();
        tunnel_sources.dedup();
        Takes { whole, shared, tunnel_sources, ports: self.snat.range() }
    }
}
