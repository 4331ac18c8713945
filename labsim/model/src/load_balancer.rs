//! A load balancer in the words of an F5-like configuration: virtual servers and pools.

mod acceleration;
mod announcements;
mod engine;
mod failover;
mod fault;
mod member;
mod monitor;
mod persistence;
mod scheduling;
mod time;

pub use acceleration::{FAST_PATH_DEVICE, PvaAcceleration, is_fast_path_device};
pub use announcements::Announcements;
pub use engine::Engine;
pub use failover::FailoverState;
pub use fault::DeliberateFault;
pub use member::{AdminState, Member};
pub use monitor::{ActionOnDown, Monitor, MonitorKind, MonitoredMember};
pub use persistence::{Persistence, SourceAddress};
pub use scheduling::{LoadBalancingMode, Maglev, MaglevHash};

use crate::{Destination, Profile, TunnelProtocol};
use labsim_yaml::FromYaml;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// A load balancer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoadBalancer {
    /// What forwards packets: `labsim` (the default), its own forwarder, or `ipvs`, Linux Virtual Server in
    /// the node's kernel, in a scenario only. `labsim run --engine ipvs` has it for every load balancer.
    ///
    /// IPVS is set up by netlink, as `ipvsadm` does. The node gets the VIPs as addresses of its interface with a
    /// VIP's subnet, else of its first (deprecated ones of IPv6), `net.ipv4.vs.sloppy_tcp` as `loose_initiation` says,
    /// `net.ipv4.vs.expire_quiescent_template=1`, and with `translate_address` it forwards. A kernel without IPVS or a
    /// scheduler skips the scenario (`ipvs-missing`).
    ///
    /// - Forwarding: `profile: none` is direct routing, `ipip`, `gre` and `gue` are tunnels, and
    ///   `translate_address: true` without a tunnel is masquerading: the servers' route to the clients leads through
    ///   the node.
    /// - Scheduling: `round_robin` is `rr`, `ratio` is `wrr`, `least_connections` is `lc`,
    ///   `ratio_least_connections` is `wlc`, `maglev` is `mh`, with `mh-port` for the five-tuple.
    /// - IPVS's own ways, and errors where other ones are written: tunnel packets have the node's own address outside
    ///   (`outer_source: egress`), and the TTL and TOS of the packet inside; the client's FIN begins a connection's end
    ///   (`loose_close: true`), and idle connections end in silence (`reset_on_timeout: false`). Packets of a removed
    ///   member's connections are dropped (`net.ipv4.vs.expire_nodest_conn=0`). A port of the VIP without a virtual
    ///   server is the kernel's, which answers.
    /// - Not to be had: several ports of one virtual server; port `any` without persistence; source translation;
    ///   translation in a tunnel; other ports of members without translation; a key of GRE, GUE's variant 1;
    ///   `table_size`; different `idle_timeout` or `loose_initiation` of one protocol's virtual servers; `state:
    ///   disabled` with persistence; monitors, announcements and faults; the steps `kill_forwarder`,
    ///   `start_forwarder` and `await_member`. Each is an error at its place.
    /// - Counters of expectations and of `await_counter`: `forwarded`, `forwarded_to_client`, `flows.opened` and
    ///   `flows.open`, from IPVS's statistics.
    #[serde(default, skip_serializing_if = "Engine::is_labsim")]
    pub engine: Engine,
    /// The source address of tunnel packets: `client` (the default), or `egress`, the load
    /// balancer's own address on the interface that the packet leaves through.
    #[serde(default)]
    pub outer_source: OuterSource,
    /// The TOS octet (IPv4) or traffic class (IPv6) of tunnel packets, 0 to 255; that of the inner packet by
    /// default (RFC 2003 3.1, RFC 6040 4.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outer_tos: Option<u8>,
    /// Its virtual servers by name, such as `vs_tacacs-test_49`.
    pub virtual_servers: BTreeMap<String, VirtualServer>,
    /// Its pools by name, such as `p_tacacs-test_49`.
    pub pools: BTreeMap<String, Pool>,
    /// Whether it serves its VIPs when it starts: `active` (the default), or `standby`, until a `failover`
    /// step makes it active.
    #[serde(default, skip_serializing_if = "FailoverState::is_active")]
    pub failover_state: FailoverState,
    /// How it announces the addresses that it begins to answer for, when it starts, when it becomes
    /// active and when its configuration changes: `{count: N, interval: TIME}`; once by default.
    #[serde(default, skip_serializing_if = "Announcements::is_default")]
    pub announcements: Announcements,
    /// What it does wrong on purpose, to show the failure: `[no_gratuitous_arp]`, `[raw_checksums]`,
    /// `[no_size_check]`, `[icmp_by_outer]`, `[forget_flows]`, or several. None by default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<DeliberateFault>,
}

impl LoadBalancer {
    /// Whether it does that wrong.
    #[must_use]
    pub fn has_fault(&self, fault: DeliberateFault) -> bool {
        self.faults.contains(&fault)
    }

    /// Whether the kernel may forward flows of it. What it does wrong with packets on purpose, the kernel
    /// would do right.
    #[must_use]
    pub fn is_accelerated(&self) -> bool {
        use DeliberateFault::{ForgetFlows, NoSizeCheck, RawChecksums};
        let wrong = [ForgetFlows, NoSizeCheck, RawChecksums];
        let wanted = |server: &VirtualServer| !server.fastl4.pva_acceleration.is_none();
        self.virtual_servers.values().any(wanted) && !wrong.iter().any(|it| self.has_fault(*it))
    }
}

/// The outer header's source. Both are in use, and each has its own failures.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, FromYaml, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum OuterSource {
    /// The client's address, for members of the client's address family. uRPF and security groups
    /// drop such packets, and ICMP errors about the tunnel go to the client.
    #[default]
    Client,
    /// The load balancer's address on the interface that the packet leaves through.
    Egress,
}

/// A VIP and the ports of it that the load balancer accepts packets for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VirtualServer {
    /// VIP and port: `172.16.4.99:49`, `[2001:db8::99]:49`; a range, `172.16.4.99:8000-8010`; or a list
    /// of both, `"172.16.4.99:80,443,8000-8010"`. Port `any` stands for every port that no other virtual
    /// server of this VIP and protocol takes. No two may have a port in common.
    #[schemars(with = "String")]
    pub destination: Destination,
    /// `tcp` (the default) or `udp`.
    #[serde(default)]
    pub ip_protocol: IpProtocol,
    /// The pool's name.
    pub pool: String,
    /// Whether the destination address is rewritten to the member's; `false` by default, as Direct
    /// Server Return needs it. With a tunnel profile the tunnel carries the translated packet. Members are
    /// of the VIP's address family then.
    #[serde(default)]
    pub translate_address: bool,
    /// Whether the destination port is rewritten to the member's where the two differ; `true` by
    /// default.
    #[serde(default = "yes")]
    pub translate_port: bool,
    /// What the source address becomes: `none` (it remains the client's, the default), `automap`, or
    /// `{snat: [ADDRESS, ...]}`, all of the VIP's address family, as the members are. Answers to a translated
    /// address return through the load balancer, which translates them back.
    #[serde(default)]
    pub source_address_translation: SourceTranslation,
    /// The fastL4 profile's options.
    #[serde(default)]
    pub fastl4: FastL4,
    /// Whether a client's new flows go to the member of its last one: `none` (the default),
    /// `source_address`, or `{source_address: {timeout: SECONDS, prefix_length: BITS}}`.
    #[serde(default)]
    pub persistence: Persistence,
    /// Whether a standby load balancer gets copies of its flows when a `failover` step makes it active;
    /// `false` by default (F5's `mirror`, connection mirroring). They are copied all at once, as they are
    /// then, and persistence records are not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mirror: bool,
    /// Whether each datagram is balanced for itself, and no flow is kept; `false` by default. UDP only, and
    /// without `source_address_translation`. A client that sends everything from one port is one flow
    /// otherwise, and all of it goes to one member. Persistence still applies.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub datagram_load_balancing: bool,
}

impl VirtualServer {
    /// A virtual server with the defaults of a file.
    #[must_use]
    pub fn new(destination: impl Into<Destination>, pool: impl Into<String>) -> Self {
        Self {
            destination: destination.into(),
            ip_protocol: IpProtocol::Tcp,
            pool: pool.into(),
            translate_address: false,
            translate_port: true,
            source_address_translation: SourceTranslation::None,
            fastl4: FastL4::default(),
            persistence: Persistence::None,
            mirror: false,
            datagram_load_balancing: false,
        }
    }
}

/// What the source address of a packet to a member becomes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, FromYaml, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SourceTranslation {
    /// It remains the client's.
    #[default]
    None,
    /// The load balancer's own address on the interface that the packet leaves through.
    Automap,
    /// These addresses in turn. The load balancer owns those that are not its interface's own: it
    /// answers ARP and neighbour solicitations for them where they are on its subnet.
    Snat(Vec<IpAddr>),
}

/// A transport protocol that a virtual server accepts.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    FromYaml,
    JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum IpProtocol {
    /// TCP (6).
    #[default]
    Tcp,
    /// UDP (17).
    Udp,
}

impl IpProtocol {
    /// The number in the IP header.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
        }
    }

    /// The word of a configuration.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// The fastL4 profile's options that matter where only one direction is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FastL4 {
    /// Whether a TCP flow may begin with a packet that is not a SYN; `false` by default.
    pub loose_initiation: bool,
    /// Whether the first FIN begins a flow's end; `false` by default. Without it a FIN changes
    /// nothing, because the server's own FIN is never seen under DSR, and the flow ends with a RST
    /// or with its idle timeout.
    pub loose_close: bool,
    /// Seconds without a packet after which a flow is removed, 1 to 86400; 300 by default.
    pub idle_timeout: u32,
    /// Whether client and member are each sent a RST when the idle timeout ends a TCP flow; `true`
    /// by default, as on F5. Flows that end in another way, half-open ones among them, end without.
    pub reset_on_timeout: bool,
    /// Whether the kernel forwards the packets of flows that the forwarder has opened: `none` (the default),
    /// `partial` or `full` (F5's `pva-acceleration`, whose own default is `full`). The same packets are sent,
    /// but a packet that the kernel forwards may overtake one that the forwarder still has.
    /// Packets that begin or end a flow, fragments, ICMP, and packets with IP options, with a TTL of 1 or
    /// longer than the path's MTU remain the forwarder's, and so does everything where the kernel allows no
    /// BPF programs: the report names the data plane that ran.
    ///
    /// F5's `partial` has the first packets of a flow processed in software, and its `full` need not; here the
    /// forwarder opens every flow, and the two are the same.
    #[serde(skip_serializing_if = "PvaAcceleration::is_none")]
    pub pva_acceleration: PvaAcceleration,
}

impl Default for FastL4 {
    /// F5's defaults.
    fn default() -> Self {
        Self {
            loose_initiation: false,
            loose_close: false,
            idle_timeout: 300,
            reset_on_timeout: true,
            pva_acceleration: PvaAcceleration::None,
        }
    }
}

/// The servers behind a virtual server. In a tunnel they may be of either address family, and so may
/// the virtual servers of one pool.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pool {
    /// How packets reach the members that have no `profile` of their own: `none` (as they are, the
    /// default), `ipip`, `gre`, `gue`, or a map with options, `{gre: {key: N, checksum: true}}`,
    /// `{gue: {port: N, variant: 1}}`.
    #[serde(default)]
    pub profile: Profile,
    /// Which member gets a new flow: `round_robin` (in turn, the default), `ratio` (in turn, in
    /// proportion to their ratios), `least_connections`, `ratio_least_connections`, `maglev` (by the
    /// flow's hash), or `{maglev: {hash: source_address, table_size: N}}`.
    #[serde(default)]
    pub load_balancing_mode: LoadBalancingMode,
    /// How the members are monitored: `none` (the default), `tcp`, `tacacs`, `radius`, `icmp`, or a
    /// map with one of the four and its options, `{tacacs: {transparent: true, interval: 200ms}}`.
    #[serde(default, with = "monitor::as_form")]
    #[schemars(with = "monitor::MonitorForm")]
    #[yaml(with = "monitor::MonitorForm")]
    pub monitor: Option<Monitor>,
    /// What happens to the flows of a member that is down: `none` (they remain, the default),
    /// `reset` or `reselect`.
    #[serde(default)]
    pub action_on_down: ActionOnDown,
    /// Address and port of each, `10.1.1.51:49`, or `{address: 10.1.1.51:49, ratio: N, state: disabled}`.
    pub members: Vec<Member>,
}

impl Pool {
    /// How packets reach a member: its own profile, or else the pool's.
    #[must_use]
    pub fn profile_of(&self, member: &Member) -> Profile {
        member.profile.unwrap_or(self.profile)
    }

    /// The tunnels to the members, each with its member's address.
    pub fn tunnels(&self) -> impl Iterator<Item = (SocketAddr, TunnelProtocol)> {
        self.members
            .iter()
            .filter_map(|member| Some((member.address, self.profile_of(member).tunnel()?)))
    }
}

const fn yes() -> bool {
    true
}
