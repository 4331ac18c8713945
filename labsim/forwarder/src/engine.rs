//! The machine: frames and the time go in, frames, outcomes and counters come out.

mod answer;
mod arp;
mod availability;
mod build;
mod deliver;
mod encapsulate;
mod expire;
mod fragments;
mod icmp;
mod ip;
mod ipv4;
mod ipv6;
mod ndp;
mod neighbours;
mod prefetch;
mod probe;
mod quoted;
mod reconfigure;
mod report;
mod rewrite;
mod select;
mod slots;
mod snapshot;
mod sort;
mod takes;
mod translate;
mod transport;
mod tunnel;

pub use takes::Takes;

use crate::counters::{AnswerCounters, FlowCounters, MemberCounters, ServerCounters, Tally};
use crate::flow;
use crate::fragment;
use crate::limit::Limit;
use crate::neighbour::{self, NeighbourId, WaitingQueue};
use crate::persistence;
use crate::port::Routes;
use crate::scheduler::Scheduler;
use crate::snat;
use crate::{ActionOnDown, Config, FastL4, Instant, Outcome, Port, Transmit};
use availability::Sweep;
use encapsulate::{Encapsulator, Path};
use labsim_wire::ethernet::{self, ethertype};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
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
    /// What is in force.
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
    waiting: WaitingQueue,
    /// First fragments that came.
    fragments: fragment::Table,
    /// Fragments that came before their first.
    unled: fragment::Queue,
    encapsulator: Encapsulator,
    /// The ID of the last packet that the forwarder sent in its own name.
    own_id: u16,
    /// The ID of the last packet whose address was translated and that may be cut.
    translated_id: u16,
    icmp_limit: Limit,
    reset_limit: Limit,
    /// When the first of the ways that turned out narrower is taken for wide again.
    narrow_until: Option<Instant>,
    /// Looks for flows of members that went down.
    sweep: Option<Sweep>,
    tallies: [Tally; Outcome::COUNT],
    flow_counters: FlowCounters,
    answers: AnswerCounters,
}

/// Which virtual server takes what.
#[derive(Debug)]
struct Services {
    /// By VIP; whether those who ask for it, by ARP or by neighbour discovery, are to be answered.
    vips: HashMap<IpAddr, bool>,
    /// By VIP, protocol and port; port 0 takes what no other takes.
    servers: HashMap<(IpAddr, u8, u16), u16>,
}

impl Services {
    fn is_vip(&self, address: IpAddr) -> bool {
        self.vips.contains_key(&address)
    }

    /// Whether those who ask where that address is are to be told that it is here.
    fn answers_for(&self, address: IpAddr) -> bool {
        self.vips.get(&address).copied().unwrap_or(false)
    }

    fn find(&self, address: IpAddr, protocol: u8, port: u16) -> Option<u16> {
        let exact = self.servers.get(&(address, protocol, port));
        exact.or_else(|| self.servers.get(&(address, protocol, 0))).copied()
    }
}

#[derive(Debug)]
struct Server {
    name: String,
    destination: SocketAddr,
    protocol: u8,
    /// Since when no configuration has it. What still comes for its flows finds none.
    retired: Option<Instant>,
    pool: u16,
    translate_address: bool,
    translate_port: bool,
    source: Source,
    /// Whose turn it is among the addresses that stand in for clients.
    turn: usize,
    fastl4: FastL4,
    counters: ServerCounters,
}

/// What becomes of a client's address on the way to a member.
#[derive(Debug)]
enum Source {
    /// It stays.
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
    /// As many changes among neighbours the scheduler was told of; more than there can be once it
    /// has to be told anew.
    neighbours_seen: u64,
}

#[derive(Debug)]
struct Member {
    name: String,
    /// The name of its pool.
    pool: String,
    /// Where it takes new flows, or since when no configuration has it.
    home: Result<Home, Instant>,
    ip: IpAddr,
    port: u16,
    path: Path,
    /// The number of the interface's own address on the way to it, where a virtual server wants
    /// it.
    automap: Option<u16>,
    /// `None` without a route.
    next_hop: Option<NeighbourId>,
    /// How long the way's MTU is believed in, if an error told it.
    narrow_until: Option<Instant>,
    /// Its monitor finds it down.
    down: bool,
    /// What becomes of its flows then.
    on_down: ActionOnDown,
    counters: MemberCounters,
}

/// A member's pool and its place there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Home {
    pool: u16,
    place: u16,
}

impl Engine {
    /// Takes in one frame, Ethernet header first and without the frame check sequence, and writes
    /// what it leads to.
    pub fn process(&mut self, now: Instant, frame: &[u8], tx: &mut impl Transmit) -> Outcome {
        let outcome = self.dispatch(now, frame, tx);
        self.count(outcome, frame.len());
        // What the packet made due, a request for its next hop above all, goes out with it.
        if self.neighbours.next_deadline().is_some_and(|due| due <= now) {
            self.ask_neighbours(now, tx);
        }
        outcome
    }

    /// Counts a frame, unless it waits: what becomes of it is counted then.
    fn count(&mut self, outcome: Outcome, frame: usize) {
        if outcome.is_last() {
            self.tallies[outcome as usize].add(frame);
        }
    }

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

    /// Does what is due by `now`: asks neighbours, gives up on those that do not answer and on
    /// first fragments that do not come, forgets flows, clients that persist and narrow ways, ends
    /// flows of members that went down. Call
    /// it once at the start and then when [`Self::next_deadline`] has come; earlier and more often
    /// does no harm.
    pub fn tick(&mut self, now: Instant, tx: &mut impl Transmit) {
        self.ask_neighbours(now, tx);
        self.give_up_fragments(now);
        self.widen(now);
        let mut budget = EXPIRY_BUDGET;
        while let Some((id, why)) = self.flows.next_overdue(now, &mut budget) {
            self.expire(now, id, why, tx);
        }
        self.persistence.expire(now, EXPIRY_BUDGET);
        self.sweep(now, tx);
    }

    /// When [`Self::tick`] next has something to do, or `None` if nothing is waited for. It may
    /// have passed.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let deadlines = [
            self.flows.next_deadline(),
            self.persistence.next_deadline(),
            self.neighbours.next_deadline(),
            self.unled.next_deadline(),
            self.narrow_until,
            self.sweep.as_ref().map(Sweep::due),
        ];
        deadlines.into_iter().flatten().min()
    }
}
