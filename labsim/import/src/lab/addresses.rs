//! Subnets and addresses that do not collide.

use crate::address::{Family, bits, is_host};
use ipnet::IpNet;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// How many of a subnet's addresses are tried.
const TRIES: usize = 1 << 16;

/// A subnet with the router's address in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Subnet {
    pub(super) net: IpNet,
    pub(super) router: IpAddr,
}

/// What is taken so far.
pub(super) struct Addresses<'g> {
    used: BTreeSet<IpAddr>,
    subnets: Vec<Subnet>,
    gateways: &'g [IpAddr],
}

impl<'g> Addresses<'g> {
    /// The used addresses are taken; a gateway is the router's address in its subnet.
    pub(super) fn new(used: BTreeSet<IpAddr>, gateways: &'g [IpAddr]) -> Self {
        Self { used, subnets: Vec::new(), gateways }
    }

    /// The subnet that holds an address, new if need be: as long as `wanted` where that overlaps
    /// no other, makes a host of the address, and leaves room for two more.
    pub(super) fn subnet(&mut self, address: IpAddr, wanted: u8) -> Option<Subnet> {
        if let Some(subnet) = self.subnets.iter().find(|subnet| subnet.net.contains(&address)) {
            return is_host(subnet.net, address).then_some(*subnet);
        }
        // Longest and shortest prefix that a subnet of the lab gets.
        let (shortest, longest) = match Family::of(address) {
            Family::V4 => (8, 30),
            Family::V6 => (16, 126),
        };
        let wanted = wanted.clamp(shortest, longest);
        let lengths = (shortest..=wanted).rev().chain(wanted + 1..=longest);
        let net = lengths
            .filter_map(|length| IpNet::new(address, length).ok())
            .find(|net| is_host(*net, address) && !self.overlaps(*net) && self.left(*net) >= 2)?;
        self.add(net.trunc())
    }

    /// The first of these subnets without a used address.
    pub(super) fn empty(&mut self, candidates: impl Iterator<Item = IpNet>) -> Option<Subnet> {
        let mut candidates = candidates.filter(|net| !self.overlaps(*net) && self.count(*net) == 0);
        let net = candidates.next()?;
        self.add(net)
    }

    fn add(&mut self, net: IpNet) -> Option<Subnet> {
        let gateways = self.gateways;
        let router = self.take(net, gateways.iter().copied())?;
        let subnet = Subnet { net, router };
        self.subnets.push(subnet);
        Some(subnet)
    }

    /// Takes one of these addresses, or else the first free one of the subnet.
    pub(super) fn take(
        &mut self,
        net: IpNet,
        preferred: impl Iterator<Item = IpAddr>,
    ) -> Option<IpAddr> {
        let (first, last) = (bits(net.network()), bits(net.broadcast()));
        let near = [first.saturating_add(1), last.saturating_sub(1)];
        let others = (first..last).skip(1).take(TRIES);
        let family = Family::of(net.addr());
        let found = preferred
            .chain(near.into_iter().chain(others).map(|bits| family.address(bits)))
            .find(|one| is_host(net, *one) && !self.used.contains(one))?;
        self.used.insert(found);
        Some(found)
    }

    fn overlaps(&self, net: IpNet) -> bool {
        self.subnets.iter().any(|other| other.net.contains(&net) || net.contains(&other.net))
    }

    fn count(&self, net: IpNet) -> u128 {
        self.used.range(net.network()..=net.broadcast()).count() as u128
    }

    fn left(&self, net: IpNet) -> u128 {
        (bits(net.broadcast()) - bits(net.network()))
            .saturating_sub(1)
            .saturating_sub(self.count(net))
    }
}

#[cfg(test)]
mod tests {
    use super::Addresses;
    use ipnet::IpNet;
    use std::net::IpAddr;

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    fn ip(text: &str) -> IpAddr {
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
