//! Which connections are explained where there are too many, or too many packets, to explain all: some of each
//! kind.
//!
//! Two connections are of one kind if the same points saw the same packets of them, by their direction, flags,
//! tunnel and server. Addresses of clients, ports, lengths and times may differ; of long connections also how
//! many packets there are. What is kept of a connection is some ten bytes, whatever it carries.

mod flow;
mod select;

pub use select::Selection;

use crate::trace::{Row, Vip};
use flow::{Flow, Parts, WANTED};
use std::collections::HashMap;

/// Connections that are told apart at most, by the addresses and ports of both ends.
pub const MAX_FLOWS: usize = 3_000_000;

/// Packets, by the connections that they are of.
#[derive(Debug, Default)]
pub struct Survey {
    /// Places in `flows`, by their keys.
    places: HashMap<u64, u32>,
    flows: Vec<Flow>,
    /// Ends of the connections that are to be explained; all if there are none.
    wanted: Vec<Vip>,
    /// Packets of each point, those among them that are of no connection.
    packets: Vec<usize>,
    rows: u32,
    /// Packets of connections that are not told apart.
    beyond: u64,
}

impl Survey {
    /// Of all connections, or of those with one of these ends.
    #[must_use]
    pub fn new(wanted: &[Vip]) -> Self {
        Self { wanted: wanted.to_vec(), ..Self::default() }
    }

    /// Adds a packet.
    pub fn add(&mut self, row: &Row) {
        if self.packets.len() <= row.point {
            self.packets.resize(row.point + 1, 0);
        }
        if let Some(count) = self.packets.get_mut(row.point) {
            *count += 1;
        }
        let Some(parts) = Parts::of(row) else { return };
        let key = parts.key();
        let place = match self.places.get(&key) {
            Some(place) => usize::try_from(*place).unwrap_or(usize::MAX),
            None if self.flows.len() < MAX_FLOWS => {
                let place = self.flows.len();
                self.places.insert(key, u32::try_from(place).unwrap_or(u32::MAX));
                self.flows.push(Flow::new(key, self.rows, row, &parts));
                place
            }
            None => {
                self.beyond += 1;
                return;
            }
        };
        self.rows = self.rows.saturating_add(1);
        if let Some(flow) = self.flows.get_mut(place) {
            flow.add(row, &parts);
            if self.wanted.iter().any(|it| it.is_at(parts.source) || it.is_at(parts.destination)) {
                flow.bits |= WANTED;
            }
        }
    }

    /// How many connections there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.flows.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.flows.is_empty()
    }
}
