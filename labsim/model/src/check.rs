//! What is wrong with a configuration that can be read: every error at once, in sentences.

mod balancer;
mod family;
mod forwarder;
mod monitor;
mod pool;

use std::net::SocketAddr;

/// Why an address cannot be one host's, such as a VIP or a member, as what to do about it.
#[must_use]
pub fn unicast_error(address: SocketAddr) -> Option<String> {
    use std::net::IpAddr;
    let what = match address.ip() {
        IpAddr::V4(ip) if ip.is_broadcast() => "the broadcast address",
        IpAddr::V6(ip) if ip.to_ipv4_mapped().is_some() => "an IPv4-mapped address",
        IpAddr::V6(ip) if ip.is_unicast_link_local() => "a link-local address",
        ip if ip.is_unspecified() => "the unspecified address",
        ip if ip.is_multicast() => "a multicast address",
        ip if ip.is_loopback() => "a loopback address",
        _ => match address {
            SocketAddr::V6(address) if address.scope_id() != 0 => "an address with a zone",
            _ => return None,
        },
    };
    Some(format!("{} is {what}; write a global unicast address", address.ip()))
}

fn family(is_ipv4: bool) -> &'static str {
    if is_ipv4 { "IPv4" } else { "IPv6" }
}
