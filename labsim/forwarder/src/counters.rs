//! Snapshots of the engine's counters.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Frames and their bytes (link-layer header included).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Frames.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, bytes: usize) {
        self.packets += 1;
        self.bytes += bytes as u64;
    }
}

/// A snapshot of every counter, ordered for show.
///
/// Each frame that came in is in exactly one outcome, or in `neighbours.waiting` or
/// `fragments.waiting` until its fate is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Every last [`crate::Outcome`] by its name, those that never came about with zeros.
    pub outcomes: BTreeMap<String, Tally>,
    /// By the virtual server's name.
    pub virtual_servers: BTreeMap<String, ServerCounters>,
    /// By the pool's name, then by the member's `address:port`.
    pub members: BTreeMap<String, BTreeMap<String, MemberCounters>>,
    /// The flow table.
    pub flows: FlowCounters,
    /// Persistence.
    #[serde(default)]
    pub persistence: PersistenceCounters,
    /// Source address translation.
    #[serde(default)]
    pub snat: SnatCounters,
    /// The neighbour table.
    pub neighbours: NeighbourCounters,
    /// Fragments.
    #[serde(default)]
    pub fragments: FragmentCounters,
    /// Packets that the forwarder originated.
    pub answers: AnswerCounters,
}

impl Counters {
    /// Packets with that outcome; 0 for a name that no outcome has.
    #[must_use]
    pub fn packets(&self, outcome: crate::Outcome) -> u64 {
        self.outcomes.get(outcome.name()).map_or(0, |tally| tally.packets)
    }
}

/// One virtual server's counters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerCounters {
    /// Packets taken for it, with their bytes as they came in (inner IP packet).
    #[serde(flatten)]
    pub received: Tally,
    /// Packets of its members that came back to be translated for clients, likewise.
    #[serde(default)]
    pub replies: Tally,
    /// Flows that began.
    pub flows_opened: u64,
    /// Flows at this moment.
    pub flows: u64,
}

/// One member's counters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberCounters {
    /// Packets sent to it, with their bytes as they came in (inner IP packet).
    #[serde(flatten)]
    pub sent: Tally,
    /// Packets of it that came back to be translated for clients, likewise.
    #[serde(default)]
    pub replies: Tally,
    /// Whether its next hop answers, as far as is known: a moment's state.
    #[serde(default)]
    pub reachable: bool,
    /// Whether its monitor finds it down, which takes it out of the schedule: a moment's state.
    #[serde(default)]
    pub down: bool,
    /// Flows that it was chosen for.
    pub flows_opened: u64,
    /// Of those, flows that a persistence record chose it for.
    #[serde(default)]
    pub flows_by_persistence: u64,
    /// Flows at this moment.
    pub flows: u64,
}

/// The flow table's counters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowCounters {
    /// At this moment.
    pub open: u64,
    /// Of those, flows whose packets the kernel forwards (`pva_acceleration`).
    #[serde(default)]
    pub offloaded: u64,
    /// Began.
    pub opened: u64,
    /// Began with a packet that was no SYN (loose initiation).
    pub loosely_initiated: u64,
    /// Began as copies of another load balancer's flows, when this one became active (mirror).
    #[serde(default)]
    pub mirrored: u64,
    /// Ended by a RST.
    pub closed_by_reset: u64,
    /// Ended by a FIN and the close timeout after it (loose close), or by both sides' FINs.
    pub closed_by_fin: u64,
    /// Ended because the client's ports began a new connection.
    pub replaced: u64,
    /// Ended because nothing came for the idle timeout.
    pub timed_out: u64,
    /// Of those, flows whose client and member were sent a RST (reset on timeout).
    #[serde(default)]
    pub reset_on_timeout: u64,
    /// Ended because a SYN was followed by nothing for the handshake timeout.
    pub handshake_timed_out: u64,
    /// Ended because their virtual server was taken out of the configuration, or balances each datagram for
    /// itself.
    #[serde(default)]
    pub taken_out: u64,
    /// Ended because their member went down and its pool resets such flows.
    #[serde(default)]
    pub member_down: u64,
    /// Ended because their member went down, and began anew with another.
    #[serde(default)]
    pub reselected: u64,
    /// Ended because the load balancer went on standby.
    #[serde(default)]
    pub on_standby: u64,
    /// Half-open flows, and flows of a single packet, that gave way to newer ones because the table
    /// was full.
    pub evicted: u64,
}

/// Persistence's counters, over all virtual servers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersistenceCounters {
    /// Clients that are remembered at this moment.
    pub entries: u64,
    /// New persistence entries.
    pub recorded: u64,
    /// Flows that went to their client's member, by its record.
    pub hits: u64,
    /// Flows that went to another, because that one took no new flows; it is the client's from then
    /// on.
    pub moved: u64,
    /// Clients that were forgotten because no flow of theirs began for the timeout.
    pub expired: u64,
    /// Clients that were forgotten because the table was full.
    pub evicted: u64,
}

/// Source address translation's counters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnatCounters {
    /// SNAT ports in use at this moment.
    pub ports: u64,
    /// Flows that kept their client's port.
    pub ports_kept: u64,
    /// Flows whose port became another.
    pub ports_changed: u64,
    /// Flows that could not begin because no port was free.
    pub exhausted: u64,
}

/// The neighbour table's counters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NeighbourCounters {
    /// Entries at this moment.
    pub entries: u64,
    /// Frames that wait for an answer at this moment.
    pub waiting: u64,
    /// ARP requests and neighbour solicitations sent, unicast probes among them.
    pub requests: u64,
    /// Entries that became reachable.
    pub resolved: u64,
    /// Entries that became unreachable.
    pub failed: u64,
    /// Entries that were replaced by others because the table was full.
    pub evicted: u64,
}

/// The fragments' counters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FragmentCounters {
    /// Fragments that wait for their datagram's first at this moment.
    pub waiting: u64,
}

/// Packets that the forwarder originated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerCounters {
    /// ICMP echo replies from a VIP, of either family.
    pub icmp_echo_reply: u64,
    /// ICMP time exceeded, of either family.
    pub icmp_time_exceeded: u64,
    /// ICMP fragmentation needed.
    pub icmp_fragmentation_needed: u64,
    /// ICMPv6 packet too big.
    #[serde(default)]
    pub icmp_packet_too_big: u64,
    /// ICMP host or network unreachable, ICMPv6 address unreachable or no route: what an error
    /// within a tunnel means to the client.
    #[serde(default)]
    pub icmp_host_unreachable: u64,
    /// ICMP port unreachable, of either family.
    pub icmp_port_unreachable: u64,
    /// TCP resets.
    pub tcp_reset: u64,
    /// ARP replies for a VIP.
    pub arp_reply: u64,
    /// Neighbour advertisements for a VIP.
    #[serde(default)]
    pub neighbour_advertisement: u64,
    /// Announcements of own addresses: gratuitous ARP requests and unsolicited neighbour
    /// advertisements.
    #[serde(default)]
    pub announcement: u64,
    /// Answers suppressed by the rate limit.
    pub rate_limited: u64,
    /// Answers that RFC 1122 3.2.2 and RFC 4443 2.4 forbid: about an ICMP error, a broadcast, a
    /// source that is no single host.
    pub forbidden: u64,
    /// Answers that could not be sent: no route, no neighbour, no room.
    pub unsendable: u64,
}
