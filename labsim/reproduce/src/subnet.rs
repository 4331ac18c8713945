//! Addresses and prefixes of a lab, which differ from each other and from those that were captured.

use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

/// The widest prefix that a network gets.
const WIDEST: u8 = 24;
/// The narrowest that has room for two hosts beside its own and its broadcast address.
const NARROWEST: u8 = 29;
/// How wide a network may be that has to have two given hosts.
const WIDEST_SHARED: u8 = 8;
/// Networks between routers are taken from here, which is for tests (RFC 2544, C.2.2).
const BETWEEN_ROUTERS: Ipv4Addr = Ipv4Addr::new(198, 19, 0, 0);

/// Addresses that are in use.
#[derive(Debug, Clone)]
pub(crate) struct Taken(Vec<Ipv4Addr>);

impl Taken {
    pub(crate) fn new(addresses: impl IntoIterator<Item = Option<Ipv4Addr>>) -> Self {
        Self(addresses.into_iter().flatten().collect())
    }

    /// A free address of the same /24, near another one.
    pub(crate) fn beside(&self, address: Ipv4Addr) -> Ipv4Addr {
        let net = Ipv4Net::new(address, NARROWEST);
        net.ok().and_then(|net| self.free(net)).unwrap_or(address)
    }

    /// The first free address of a network.
    pub(crate) fn free(&self, net: Ipv4Net) -> Option<Ipv4Addr> {
        net.hosts().find(|host| !self.0.contains(host))
    }

    /// Takes the first free address of a network.
    pub(crate) fn take(&mut self, net: Ipv4Net) -> Option<Ipv4Addr> {
        let address = self.free(net)?;
        self.0.push(address);
        Some(address)
    }

    /// The network of hosts that share a segment, without any of `others`.
    pub(crate) fn network(&self, hosts: &[Ipv4Addr], others: &[Ipv4Addr]) -> Option<Ipv4Net> {
        let first = *hosts.first()?;
        (WIDEST_SHARED..=NARROWEST)
            .rev()
            .filter_map(|length| Ipv4Net::new(first, length).ok())
            .filter(|net| hosts.iter().all(|host| net.contains(host)))
            .filter(|net| !others.iter().any(|other| net.contains(other)))
            .filter(|net| self.free(*net).is_some())
            // The widest up to a /24; a wider one only if it has to be.
            .min_by_key(|net| (net.prefix_len() < WIDEST, net.prefix_len().abs_diff(WIDEST)))
            .map(|net| net.trunc())
    }

    /// A network between two routers, by its number.
    pub(crate) fn between_routers(number: u8) -> Option<Ipv4Net> {
        let [a, b, ..] = BETWEEN_ROUTERS.octets();
        Ipv4Net::new(Ipv4Addr::new(a, b, number, 0), WIDEST).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Ipv4Addr {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_has_its_hosts_and_nobody_else() {
        let hosts = [address("10.1.1.10"), address("10.1.1.52")];
        let taken = Taken::new(hosts.map(Some));
        let network = |others: &[Ipv4Addr]| taken.network(&hosts, others).map(|it| it.to_string());
        assert_eq!(network(&[address("10.1.2.1")]).as_deref(), Some("10.1.1.0/24"));
        assert_eq!(network(&[address("10.1.1.201")]).as_deref(), Some("10.1.1.0/25"));
        assert_eq!(network(&[address("10.1.1.20")]), None);
        let far = [address("10.1.1.10"), address("10.1.9.52")];
        let network = Taken::new(far.map(Some)).network(&far, &[]).unwrap();
        assert_eq!(network.to_string(), "10.1.0.0/20");
    }
}
