//! A scenario file as it is written: load balancers, servers, steps.

use super::expectation::ExpectationFields;
use super::forms::{Items, Scalar, Table, Texts, forms};
use super::lenient::{or_default, or_empty};
use labsim_yaml::Located;
use schemars::JsonSchema;
use serde::Deserialize;

/// A scenario: a lab, what is done in it, and what must have been observed.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "labsim scenario")]
pub(crate) struct ScenarioFile {
    /// The topology file, named from this file's folder.
    pub(crate) topology: Located<String>,
    /// The load balancers, by the node that each runs in.
    #[serde(default, deserialize_with = "or_empty")]
    pub(crate) load_balancers: Table<Located<LoadBalancerFields>>,
    /// What makes nodes real servers: tunnel, VIP, kernel settings.
    #[serde(default, deserialize_with = "or_empty")]
    pub(crate) real_servers: Items<Located<RealServerFields>>,
    /// TACACS+ servers.
    #[serde(default, deserialize_with = "or_empty")]
    pub(crate) tacacs_servers: Items<Located<TacacsServerFields>>,
    /// What is done, in this order. The key is the step's name.
    pub(crate) steps: Table<Located<StepForm>>,
    /// Conversations by name, for `exchange` to point at: a row for each packet, in order.
    /// A row says who sends (`client` or `server`), the TCP flags as tcpdump prints them, and
    /// then names and values: `server P. seq 1 ack 27 payload 28 length 68`.
    #[serde(default, deserialize_with = "or_empty")]
    pub(crate) conversations: Table<Items<Located<String>>>,
    /// What must have been observed.
    pub(crate) expect: Items<Located<ExpectationFields>>,
}

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
    /// Whether the destination port is rewritten to the member's: `true` unless it is said. It
    /// makes no difference while a member's port is the virtual server's.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) translate_port: Option<bool>,
    /// The fastL4 profile's options.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) fastl4: Option<FastL4Fields>,
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
}

/// The servers behind a virtual server.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PoolFields {
    /// How packets reach the members: `none` (plain routing, the default) or `ipip`.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) profile: ProfileWord,
    /// Address and port of each: `10.1.1.51:49`.
    pub(crate) members: Located<Items<Located<String>>>,
}

/// A pool's tunnel profile.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ProfileWord {
    /// No tunnel.
    #[default]
    None,
    /// IP in IP (RFC 2003).
    Ipip,
}

/// What makes nodes real servers under Direct Server Return.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RealServerFields {
    /// The nodes: a name or a list.
    pub(crate) nodes: Located<Texts>,
    /// Where tunnel packets come out: `ipip`, or a map. None without it.
    #[serde(default, deserialize_with = "or_empty")]
    pub(crate) tunnel: Option<Located<TunnelForm>>,
    /// The VIP that each node holds: an address, a map, or a list of these.
    #[serde(default, deserialize_with = "or_empty")]
    pub(crate) vip: Option<Located<VipForm>>,
    /// Kernel settings by dotted name, made after the tunnel device exists.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) sysctls: Table<Located<Scalar>>,
}

forms! {
    /// A tunnel's end, short or long.
    TunnelForm = "`ipip`, or a map with `mode`" {
        text: "`ipip`: device tunl0, up, with the server's own address, scope host.";
        map: TunnelFields;
    }
}

/// A tunnel's end.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TunnelFields {
    /// `ipip`.
    pub(crate) mode: Located<String>,
    /// The device's name; `tunl0` for ipip.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) device: Option<Located<String>>,
    /// The address on it: `own` (the default: the one that the pool knows the server by),
    /// `none`, or an address.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) address: Option<Located<String>>,
}

forms! {
    /// One VIP or several.
    VipForm = "an address, a map with `address`, or a list of these" {
        text: "A VIP: on lo, as a host prefix, scope host, label lo:0.";
        list: Located<OneVipForm>;
        map: VipFields;
    }
}

forms! {
    /// A VIP of a list.
    OneVipForm = "an address, or a map with `address`" {
        text: "A VIP: on lo, as a host prefix, scope host.";
        map: VipFields;
    }
}

/// A VIP on a real server.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VipFields {
    /// The VIP, without a prefix length.
    pub(crate) address: Located<String>,
    /// The device that it is put on; `lo` by default.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) device: Option<Located<String>>,
    /// Its label, `lo:0` and so on by default; IPv4 only.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) label: Option<Located<String>>,
}

/// A TACACS+ server (RFC 8907) on each of some nodes.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TacacsServerFields {
    /// The nodes: a name or a list.
    pub(crate) nodes: Located<Texts>,
    /// The TCP port; 49 by default.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) port: Option<Located<u16>>,
    /// The secret that it shares with its clients.
    pub(crate) secret: Located<String>,
    /// The addresses or prefixes that it takes connections from; it refuses all others.
    pub(crate) clients: Located<Items<Located<String>>>,
    /// Passwords by user.
    pub(crate) users: Table<Located<String>>,
}

/// What a step does.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StepForm {
    /// A TACACS+ login.
    TacacsLogin(TacacsLoginFields),
}

/// A TACACS+ login.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TacacsLoginFields {
    /// The client's node.
    pub(crate) from: Located<String>,
    /// Address and port that it connects to.
    pub(crate) to: Located<String>,
    /// How the password travels: `ascii` (asked for, the default), `pap` or `chap`.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) method: LoginMethodWord,
    /// The user.
    pub(crate) user: Located<String>,
    /// The password.
    pub(crate) password: Located<String>,
    /// The client's secret; the servers' unless it is said.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) secret: Option<Located<String>>,
}

/// A login's method.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LoginMethodWord {
    /// The server asks for the password.
    #[default]
    Ascii,
    /// The password travels with the start.
    Pap,
    /// A challenge's digest travels with the start.
    Chap,
}
