//! A scenario file's floods as they are written.

use labsim_model::IpProtocol;
use labsim_yaml::{FromYaml, Located, Scalar};
use schemars::JsonSchema;

/// Sends packets at a rate, each from another source: TCP SYNs, or empty UDP datagrams. A machine that does
/// not keep up sends fewer. The step ends when no packet is in flight.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawFlood {
    /// The node that sends them; the packets' sources are not its own.
    pub(crate) from: Located<String>,
    /// Destination address and port.
    pub(crate) to: Located<String>,
    /// `tcp` (SYNs, the default) or `udp`.
    pub(crate) ip_protocol: Option<IpProtocol>,
    /// Packets a second, up to 2000000.
    pub(crate) packets_per_second: Located<u32>,
    /// How long, such as `500ms`, up to `60s`.
    pub(crate) duration: Located<Scalar>,
    /// The prefix that the sources are drawn from; `198.18.0.0/15` by default (RFC 2544), or `2001:2::/48`
    /// (RFC 5180). No node has an address of it.
    pub(crate) sources: Option<Located<String>>,
    /// Chooses the sequence of sources, ports and sequence numbers; 0 by default.
    pub(crate) seed: Option<u64>,
}
