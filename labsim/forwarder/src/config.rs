//! The configuration file of `labsim forwarder --config FILE`, in the words of an F5-like load
//! balancer. What a file can say is here; what it may say is in `config/check.rs`.

mod check;
mod form;
mod load_balancing;
mod monitor;
mod persistence;
mod profile;
mod secret;
mod time;

pub use check::Problem;
pub use load_balancing::{LoadBalancingMode, Maglev, MaglevHash, Member};
pub use monitor::{ActionOnDown, Monitor, MonitorKind, Watched};
pub use persistence::{Persistence, SourceAddress};
pub use profile::{Gre, Profile};
pub use secret::Secret;

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// What one forwarder does, on one interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The interface of the forwarder's one arm, such as `eth0`.
    pub interface: String,
    /// Which source address the outer header carries.
    #[serde(default)]
    pub outer_source: OuterSource,
    /// The virtual servers by name, such as `vs_tacacs-test_49`.
    pub virtual_servers: BTreeMap<String, VirtualServer>,
    /// The pools by name, such as `p_tacacs-test_49`.
    pub pools: BTreeMap<String, Pool>,
    /// The ports that stand in for clients' ports where source addresses are translated. The
    /// kernel of the namespace must not give them to sockets of its own
    /// (`net.ipv4.ip_local_port_range`).
    #[serde(default)]
    pub snat_ports: SnatPorts,
    /// Bounds of the forwarder's tables.
    #[serde(default)]
    pub limits: Limits,
}

/// A range of ports, both ends in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SnatPorts {
    /// The lowest.
    pub first: u16,
    /// The highest.
    pub last: u16,
}

impl SnatPorts {
    /// Whether `port` is one of them.
    #[must_use]
    pub const fn contains(self, port: u16) -> bool {
        self.first <= port && port <= self.last
    }
}

impl Default for SnatPorts {
    /// 61000 to 64999: above the ports that Linux gives to its own sockets (32768 to 60999).
    fn default() -> Self {
        Self { first: 61_000, last: 64_999 }
    }
}

/// The outer header's source: both exist in the field, and each breaks in its own way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OuterSource {
    /// The client's own address, for members of the client's address family. uRPF and security groups drop it, and ICMP errors about the
    /// tunnel go to the client.
    Client,
    /// The forwarder's address on the interface that the packet leaves through.
    #[default]
    Egress,
}

/// A VIP and port that packets are taken for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VirtualServer {
    /// VIP and port, such as `172.16.4.99:49` or `[2001:db8:4::99]:49`; port 0 means every port that no other virtual
    /// server of this VIP and protocol names.
    pub destination: SocketAddr,
    /// The protocol that it takes.
    #[serde(default)]
    pub ip_protocol: IpProtocol,
    /// The name of its pool.
    pub pool: String,
    /// Whether the destination address becomes the member's. Under DSR it has to be `false`; F5's
    /// default is `true`, so a file has to say it. With a tunnel profile the translated packet is
    /// what the tunnel carries. IPv6 addresses are not translated.
    #[serde(default = "yes")]
    pub translate_address: bool,
    /// Whether the destination port becomes the member's, where the two differ; not in IPv6 packets.
    #[serde(default = "yes")]
    pub translate_port: bool,
    /// What the source address becomes, in IPv4 packets to IPv4 members. Anything but `none` brings the answers back through the
    /// forwarder, which translates them back.
    #[serde(default)]
    pub source_address_translation: SourceTranslation,
    /// How flows begin and end.
    #[serde(default)]
    pub fastl4: FastL4,
    /// Whether a client's new flows go where its last one went.
    #[serde(default)]
    pub persistence: Persistence,
}

/// What becomes of a packet's source address on its way to a member.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceTranslation {
    /// It stays the client's.
    #[default]
    None,
    /// It becomes the forwarder's own address on the way to the member.
    Automap,
    /// It becomes one of these addresses, in turn. The forwarder owns those that are not its
    /// interface's own: it answers ARP for them where they are on its subnet.
    Snat(Vec<IpAddr>),
}

/// A transport protocol that a virtual server takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
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

/// The fastL4 profile's options that matter when only one direction is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FastL4 {
    /// A TCP flow may begin with a packet that is no SYN.
    pub loose_initiation: bool,
    /// The first FIN begins a flow's end. Without it a FIN changes nothing, because the server's
    /// own FIN is never seen under DSR, and the flow ends with a RST or with its idle timeout.
    pub loose_close: bool,
    /// After this many seconds without a packet a flow is forgotten.
    pub idle_timeout: u32,
    /// When the idle timeout ends a TCP flow, its client and its member are each sent a RST. Flows
    /// that end in any other way, half-open ones among them, end without.
    pub reset_on_timeout: bool,
}

impl Default for FastL4 {
    /// F5's defaults: both loose options off, 300 s, and a reset at their end.
    fn default() -> Self {
        Self {
            loose_initiation: false,
            loose_close: false,
            idle_timeout: 300,
            reset_on_timeout: true,
        }
    }
}

/// The servers behind a virtual server. In a tunnel they may be of either address family, and so may
/// the virtual servers of one pool.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pool {
    /// How packets reach the members.
    #[serde(default)]
    pub profile: Profile,
    /// How the members share new flows.
    #[serde(default)]
    pub load_balancing_mode: LoadBalancingMode,
    /// How the members are watched; `none` by default.
    #[serde(default, deserialize_with = "form::read", skip_serializing_if = "Option::is_none")]
    pub monitor: Option<Monitor>,
    /// What becomes of the flows of a member that its monitor finds down.
    #[serde(default)]
    pub action_on_down: ActionOnDown,
    /// The servers.
    pub members: Vec<Member>,
}

/// Bounds of the forwarder's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Flows at the same time. A flow takes 92 bytes: 64 of entry, 16 of index and 12 of links; with
    /// source address translation another 80. Memory is only touched as flows come, so the
    /// default's million takes 88 MiB once there are a million, and next to nothing before.
    pub flows: u32,
    /// Neighbours at the same time.
    pub neighbours: u32,
    /// Packets that wait for a neighbour's answer, over all neighbours; each takes a frame's room.
    pub waiting_packets: u32,
    /// Clients that are remembered for persistence at the same time, over all virtual servers. One
    /// costs 56 bytes: 40 in the table, of which memory is only touched as clients come, and 16 in
    /// the index. Without persistence none is set aside.
    pub persistence_entries: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { flows: 1_000_000, neighbours: 256, waiting_packets: 64, persistence_entries: 65_536 }
    }
}

const fn yes() -> bool {
    true
}
