//! A scenario file's `load_balancers` as they are written.

use super::forms::{Items, Table, forms};
use super::lenient::or_default;
use super::monitor::{ActionOnDownWord, MonitorForm};
use labsim_yaml::Located;
use schemars::JsonSchema;
use serde::Deserialize;

/// A load balancer.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoadBalancerFields {
    /// The source address of tunnel packets: the client's (the default), or the load balancer's
    /// own on its way out.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) outer_source: OuterSourceWord,
    /// Its virtual servers by name.
    pub(crate) virtual_servers: Table<Located<VirtualServerFields>>,
    /// Its pools by name.
    pub(crate) pools: Table<Located<PoolFields>>,
}

/// Whose address a tunnel packet carries as its source.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OuterSourceWord {
    /// The client's.
    #[default]
    Client,
    /// The load balancer's on its way out.
    Egress,
}

/// A VIP and port that the load balancer takes packets for.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VirtualServerFields {
    /// VIP and port: `172.16.4.99:49`, `[2001:db8::99]:49`; port `any` takes every port.
    pub(crate) destination: Located<String>,
    /// `tcp` (the default) or `udp`.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) ip_protocol: IpProtocolWord,
    /// The pool's name.
    pub(crate) pool: Located<String>,
    /// Whether the destination address is rewritten to the member's. Under DSR it is not:
    /// `false` is the default.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) translate_address: Option<Located<bool>>,
    /// What the source address becomes: `none` (it stays the client's, the default), `automap`
    /// (the load balancer's own on its way out), or `{snat: [ADDRESS, ...]}`.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) source_address_translation: Option<Located<SourceTranslationForm>>,
    /// Whether the destination port is rewritten to the member's: `true` unless it is said. It
    /// makes no difference while a member's port is the virtual server's.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) translate_port: Option<bool>,
    /// The fastL4 profile's options.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) fastl4: Option<FastL4Fields>,
    /// Whether a client's new flows go to the server of its last one: `none` (the default),
    /// `source_address`, or `{source_address: {timeout: SECONDS, prefix_length: BITS}}`.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) persistence: Option<Located<PersistenceForm>>,
}

forms! {
    /// Whether clients persist.
    PersistenceForm = "`none`, `source_address`, or a map with `source_address`" {
        text: "`none`: each flow is scheduled for itself. `source_address`: a client's flows stay together for 180 s after the last began.";
        map: PersistenceFields;
    }
}

/// Persistence with more to say.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PersistenceFields {
    /// By the client's address.
    pub(crate) source_address: SourceAddressFields,
}

/// Options of persistence by source address.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SourceAddressFields {
    /// Seconds after a client's last new flow until it is forgotten; 180 by default, as F5's.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) timeout: Option<Located<u64>>,
    /// Clients that agree in so many bits of their addresses are one: 1 to 32, or to 128
    /// where the VIP is IPv6; without it each is alone.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) prefix_length: Option<Located<u8>>,
}

forms! {
    /// What a packet's source address becomes.
    SourceTranslationForm = "`none`, `automap`, or a map with `snat`" {
        text: "`none`: it stays the client's. `automap`: the load balancer's own on its way out.";
        map: SnatFields;
    }
}

/// Addresses that stand in for clients.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SnatFields {
    /// The addresses; the load balancer answers ARP for them.
    pub(crate) snat: Located<Items<Located<String>>>,
}

/// A transport protocol.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum IpProtocolWord {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
}

/// How flows begin and end, in the words of F5's fastL4 profile.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FastL4Fields {
    /// Whether a TCP flow may begin with a packet that is no SYN; `false` by default.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) loose_initiation: bool,
    /// Whether a flow is over with the first FIN; `false` by default.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) loose_close: bool,
    /// Seconds without a packet after which a flow is forgotten; 300 by default.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) idle_timeout: Option<Located<u64>>,
    /// Whether client and member are sent a RST when the idle timeout ends a TCP flow; `true` unless
    /// it is said, as on F5.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) reset_on_timeout: Option<bool>,
}

/// The servers behind a virtual server.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PoolFields {
    /// How packets reach the members: `none` (as they are, the default), `ipip`, `gre`, or
    /// `{gre: {key: N, checksum: true}}`.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) profile: Option<Located<ProfileForm>>,
    /// Which member gets a new flow: `round_robin` (in turn, the default), `ratio` (in turn, as
    /// often as their ratios say), `least_connections`, `ratio_least_connections`, `maglev` (by the
    /// flow's hash), or `{maglev: {hash: source_address, table_size: N}}`.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) load_balancing_mode: Option<Located<ModeForm>>,
    /// How the members are watched: `none` (the default), `tcp`, `tacacs`, `radius`, `icmp`, or a map
    /// with one of the four and its options, `{tacacs: {transparent: true, interval: 200ms}}`.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) monitor: Option<Located<MonitorForm>>,
    /// What becomes of the flows of a member that is down: `none` (they stay, the default), `reset`
    /// or `reselect`.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) action_on_down: Option<Located<ActionOnDownWord>>,
    /// Address and port of each, `10.1.1.51:49`, or `{address: 10.1.1.51:49, ratio: N}`.
    pub(crate) members: Located<Items<Located<MemberForm>>>,
}

forms! {
    /// A pool's load balancing mode.
    ModeForm = "`round_robin`, `ratio`, `least_connections`, `ratio_least_connections`, `maglev`, or a map with `maglev`" {
        text: "`round_robin`, `ratio`, `least_connections` and `ratio_least_connections` as F5 has them; `maglev`: consistent hashing of each flow.";
        map: ModeFields;
    }
}

/// A load balancing mode with more to say.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ModeFields {
    /// Consistent hashing.
    pub(crate) maglev: MaglevFields,
}

/// Maglev's options.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MaglevFields {
    /// What is hashed: the `five_tuple` (the default) or the `source_address`.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) hash: MaglevHashWord,
    /// Places in its table, a prime; 65537 by default.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) table_size: Option<Located<u64>>,
}

/// What Maglev hashes.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MaglevHashWord {
    /// Both addresses, both ports and the protocol: each flow for itself.
    #[default]
    FiveTuple,
    /// The client's address: all of its flows alike.
    SourceAddress,
}

forms! {
    /// A member.
    MemberForm = "address and port such as `10.1.1.51:49`, or a map with `address` and `ratio`" {
        text: "Address and port.";
        map: MemberFields;
    }
}

/// A member with more to say.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MemberFields {
    /// Address and port: `10.1.1.51:49`.
    pub(crate) address: Located<String>,
    /// Its share against the others' ratios, 0 to 65535; 1 by default. 0 is a drain: it gets no new
    /// flow, whatever the mode.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) ratio: Option<Located<u64>>,
}

forms! {
    /// A pool's tunnel profile.
    ProfileForm = "`none`, `ipip`, `gre`, or a map with `gre`" {
        text: "`none`: as they are. `ipip`: IP in IP (RFC 2003). `gre`: GRE (RFC 2784).";
        map: ProfileFields;
    }
}

/// A tunnel profile with more to say.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProfileFields {
    /// GRE with optional fields.
    pub(crate) gre: GreFields,
}

/// The optional fields of a GRE header.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GreFields {
    /// The key (RFC 2890); both ends have to agree on it.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) key: Option<u32>,
    /// Whether packets carry a checksum (RFC 2784); `false` by default.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) checksum: bool,
}
