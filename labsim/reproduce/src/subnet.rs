//! Addresses and prefixes of a lab, which differ from each other and from those that were captured.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Networks of IPv4 between routers are taken from here, which is for tests (RFC 2544, C.2.2); the lower half has
/// hosts whose addresses no packet shows.
const BETWEEN_ROUTERS: Ipv4Addr = Ipv4Addr::new(198, 19, 0, 0);
/// The same of IPv6 (RFC 5180, 8).
const BETWEEN_ROUTERS_IPV6: Ipv6Addr = Ipv6Addr::new(0x2001, 2, 0, 0, 0, 0, 0, 0);

/// Prefix lengths of the networks of a family.
struct Lengths {
    /// Of a network where nothing asks for a longer one.
    usual: u8,
    /// The longest that has room for two hosts beside its own and its broadcast address.
    longest: u8,
    /// The shortest of a network that has to have two given hosts.
    shortest: u8,
}

impl Lengths {
    const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self { usual: 24, longest: 29, shortest: 8 },
            IpAddr::V6(_) => Self { usual: 64, longest: 125, shortest: 32 },
        }
    }
}

/// Addresses that are in use.
#[derive(Debug, Clone)]
pub(crate) struct Taken(Vec<IpAddr>);

impl Taken {
    pub(crate) fn new(addresses: impl IntoIterator<Item = Option<IpAddr>>) -> Self {
        Self(addresses.into_iter().flatten().collect())
    }

    /// A free address near another one.
    pub(crate) fn beside(&self, address: IpAddr) -> IpAddr {
        let net = IpNet::new(address, Lengths::of(address).longest);
        net.ok().and_then(|net| self.free(net)).unwrap_or(address)
    }

    /// The first free address of a network. The lowest one of IPv6 is every router's (RFC 4291, 2.6.1).
    pub(crate) fn free(&self, net: IpNet) -> Option<IpAddr> {
        net.hosts().find(|host| *host != net.network() && !self.0.contains(host))
    }

    /// Takes the first free address of a network.
    pub(crate) fn take(&mut self, net: IpNet) -> Option<IpAddr> {
        let address = self.free(net)?;
        self.0.push(address);
        Some(address)
    }

    /// The network of hosts that share a segment, without any of `others`. All are of one family.
    pub(crate) fn network(&self, hosts: &[IpAddr], others: &[IpAddr]) -> Option<IpNet> {
        let first = *hosts.first()?;
        let Lengths { usual, longest, shortest } = Lengths::of(first);
        (shortest..=longest)
            .rev()
            .filter_map(|length| IpNet::new(first, length).ok())
            .filter(|net| hosts.iter().all(|host| net.contains(host)))
            .filter(|net| !others.iter().any(|other| net.contains(other)))
            .filter(|net| self.free(*net).is_some())
            // The widest up to the usual length; a wider one only if it has to be.
            .min_by_key(|net| (net.prefix_len() < usual, net.prefix_len().abs_diff(usual)))
            .map(|net| net.trunc())
    }

    /// A network between two routers, by its number.
    pub(crate) fn between_routers(number: u8, is_ipv4: bool) -> Option<IpNet> {
        if is_ipv4 {
            let [a, b, ..] = BETWEEN_ROUTERS.octets();
            return Ipv4Net::new(Ipv4Addr::new(a, b, number, 0), 24).ok().map(Into::into);
        }
        let mut segments = BETWEEN_ROUTERS_IPV6.segments();
        if let Some(subnet) = segments.get_mut(3) {
            *subnet = number.into();
        }
        Ipv6Net::new(segments.into(), 64).ok().map(Into::into)
    }
}

/// The address of a load balancer and of a server that no packet shows and that share no segment.
pub(crate) fn far_apart(is_ipv4: bool) -> (IpAddr, IpAddr) {
    if is_ipv4 {
        (Ipv4Addr::new(198, 18, 0, 10).into(), Ipv4Addr::new(198, 18, 1, 51).into())
    } else {
        let address = |subnet, host| Ipv6Addr::new(0x2001, 2, 0, subnet, 0, 0, 0, host).into();
        (address(0x1000, 0x10), address(0x1001, 0x51))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_has_its_hosts_and_nobody_else() {
        let hosts = [address("10.1.1.10"), address("10.1.1.52")];
        let taken = Taken::new(hosts.map(Some));
        let network = |others: &[IpAddr]| taken.network(&hosts, others).map(|it| it.to_string());
        assert_eq!(network(&[address("10.1.2.1")]).as_deref(), Some("10.1.1.0/24"));
        assert_eq!(network(&[address("10.1.1.201")]).as_deref(), Some("10.1.1.0/25"));
        assert_eq!(network(&[address("10.1.1.20")]), None);
        let far = [address("10.1.1.10"), address("10.1.9.52")];
        let network = Taken::new(far.map(Some)).network(&far, &[]).unwrap();
        assert_eq!(network.to_string(), "10.1.0.0/20");
    }

    #[test]
    fn a_network_of_ipv6_has_its_hosts_and_nobody_else() {
        let hosts = [address("2001:db8:1::10"), address("2001:db8:1::52")];
        let taken = Taken::new(hosts.map(Some));
        let network = |others: &[IpAddr]| taken.network(&hosts, others).map(|it| it.to_string());
        assert_eq!(network(&[address("2001:db8:2::1")]).as_deref(), Some("2001:db8:1::/64"));
        assert_eq!(network(&[address("2001:db8:1::ff01")]).as_deref(), Some("2001:db8:1::/113"));
        assert_eq!(network(&[address("2001:db8:1::20")]), None);
        let far = [address("2001:db8:1::10"), address("2001:db8:1:3::52")];
        let network = Taken::new(far.map(Some)).network(&far, &[]).unwrap();
        assert_eq!(network.to_string(), "2001:db8:1::/62");
        let net = taken.network(&hosts, &[]).unwrap();
        assert_eq!(taken.free(net), Some(address("2001:db8:1::1")));
    }
}
