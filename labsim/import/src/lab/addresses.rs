//! Subnets and addresses that do not collide.

use crate::address::is_host;
use ipnet::Ipv4Net;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// Longest and shortest prefix that a subnet of the lab gets.
const LONGEST: u8 = 30;
const SHORTEST: u8 = 8;
/// How many of a subnet's addresses are tried.
const TRIES: usize = 1 << 16;

/// A subnet with the router's address in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Subnet {
    pub(super) net: Ipv4Net,
    pub(super) router: Ipv4Addr,
}

/// What is taken so far.
pub(super) struct Addresses<'g> {
    used: BTreeSet<Ipv4Addr>,
    subnets: Vec<Subnet>,
    gateways: &'g [Ipv4Addr],
}

impl<'g> Addresses<'g> {
    /// The used addresses are taken; a gateway is the router's address in its subnet.
    pub(super) fn new(used: BTreeSet<Ipv4Addr>, gateways: &'g [Ipv4Addr]) -> Self {
        Self { used, subnets: Vec::new(), gateways }
    }

    /// The subnet that holds an address, new if need be: as long as `wanted` where that overlaps
    /// no other, makes a host of the address, and leaves room for two more.
    pub(super) fn subnet(&mut self, address: Ipv4Addr, wanted: u8) -> Option<Subnet> {
        if let Some(subnet) = self.subnets.iter().find(|subnet| subnet.net.contains(&address)) {
            return is_host(subnet.net, address).then_some(*subnet);
        }
        let wanted = wanted.clamp(SHORTEST, LONGEST);
        let lengths = (SHORTEST..=wanted).rev().chain(wanted + 1..=LONGEST);
        let net = lengths
            .filter_map(|length| Ipv4Net::new(address, length).ok())
            .find(|net| is_host(*net, address) && !self.overlaps(*net) && self.left(*net) >= 2)?;
        self.add(net.trunc())
    }

    /// The first of these subnets without a used address.
    pub(super) fn empty(&mut self, candidates: impl Iterator<Item = Ipv4Net>) -> Option<Subnet> {
        let mut candidates = candidates.filter(|net| !self.overlaps(*net) && self.count(*net) == 0);
        let net = candidates.next()?;
        self.add(net)
    }

    fn add(&mut self, net: Ipv4Net) -> Option<Subnet> {
        let gateways = self.gateways;
        let router = self.take(net, gateways.iter().copied())?;
        let subnet = Subnet { net, router };
        self.subnets.push(subnet);
        Some(subnet)
    }

    /// Takes one of these addresses, or else the first free one of the subnet.
    pub(super) fn take(
        &mut self,
        net: Ipv4Net,
        preferred: impl Iterator<Item = Ipv4Addr>,
    ) -> Option<Ipv4Addr> {
        let first = u32::from(net.network());
        let last = u32::from(net.broadcast());
        let near = [first.saturating_add(1), last.saturating_sub(1)];
        let others = (first..last).skip(1).take(TRIES);
        let found = preferred
            .chain(near.into_iter().chain(others).map(Ipv4Addr::from))
            .find(|one| is_host(net, *one) && !self.used.contains(one))?;
        self.used.insert(found);
        Some(found)
    }

    fn overlaps(&self, net: Ipv4Net) -> bool {
        self.subnets.iter().any(|other| other.net.contains(&net) || net.contains(&other.net))
    }

    fn count(&self, net: Ipv4Net) -> u64 {
        self.used.range(net.network()..=net.broadcast()).count() as u64
    }

    fn left(&self, net: Ipv4Net) -> u64 {
        (u64::from(u32::from(net.broadcast()) - u32::from(net.network())) - 1)
            .saturating_sub(self.count(net))
    }
}

#[cfg(test)]
mod tests {
    use super::Addresses;
    use ipnet::Ipv4Net;
    use std::net::Ipv4Addr;

    fn net(text: &str) -> Ipv4Net {
        text.parse().unwrap()
    }

    fn ip(text: &str) -> Ipv4Addr {
        text.parse().unwrap()
    }

    fn subnet(addresses: &mut Addresses<'_>, address: &str, wanted: u8) -> Option<String> {
        let subnet = addresses.subnet(ip(address), wanted)?;
        Some(format!("{} {}", subnet.net, subnet.router))
    }

    #[test]
    fn a_subnet_makes_a_host_of_its_address_and_overlaps_no_other() {
        let used = ["10.1.1.51", "10.1.2.0", "10.1.2.129"].map(ip);
        let gateways = [ip("10.1.1.254")];
        let mut addresses = Addresses::new(used.into(), &gateways);
        for (address, wanted, found) in [
            ("10.1.1.51", 24, Some("10.1.1.0/24 10.1.1.254")),
            ("10.1.1.52", 24, Some("10.1.1.0/24 10.1.1.254")),
            ("10.1.1.255", 24, None),
            ("10.1.2.130", 25, Some("10.1.2.128/25 10.1.2.254")),
            ("10.1.2.5", 24, Some("10.1.2.0/25 10.1.2.1")),
            ("10.1.2.0", 24, None),
        ] {
            assert_eq!(subnet(&mut addresses, address, wanted).as_deref(), found, "{address}");
        }
    }

    #[test]
    fn a_subnet_has_room_for_two_more() {
        let mut addresses = Addresses::new([ip("10.0.0.1"), ip("10.0.0.2")].into(), &[]);
        assert_eq!(subnet(&mut addresses, "10.0.0.1", 30).as_deref(), Some("10.0.0.0/29 10.0.0.6"));
    }

    #[test]
    fn the_first_free_address_is_taken_where_none_is_preferred() {
        let used = ["10.1.1.1", "10.1.1.254", "10.1.1.2"].map(ip);
        let mut addresses = Addresses::new(used.into(), &[]);
        let net = net("10.1.1.0/24");
        assert_eq!(addresses.take(net, [ip("10.1.1.9")].into_iter()), Some(ip("10.1.1.9")));
        assert_eq!(addresses.take(net, [ip("10.1.1.9")].into_iter()), Some(ip("10.1.1.3")));
        assert_eq!(addresses.take(net, [ip("10.1.1.255")].into_iter()), Some(ip("10.1.1.4")));
    }
}
