//! What hosts on one link say to each other so that packets find their way: ARP's part for IPv4,
//! neighbour discovery's and multicast listener discovery's for IPv6.

use labsim_wire::decode::{Content, Decoded, Icmp, Transport};
use labsim_wire::icmpv6::kind;
use labsim_wire::protocol;

/// Multicast listener queries, reports and leaves (RFC 2710), router solicitations and
/// advertisements (RFC 4861).
const LISTENERS_AND_ROUTERS: std::ops::RangeInclusive<u8> = 130..=134;
/// A report of MLDv2 (RFC 3810).
const REPORT: u8 = 143;

/// A message of neighbour discovery or multicast listener discovery.
pub(crate) fn message(decoded: &Decoded) -> Option<&Icmp> {
    let Content::Ip(packet) = &decoded.content else { return None };
    let Transport::Icmp(icmp) = &packet.transport else { return None };
    let is_one = packet.innermost().protocol == protocol::ICMPV6
        && (matches!(icmp.kind, kind::NEIGHBOUR_SOLICITATION | kind::NEIGHBOUR_ADVERTISEMENT)
            || LISTENERS_AND_ROUTERS.contains(&icmp.kind)
            || icmp.kind == REPORT);
    is_one.then_some(icmp)
}
