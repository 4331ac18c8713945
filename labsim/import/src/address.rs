//! Addresses as all vendors have them.

use ipnet::Ipv4Net;
use labsim_model::quote;
use std::net::Ipv4Addr;

/// An address that one host can have.
///
/// # Errors
/// The reason why the address is refused.
pub(crate) fn check_unicast(address: Ipv4Addr) -> Result<Ipv4Addr, String> {
    let what = if address.is_broadcast() {
        "the broadcast address"
    } else if address.octets()[0] == 0 {
        "an address of this network (RFC 1122 3.2.1.3)"
    } else if address.is_multicast() {
        "a multicast address"
    } else if address.is_loopback() {
        "a loopback address"
    } else if address.octets()[0] >= 240 {
        "a reserved address (class E)"
    } else {
        return Ok(address);
    };
    Err(format!("{address} is {what}; write a global unicast address"))
}

/// Whether an address of a subnet is one that a host can have: neither the network's own nor the
/// broadcast address, which subnets of two addresses do not have (RFC 3021).
pub(crate) fn is_host(net: Ipv4Net, address: Ipv4Addr) -> bool {
    let ends = [net.network(), net.broadcast()];
    net.contains(&address) && (net.prefix_len() > 30 || !ends.contains(&address))
}

/// An interface's address with its prefix length.
///
/// # Errors
/// The reason why the address is refused.
pub(crate) fn check_interface(net: Ipv4Net) -> Result<Ipv4Net, String> {
    if net.prefix_len() > 0 && is_host(net, net.addr()) {
        return Ok(net);
    }
    let net = net.trunc();
    Err(format!("no host of the subnet {net} can have this address; write another"))
}

/// The length of a mask such as 255.255.255.0.
///
/// # Errors
/// The reason why the text is refused.
pub(crate) fn mask_length(text: &str) -> Result<u8, String> {
    let bits = text.parse::<Ipv4Addr>().ok().map(Ipv4Addr::to_bits);
    let length = bits.map(u32::leading_ones).filter(|length| *length > 0);
    length
        .filter(|length| bits.is_some_and(|bits| bits.count_ones() == *length))
        .and_then(|length| u8::try_from(length).ok())
        .ok_or_else(|| format!("{} is not a mask; write one such as 255.255.255.0", quote(text)))
}
