//! Subnets for what the configuration says nothing of.

use crate::address::{Family, bits};
use crate::lab::addresses::{Addresses, Subnet};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address, and the router's in the same subnet.
#[derive(Debug, Clone, Copy)]
pub(in crate::lab) struct Port {
    /// Host bits kept.
    pub(in crate::lab) net: IpNet,
    pub(in crate::lab) router: IpAddr,
}

impl Port {
    pub(super) fn new(address: IpAddr, Subnet { net, router }: Subnet) -> Option<Self> {
        Some(Self { net: IpNet::new(address, net.prefix_len()).ok()?, router })
    }

    pub(super) fn subnet(self) -> Subnet {
        Subnet { net: self.net.trunc(), router: self.router }
    }
}

/// Who a subnet is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum For {
    Client,
    LoadBalancer,
    /// Servers of the other family.
    Servers,
}

impl For {
    /// The host's number, as the document has it; it reads so in both families.
    const fn host(self, family: Family) -> u128 {
        match (self, family) {
            (Self::Client, Family::V4) => 201,
            (Self::Client, Family::V6) => 0x201,
            (Self::LoadBalancer, Family::V4) => 10,
            (Self::LoadBalancer, Family::V6) => 0x10,
            (Self::Servers, _) => 1,
        }
    }

    /// The document's own subnets first, then other private or documentation ones.
    fn nets(self, family: Family) -> Box<dyn Iterator<Item = IpNet>> {
        let v4 = move |first: u8, second: u8, thirds: std::ops::RangeInclusive<u8>| {
            thirds.map(move |third| IpAddr::V4(Ipv4Addr::new(first, second, third, 0)))
        };
        let v6 = move |first: [u16; 2], thirds: std::ops::RangeInclusive<u16>| {
            let [a, b] = first;
            thirds.map(move |third| IpAddr::V6(Ipv6Addr::new(a, b, third, 0, 0, 0, 0, 0)))
        };
        let document = [0x2001, 0xdb8];
        let length = usual(family);
        let net = move |address| IpNet::new(address, length).ok();
        match (self, family) {
            (Self::Client, Family::V4) => {
                Box::new(v4(192, 168, 11..=255).chain(v4(10, 254, 0..=255)).filter_map(net))
            }
            (Self::LoadBalancer, Family::V4) => {
                Box::new(v4(172, 16, 0..=255).chain(v4(10, 255, 0..=255)).filter_map(net))
            }
            (Self::Servers, Family::V4) => {
                Box::new(v4(10, 1, 1..=255).chain(v4(10, 253, 0..=255)).filter_map(net))
            }
            (Self::Client, Family::V6) => {
                let own = v6([0xfd00, 0x11], 0..=255);
                Box::new(v6(document, 0x11..=0x11).chain(own).filter_map(net))
            }
            (Self::LoadBalancer, Family::V6) => {
                let own = v6([0xfd00, 0x16], 0..=255);
                Box::new(v6(document, 0x16..=0x16).chain(own).filter_map(net))
            }
            (Self::Servers, Family::V6) => {
                let own = v6([0xfd00, 0x1], 0..=255);
                Box::new(v6(document, 0x1..=0x10).chain(own).filter_map(net))
            }
        }
    }

    /// An empty subnet for it.
    pub(super) fn subnet(self, family: Family, addresses: &mut Addresses<'_>) -> Option<Subnet> {
        addresses.empty(self.nets(family))
    }

    /// Its address in a subnet.
    pub(super) fn address(self, subnet: Subnet, addresses: &mut Addresses<'_>) -> Option<IpAddr> {
        let family = Family::of(subnet.net.addr());
        let number = bits(subnet.net.network()).checked_add(self.host(family));
        addresses.take(subnet.net, number.map(|bits| family.address(bits)).into_iter())
    }

    /// A port in a subnet of its own.
    pub(super) fn port(self, family: Family, addresses: &mut Addresses<'_>) -> Option<Port> {
        let subnet = self.subnet(family, addresses)?;
        Port::new(self.address(subnet, addresses)?, subnet)
    }
}

/// The prefix length of a subnet that nothing is known of.
pub(super) const fn usual(family: Family) -> u8 {
    match family {
        Family::V4 => 24,
        Family::V6 => 64,
    }
}
