//! Virtual servers and pools, in the words of an F5-like configuration.

use super::{ActionOnDown, Monitor, TunnelProtocol};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// What one load balancer does.
#[derive(Debug, Clone)]
pub struct LoadBalancer {
    /// Which source address the outer header carries.
    pub outer_source: OuterSource,
    /// At least one.
    pub virtual_servers: Vec<VirtualServer>,
    /// Every pool that a virtual server names is among them.
    pub pools: Vec<Pool>,
}

/// The outer header's source: both exist in the field, and each breaks in its own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OuterSource {
    /// The client's own address, as in the document's captures.
    Client,
    /// The load balancer's egress address, as in the document's prose.
    Egress,
}

/// A VIP and port that the load balancer takes packets for.
#[derive(Debug, Clone)]
pub struct VirtualServer {
    /// Such as `vs_tacacs-test_49`.
    pub name: String,
    /// VIP and port; port 0 means every port.
    pub destination: SocketAddr,
    /// The protocol that it takes.
    pub ip_protocol: IpProtocol,
    /// The name of its pool.
    pub pool: String,
    /// Whether the destination address is rewritten to the member's. `false` under DSR.
    pub translate_address: bool,
    /// Whether the destination port is rewritten to the member's.
    pub translate_port: bool,
    /// What becomes of the source address (SNAT).
    pub source_translation: SourceTranslation,
    /// How flows begin and end.
    pub fastl4: FastL4,
    /// Whether a client's new flows go to the member of its last one; `None`: each is scheduled for
    /// itself.
    pub persistence: Option<SourceAddressPersistence>,
}

/// Persistence by source address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceAddressPersistence {
    /// After this long without a new flow a client is forgotten; 180 s by default.
    pub timeout: Duration,
    /// Clients that agree in so many bits of their addresses are one.
    pub prefix_length: Option<u8>,
}

/// What becomes of a packet's source address on its way to a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceTranslation {
    /// It stays the client's.
    None,
    /// It becomes the load balancer's own address on the interface that the packet leaves through.
    Automap,
    /// It becomes one of these addresses; at least one.
    Pool(Vec<IpAddr>),
}

/// A transport protocol that a virtual server takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IpProtocol {
    /// TCP (6).
    Tcp,
    /// UDP (17).
    Udp,
}

/// The fastL4 profile's options that matter when only one direction is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FastL4 {
    /// A TCP flow may begin with a packet that is no SYN. F5's default is off.
    pub loose_initiation: bool,
    /// A flow is over with the first FIN. F5's default is off.
    pub loose_close: bool,
    /// After this long without a packet a flow is forgotten; 300 s by default.
    pub idle_timeout: Duration,
    /// Client and member are sent a RST when the idle timeout ends a TCP flow. F5's default is on.
    pub reset_on_timeout: bool,
}

/// The servers behind a virtual server.
#[derive(Debug, Clone)]
pub struct Pool {
    /// Such as `p_tacacs-test_49`.
    pub name: String,
    /// How packets reach the members.
    pub encapsulation: Encapsulation,
    /// Which member gets a new flow.
    pub load_balancing_mode: LoadBalancingMode,
    /// How the members are watched, if they are.
    pub monitor: Option<Monitor>,
    /// What becomes of the flows of a member that is down.
    pub action_on_down: ActionOnDown,
    /// At least one.
    pub members: Vec<Member>,
}

/// How a packet is brought to a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encapsulation {
    /// As it is: plain routing.
    None,
    /// IP in IP (RFC 2003, RFC 4213, RFC 2473).
    Ipip,
    /// Generic routing encapsulation (RFC 2784).
    Gre(GreOptions),
}

impl Encapsulation {
    /// The tunnel, if there is one.
    #[must_use]
    pub const fn tunnel(self) -> Option<TunnelProtocol> {
        match self {
            Self::None => None,
            Self::Ipip => Some(TunnelProtocol::Ipip),
            Self::Gre(options) => Some(TunnelProtocol::Gre(options)),
        }
    }
}

/// A real server's address and port as the pool knows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// The address that the tunnel ends at.
    pub address: IpAddr,
    /// The port; under DSR it has to be the virtual server's.
    pub port: u16,
    /// Its share against the others' ratios, where the mode looks at them; 0 is a drain.
    pub ratio: u16,
}

/// Which member gets a new flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadBalancingMode {
    /// Each in turn.
    RoundRobin,
    /// Each in turn, as often as its ratio says.
    Ratio,
    /// The one with the least flows.
    LeastConnections,
    /// The one with the least flows for its ratio.
    RatioLeastConnections,
    /// The one that the flow's hash says.
    Maglev(Maglev),
}

/// Maglev's options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Maglev {
    /// What is hashed.
    pub hash: MaglevHash,
    /// Places in the table: a prime.
    pub table_size: u32,
}

/// What Maglev takes for the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaglevHash {
    /// Packets of a flow.
    FiveTuple,
    /// Packets of a client.
    SourceAddress,
}

/// The optional fields of a GRE header (RFC 2784, RFC 2890).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GreOptions {
    /// The key; both ends have to agree on it.
    pub key: Option<u32>,
    /// Whether packets carry a checksum.
    pub checksum: bool,
}
