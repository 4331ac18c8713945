//! A topology file as it is written.

use super::forms::Texts;
use labsim_yaml::{FromYaml, Located, Scalar, Table, short_forms};
use schemars::JsonSchema;

/// A topology: nodes, and how they are wired. Each node is a network namespace.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "labsim topology")]
pub(crate) struct TopologyFile {
    /// Another file, named from this file's folder, that this one is laid over: mappings key by key,
    /// everything else as a whole, and `null` takes a key out.
    #[expect(dead_code, reason = "followed before the file is read")]
    pub(crate) extends: Option<Located<String>>,
    /// The nodes by name (at most 63 bytes).
    pub(crate) nodes: Table<Located<RawNode>>,
    /// Cables: `["client:eth0", "router:client"]` each, or a map with `endpoints`.
    #[serde(default)]
    pub(crate) links: Vec<Located<RawLink>>,
    /// Switches by name: a list of what is plugged in, or a map with `endpoints`.
    #[serde(default)]
    pub(crate) segments: Table<Located<RawLink>>,
}

/// A host or a router.
#[derive(Debug, Clone, Default, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawNode {
    /// `true` makes it a router: its kernel forwards IPv4 and IPv6 between its interfaces.
    #[serde(default)]
    pub(crate) forward: bool,
    /// Its interfaces by name, `lo` not among them. Each is linked exactly once.
    #[serde(default)]
    pub(crate) interfaces: Table<Located<RawInterface>>,
    /// Routes: a destination (address, prefix or `default`) and its next hop, or a list of several
    /// that share the flows (ECMP) by a hash of addresses, or with
    /// `net.ipv4.fib_multipath_hash_policy: 1` (`net.ipv6.` likewise) of ports too. A host with one
    /// router on its subnets needs none: its default route is inferred. `default: none` keeps it
    /// from having one.
    #[serde(default)]
    pub(crate) routes: Table<Located<Texts>>,
    /// Kernel settings by dotted name, all of them below `net.`.
    #[serde(default)]
    pub(crate) sysctls: Table<Located<Scalar>>,
    /// Where pictures show it: `[column, row]`, from 0 at the left and from 0 at the top, each at most 99.
    /// Columns and rows without a node take no space; a node without `at` stands where the wiring puts it.
    #[schemars(extend("minItems" = 2, "maxItems" = 2))]
    pub(crate) at: Option<Located<Vec<u32>>>,
}

/// An interface: its addresses, or a map where it has more than these.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
#[yaml(short = "addresses")]
#[schemars(transform = short_forms::<Self>)]
pub(crate) struct RawInterface {
    /// Its addresses with their prefix lengths, such as `10.1.1.51/24` or `2001:db8::51/64`.
    pub(crate) addresses: Option<Located<Texts>>,
    /// The largest IP packet in bytes; by default the link's.
    pub(crate) mtu: Option<Located<u32>>,
}

/// What a link or a segment connects, or a map where it has settings.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
#[yaml(short = "endpoints")]
#[schemars(transform = short_forms::<Self>)]
pub(crate) struct RawLink {
    /// What it connects: `node:interface` each.
    pub(crate) endpoints: Vec<Located<String>>,
    /// The largest IP packet in bytes on all of its interfaces; 1500 by default.
    pub(crate) mtu: Option<Located<u32>>,
    /// Whether checksum and segmentation offloads stay on. They are off unless this is `true`:
    /// with them a capture shows half-made checksums and frames above the MTU.
    #[serde(default)]
    pub(crate) offloads: bool,
}
