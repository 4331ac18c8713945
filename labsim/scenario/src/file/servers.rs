//! A scenario file's real servers and what runs on them, as they are written.

use super::forms::Texts;
use crate::model::{Listen, Scope};
use labsim_model::{TcpForm, TunnelProtocol, UdpForm};
use labsim_yaml::{FromYaml, Located, Scalar, Table, short_forms};
use schemars::JsonSchema;

/// What makes nodes real servers under Direct Server Return.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawRealServer {
    /// The nodes: a name or a list.
    pub(crate) nodes: Located<Texts>,
    /// Where tunnel packets come out: `ipip`, `gre`, or a map. None without it.
    pub(crate) tunnel: Option<Located<RawTunnelDevice>>,
    /// The VIP that each node holds: an address, a map, or a list of these.
    pub(crate) vip: Option<Located<RawVips>>,
    /// Kernel settings by dotted name, made after the tunnel device exists.
    #[serde(default)]
    pub(crate) sysctls: Table<Located<Scalar>>,
    /// What the node's routes through a router say of packet sizes (ip-route(8)).
    pub(crate) routes: Option<Located<RawRouteMetrics>>,
}

/// Packet sizes of all routes through a router.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawRouteMetrics {
    /// The largest IP packet in bytes that is sent that way, from 68 to 65520; the interface's MTU by
    /// default.
    pub(crate) mtu: Option<Located<u32>>,
    /// The MSS that TCP offers to clients there, in bytes from 48 to 65495; by default what the MTU
    /// leaves. With one that leaves room for the tunnel's header, no packet is too long for it.
    pub(crate) advmss: Option<Located<u32>>,
}

/// A tunnel's end: `ipip`, `gre`, or a map. The kernel's own devices for the families that come
/// in and out (tunl0, sit0, ip6tnl1; gre0, ip6gre0), up, with the server's own IPv4 address, scope
/// host.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
#[yaml(short = "mode")]
#[schemars(transform = short_forms::<Self>)]
pub(crate) struct RawTunnelDevice {
    /// What is taken off: `ipip`, `gre`, `gue`, or a map of one of them with its options.
    pub(crate) mode: Located<TunnelProtocol>,
    /// The device's name; `tunl0` for ipip, `gre0` for gre, `gre1` with a key or a checksum. With
    /// IPv6 inside, `sit0`; with IPv6 outside, `ip6tnl1`, `ip6gre0`, `ip6gre1`.
    pub(crate) device: Option<Located<String>>,
    /// The IPv4 address on it: `own` (the default: the one that the pool knows the server by),
    /// `none`, or an address.
    pub(crate) address: Option<Located<String>>,
    /// Whether the device is up; `true` by default.
    pub(crate) up: Option<Located<bool>>,
    /// GRE's key (RFC 2890), the pool's profile's.
    pub(crate) key: Option<Located<u32>>,
    /// Whether GRE packets carry a checksum, as the pool's profile says; `false` by default.
    pub(crate) checksum: Option<Located<bool>>,
}

/// One VIP or several.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub(crate) enum RawVips {
    /// One.
    One(RawVip),
    /// Several.
    List(Vec<Located<RawVip>>),
}

/// A VIP on a real server: its address, or a map. By default on lo, as a host prefix, scope host,
/// label lo:0.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
#[yaml(short = "address")]
#[schemars(transform = short_forms::<Self>)]
pub(crate) struct RawVip {
    /// The VIP, without a prefix length.
    pub(crate) address: Located<String>,
    /// The device that it is put on; `lo` by default.
    pub(crate) device: Option<Located<String>>,
    /// Its label, `lo:0` and so on by default; IPv4 only.
    pub(crate) label: Option<Located<String>>,
    /// Where it is valid (ip-address(8)); `host` by default. IPv4 only. With `global` or `link` the
    /// kernel answers ARP for it though `arp_ignore` is 3.
    pub(crate) scope: Option<Located<Scope>>,
}

/// A TACACS+ server (RFC 8907) on each of some nodes.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawTacacsServer {
    /// The nodes: a name or a list.
    pub(crate) nodes: Located<Texts>,
    /// At which addresses of its node it listens: `any` (the default), `own` (those of its
    /// interfaces, and no VIP) or `vip` (the VIPs that it holds, and no other).
    pub(crate) listen: Option<Located<Listen>>,
    /// The TCP port; 49 by default.
    pub(crate) port: Option<Located<u16>>,
    /// The secret that it shares with its clients.
    pub(crate) secret: Located<String>,
    /// The addresses or prefixes that it takes connections from; it refuses all others.
    pub(crate) clients: Located<Vec<Located<String>>>,
    /// Passwords by user.
    pub(crate) users: Table<Located<String>>,
    /// The services that users are authorized for, with the attributes that they get, by user and service:
    /// `{violet: {shell: [priv-lvl=15]}}`. A user without an entry is authorized for everything.
    #[serde(default)]
    pub(crate) services: Table<Table<RawTacacsService>>,
}

/// What a user gets who is authorized for a service (RFC 8907, section 6.2).
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
#[yaml(short = "attributes")]
#[schemars(transform = short_forms::<Self>)]
pub(crate) struct RawTacacsService {
    /// Attributes with their values: `priv-lvl=15`, or `idletime*5` for one that may be ignored.
    pub(crate) attributes: Vec<Located<String>>,
    /// Whether they replace those of the client's request; by default they are added to them.
    #[serde(default)]
    pub(crate) replace: bool,
}

/// A RADIUS server (RFC 2865, RFC 2866) on each of some nodes.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawRadiusServer {
    /// The nodes: a name or a list.
    pub(crate) nodes: Located<Texts>,
    /// At which addresses of its node it listens: `any` (the default), `own` (those of its
    /// interfaces, and no VIP) or `vip` (the VIPs that it holds, and no other).
    pub(crate) listen: Option<Located<Listen>>,
    /// The UDP port for Access-Request; 1812 by default.
    pub(crate) authentication_port: Option<Located<u16>>,
    /// The UDP port for Accounting-Request; 1813 by default.
    pub(crate) accounting_port: Option<Located<u16>>,
    /// The secret that it shares with its clients.
    pub(crate) secret: Located<String>,
    /// The addresses or prefixes that it answers; it discards the requests of all others.
    pub(crate) clients: Located<Vec<Located<String>>>,
    /// Passwords by user.
    pub(crate) users: Table<Located<String>>,
    /// Whether it discards an Access-Request without a Message-Authenticator; `false` by default.
    #[serde(default)]
    pub(crate) require_message_authenticator: bool,
    /// Whether its Access-Accept and Access-Reject carry a Message-Authenticator; `true` by default. Servers
    /// of before July 2024 (CVE-2024-3596) send none.
    pub(crate) message_authenticator: Option<bool>,
    /// Reply-Message of every Access-Accept and Access-Reject: up to 2024 bytes.
    pub(crate) reply_message: Option<Located<String>>,
    /// Whether it answers from the address that the request was sent to (IP_PKTINFO); `true` by
    /// default. Without it the answer comes from the server's own address, and not from the VIP.
    pub(crate) packet_info: Option<bool>,
}

/// A TCP server of any service on each of some nodes, which may run several.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawTcpServer {
    /// The nodes: a name or a list.
    pub(crate) nodes: Located<Texts>,
    /// At which addresses of its node it listens: `any` (the default), `own` (those of its
    /// interfaces, and no VIP) or `vip` (the VIPs that it holds, and no other).
    pub(crate) listen: Option<Located<Listen>>,
    /// The port, a range such as `8000-8010`, or a list of these; 256 ports at most.
    pub(crate) port: Located<RawPorts>,
    /// What it does with what it gets: `echo` (the default: it sends every byte back), `discard`, `http`, or
    /// a map of `bytes` or `http` with its options.
    pub(crate) form: Option<Located<TcpForm>>,
}

/// A UDP server of any service on each of some nodes, which may run several.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawUdpServer {
    /// The nodes: a name or a list.
    pub(crate) nodes: Located<Texts>,
    /// At which addresses of its node it listens: `any` (the default), `own` (those of its
    /// interfaces, and no VIP) or `vip` (the VIPs that it holds, and no other).
    pub(crate) listen: Option<Located<Listen>>,
    /// The port, a range such as `8000-8010`, or a list of these; 256 ports at most.
    pub(crate) port: Located<RawPorts>,
    /// What it does with what it gets: `echo` (the default: it sends every datagram back), `discard`,
    /// `syslog`, or a map of `dns` with addresses by name.
    pub(crate) form: Option<Located<UdpForm>>,
    /// Whether it answers from the address that the request was sent to (IP_PKTINFO); `true` by
    /// default. Without it the answer comes from the server's own address, and not from the VIP.
    pub(crate) packet_info: Option<bool>,
}

/// Ports of a server.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub(crate) enum RawPorts {
    /// A port or a range.
    One(Scalar),
    /// Several.
    List(Vec<Located<Scalar>>),
}
