//! A topology file as it is written.

use super::forms::{Items, Scalar, Table, Texts, forms};
use super::lenient::{or_default, or_empty};
use labsim_yaml::Located;
use schemars::JsonSchema;
use serde::Deserialize;

/// A topology: nodes, and how they are wired. Each node is a network namespace.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "labsim topology")]
pub(crate) struct TopologyFile {
    /// Another file, named from this file's folder, that this one is laid over: mappings key by key,
    /// everything else as a whole, and `null` takes a key out.
    #[serde(default, deserialize_with = "or_default")]
    #[expect(dead_code, reason = "followed before the file is read")]
    pub(crate) extends: Option<Located<String>>,
    /// The nodes by name (at most 15 bytes).
    pub(crate) nodes: Table<Located<NodeFields>>,
    /// Cables: `["client:eth0", "router:client"]` each, or a map with `endpoints`.
    #[serde(default, deserialize_with = "or_empty")]
    pub(crate) links: Items<Located<LinkForm>>,
    /// Switches by name: a list of what is plugged in, or a map with `endpoints`.
    #[serde(default, deserialize_with = "or_empty")]
    pub(crate) segments: Table<Located<LinkForm>>,
}

/// A host or a router.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NodeFields {
    /// `true` makes it a router: its kernel forwards IPv4 and IPv6 between its interfaces.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) forward: bool,
    /// Its interfaces by name, `lo` not among them. Each is linked exactly once.
    #[serde(default, deserialize_with = "or_empty")]
    pub(crate) interfaces: Table<Located<InterfaceForm>>,
    /// Routes: a destination (address, prefix or `default`) and its next hop. A host with one
    /// router on its subnets needs none: its default route is inferred. `default: none` keeps it
    /// from having one.
    #[serde(default, deserialize_with = "or_empty")]
    pub(crate) routes: Table<Located<Texts>>,
    /// Kernel settings by dotted name, all of them below `net.`.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) sysctls: Table<Located<Scalar>>,
}

forms! {
    /// An interface's addresses, or a map where there is more to say.
    InterfaceForm = "an address with its prefix length, a list of such, or a map with `addresses`" {
        text: "An address with its prefix length, such as 10.1.1.51/24 or 2001:db8::51/64.";
        list: Located<String>;
        map: InterfaceFields;
    }
}

/// An interface with more than addresses.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct InterfaceFields {
    /// Its addresses with their prefix lengths.
    #[serde(default, deserialize_with = "or_empty")]
    pub(crate) addresses: Option<Located<Texts>>,
    /// The largest IP packet in bytes; the link's unless it is said here.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) mtu: Option<Located<u32>>,
}

forms! {
    /// What a link or a segment connects, or a map where there is more to say.
    LinkForm = "a list of `node:interface`, or a map with `endpoints`" {
        list: Located<String>;
        map: LinkFields;
    }
}

/// A link or a segment with settings.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LinkFields {
    /// What it connects: `node:interface` each.
    pub(crate) endpoints: Items<Located<String>>,
    /// The largest IP packet in bytes on all of its interfaces: 1500 unless it is said.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) mtu: Option<Located<u32>>,
    /// Whether checksum and segmentation offloads stay on. They are off unless this is `true`:
    /// with them a capture shows half-made checksums and frames above the MTU.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) offloads: bool,
}
