//! Which member of a pool a new flow goes to. Pure: ratios, availability and flows go in, a member
//! comes out, by its place in the pool.
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
//! them: flows stay, and no new one comes.

mod least_connections;
mod maglev;
mod stable_hash;
mod tournament;
mod turns;

use crate::LoadBalancingMode;
use crate::flow::Key;
use least_connections::LeastConnections;
use maglev::Maglev;
use std::net::SocketAddr;
use turns::Turns;

/// A pool's scheduler.
#[derive(Debug)]
pub(crate) struct Scheduler {
    /// Whether ratios above 1 count.
    weighted: bool,
    shares: Vec<Share>,
    /// How many members take new flows.
    takers: usize,
    algorithm: Algorithm,
}

#[derive(Debug)]
enum Algorithm {
    Turns(Turns),
    LeastConnections(LeastConnections),
    Maglev(Maglev),
}

#[derive(Debug, Clone, Copy)]
struct Share {
    /// The ratio, as far as the mode looks at it.
    weight: u16,
    available: bool,
}

impl Share {
    const fn takes(self) -> bool {
        self.available && self.weight > 0
    }

    /// The weight that it has at this moment.
    const fn present(self) -> u16 {
        if self.available { self.weight } else { 0 }
    }
}

impl Scheduler {
    /// For members with their ratios, all of them available.
    pub(crate) fn new(mode: LoadBalancingMode, members: &[(SocketAddr, u16)]) -> Self {
        let weighted =
            !matches!(mode, LoadBalancingMode::RoundRobin | LoadBalancingMode::LeastConnections);
        let weight = |ratio: u16| if weighted { ratio } else { ratio.min(1) };
        let weights: Vec<u16> = members.iter().map(|(_, ratio)| weight(*ratio)).collect();
        let shares: Vec<Share> =
            weights.iter().map(|weight| Share { weight: *weight, available: true }).collect();
        let algorithm = match mode {
            LoadBalancingMode::RoundRobin | LoadBalancingMode::Ratio => {
                Algorithm::Turns(Turns::new(&weights))
            }
            LoadBalancingMode::LeastConnections | LoadBalancingMode::RatioLeastConnections => {
                Algorithm::LeastConnections(LeastConnections::new(&weights))
            }
            LoadBalancingMode::Maglev(options) => {
                let addresses: Vec<SocketAddr> = members.iter().map(|(one, _)| *one).collect();
                let table = Maglev::new(options.hash, options.table_size, &addresses, &weights);
                Algorithm::Maglev(table)
            }
        };
        let takers = shares.iter().filter(|share| share.takes()).count();
        Self { weighted, shares, takers, algorithm }
    }

    /// The member for a new flow; `None` if nobody takes one.
    pub(crate) fn choose(&self, flow: &Key) -> Option<usize> {
        if self.takers == 0 {
            return None;
        }
        match &self.algorithm {
            Algorithm::Turns(turns) => turns.next(),
            Algorithm::LeastConnections(least) => least.least(),
            Algorithm::Maglev(table) => {
                table.choose(flow, |member| self.takes(member.into())).map(usize::from)
            }
        }
    }

    /// Whether the member takes new flows.
    pub(crate) fn takes(&self, member: usize) -> bool {
        self.shares[member].takes()
    }

    /// A flow of the member began, `in_turn` if it was chosen here.
    pub(crate) fn began(&mut self, member: usize, in_turn: bool) {
        match &mut self.algorithm {
            Algorithm::Turns(turns) if in_turn => turns.taken(member),
            Algorithm::LeastConnections(least) => least.began(member),
            Algorithm::Turns(_) | Algorithm::Maglev(_) => {}
        }
    }

    /// A flow of the member is over.
    pub(crate) fn ended(&mut self, member: usize) {
        if let Algorithm::LeastConnections(least) = &mut self.algorithm {
            least.ended(member);
        }
    }

    /// The member has so many flows already, and this scheduler was told of none.
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

    /// Gives the member another ratio. Maglev's table is made anew, which takes milliseconds.
    pub(crate) fn set_ratio(&mut self, member: usize, ratio: u16) {
        let weight = if self.weighted { ratio } else { ratio.min(1) };
        if self.shares[member].weight == weight {
            return;
        }
        self.set(member, Share { weight, ..self.shares[member] });
        if let Algorithm::Maglev(table) = &mut self.algorithm {
            let weights: Vec<u16> = self.shares.iter().map(|share| share.weight).collect();
            table.populate(&weights);
        }
    }

    fn set(&mut self, member: usize, share: Share) {
        let before = std::mem::replace(&mut self.shares[member], share);
        self.takers = self.takers + usize::from(share.takes()) - usize::from(before.takes());
        match &mut self.algorithm {
            Algorithm::Turns(turns) => turns.set_weight(member, share.present()),
            Algorithm::LeastConnections(least) => least.set_weight(member, share.present()),
            Algorithm::Maglev(_) => {}
        }
    }
}
