//! Which member of a pool a new flow goes to. Pure: ratios, states, availability and flows go in, a
//! member comes out, by its place in the pool.
//!
//! | mode | F5 | IPVS |
//! |---|---|---|
//! | `round_robin` | `round-robin` | `rr` |
//! | `ratio` | `ratio-member` | `wrr` |
//! | `least_connections` | `least-connections-member` | `lc` |
//! | `ratio_least_connections` | `ratio-least-connections-member` | `wlc` |
//! | `maglev` | - | `mh`, with `mh-port` and `mh-fallback` |
//!
//! Choosing takes O(log n), by Maglev O(1), and allocates nothing. Ratio 0 is a drain in each of
//! them: flows stay, and no new one comes. So are the states `disabled`, in which a member may still get
//! those of clients that persistence knows, and `forced_offline`.

mod least_connections;
mod maglev;
mod min_tree;
mod stable_hash;
mod weighted_round_robin;

use crate::flow::Key;
use crate::{AdminState, LoadBalancingMode, Member};
use least_connections::LeastConnections;
use maglev::Maglev;
use std::net::SocketAddr;
use weighted_round_robin::WeightedRoundRobin;

/// A pool's scheduler.
#[derive(Debug)]
pub(crate) struct Scheduler {
    /// Whether ratios above 1 count.
    weighted: bool,
    shares: Vec<Share>,
    /// How many members take new flows.
    eligible_members: usize,
    algorithm: Algorithm,
}

#[derive(Debug)]
enum Algorithm {
    WeightedRoundRobin(WeightedRoundRobin),
    LeastConnections(LeastConnections),
    Maglev(Maglev),
}

#[derive(Debug, Clone, Copy)]
struct Share {
    /// The ratio, as far as the mode looks at it.
    weight: u16,
    state: AdminState,
    available: bool,
}

impl Share {
    const fn is_eligible(self) -> bool {
        self.effective_weight() > 0
    }

    /// Whether clients that persistence knows may begin flows.
    const fn takes_known_clients(self) -> bool {
        self.available && self.weight > 0 && !matches!(self.state, AdminState::ForcedOffline)
    }

    /// The weight that an operator gives it.
    const fn configured_weight(self) -> u16 {
        if matches!(self.state, AdminState::Enabled) { self.weight } else { 0 }
    }

    /// The weight that it has at this moment.
    const fn effective_weight(self) -> u16 {
        if self.available { self.configured_weight() } else { 0 }
    }
}

impl Scheduler {
    /// For members with their ratios and states, all of them available.
    pub(crate) fn new(mode: LoadBalancingMode, members: &[Member]) -> Self {
        let weighted =
            !matches!(mode, LoadBalancingMode::RoundRobin | LoadBalancingMode::LeastConnections);
        let share = |member: &Member| Share {
            weight: if weighted { member.ratio } else { member.ratio.min(1) },
            state: member.state,
            available: true,
        };
        let shares: Vec<Share> = members.iter().map(share).collect();
        let weights: Vec<u16> = shares.iter().map(|share| share.configured_weight()).collect();
        let algorithm = match mode {
            LoadBalancingMode::RoundRobin | LoadBalancingMode::Ratio => {
                Algorithm::WeightedRoundRobin(WeightedRoundRobin::new(&weights))
            }
            LoadBalancingMode::LeastConnections | LoadBalancingMode::RatioLeastConnections => {
                Algorithm::LeastConnections(LeastConnections::new(&weights))
            }
            LoadBalancingMode::Maglev(options) => {
                let addresses: Vec<SocketAddr> = members.iter().map(|one| one.address).collect();
                let table = Maglev::new(options.hash, options.table_size, &addresses, &weights);
                Algorithm::Maglev(table)
            }
        };
        let eligible_members = shares.iter().filter(|share| share.is_eligible()).count();
        Self { weighted, shares, eligible_members, algorithm }
    }

    /// The member for a new flow; `None` if no member is eligible.
    pub(crate) fn choose(&self, flow: &Key) -> Option<usize> {
        if self.eligible_members == 0 {
            return None;
        }
        match &self.algorithm {
            Algorithm::WeightedRoundRobin(turns) => turns.next(),
            Algorithm::LeastConnections(least) => least.least(),
            Algorithm::Maglev(table) => table
                .choose(flow, |member| self.shares[usize::from(member)].is_eligible())
                .map(usize::from),
        }
    }

    /// Whether the member takes new flows of clients that persistence knows.
    pub(crate) fn takes_known_clients(&self, member: usize) -> bool {
        self.shares[member].takes_known_clients()
    }

    /// A flow of the member began, `scheduled` if it was chosen here.
    pub(crate) fn flow_started(&mut self, member: usize, scheduled: bool) {
        match &mut self.algorithm {
            Algorithm::WeightedRoundRobin(turns) if scheduled => turns.advance(member),
            Algorithm::LeastConnections(least) => least.flow_started(member),
            Algorithm::WeightedRoundRobin(_) | Algorithm::Maglev(_) => {}
        }
    }

    /// A flow of the member is over.
    pub(crate) fn flow_ended(&mut self, member: usize) {
        if let Algorithm::LeastConnections(least) = &mut self.algorithm {
            least.flow_ended(member);
        }
    }

    /// The member has so many flows already, and this scheduler has counted none of them.
    pub(crate) fn adopt(&mut self, member: usize, flows: u64) {
        if let Algorithm::LeastConnections(least) = &mut self.algorithm {
            least.adopt(member, flows);
        }
    }

    /// The member can be reached, or cannot.
    pub(crate) fn set_available(&mut self, member: usize, available: bool) {
        if self.shares[member].available != available {
            let share = Share { available, ..self.shares[member] };
            self.set(member, share);
        }
    }

    /// Gives the member another ratio and state. Maglev's table is made anew, which takes milliseconds.
    pub(crate) fn set_member(&mut self, member: usize, ratio: u16, state: AdminState) {
        let weight = if self.weighted { ratio } else { ratio.min(1) };
        let before = self.shares[member];
        if (before.weight, before.state) == (weight, state) {
            return;
        }
        let share = Share { weight, state, ..before };
        self.set(member, share);
        if let Algorithm::Maglev(table) = &mut self.algorithm
            && before.configured_weight() != share.configured_weight()
        {
            let weights: Vec<u16> =
                self.shares.iter().map(|share| share.configured_weight()).collect();
            table.populate(&weights);
        }
    }

    fn set(&mut self, member: usize, share: Share) {
        let before = std::mem::replace(&mut self.shares[member], share);
        self.eligible_members = self.eligible_members + usize::from(share.is_eligible())
            - usize::from(before.is_eligible());
        match &mut self.algorithm {
            Algorithm::WeightedRoundRobin(turns) => {
                turns.set_weight(member, share.effective_weight())
            }
            Algorithm::LeastConnections(least) => {
                least.set_weight(member, share.effective_weight())
            }
            Algorithm::Maglev(_) => {}
        }
    }
}
