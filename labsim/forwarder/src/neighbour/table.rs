//! The bounded table of neighbours and their states.

use super::{REACHABLE_TIME, REQUESTS, RETRANSMIT_TIME};
use crate::Instant;
use crate::counters::NeighbourCounters;
use labsim_wire::ethernet::Mac;
use std::collections::HashMap;
use std::net::IpAddr;

/// A neighbour's place in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NeighbourId(u32);

impl NeighbourId {
    /// The host itself, which is always there: its kernel gets what is sent to the interface's own
    /// link-layer address.
    pub(crate) const HOST: Self = Self(u32::MAX);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Asked for, not known yet.
    Incomplete,
    /// Known; believed until then, and asked again by name when used after that.
    Reachable { until: Instant },
    /// Known, and asked by name whether it is still true.
    Probe,
    /// Does not answer.
    Failed,
}

#[derive(Debug)]
struct Entry {
    address: IpAddr,
    mac: Mac,
    state: State,
    /// Requests sent in this state.
    asked: u8,
    /// When something has to be done without a packet's help.
    due: Option<Instant>,
    /// A member's next hop: asked for from the start, kept, and asked again after it failed.
    pinned: bool,
    used: Instant,
}

/// Whether a packet can go to a neighbour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resolution {
    /// To this link-layer address.
    Ready(Mac),
    /// The packet has to wait for an answer.
    Wait,
    /// Not at all.
    Unreachable,
}

/// What the engine has to do for a neighbour at its due time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// Send a request.
    Ask {
        /// The address to resolve.
        address: IpAddr,
        /// Where it is believed to be, and alone is to be asked; `None` asks by broadcast or
        /// multicast.
        known: Option<Mac>,
    },
    /// Give up what waits for it.
    Failed(NeighbourId),
}

#[derive(Debug)]
pub(crate) struct Table {
    /// The interface's own link-layer address.
    own: Mac,
    entries: Vec<Entry>,
    by_address: HashMap<IpAddr, u32>,
    capacity: usize,
    /// No entry is due before this.
    next_due: Option<Instant>,
    changes: u64,
    /// Changes of what is known of any neighbour's link-layer address.
    moves: u64,
    pub(crate) counters: NeighbourCounters,
}

impl Table {
    pub(crate) fn new(capacity: usize, own: Mac) -> Self {
        Self {
            own,
            entries: Vec::with_capacity(capacity),
            // Twice the room, so that the map never grows, whatever is replaced in it.
            by_address: HashMap::with_capacity(capacity * 2),
            capacity,
            next_due: None,
            changes: 0,
            moves: 0,
            counters: NeighbourCounters::default(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Adds a member's next hop, to be asked for at once; `None` if the table is full.
    pub(crate) fn pin(&mut self, address: IpAddr) -> Option<NeighbourId> {
        let id = self.find(address).or_else(|| self.add(address, Instant::ZERO))?;
        let entry = self.entry_mut(id);
        if std::mem::replace(&mut entry.pinned, true) {
            return Some(id);
        }
        entry.due = Some(Instant::ZERO);
        self.next_due = Some(Instant::ZERO);
        Some(id)
    }

    /// Only these are members' next hops from here on.
    pub(crate) fn keep_pinned(&mut self, pinned: impl Iterator<Item = NeighbourId>) {
        let mut keep = vec![false; self.entries.len()];
        let asked = pinned.filter(|id| *id != NeighbourId::HOST);
        asked.for_each(|id| keep[id.0 as usize] = true);
        for (entry, keep) in self.entries.iter_mut().zip(keep) {
            if entry.pinned && !keep {
                entry.pinned = false;
                // One that was never asked, or that failed, is asked by the next packet to it.
                if entry.asked == 0 && entry.state == State::Incomplete {
                    entry.state = State::Failed;
                }
                entry.due = entry.due.filter(|_| entry.state != State::Failed);
            }
        }
        self.next_due = self.entries.iter().filter_map(|entry| entry.due).min();
        // `is_failed` may answer otherwise.
        self.changes += 1;
    }

    pub(crate) fn find(&self, address: IpAddr) -> Option<NeighbourId> {
        self.by_address.get(&address).map(|id| NeighbourId(*id))
    }

    /// The neighbour of that address, known or to be asked for; `None` if the table is full of
    /// others that are in use.
    pub(crate) fn find_or_add(&mut self, address: IpAddr, now: Instant) -> Option<NeighbourId> {
        self.find(address).or_else(|| self.add(address, now))
    }

    /// Whether packets to it are refused at this moment.
    pub(crate) fn is_failed(&self, id: NeighbourId) -> bool {
        if id == NeighbourId::HOST {
            return false;
        }
        let entry = self.entry(id);
        entry.state == State::Failed && entry.pinned
    }

    /// How often [`Self::is_failed`] changed its answer for any.
    pub(crate) const fn changes(&self) -> u64 {
        self.changes
    }

    /// Where a packet to this neighbour goes. May make a request due now.
    #[inline]
    pub(crate) fn resolve(&mut self, id: NeighbourId, now: Instant) -> Resolution {
        if id == NeighbourId::HOST {
            return Resolution::Ready(self.own);
        }
        let entry = self.entry_mut(id);
        entry.used = now;
        match entry.state {
            State::Reachable { until } if now < until => Resolution::Ready(entry.mac),
            State::Probe => Resolution::Ready(entry.mac),
            State::Reachable { .. } => {
                let mac = entry.mac;
                self.begin(id, State::Probe, now);
                Resolution::Ready(mac)
            }
            State::Incomplete => Resolution::Wait,
            State::Failed if entry.pinned => Resolution::Unreachable,
            // As Linux does: the next packet asks anew.
            State::Failed => {
                self.begin(id, State::Incomplete, now);
                Resolution::Wait
            }
        }
    }

    /// Goes up when [`Self::known`] may answer otherwise.
    pub(crate) const fn moves(&self) -> u64 {
        self.moves
    }

    /// Where a neighbour is believed to be.
    pub(crate) fn known(&self, address: IpAddr) -> Option<Mac> {
        self.mac(self.find(address)?)
    }

    /// The same of one in the table; `None` for the host itself, too.
    pub(crate) fn mac(&self, id: NeighbourId) -> Option<Mac> {
        if id == NeighbourId::HOST {
            return None;
        }
        let entry = self.entry(id);
        let known = matches!(entry.state, State::Reachable { .. } | State::Probe);
        known.then_some(entry.mac)
    }

    /// A neighbour's message announced `mac` for `address`; `answer` if it answers a request of
    /// ours, which alone proves that the neighbour hears us. Returns the neighbour if it is known.
    pub(crate) fn learn(
        &mut self,
        address: IpAddr,
        mac: Mac,
        answer: bool,
        now: Instant,
    ) -> Option<NeighbourId> {
        let id = self.find(address)?;
        let failed = self.is_failed(id);
        let entry = self.entry_mut(id);
        let known = matches!(entry.state, State::Reachable { .. } | State::Probe);
        let same = known && entry.mac == mac;
        if !same || answer {
            let until = if answer { now.after(REACHABLE_TIME) } else { now };
            entry.mac = mac;
            entry.state = State::Reachable { until };
            entry.due = None;
            entry.asked = 0;
            self.counters.resolved += u64::from(!known);
            self.changes += u64::from(failed);
            self.moves += u64::from(!same);
        }
        Some(id)
    }

    /// The next thing that is due by `now`, one a call.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<Due> {
        if self.next_due.is_none_or(|due| due > now) {
            return None;
        }
        let found = self.entries.iter().position(|entry| entry.due.is_some_and(|due| due <= now));
        let Some(index) = found else {
            self.next_due = self.entries.iter().filter_map(|entry| entry.due).min();
            return None;
        };
        let id = NeighbourId(index as u32);
        let entry = &mut self.entries[index];
        let gives_up = entry.state != State::Failed && entry.asked >= REQUESTS;
        if gives_up {
            entry.state = State::Failed;
            entry.asked = 0;
            // A member's next hop is asked on; any other by the next packet to it.
            entry.due = entry.pinned.then_some(now);
            self.changes += u64::from(entry.pinned);
            self.moves += 1;
            self.counters.failed += 1;
            return Some(Due::Failed(id));
        }
        let known = (entry.state == State::Probe).then_some(entry.mac);
        entry.asked = entry.asked.saturating_add(1);
        entry.due = Some(now.after(RETRANSMIT_TIME));
        self.counters.requests += 1;
        Some(Due::Ask { address: entry.address, known })
    }

    /// When [`Self::take_due`] next has something.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.next_due
    }

    fn add(&mut self, address: IpAddr, now: Instant) -> Option<NeighbourId> {
        let entry = Entry {
            address,
            mac: Mac::default(),
            state: State::Incomplete,
            asked: 0,
            due: Some(now),
            pinned: false,
            used: now,
        };
        let index = if self.entries.len() < self.capacity {
            self.entries.push(entry);
            self.entries.len() - 1
        } else {
            let index = self.replaceable()?;
            self.by_address.remove(&self.entries[index].address);
            self.entries[index] = entry;
            self.counters.evicted += 1;
            self.moves += 1;
            index
        };
        self.by_address.insert(address, index as u32);
        self.schedule(now);
        Some(NeighbourId(index as u32))
    }

    /// The least lately used entry that nothing waits for and no member needs.
    fn replaceable(&self) -> Option<usize> {
        let idle = |entry: &Entry| {
            !entry.pinned && matches!(entry.state, State::Reachable { .. } | State::Failed)
        };
        let candidates = self.entries.iter().enumerate().filter(|(_, entry)| idle(entry));
        candidates.min_by_key(|(_, entry)| entry.used).map(|(index, _)| index)
    }

    fn begin(&mut self, id: NeighbourId, state: State, now: Instant) {
        let entry = self.entry_mut(id);
        entry.state = state;
        entry.asked = 0;
        entry.due = Some(now);
        self.schedule(now);
    }

    fn schedule(&mut self, due: Instant) {
        self.next_due = Some(self.next_due.map_or(due, |next| next.min(due)));
    }

    #[inline]
    fn entry(&self, id: NeighbourId) -> &Entry {
        &self.entries[id.0 as usize]
    }

    #[inline]
    fn entry_mut(&mut self, id: NeighbourId) -> &mut Entry {
        &mut self.entries[id.0 as usize]
    }
}
