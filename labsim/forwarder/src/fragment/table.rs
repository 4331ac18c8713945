//! The first fragments that came, oldest to newest in a ring.

use super::DATAGRAM_TIME;
use crate::Instant;
use crate::flow::{Hasher, Index, Key};

/// What a first fragment says about those after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Datagram {
    /// Source and destination.
    pub(crate) ports: (u16, u16),
    pub(crate) protocol: u8,
    /// Where the first fragment's payload ends, in bytes.
    pub(crate) first_end: u16,
    /// The identification that all fragments get where an address is translated.
    pub(crate) id: u16,
    /// What became of it, and of those after it.
    pub(crate) fate: Fate,
}

/// What becomes of a datagram's fragments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Those after the first go on as it did.
    Forwarded,
    /// Those after the first go to its member: the datagram was balanced for itself, and no flow tells.
    Balanced {
        member: u16,
    },
    /// The host's kernel has the first, and gets those after it, which the data plane keeps from it
    /// because they have no ports.
    LeftToHost,
    Refused,
}

#[derive(Debug)]
struct Entry {
    key: Key,
    came: Instant,
    datagram: Datagram,
}

#[derive(Debug)]
pub(crate) struct Table {
    hasher: Hasher,
    index: Index,
    entries: Vec<Entry>,
    capacity: usize,
    /// Where the next one goes when all places are taken: to the oldest one's.
    oldest: usize,
}

impl Table {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            hasher: Hasher::new(),
            index: Index::new(capacity),
            entries: Vec::with_capacity(capacity),
            capacity,
            oldest: 0,
        }
    }

    /// What is known of the datagram of `key`.
    pub(crate) fn find(&self, key: &Key, now: Instant) -> Option<Datagram> {
        let entry = &self.entries[self.place(key)?];
        (now < entry.came.after(DATAGRAM_TIME)).then_some(entry.datagram)
    }

    /// A first fragment came. An identification that is used again is another datagram's.
    pub(crate) fn record(&mut self, key: Key, datagram: Datagram, now: Instant) {
        let entry = Entry { key, came: now, datagram };
        if let Some(place) = self.place(&key) {
            self.entries[place] = entry;
            return;
        }
        let place = if self.entries.len() < self.capacity {
            // Room for all was reserved when the table was made.
            self.entries.push(entry);
            self.entries.len() - 1
        } else {
            let place = self.oldest;
            self.oldest = (place + 1) % self.capacity;
            let gone = std::mem::replace(&mut self.entries[place], entry);
            self.index.remove(self.hasher.hash(&gone.key), place as u32 + 1);
            place
        };
        self.index.insert(self.hasher.hash(&key), place as u32 + 1);
    }

    /// Drops further fragments of the datagram.
    pub(crate) fn stop(&mut self, key: &Key) {
        if let Some(place) = self.place(key) {
            self.entries[place].datagram.fate = Fate::Refused;
        }
    }

    fn place(&self, key: &Key) -> Option<usize> {
        let is_it = |number: u32| self.entries[number as usize - 1].key == *key;
        Some(self.index.find(self.hasher.hash(key), is_it)? as usize - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{DATAGRAM_TIME, key};
    use super::{Datagram, Entry, Fate, Table};
    use crate::Instant;
    use crate::flow::Key;
    use std::net::Ipv4Addr;
    use std::time::Duration;

    fn key_of(id: u32) -> Key {
        let ip = |last| Ipv4Addr::new(10, 0, 0, last).into();
        key(ip(1), ip(2), 17, id)
    }

    fn datagram(port: u16) -> Datagram {
        Datagram { ports: (port, 49), protocol: 17, first_end: 1480, id: 0, fate: Fate::Forwarded }
    }

    #[test]
    fn an_entry_is_as_large_as_the_documentation_says() {
        assert_eq!(size_of::<Entry>(), 64);
    }

    #[test]
    fn every_part_of_the_key_tells_datagrams_apart() {
        let ip = |last| Ipv4Addr::new(10, 0, 0, last).into();
        let mut table = Table::new(4);
        let now = Instant::ZERO;
        table.record(key(ip(1), ip(2), 17, 0x0001_0002), datagram(7), now);
        for other in [
            key(ip(3), ip(2), 17, 0x0001_0002),
            key(ip(1), ip(3), 17, 0x0001_0002),
            key(ip(1), ip(2), 6, 0x0001_0002),
            key(ip(1), ip(2), 17, 0x0001_0003),
            key(ip(1), ip(2), 17, 0x0002_0002),
        ] {
            assert_eq!(table.find(&other, now), None);
        }
        assert_eq!(table.find(&key(ip(1), ip(2), 17, 0x0001_0002), now), Some(datagram(7)));
    }

    #[test]
    fn the_oldest_gives_its_place_and_time_ends_all() {
        let mut table = Table::new(3);
        let now = Instant::ZERO;
        for id in 0..5 {
            table.record(key_of(id), datagram(id as u16), now);
        }
        let found: Vec<bool> = (0..5).map(|id| table.find(&key_of(id), now).is_some()).collect();
        assert_eq!(found, [false, false, true, true, true]);
        table.record(key_of(3), datagram(9), now.after(Duration::from_secs(1)));
        assert_eq!(table.find(&key_of(3), now), Some(datagram(9)), "in the place of the other");
        let end = now.after(DATAGRAM_TIME);
        assert_eq!(table.find(&key_of(2), end), None);
        assert!(table.find(&key_of(2), Instant::from_nanos(end.as_nanos() - 1)).is_some());
        table.stop(&key_of(3));
        assert_eq!(table.find(&key_of(3), now).unwrap().fate, Fate::Refused);
    }
}
