//! A scenario file's packet filters as they are written.

use super::changes::Presence;
use super::forms::Texts;
use crate::model::filter::Policy;
use labsim_yaml::{FromYaml, Located, Scalar, short_forms};
use schemars::JsonSchema;

/// A packet filter: rules in nftables' words (nft(8)), for each hook a chain of its own. A packet
/// has to pass every filter of a node. Every rule counts the packets that it decides about.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawFilter {
    /// The nodes that have it: a name or a list.
    pub(crate) nodes: Located<Texts>,
    /// Whether the nodes have it when the steps begin: `present` (the default) or `absent`, until a
    /// `set_filter` step puts it in.
    pub(crate) state: Option<Located<Presence>>,
    /// Packets that come in, before it is decided where they go. The VIP's packets pass here on
    /// a real server twice: in their tunnel, and out of it.
    pub(crate) prerouting: Option<Located<RawChain>>,
    /// Packets for the node itself, at the end of their way in.
    pub(crate) input: Option<Located<RawChain>>,
    /// Packets that a router sends on.
    pub(crate) forward: Option<Located<RawChain>>,
    /// Packets of the node's own, on their way out.
    pub(crate) output: Option<Located<RawChain>>,
    /// Packets that go out, the node's own and those that it sends on.
    pub(crate) postrouting: Option<Located<RawChain>>,
}

/// The rules of one hook: one, a list, or a map. The first rule that matches decides.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
#[yaml(short = "rules")]
#[schemars(transform = short_forms::<Self>)]
pub(crate) struct RawChain {
    /// Rules, such as `meta l4proto { tcp, udp, icmp } accept`: matches, all of which have to
    /// hold, and `accept`, `drop` or `reject`; or `ip dscp set ef` (`ip6 dscp set`), which may stand
    /// alone, and the next rules follow. Matches are `iifname`, `oifname`, `meta l4proto`,
    /// `ip saddr` and other fields of the headers `ip`, `ip6`, `tcp`, `udp`, `icmp` and `icmpv6`,
    /// and `ct state`; each with a value, a range, a prefix or a set in braces, behind `!=`, `<`
    /// and the like, or behind a mask as in `ip frag-off & 0x1fff != 0`.
    pub(crate) rules: Option<Located<Texts>>,
    /// What becomes of packets that no rule decides about; `accept` by default.
    pub(crate) policy: Option<Located<Policy>>,
    /// The place among the kernel's own work at the hook, from -1000 to 1000; 0 by default. At
    /// `prerouting`, fragments are seen before -400 where a rule of the node has `ct state`, which
    /// joins them there.
    pub(crate) priority: Option<Located<Scalar>>,
}
