//! The forwarder's interface and its routes: where a packet leaves, to which next hop, and from
//! which of the interface's addresses.

use ipnet::IpNet;
use labsim_wire::ethernet::Mac;
use std::net::{IpAddr, Ipv6Addr};

/// The interface that the forwarder works on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Its link-layer address.
    pub mac: Mac,
    /// The largest IP packet in bytes.
    pub mtu: usize,
    /// Its addresses with their prefix lengths, host bits kept.
    pub addresses: Vec<IpNet>,
    /// The addresses of the host's other interfaces, `lo` among them.
    pub elsewhere: Vec<IpAddr>,
    /// Where the host's kernel sends packets that the forwarder gives it, by its other interfaces.
    pub host_routes: Vec<HostRoute>,
}

/// A route through another interface of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostRoute {
    /// The destination.
    pub destination: IpNet,
    /// The address of that interface that its packets have as their source.
    pub source: Option<IpAddr>,
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

    /// Whether the host has the address, on whatever interface, so that its kernel answers for it.
    #[must_use]
    pub fn is_hosts(&self, address: IpAddr) -> bool {
        self.is_own(address) || self.elsewhere.contains(&address)
    }

    /// The address to speak from to a destination by that next hop.
    pub(crate) fn source_by(&self, destination: IpAddr, next_hop: NextHop) -> Option<IpAddr> {
        match next_hop {
            NextHop::Neighbour(next_hop) => self.source_for(destination, next_hop),
            NextHop::Host(source) => source,
        }
    }

    /// The address to speak from to `destination` over `next_hop`, of the destination's family: the
    /// one on the next hop's subnet; else the first with IPv4, and with IPv6 the one that has most
    /// in common with the destination. IPv6's is of the destination's scope (RFC 6724 5, rules 2
    /// and 8).
    pub(crate) fn source_for(&self, destination: IpAddr, next_hop: IpAddr) -> Option<IpAddr> {
        let fit = |network: &&IpNet| match (network.addr(), destination) {
            (IpAddr::V4(_), IpAddr::V4(_)) => true,
            (IpAddr::V6(own), IpAddr::V6(to)) => {
                own.is_unicast_link_local() == to.is_unicast_link_local()
            }
            _ => false,
        };
        let mut fitting = self.addresses.iter().filter(fit);
        let near = fitting.clone().find(|network| network.contains(&next_hop));
        let other = || match destination {
            IpAddr::V4(_) => fitting.next(),
            // The last of the greatest is taken: in reverse it is the first.
            IpAddr::V6(to) => fitting.rev().max_by_key(|network| common_bits(network.addr(), to)),
        };
        Some(near.or_else(other)?.addr())
    }
}

/// How many leading bits two addresses have in common.
fn common_bits(own: IpAddr, to: Ipv6Addr) -> u32 {
    match own {
        IpAddr::V6(own) => (own.to_bits() ^ to.to_bits()).leading_zeros(),
        IpAddr::V4(_) => 0,
    }
}

/// A route through the forwarder's interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// The destination; `0.0.0.0/0` for the default route.
    pub destination: IpNet,
    /// The next hop, or `None` if the destinations are on the interface's own segment.
    pub via: Option<IpAddr>,
    /// The path MTU of its own (`RTAX_MTU`, ip-route(8)), in bytes.
    pub mtu: Option<u32>,
}

/// Where a packet goes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NextHop {
    /// To that neighbour on the forwarder's interface.
    Neighbour(IpAddr),
    /// To the host's kernel, which sends it on by another interface, with this address of its own.
    Host(Option<IpAddr>),
}

/// Routes in the order of their choice: the longest prefix first (RFC 1812 5.2.4.3).
#[derive(Debug, Clone)]
pub(crate) struct Routes(Vec<(IpNet, Target)>);

/// What a route leads to.
#[derive(Debug, Clone, Copy)]
struct Target {
    via: Via,
    mtu: Option<u32>,
}

/// The lowest MTUs of routes that are taken: that of an interface, and the minimum of IPv6 (RFC 8200 5).
const MIN_ROUTE_MTU: u16 = 128;
const MIN_IPV6_ROUTE_MTU: u16 = 1280;

#[derive(Debug, Clone, Copy)]
enum Via {
    Segment,
    Gateway(IpAddr),
    Host(Option<IpAddr>),
}

impl Routes {
    /// The given routes and those that follow from the interface's own prefixes.
    pub(crate) fn new(port: &Port, routes: &[Route]) -> Self {
        let by = |via| Target { via, mtu: None };
        let connected = port.addresses.iter().map(|network| (network.trunc(), by(Via::Segment)));
        let given = routes.iter().map(|route| {
            let via = route.via.map_or(Via::Segment, Via::Gateway);
            (route.destination, Target { via, mtu: route.mtu })
        });
        let elsewhere =
            port.host_routes.iter().map(|route| (route.destination, by(Via::Host(route.source))));
        let mut all: Vec<(IpNet, Target)> = connected.chain(given).chain(elsewhere).collect();
        // Stable: among equals the interface's own prefix, then the caller's order.
        all.sort_by_key(|(destination, _)| std::cmp::Reverse(destination.prefix_len()));
        Self(all)
    }

    /// The next hop towards `destination`.
    pub(crate) fn next_hop(&self, destination: IpAddr) -> Option<NextHop> {
        Some(match self.target(destination)?.via {
            Via::Segment => NextHop::Neighbour(destination),
            Via::Gateway(gateway) => NextHop::Neighbour(gateway),
            Via::Host(source) => NextHop::Host(source),
        })
    }

    /// The path MTU that the route to `destination` has of its own.
    pub(crate) fn mtu(&self, destination: IpAddr) -> Option<u16> {
        let mtu = self.target(destination)?.mtu?;
        let least = if destination.is_ipv4() { MIN_ROUTE_MTU } else { MIN_IPV6_ROUTE_MTU };
        Some(u16::try_from(mtu).unwrap_or(u16::MAX).max(least))
    }

    fn target(&self, destination: IpAddr) -> Option<Target> {
        let found = self.0.iter().find(|(network, _)| network.contains(&destination));
        found.map(|(_, target)| *target)
    }
}

#[cfg(test)]
mod tests {
    use super::{HostRoute, NextHop, Port, Route, Routes};
    use labsim_wire::ethernet::Mac;
    use std::net::IpAddr;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn route(destination: &str, via: Option<&str>) -> Route {
        Route { destination: destination.parse().unwrap(), via: via.map(address), mtu: None }
    }

    fn port() -> Port {
        let addresses = ["172.16.4.10/24", "10.9.0.1/30", "2001:db8::10/64"];
        let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
        Port {
            mac: Mac([2, 0, 0, 0, 0, 9]),
            mtu: 1500,
            addresses,
            elsewhere: Vec::new(),
            host_routes: Vec::new(),
        }
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
            let expected = Some(NextHop::Neighbour(address(next_hop)));
            assert_eq!(routes.next_hop(address(destination)), expected);
        }
        assert_eq!(routes.next_hop(address("2001:db8:1::1")), None);
    }

    #[test]
    fn a_route_by_another_interface_is_the_hosts_where_its_prefix_is_the_longest() {
        let source = Some(address("10.1.1.1"));
        let destination = "10.1.1.0/24".parse().unwrap();
        let port = Port { host_routes: vec![HostRoute { destination, source }], ..port() };
        let table = [route("0.0.0.0/0", Some("172.16.4.1")), route("10.1.1.52/32", None)];
        let routes = Routes::new(&port, &table);
        for (destination, next_hop) in [
            ("10.1.1.51", NextHop::Host(source)),
            ("10.1.1.52", NextHop::Neighbour(address("10.1.1.52"))),
            ("10.1.2.51", NextHop::Neighbour(address("172.16.4.1"))),
        ] {
            assert_eq!(routes.next_hop(address(destination)), Some(next_hop), "{destination}");
        }
    }

    #[test]
    fn the_source_is_the_address_on_the_next_hops_subnet() {
        let mut port = port();
        let source = |port: &Port, destination: &str, next_hop: &str| {
            let source = port.source_for(address(destination), address(next_hop));
            source.map(|source| source.to_string())
        };
        for (destination, next_hop, expected) in [
            ("10.1.1.51", "10.9.0.2", Some("10.9.0.1")),
            ("10.1.1.51", "192.0.2.1", Some("172.16.4.10")),
            ("2001:db8:7::1", "2001:db8::1", Some("2001:db8::10")),
            ("fe80::1", "fe80::1", None),
        ] {
            assert_eq!(source(&port, destination, next_hop).as_deref(), expected, "{destination}");
        }
        for own in ["fe80::10/64", "fd00:1::10/64"] {
            port.addresses.push(own.parse().unwrap());
        }
        for (destination, next_hop, expected) in [
            ("fe80::1", "fe80::1", "fe80::10"),
            ("2001:db8:7::1", "fe80::1", "2001:db8::10"),
            ("fd00:7::1", "fe80::1", "fd00:1::10"),
            ("2001:db8::1", "2001:db8::1", "2001:db8::10"),
            ("2001:db8:7::1", "fd00:1::1", "fd00:1::10"),
        ] {
            assert_eq!(source(&port, destination, next_hop).as_deref(), Some(expected));
        }
    }
}
