//! The machine: frames and the time go in, frames, outcomes and counters come out.

mod acceleration;
mod announce;
mod answer;
mod arp;
mod availability;
mod build;
mod datagram;
mod deliver;
mod demux;
mod encapsulate;
mod expire;
mod failover;
mod faulty;
mod fragments;
mod icmp;
mod icmp_error;
mod icmp_messages;
mod ip;
mod ipv4;
mod ipv6;
mod mirror;
mod ndp;
mod neighbours;
mod numbering;
mod packet;
mod prefetch;
mod probe;
mod reconfigure;
mod rewrite;
mod rx_filter;
mod select;
mod snapshot;
mod translate;
mod transport;
mod tunnel;

pub use mirror::{MirroredFlow, MirroredFlows};
pub use rx_filter::{Kept, RxFilter, Service};

use crate::counters::{AnswerCounters, FlowCounters, MemberCounters, ServerCounters, Tally};
use crate::flow;
use crate::fragment;
use crate::neighbour::{self, NeighbourId, WaitingQueue};
use crate::persistence;
use crate::port::Routes;
use crate::rate_limit::RateLimit;
use crate::scheduler::Scheduler;
use crate::snat;
use crate::{
    ActionOnDown, Config, Destination, FastL4, Instant, Outcome, Port, PortRange, Transmit,
};
use acceleration::Acceleration;
use announce::PendingAnnouncements;
use availability::Sweep;
use encapsulate::{Encapsulator, Path};
use ipv6::is_discovery;
use labsim_wire::ethernet::{self, ethertype};
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::time::Duration;

/// Flows, and clients that persist, that one [`Engine::tick`] looks at at most, so that packets are
/// not kept waiting.
const EXPIRY_BUDGET: usize = 1024;

/// A load balancer on one interface.
///
/// It reads no clock and opens no socket: the caller hands it frames with the time, and sends what
/// it writes. [`Self::process`] does not allocate.
#[derive(Debug)]
pub struct Engine {
    /// The current configuration.
    config: Config,
    port: Port,
    routes: Routes,
    services: Services,
    /// Flows hold the numbers of their virtual server and member, so both keep them: those that
    /// are taken out of the configuration stay here until nothing holds theirs any more.
    servers: Vec<Server>,
    pools: Vec<Pool>,
    members: Vec<Member>,
    /// The longest that persistence has ever remembered a client here.
    longest_memory: Duration,
    flows: flow::Table,
    persistence: persistence::Table,
    snat: snat::Table,
    neighbours: neighbour::Table,
    /// Own addresses that are still to be announced.
    unannounced: BTreeMap<IpAddr, PendingAnnouncements>,
    waiting: WaitingQueue,
    /// First fragments seen.
    fragments: fragment::Table,
    /// Fragments that arrived before the first fragment of their datagram.
    pending_fragments: fragment::Queue,
    encapsulator: Encapsulator,
    /// Whether packets to VIPs and SNAT addresses are dropped, and nothing answers for them.
    standby: bool,
    /// Whether no flow is kept (a deliberate fault).
    forgets_flows: bool,
    /// The ID of the last packet that the forwarder sent in its own name.
    own_id: u16,
    /// The ID of the last packet whose address was translated and that may be cut.
    translated_id: u16,
    icmp_limit: RateLimit,
    reset_limit: RateLimit,
    /// When the first learned path MTU expires.
    pmtu_expires: Option<Instant>,
    /// The search for flows of members that went down.
    sweep: Option<Sweep>,
    /// What forwards established flows in its place.
    acceleration: Option<Acceleration>,
    tallies: [Tally; Outcome::COUNT],
    flow_counters: FlowCounters,
    answers: AnswerCounters,
}

/// The VIPs, and the virtual servers by VIP, protocol and port.
#[derive(Debug, Default)]
struct Services {
    vips: HashMap<IpAddr, Vip>,
    /// Those of one port, by VIP, protocol and port.
    servers: HashMap<(IpAddr, u8, u16), u16>,
    /// All others, by VIP and protocol.
    wide: HashMap<(IpAddr, u8), Wide>,
}

/// The virtual servers of several ports of one VIP and protocol.
#[derive(Debug, Default)]
struct Wide {
    /// In order; none has a port of another, or of a virtual server of one port.
    ranges: Vec<(PortRange, u16)>,
    /// What takes every port that no other takes.
    any: Option<u16>,
}

impl Wide {
    fn find(&self, port: u16) -> Option<u16> {
        let at = self.ranges.partition_point(|(range, _)| range.last < port);
        let found = self.ranges.get(at).filter(|(range, _)| range.first <= port);
        found.map(|(_, number)| *number).or(self.any)
    }
}

/// Who answers for a VIP.
#[derive(Debug, Clone, Copy)]
struct Vip {
    /// The host has it on an interface: what no virtual server takes is its kernel's, and so are ARP
    /// requests, neighbour solicitations and echo requests.
    is_hosts: bool,
    /// Whether ARP requests and neighbour solicitations for it are answered here.
    answers: bool,
}

impl Services {
    fn is_vip(&self, address: IpAddr) -> bool {
        self.vips.contains_key(&address)
    }

    /// Whether ARP requests and neighbour solicitations for the address are answered.
    fn answers_for(&self, address: IpAddr) -> bool {
        self.vips.get(&address).is_some_and(|vip| vip.answers)
    }

    /// Whether it is a VIP that the host has on an interface.
    fn is_hosts(&self, address: IpAddr) -> bool {
        self.vips.get(&address).is_some_and(|vip| vip.is_hosts)
    }

    /// Whether a virtual server takes packets of that protocol to the address, whatever their port.
    fn takes(&self, address: IpAddr, protocol: u8) -> bool {
        self.wide.contains_key(&(address, protocol))
            || self.servers.keys().any(|(vip, number, _)| (*vip, *number) == (address, protocol))
    }

    /// Adds a virtual server.
    fn add(&mut self, destination: &Destination, protocol: u8, number: u16) {
        let vip = destination.ip();
        if let Some(port) = destination.port() {
            self.servers.insert((vip, protocol, port), number);
            return;
        }
        let wide = self.wide.entry((vip, protocol)).or_default();
        if destination.ports().is_any() {
            wide.any = Some(number);
        }
        for range in destination.ports().ranges() {
            let at = wide.ranges.partition_point(|(other, _)| other < range);
            wide.ranges.insert(at, (*range, number));
        }
    }

    fn find(&self, address: IpAddr, protocol: u8, port: u16) -> Option<u16> {
        let exact = self.servers.get(&(address, protocol, port)).copied();
        exact.or_else(|| self.wide.get(&(address, protocol))?.find(port))
    }
}

#[derive(Debug)]
struct Server {
    name: String,
    destination: Destination,
    protocol: u8,
    /// When it was removed from the configuration. Packets of its flows find no virtual server.
    retired: Option<Instant>,
    pool: u16,
    translate_address: bool,
    translate_port: bool,
    /// Whether each datagram is balanced for itself.
    datagram_load_balancing: bool,
    source: Source,
    /// The next SNAT address in turn.
    turn: usize,
    fastl4: FastL4,
    /// Whether its flows are copied to the load balancer that takes over.
    mirror: bool,
    counters: ServerCounters,
}

/// How the source address is translated on the way to a member.
#[derive(Debug)]
enum Source {
    /// The client's address is kept.
    Kept,
    /// The member's `automap`.
    Automap,
    /// These addresses' numbers in the table of source addresses; at least one.
    Pool(Vec<u16>),
}

#[derive(Debug)]
struct Pool {
    name: String,
    /// Their numbers; a member's place is its place here.
    members: Vec<u16>,
    scheduler: Scheduler,
    /// The version of the neighbour table that the scheduler has seen; [`select::STALE`] forces an
    /// update.
    neighbours_version: u64,
}

#[derive(Debug)]
struct Member {
    name: String,
    /// The name of its pool.
    pool: String,
    placement: Placement,
    ip: IpAddr,
    port: u16,
    path: Path,
    /// The number of the interface's own address on the way to it, where a virtual server wants
    /// it.
    automap: Option<u16>,
    /// `None` without a route.
    next_hop: Option<NeighbourId>,
    /// The host has its address: packets are delivered to the host's own kernel as they came.
    is_hosts: bool,
    /// The path MTU that its route has, until an ICMP error reports another.
    route_mtu: u16,
    /// When the path MTU that an ICMP error reported expires.
    pmtu_expires: Option<Instant>,
    /// Whether its monitor finds it down.
    down: bool,
    /// What happens to its flows then.
    on_down: ActionOnDown,
    counters: MemberCounters,
}

/// Whether a member is in a pool of the current configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Placement {
    /// In a pool, by their indexes.
    InPool { pool: u16, place: u16 },
    /// Removed from the configuration at that time.
    Removed { since: Instant },
}

impl Engine {
    /// Takes in one frame, Ethernet header first and without the frame check sequence, and writes
    /// what it leads to.
    #[inline]
    pub fn process(&mut self, now: Instant, frame: &[u8], tx: &mut impl Transmit) -> Outcome {
        let outcome = self.dispatch(now, frame, tx);
        self.count(outcome, frame.len());
        // What the packet made due, a request for its next hop above all, goes out with it.
        if self.neighbours.next_deadline().is_some_and(|due| due <= now) {
            self.send_neighbour_requests(now, tx);
        }
        self.refresh_paths();
        outcome
    }

    /// Takes in one frame of another interface of the host, where the forwarder has no neighbours: a
    /// packet that was routed to it.
    #[inline]
    pub fn process_routed(
        &mut self,
        now: Instant,
        frame: &[u8],
        tx: &mut impl Transmit,
    ) -> Outcome {
        let outcome = match ethernet::View::new(frame) {
            Err(_) => Outcome::FrameTruncated,
            Ok(link) => match link.ethertype() {
                ethertype::IPV4 => {
                    let to_many = link.destination().is_multicast();
                    self.ipv4(now, frame.len(), link.payload(), to_many, tx)
                }
                ethertype::IPV6 if is_discovery(link.payload()) => Outcome::NdpIgnored,
                ethertype::IPV6 => self.ipv6(now, frame.len(), &link, tx),
                ethertype::ARP => Outcome::ArpIgnored,
                _ => Outcome::EthertypeNotHandled,
            },
        };
        self.count(outcome, frame.len());
        if self.neighbours.next_deadline().is_some_and(|due| due <= now) {
            self.send_neighbour_requests(now, tx);
        }
        self.refresh_paths();
        outcome
    }

    /// Counts a frame, unless it waits: what becomes of it is counted then.
    #[inline]
    fn count(&mut self, outcome: Outcome, frame: usize) {
        if outcome.is_last() {
            self.tallies[outcome as usize].add(frame);
        }
    }

    #[inline]
    fn dispatch(&mut self, now: Instant, frame: &[u8], tx: &mut impl Transmit) -> Outcome {
        let Ok(link) = ethernet::View::new(frame) else { return Outcome::FrameTruncated };
        let destination = link.destination();
        if destination != self.port.mac && !destination.is_multicast() {
            return Outcome::NotAddressedToUs;
        }
        match link.ethertype() {
            ethertype::IPV4 => {
                self.ipv4(now, frame.len(), link.payload(), destination.is_multicast(), tx)
            }
            ethertype::ARP => self.arp(now, &link, tx),
            ethertype::IPV6 => self.ipv6(now, frame.len(), &link, tx),
            _ => Outcome::EthertypeNotHandled,
        }
    }

    /// Does what is due by `now`: announces addresses, asks neighbours, gives up on those that do not answer and on
    /// first fragments that do not come, expires flows, persistence entries and path MTUs, ends
    /// flows of members that went down. Call it once at the start and then when
    /// [`Self::next_deadline`] has come; earlier and more often does no harm.
    pub fn tick(&mut self, now: Instant, tx: &mut impl Transmit) {
        self.announce(now, tx);
        self.check_neighbours(now);
        self.send_neighbour_requests(now, tx);
        self.expire_fragments(now);
        self.expire_pmtu(now);
        self.continue_recall();
        for _ in 0..EXPIRY_BUDGET {
            let Some(id) = self.flows.next_due(now) else { break };
            // Its packets may have come where it is forwarded.
            self.merge_use(id);
            match self.flows.overdue(id, now) {
                Some(why) => self.expire(now, id, why, tx),
                None => self.flows.put_off(id, now),
            }
        }
        self.persistence.expire(now, EXPIRY_BUDGET);
        self.sweep(now, tx);
        self.refresh_paths();
    }

    /// When [`Self::tick`] next has something to do, or `None` if nothing is waited for. It may
    /// have passed.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let deadlines = [
            self.flows.next_deadline(),
            self.persistence.next_deadline(),
            self.neighbours.next_deadline(),
            self.pending_fragments.next_deadline(),
            self.pmtu_expires,
            self.sweep.as_ref().map(Sweep::due),
            self.acceleration.as_ref().and_then(Acceleration::next_deadline),
            self.unannounced.values().map(|pending| pending.due).min(),
        ];
        deadlines.into_iter().flatten().min()
    }
}
