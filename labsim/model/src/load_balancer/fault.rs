//! What a load balancer does wrong on purpose, to show the failure that it leads to.

use labsim_yaml::FromYaml;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A deliberate fault of the forwarder. Each is one that load balancers in the field have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, FromYaml, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliberateFault {
    /// It does not announce its addresses when it starts or becomes active: no gratuitous ARP
    /// (RFC 5227 2.3) and no unsolicited neighbour advertisement (RFC 4861 7.2.6). Neighbours that know
    /// another link-layer address for a VIP go on using it.
    NoGratuitousArp,
    /// It forwards packets whose TCP or UDP checksum their sender left to hardware, and does not
    /// finish the checksum: the field holds the sum of the pseudo-header alone, and the server drops
    /// the packet. It shows where the wires on the way to it have `offloads: true`.
    RawChecksums,
    /// It does not look at the size of what it sends: no ICMP "fragmentation needed" or "packet too
    /// big" to the client, no fragments, and no path MTU learned from a router's error. A packet that
    /// is too long with its tunnel header is lost where the first link does not take it.
    NoSizeCheck,
    /// It schedules an ICMP error to a VIP by the error's own addresses, as a new packet of its pool,
    /// and does not look for the flow that the quoted packet belongs to: the error may reach another
    /// member than the one whose answer it is about.
    IcmpByOuter,
    /// It keeps no flow table, and chooses a member for each packet anew. It takes no notice of how
    /// flows begin and end.
    ForgetFlows,
}

impl fmt::Display for DeliberateFault {
    /// As it stands in a file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoGratuitousArp => "no_gratuitous_arp",
            Self::RawChecksums => "raw_checksums",
            Self::NoSizeCheck => "no_size_check",
            Self::IcmpByOuter => "icmp_by_outer",
            Self::ForgetFlows => "forget_flows",
        })
    }
}
