//! A scenario file's made-up packets as they are written.

use labsim_model::TunnelProtocol;
use labsim_yaml::{FromYaml, Located, Scalar};
use schemars::JsonSchema;

/// A UDP packet over IPv4 or IPv6, with or without a tunnel header, that a node sends as it is
/// written. The step ends when no packet is in flight.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawCraftedPacket {
    /// The node that sends it. The packet's own source may be another's address.
    pub(crate) from: Located<String>,
    /// Source address.
    pub(crate) source: Located<String>,
    /// Destination address.
    pub(crate) destination: Located<String>,
    /// Source port; 4000 by default.
    pub(crate) source_port: Option<Located<u16>>,
    /// Destination port.
    pub(crate) destination_port: Located<u16>,
    /// TTL, or IPv6's hop limit; 64 by default.
    pub(crate) ttl: Option<Located<u8>>,
    /// TOS, or IPv6's traffic class, its two lowest bits the congestion mark: 1 and 2 capable, 3 experienced; 0 by default.
    pub(crate) tos: Option<Located<u8>>,
    /// Instead of `tos`: the DSCP (RFC 2474), from 0 to 63 or by name (`ef`, `af11`, `cs3`).
    pub(crate) dscp: Option<Located<Scalar>>,
    /// IPv4's options in their order (RFC 791, section 3.1): up to 40 bytes. Those of
    /// a list of source routes are refused by most routers (`net.ipv4.conf.all.accept_source_route`).
    pub(crate) options: Option<Located<Vec<Located<RawIpOption>>>>,
    /// Bytes of payload, all zero; 0 by default.
    pub(crate) payload: Option<Located<u32>>,
    /// The tunnel packet around it.
    pub(crate) outer: Option<Located<RawCraftedOuter>>,
}

/// A tunnel packet's header.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawCraftedOuter {
    /// What is put around it: `ipip`, `gre`, or a map of one of them with its options.
    pub(crate) mode: Located<TunnelProtocol>,
    /// Source address.
    pub(crate) source: Located<String>,
    /// Destination address.
    pub(crate) destination: Located<String>,
    /// TTL; 64 by default.
    pub(crate) ttl: Option<Located<u8>>,
    /// TOS, or IPv6's traffic class, its two lowest bits the congestion mark; 0 by default.
    pub(crate) tos: Option<Located<u8>>,
    /// Instead of `tos`: the DSCP (RFC 2474), from 0 to 63 or by name (`ef`, `af11`, `cs3`).
    pub(crate) dscp: Option<Located<Scalar>>,
    /// IPv4's don't-fragment bit; `false` by default.
    pub(crate) dont_fragment: Option<Located<bool>>,
    /// GRE's key (RFC 2890).
    pub(crate) key: Option<Located<u32>>,
    /// Whether GRE carries a checksum; `false` by default.
    pub(crate) checksum: Option<Located<bool>>,
}

/// An option of an IPv4 header: `router_alert`, `no_operation`, or a map with one of the others.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RawIpOption {
    /// Routers look at the packet more closely (RFC 2113).
    RouterAlert,
    /// One byte that says nothing.
    NoOperation,
    /// Room for the addresses of so many routers on the way, from 1 to 9.
    RecordRoute(Located<u8>),
    /// Room for the times of so many routers on the way, from 1 to 9.
    Timestamp(Located<u8>),
    /// The addresses of routers that the packet passes, others between them, from 1 to 9.
    LooseSourceRoute(Located<Vec<Located<String>>>),
    /// The addresses of all routers that the packet passes, from 1 to 9.
    StrictSourceRoute(Located<Vec<Located<String>>>),
}
