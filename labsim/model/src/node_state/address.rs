//! Addresses of a node, and where each is valid.

use super::NodeState;
use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;

/// An address of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Address {
    /// The device.
    pub device: String,
    /// With its prefix length; host bits are kept.
    #[schemars(with = "String")]
    pub address: IpNet,
    /// Where it is valid.
    pub scope: AddressScope,
    /// Of IPv6: the kernel still asks whether another host has it, and takes no packets for it
    /// (`IFA_F_TENTATIVE`).
    #[serde(default)]
    pub tentative: bool,
    /// Of IPv6: another host has it, and it is not used (`IFA_F_DADFAILED`).
    #[serde(default)]
    pub dad_failed: bool,
    /// Of IPv6: it is not chosen as a source by itself (`IFA_F_DEPRECATED`).
    #[serde(default)]
    pub deprecated: bool,
}

/// Where an address is valid (`ifa_scope`, rtnetlink(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AddressScope {
    /// Everywhere: the kernel may choose it as the source of packets to anyone.
    Global,
    /// In this site (IPv6, RFC 3879: no longer used).
    Site,
    /// On this link.
    Link,
    /// In this host: never chosen as a source for other hosts.
    Host,
    /// Of another number.
    Other(u8),
}

impl fmt::Display for AddressScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Global => f.write_str("global"),
            Self::Site => f.write_str("site"),
            Self::Link => f.write_str("link"),
            Self::Host => f.write_str("host"),
            Self::Other(number) => write!(f, "{number}"),
        }
    }
}

impl Address {
    /// Whether packets to it are taken: it is not waiting for duplicate address detection, nor
    /// failed by it.
    #[must_use]
    pub const fn is_usable(&self) -> bool {
        !self.tentative && !self.dad_failed
    }
}

impl NodeState {
    /// Where the node has an address: on one device, on several, or nowhere.
    pub fn addresses_at(&self, address: IpAddr) -> impl Iterator<Item = &Address> {
        self.addresses.iter().filter(move |one| one.address.addr() == address)
    }

    /// A device's addresses.
    pub fn addresses_on(&self, device: &str) -> impl Iterator<Item = &Address> {
        self.addresses.iter().filter(move |one| one.device == device)
    }

    /// Whether the device has an IPv4 address. Without one, reverse path filtering of any mode
    /// drops all that the device receives (`__fib_validate_source` of net/ipv4/fib_frontend.c:
    /// `no_addr`).
    #[must_use]
    pub fn has_ipv4(&self, device: &str) -> bool {
        self.addresses_on(device).any(|one| one.address.addr().is_ipv4())
    }
}

#[cfg(test)]
pub(super) fn on(device: &str, address: &str, scope: AddressScope) -> Address {
    Address {
        device: device.to_owned(),
        address: address.parse().unwrap(),
        scope,
        tentative: false,
        dad_failed: false,
        deprecated: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_found_wherever_it_is() {
        let state = NodeState {
            addresses: vec![
                on("eth0", "10.1.1.51/24", AddressScope::Global),
                on("lo", "172.16.4.99/32", AddressScope::Host),
                on("tunl0", "172.16.4.99/32", AddressScope::Global),
                on("eth1", "2001:db8::1/64", AddressScope::Global),
            ],
            ..NodeState::default()
        };
        let found: Vec<_> = state
            .addresses_at("172.16.4.99".parse().unwrap())
            .map(|one| (one.device.as_str(), one.scope))
            .collect();
        assert_eq!(found, [("lo", AddressScope::Host), ("tunl0", AddressScope::Global)]);
        assert_eq!(state.addresses_at("10.1.1.50".parse().unwrap()).count(), 0);
        assert!(state.has_ipv4("tunl0") && !state.has_ipv4("eth1") && !state.has_ipv4("eth2"));
    }
}
