//! Addresses as both vendors have them.

use std::net::Ipv4Addr;

/// An address that one host can have.
///
/// # Errors
/// A sentence that says why it is none.
pub(crate) fn unicast(address: Ipv4Addr) -> Result<Ipv4Addr, String> {
    let what = if address.is_broadcast() {
        "the broadcast address"
    } else if address.octets()[0] == 0 {
        "an address of this network (RFC 1122 3.2.1.3)"
    } else if address.is_multicast() {
        "a multicast address"
    } else if address.is_loopback() {
        "a loopback address"
    } else if address.octets()[0] >= 240 {
        "an address of class E, which nobody has"
    } else {
        return Ok(address);
    };
    Err(format!("{address} is {what}; write a global unicast address"))
}
