//! What forwards established flows in the engine's place: the kernel, by a program at the interface.
//!
//! The engine opens every flow and hands it over once it is established (see
//! [`Engine::hand_over`](crate::Engine::hand_over)). It takes it back, with what was seen meanwhile, before
//! it decides anything about it.

use crate::{Instant, Tally, TunnelProtocol};
use labsim_wire::ethernet::Mac;
use std::fmt::Debug;
use std::net::{IpAddr, SocketAddr};

/// A forwarder of established flows.
///
/// It takes packets of the flows that it was given, as long as their path is there: TCP without SYN, FIN
/// and RST, and UDP; no fragments, no IP options or extension headers, a TTL above 1, no longer than the
/// path's MTU, and where an address is translated, only packets that must not be fragmented, whose
/// identification stays. Everything else it leaves to the engine.
pub trait Offload: Debug {
    /// Sets how packets of the flows with this path number leave; without one they are the engine's.
    fn set_path(&mut self, number: u16, path: Option<OffloadPath>);

    /// Takes a flow over, which counts as used at `last_seen`; `false` if there is no room.
    fn insert(&mut self, key: &OffloadKey, flow: &OffloadedFlow, last_seen: Instant) -> bool;

    /// Gives a flow back; `None` if it has none of that key.
    fn remove(&mut self, key: &OffloadKey) -> Option<FlowUse>;

    /// How a flow was used so far; `None` if it has none of that key.
    fn flow_use(&mut self, key: &OffloadKey) -> Option<FlowUse>;

    /// Forgets all flows; counters stay.
    fn remove_all(&mut self);

    /// What was forwarded since it was made, of the first virtual servers and members, as far as it has
    /// been counted for as many.
    fn counters(&self, servers: u16, members: u16) -> OffloadCounters;
}

/// What packets of one direction of a flow have in common, as they come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OffloadKey {
    /// The sender.
    pub source: SocketAddr,
    /// Whom it is sent to.
    pub destination: SocketAddr,
    /// TCP's or UDP's number.
    pub protocol: u8,
}

/// Which way a flow's packets go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffloadDirection {
    /// From a client.
    ToMember,
    /// From a member, with its addresses translated back.
    ToClient,
}

/// What becomes of a flow's packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OffloadedFlow {
    /// The number of its path.
    pub path: u16,
    /// The number of its virtual server, for the counters.
    pub server: u16,
    /// The number of its member, for the counters.
    pub member: u16,
    /// Which way they go.
    pub direction: OffloadDirection,
    /// Source address and port that are written; `None` leaves them.
    pub new_source: Option<SocketAddr>,
    /// Destination address and port that are written; `None` leaves them.
    pub new_destination: Option<SocketAddr>,
}

/// How packets leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OffloadPath {
    /// The interface's own link-layer address.
    pub own: Mac,
    /// The next hop's.
    pub next_hop: Mac,
    /// The longest packet as it leaves, outer headers included.
    pub mtu: u16,
    /// The tunnel around them.
    pub tunnel: Option<OffloadTunnel>,
}

/// A tunnel's outer header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OffloadTunnel {
    /// The outer source; `None` takes the inner packet's, after translation.
    pub source: Option<IpAddr>,
    /// The member.
    pub destination: IpAddr,
    /// How packets are encapsulated.
    pub protocol: TunnelProtocol,
    /// TOS or traffic class; `None` takes the inner packet's.
    pub tos: Option<u8>,
}

/// How a flow was used since it was handed over, as [`Offload::flow_use`] tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowUse {
    /// When its last packet came.
    pub last_seen: Instant,
    /// Whether a packet came; without any, nothing else here means anything.
    pub is_used: bool,
    /// Of TCP: the highest sequence number that follows a segment of the sender's.
    pub client_next: u32,
    /// Of TCP: the highest acknowledgement, if `acknowledged`.
    pub server_next: u32,
    /// Of TCP: whether any segment acknowledged something.
    pub acknowledged: bool,
}

/// What was forwarded, in the engine's terms.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OffloadCounters {
    /// Clients' packets with their bytes as they came in (IP packet), by the virtual server's number.
    pub received: Vec<Tally>,
    /// The same by the member's number.
    pub sent: Vec<Tally>,
    /// Members' packets to clients, likewise, by the virtual server's number.
    pub server_replies: Vec<Tally>,
    /// The same by the member's number.
    pub member_replies: Vec<Tally>,
    /// Frames to members, with their bytes as they came in.
    pub forwarded: Tally,
    /// Frames to clients, likewise.
    pub forwarded_to_client: Tally,
}
