//! Steps that change a node while the lab runs, as they are written.

use crate::model::Scope;
use labsim_yaml::{FromYaml, Located, Scalar, Table};
use schemars::JsonSchema;

/// A route to set or to remove.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawSetRoute {
    /// The node.
    pub(crate) node: Located<String>,
    /// The destination: an address, a prefix, or `default`.
    pub(crate) to: Located<String>,
    /// The next hop's address; `blackhole` drops packets to the destination, `unreachable` drops
    /// them and reports it to their sender, and `none` removes the route.
    pub(crate) via: Located<String>,
    /// The largest IP packet in bytes that is sent that way, from 68 to 65520; the interface's MTU by
    /// default.
    pub(crate) mtu: Option<Located<u32>>,
    /// The MSS that TCP offers to clients there, in bytes from 48 to 65495; by default what the MTU
    /// leaves.
    pub(crate) advmss: Option<Located<u32>>,
}

/// Kernel settings to write.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawSetSysctls {
    /// The node.
    pub(crate) node: Located<String>,
    /// Kernel settings by dotted name, all of them below `net.`.
    pub(crate) sysctls: Located<Table<Located<Scalar>>>,
}

/// An address to add or to remove.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawSetAddress {
    /// The node.
    pub(crate) node: Located<String>,
    /// Its interface, its tunnel device, or `lo`.
    pub(crate) interface: Located<String>,
    /// The address, with its prefix length or alone (`172.16.4.99`, a host prefix).
    pub(crate) address: Located<String>,
    /// `present` or `absent`.
    pub(crate) state: Located<Presence>,
    /// Where it is valid (ip-address(8)): `host` by default on `lo`, `global` elsewhere. IPv4 only.
    pub(crate) scope: Option<Located<Scope>>,
}

/// A packet filter to put in or to take out.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawSetFilter {
    /// The filter's name in `filters`.
    pub(crate) filter: Located<String>,
    /// `present` or `absent`, on all of its nodes.
    pub(crate) state: Located<Presence>,
}

/// Whether something is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, FromYaml, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(crate) enum Presence {
    /// It is there.
    #[default]
    Present,
    /// It is not.
    Absent,
}
