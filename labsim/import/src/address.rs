//! Addresses as all vendors have them.

use ipnet::IpNet;
use labsim_model::{quote, unicast_error};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// An address family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Family {
    V4,
    V6,
}

impl Family {
    pub(crate) const ALL: [Self; 2] = [Self::V4, Self::V6];

    /// That of an address.
    pub(crate) const fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    /// The bits of its addresses.
    pub(crate) const fn bits(self) -> u8 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }

    /// The address with these bits; of IPv4 the lower 32 count.
    pub(crate) fn address(self, bits: u128) -> IpAddr {
        match self {
            Self::V4 => {
                let [.., a, b, c, d] = bits.to_be_bytes();
                Ipv4Addr::new(a, b, c, d).into()
            }
            Self::V6 => Ipv6Addr::from_bits(bits).into(),
        }
    }

    pub(crate) const fn other(self) -> Self {
        match self {
            Self::V4 => Self::V6,
            Self::V6 => Self::V4,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        }
    }
}

/// An address as a number.
pub(crate) fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// Something for each address family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ByFamily<T> {
    v4: Option<T>,
    v6: Option<T>,
}

impl<T> Default for ByFamily<T> {
    fn default() -> Self {
        Self { v4: None, v6: None }
    }
}

impl<T> ByFamily<T> {
    pub(crate) const fn get(&self, family: Family) -> Option<&T> {
        match family {
            Family::V4 => self.v4.as_ref(),
            Family::V6 => self.v6.as_ref(),
        }
    }

    pub(crate) fn set(&mut self, family: Family, value: T) {
        match family {
            Family::V4 => self.v4 = Some(value),
            Family::V6 => self.v6 = Some(value),
        }
    }

    /// What there is, IPv4's first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.v4.iter().chain(&self.v6)
    }

    /// Adds what another one has and this one has not.
    pub(crate) fn add(&mut self, other: Self) {
        self.v4 = self.v4.take().or(other.v4);
        self.v6 = self.v6.take().or(other.v6);
    }
}

/// An address that one host can have.
///
/// # Errors
/// The reason why the address is refused.
pub(crate) fn check_unicast(address: IpAddr) -> Result<IpAddr, String> {
    let IpAddr::V4(v4) = address else {
        return unicast_error(SocketAddr::new(address, 0)).map_or(Ok(address), Err);
    };
    let what = if v4.is_broadcast() {
        "the broadcast address"
    } else if v4.octets()[0] == 0 {
        "an address of this network (RFC 1122 3.2.1.3)"
    } else if v4.is_multicast() {
        "a multicast address"
    } else if v4.is_loopback() {
        "a loopback address"
    } else if v4.octets()[0] >= 240 {
        "a reserved address (class E)"
    } else {
        return Ok(address);
    };
    Err(format!("{address} is {what}; write a global unicast address"))
}

/// Whether an address of a subnet is one that a host can have: neither the network's own (in IPv6 the
/// routers' anycast address, RFC 4291 2.6.1) nor the broadcast address, which subnets of two addresses do
/// not have (RFC 3021, RFC 6164).
pub(crate) fn is_host(net: IpNet, address: IpAddr) -> bool {
    let is_end = address == net.network() || address.is_ipv4() && address == net.broadcast();
    net.contains(&address) && (net.max_prefix_len() - net.prefix_len() < 2 || !is_end)
}

/// An interface's address with its prefix length.
///
/// # Errors
/// The reason why the address is refused.
pub(crate) fn check_interface(net: IpNet) -> Result<IpNet, String> {
    if net.prefix_len() > 0 && is_host(net, net.addr()) {
        return Ok(net);
    }
    let net = net.trunc();
    Err(format!("no host of the subnet {net} can have this address; write another"))
}

/// An address with a prefix length or a mask behind it.
pub(crate) fn net(address: IpAddr, length: &str) -> Option<IpNet> {
    match length.parse::<u8>() {
        Ok(length) => IpNet::new(address, length).ok(),
        Err(_) => IpNet::with_netmask(address, length.parse().ok()?).ok(),
    }
}

/// The length of a mask such as 255.255.255.0 or ffff:ffff::.
///
/// # Errors
/// The reason why the text is refused.
pub(crate) fn mask_length(text: &str) -> Result<u8, String> {
    let mask = text.parse().ok().and_then(|mask| ipnet::ip_mask_to_prefix(mask).ok());
    mask.filter(|length| *length > 0)
        .ok_or_else(|| format!("{} is not a mask; write one such as 255.255.255.0", quote(text)))
}
