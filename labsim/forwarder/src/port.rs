//! The forwarder's interface and its routes: where a packet leaves, to which next hop, and from
//! which of the interface's addresses.

use ipnet::IpNet;
use labsim_wire::ethernet::Mac;
use std::net::{IpAddr, Ipv4Addr};

/// The interface that the forwarder works on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Its link-layer address.
    pub mac: Mac,
    /// The largest IP packet in bytes.
    pub mtu: usize,
    /// Its addresses with their prefix lengths, host bits kept.
    pub addresses: Vec<IpNet>,
}

impl Port {
    /// Whether `address` is on one of the interface's own subnets.
    #[must_use]
    pub fn is_connected(&self, address: IpAddr) -> bool {
        self.addresses.iter().any(|network| network.contains(&address))
    }

    /// Whether it is one of the interface's own addresses.
    #[must_use]
    pub fn is_own(&self, address: IpAddr) -> bool {
        self.addresses.iter().any(|network| network.addr() == address)
    }

    /// The address to speak from to `next_hop`: the one on its subnet, else the first.
    pub(crate) fn source_for(&self, next_hop: IpAddr) -> Option<Ipv4Addr> {
        let v4 = |network: &&IpNet| network.addr().is_ipv4();
        let near = self.addresses.iter().filter(v4).find(|network| network.contains(&next_hop));
        match near.or_else(|| self.addresses.iter().find(v4))?.addr() {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        }
    }
}

/// A route through the forwarder's interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// The destination; `0.0.0.0/0` for the default route.
    pub destination: IpNet,
    /// The next hop, or `None` if the destinations are on the interface's own segment.
    pub via: Option<IpAddr>,
}

/// Routes in the order of their choice: the longest prefix first (RFC 1812 5.2.4.3).
#[derive(Debug)]
pub(crate) struct Routes(Vec<Route>);

impl Routes {
    /// The given routes and those that follow from the interface's own prefixes.
    pub(crate) fn new(port: &Port, routes: &[Route]) -> Self {
        let connected =
            port.addresses.iter().map(|network| Route { destination: network.trunc(), via: None });
        let mut all: Vec<Route> = connected.chain(routes.iter().copied()).collect();
        // Stable: among equals the interface's own prefix, then the caller's order.
        all.sort_by_key(|route| std::cmp::Reverse(route.destination.prefix_len()));
        Self(all)
    }

    /// The next hop towards `destination`.
    pub(crate) fn next_hop(&self, destination: IpAddr) -> Option<IpAddr> {
        let route = self.0.iter().find(|route| route.destination.contains(&destination))?;
        Some(route.via.unwrap_or(destination))
    }
}

#[cfg(test)]
mod tests {
    use super::{Port, Route, Routes};
    use labsim_wire::ethernet::Mac;
    use std::net::IpAddr;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn route(destination: &str, via: Option<&str>) -> Route {
        Route { destination: destination.parse().unwrap(), via: via.map(address) }
    }

    fn port() -> Port {
        let addresses = ["172.16.4.10/24", "10.9.0.1/30", "2001:db8::10/64"];
        let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
        Port { mac: Mac([2, 0, 0, 0, 0, 9]), mtu: 1500, addresses }
    }

    #[test]
    fn the_longest_prefix_wins_whatever_the_order() {
        let table = [
            route("0.0.0.0/0", Some("172.16.4.1")),
            route("10.1.0.0/16", Some("172.16.4.2")),
            route("10.1.1.52/32", Some("172.16.4.3")),
            route("10.7.0.0/16", None),
        ];
        let routes = Routes::new(&port(), &table);
        for (destination, next_hop) in [
            ("192.168.11.201", "172.16.4.1"),
            ("10.1.1.51", "172.16.4.2"),
            ("10.1.1.52", "172.16.4.3"),
            ("10.7.3.3", "10.7.3.3"),
            ("172.16.4.77", "172.16.4.77"),
            ("10.9.0.2", "10.9.0.2"),
        ] {
            assert_eq!(routes.next_hop(address(destination)), Some(address(next_hop)));
        }
        assert_eq!(routes.next_hop(address("2001:db8:1::1")), None);
    }

    #[test]
    fn the_source_is_the_address_on_the_next_hops_subnet() {
        let port = port();
        assert_eq!(port.source_for(address("10.9.0.2")), Some([10, 9, 0, 1].into()));
        assert_eq!(port.source_for(address("192.0.2.1")), Some([172, 16, 4, 10].into()));
    }
}
