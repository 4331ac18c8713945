//! A server's counters before and after what was captured.

use super::{Effect, Finding};
use crate::configuration::Host;
use crate::known::Known;
use crate::verdict::passes_reverse_path_filter;
use labsim_codes::{Code, cause};

/// What a counter is a sign of: its name, what the host did to so many packets, causes, and the causes that are
/// none if it did not rise.
type Sign = (&'static str, &'static str, &'static [Code], &'static [Code]);

/// Signs, in the order of a packet's way (Documentation/networking/snmp_counter.rst).
const SIGNS: [Sign; 12] = [
    (
        "IpInUnknownProtos",
        "had no taker for the protocol of",
        &[cause::TUNNEL_MISSING, cause::ENCAPSULATION_MISMATCH],
        &[],
    ),
    ("IpInAddrErrors", "did not have the address of", &[cause::VIP_MISSING], &[]),
    ("Ip6InAddrErrors", "did not have the address of", &[cause::VIP_MISSING], &[]),
    (
        "TcpExtIPReversePathFilter",
        "dropped by its reverse path filter",
        &[cause::RP_FILTER],
        &[cause::RP_FILTER],
    ),
    ("IpExtInNoRoutes", "had no route for", &[cause::NO_ROUTE, cause::VIP_MISSING], &[]),
    ("IpOutNoRoutes", "had no route to send", &[cause::NO_ROUTE], &[]),
    ("IpReasmFails", "could not put together the fragments of", &[cause::FRAGMENTS_DROPPED], &[]),
    (
        "TcpInCsumErrors",
        "dropped for their checksum",
        &[cause::BAD_CHECKSUM, cause::CHECKSUM_UNFINISHED],
        &[cause::CHECKSUM_UNFINISHED],
    ),
    (
        "UdpInCsumErrors",
        "dropped for their checksum",
        &[cause::BAD_CHECKSUM, cause::CHECKSUM_UNFINISHED],
        &[],
    ),
    ("UdpNoPorts", "had no socket for", &[cause::NOT_LISTENING_AT_VIP], &[]),
    ("Udp6NoPorts", "had no socket for", &[cause::NOT_LISTENING_AT_VIP], &[]),
    ("IpInHdrErrors", "found errors in the headers of", &[cause::BAD_CHECKSUM], &[]),
];

/// What the counters of the server that got the packets show.
pub(super) fn findings(known: &Known<'_>, host: &Host) -> Vec<Finding> {
    let is_v4 = known.connection.server.is_ipv4();
    let is_filtered = passes_reverse_path_filter(known, false);
    let rises = host.rises();
    let mut found = Vec::new();
    for (counter, did, signs, excluded) in SIGNS {
        let is_reverse_path = signs == [cause::RP_FILTER];
        if is_reverse_path && !is_filtered {
            continue;
        }
        let Some(rise) = rises.iter().find(|it| it.name == counter) else { continue };
        let (name, by, (before, after)) = (&host.name, rise.by, &rise.lines);
        if by > 0 {
            let packets = if by == 1 { "packet" } else { "packets" };
            let text = format!(
                "{name} {did} {by} {packets} in the meantime ({counter}, {before} and {after}); whose they were, \
                 counters do not show"
            );
            found.push(Finding::new(text, Effect::Likely(signs.to_vec())));
        } else if !excluded.is_empty() && (is_v4 || is_reverse_path) {
            let text = format!("{name}'s {counter} did not rise ({before} and {after})");
            found.push(Finding::new(text, Effect::Excludes(excluded.to_vec())));
        }
    }
    found
}
