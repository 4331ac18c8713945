//! The member of each client beyond single flows: F5's source address affinity
//! and IPVS's persistent services.
//!
//! An entry lives until nothing refreshed it for the virtual server's timeout. A new flow refreshes
//! it and a flow's later packets do not, as with F5. The table is bounded: when it is full, the
//! virtual server with most entries loses its oldest, so that a flood of sources through one does
//! not make another forget its clients. Nothing is allocated after the start.

use crate::counters::PersistenceCounters;
use crate::flow::Index;
use crate::{Instant, Persistence, SourceAddress};
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// An address as flows' keys have it: IPv4's in its IPv6-mapped form.
type Source = [u64; 2];

#[derive(Debug)]
pub(crate) struct Table {
    random: RandomState,
    index: Index,
    entries: Vec<Entry>,
    capacity: usize,
    /// First of the free entries, linked by `next`.
    free: u32,
    /// By virtual server.
    lists: Vec<List>,
    /// No entry's time is over before this.
    next_due: Option<Instant>,
    counters: PersistenceCounters,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    source: Source,
    refreshed: Instant,
    /// Towards the newer, of the same virtual server.
    next: u32,
    previous: u32,
    server: u16,
    member: u16,
}

/// A virtual server's entries from the oldest to the newest, by number from 1; 0 is none.
#[derive(Debug)]
struct List {
    rule: Option<SourceAddress>,
    oldest: u32,
    newest: u32,
    entries: usize,
}

impl List {
    fn timeout(&self) -> Duration {
        Duration::from_secs(self.rule.map_or(0, |rule| rule.timeout).into())
    }

    /// The part of an address that counts.
    fn masked(&self, [high, low]: Source) -> Source {
        let Some(length) = self.rule.and_then(|rule| rule.prefix_length) else {
            return [high, low];
        };
        // An IPv4 address is the last of 32 bits.
        let bits = if high == 0 && low >> 32 == 0xffff { 32 } else { 128 };
        let mask = u128::MAX.checked_shl(u32::saturating_sub(bits, length.into())).unwrap_or(0);
        [high & (mask >> 64) as u64, low & mask as u64]
    }
}

impl Table {
    /// For virtual servers that persist so. Without any that does it takes no memory.
    pub(crate) fn new(capacity: usize, rules: impl Iterator<Item = Persistence>) -> Self {
        let mut table = Self {
            random: RandomState::new(),
            index: Index::new(0),
            entries: Vec::new(),
            capacity: 0,
            free: 0,
            lists: Vec::new(),
            next_due: None,
            counters: PersistenceCounters::default(),
        };
        table.set_rules(capacity, rules);
        table
    }

    /// Gives the virtual servers, of which none goes away, other rules. Clients of one that does
    /// not persist any more are forgotten as soon as [`Self::expire`] can.
    pub(crate) fn set_rules(&mut self, capacity: usize, rules: impl Iterator<Item = Persistence>) {
        for (server, persistence) in rules.enumerate() {
            let rule = match persistence {
                Persistence::None => None,
                Persistence::SourceAddress(rule) => Some(rule),
            };
            match self.lists.get_mut(server) {
                Some(list) => list.rule = rule,
                None => self.lists.push(List { rule, oldest: 0, newest: 0, entries: 0 }),
            }
        }
        if self.capacity == 0 && self.lists.iter().any(|list| list.rule.is_some()) {
            self.capacity = capacity;
            self.index = Index::new(capacity);
            self.entries = Vec::with_capacity(capacity);
        }
        if self.lists.iter().any(|list| list.entries > 0) {
            self.next_due = Some(Instant::ZERO);
        }
    }

    /// Whether no client of the virtual server is remembered.
    pub(crate) fn is_empty(&self, server: u16) -> bool {
        self.lists[usize::from(server)].entries == 0
    }

    /// What was counted, and how many entries there are.
    pub(crate) fn counters(&self) -> PersistenceCounters {
        let entries = self.lists.iter().map(|list| list.entries as u64).sum();
        PersistenceCounters { entries, ..self.counters }
    }

    /// The member of the client's last flow, if it is remembered.
    pub(crate) fn find(&self, server: u16, source: Source, now: Instant) -> Option<u16> {
        let list = &self.lists[usize::from(server)];
        list.rule?;
        let entry = self.entry(self.lookup(server, list.masked(source))?);
        (entry.refreshed.after(list.timeout()) > now).then_some(entry.member)
    }

    /// A flow of the client's began with that member.
    pub(crate) fn record(&mut self, server: u16, source: Source, member: u16, now: Instant) {
        let list = &self.lists[usize::from(server)];
        if list.rule.is_none() {
            return;
        }
        let (source, timeout) = (list.masked(source), list.timeout());
        if let Some(id) = self.lookup(server, source) {
            let entry = *self.entry(id);
            if entry.refreshed.after(timeout) <= now {
                self.counters.expired += 1;
                self.counters.recorded += 1;
            } else if entry.member == member {
                self.counters.hits += 1;
            } else {
                self.counters.moved += 1;
            }
            self.unlink(id);
            self.link(id, Entry { member, refreshed: now, ..entry });
            return;
        }
        let Some(id) = self.allocate() else { return };
        let entry = Entry { source, refreshed: now, next: 0, previous: 0, server, member };
        self.index.insert(self.hash(server, source), id);
        self.link(id, entry);
        self.counters.recorded += 1;
        let due = now.after(timeout);
        self.next_due = Some(self.next_due.map_or(due, |next| next.min(due)));
    }

    /// Forgets up to `budget` entries whose time is over.
    pub(crate) fn expire(&mut self, now: Instant, budget: usize) {
        if self.next_due.is_none_or(|due| due > now) {
            return;
        }
        let mut left = budget;
        self.next_due = None;
        for server in 0..self.lists.len() {
            while let (oldest @ 1.., timeout) =
                (self.lists[server].oldest, self.lists[server].timeout())
            {
                let due = self.entry(oldest).refreshed.after(timeout);
                if due > now || left == 0 {
                    self.next_due = Some(self.next_due.map_or(due, |next| next.min(due)));
                    break;
                }
                left -= 1;
                self.forget(oldest);
                self.counters.expired += 1;
            }
        }
    }

    /// When [`Self::expire`] next has something to do; at times earlier.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.next_due
    }

    /// A place for a new entry.
    fn allocate(&mut self) -> Option<u32> {
        if self.free == 0 && self.entries.len() < self.capacity {
            // Room for all was reserved at the start.
            let (source, refreshed) = ([0; 2], Instant::ZERO);
            self.entries.push(Entry {
                source,
                refreshed,
                next: 0,
                previous: 0,
                server: 0,
                member: 0,
            });
            return Some(self.entries.len() as u32);
        }
        if self.free == 0 {
            let most = self.lists.iter().max_by_key(|list| list.entries)?;
            let oldest = Some(most.oldest).filter(|oldest| *oldest != 0)?;
            self.forget(oldest);
            self.counters.evicted += 1;
        }
        let id = self.free;
        self.free = self.entry(id).next;
        Some(id)
    }

    fn forget(&mut self, id: u32) {
        self.unlink(id);
        let Entry { server, source, .. } = *self.entry(id);
        self.index.remove(self.hash(server, source), id);
        self.entries[id as usize - 1].next = self.free;
        self.free = id;
    }

    fn lookup(&self, server: u16, source: Source) -> Option<u32> {
        self.index.find(self.hash(server, source), |id| {
            let entry = self.entry(id);
            (entry.server, entry.source) == (server, source)
        })
    }

    /// With a secret, so that a client cannot choose addresses that all collide.
    fn hash(&self, server: u16, source: Source) -> u32 {
        self.random.hash_one((server, source)) as u32
    }

    fn entry(&self, id: u32) -> &Entry {
        &self.entries[id as usize - 1]
    }

    /// Puts an entry at its list's new end.
    fn link(&mut self, id: u32, entry: Entry) {
        let list = &mut self.lists[usize::from(entry.server)];
        let newest = std::mem::replace(&mut list.newest, id);
        list.entries += 1;
        if newest == 0 {
            list.oldest = id;
        } else {
            self.entries[newest as usize - 1].next = id;
        }
        self.entries[id as usize - 1] = Entry { next: 0, previous: newest, ..entry };
    }

    fn unlink(&mut self, id: u32) {
        let Entry { server, next, previous, .. } = *self.entry(id);
        let list = &mut self.lists[usize::from(server)];
        list.entries -= 1;
        if previous == 0 {
            list.oldest = next;
        }
        if next == 0 {
            list.newest = previous;
        }
        if previous != 0 {
            self.entries[previous as usize - 1].next = next;
        }
        if next != 0 {
            self.entries[next as usize - 1].previous = previous;
        }
    }
}

#[cfg(test)]
#[path = "persistence_tests.rs"]
mod tests;
