//! A scenario file's made-up packets as they are written.

use super::lenient::or_default;
use labsim_yaml::Located;
use schemars::JsonSchema;
use serde::Deserialize;

/// A UDP packet over IPv4 or IPv6, in a tunnel packet or not, sent from a node as it is written. The step
/// is over when nothing is on its way any more.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SendPacketFields {
    /// The node that sends it. The packet's own source may be another's address.
    pub(crate) from: Located<String>,
    /// Source address.
    pub(crate) source: Located<String>,
    /// Destination address.
    pub(crate) destination: Located<String>,
    /// Source port; 4000 by default.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) source_port: Option<Located<u16>>,
    /// Destination port.
    pub(crate) destination_port: Located<u16>,
    /// TTL, or IPv6's hop limit; 64 by default.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) ttl: Option<Located<u8>>,
    /// TOS, or IPv6's traffic class, its two lowest bits the congestion mark: 1 and 2 capable, 3 experienced; 0 by default.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) tos: Option<Located<u8>>,
    /// Bytes of payload, all zero; 0 by default.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) payload: Option<Located<u32>>,
    /// The tunnel packet around it.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) outer: Option<Located<SentOuterFields>>,
}

/// A tunnel packet's header.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SentOuterFields {
    /// `ipip` or `gre`.
    pub(crate) mode: Located<String>,
    /// Source address.
    pub(crate) source: Located<String>,
    /// Destination address.
    pub(crate) destination: Located<String>,
    /// TTL; 64 by default.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) ttl: Option<Located<u8>>,
    /// TOS, its two lowest bits the congestion mark; 0 by default.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) tos: Option<Located<u8>>,
    /// IPv4's don't-fragment bit; `false` by default.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) dont_fragment: Option<Located<bool>>,
    /// GRE's key (RFC 2890).
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) key: Option<Located<u32>>,
    /// Whether GRE carries a checksum; `false` by default.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) checksum: Option<Located<bool>>,
}
