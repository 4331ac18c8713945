//! Which interface sends with which link-layer address, learnt from what it sends.
//!
//! A capture shows what passes an interface, frames for others among them: a switch floods what
//! it cannot place. Whether a frame was meant for the node is told by its destination.

use crate::observe::PointId;
use labsim_scenario::model::Direction;
use labsim_wire::decode::{Content, Decoded};
use labsim_wire::ethernet::Mac;
use std::collections::HashMap;

/// Addresses of one interface that are kept at most; it has one, unless somebody forges them.
const MAX_ADDRESSES: usize = 8;

/// Link-layer addresses by interface, and the other way.
#[derive(Debug, Default)]
pub(crate) struct Stations {
    of_point: Vec<Vec<Mac>>,
    points: HashMap<Mac, PointId>,
}

impl Stations {
    pub(crate) fn new(points: usize) -> Self {
        Self { of_point: vec![Vec::new(); points], points: HashMap::new() }
    }

    /// Takes note of who sent a frame.
    pub(crate) fn learn(&mut self, point: PointId, direction: Direction, decoded: &Decoded) {
        let Some(link) = decoded.link.filter(|_| direction == Direction::Out) else { return };
        let Some(known) = self.of_point.get_mut(point.0) else { return };
        if !known.contains(&link.source) && known.len() < MAX_ADDRESSES {
            known.push(link.source);
            self.points.entry(link.source).or_insert(point);
        }
    }

    /// The interface that sends with that address.
    pub(crate) fn find(&self, mac: Mac) -> Option<PointId> {
        self.points.get(&mac).copied()
    }

    /// Whether a frame that was captured at this interface is addressed to it. One that never sent
    /// anything is believed to be meant.
    pub(crate) fn addressed(&self, point: PointId, decoded: &Decoded) -> bool {
        let Some(link) = decoded.link else {
            return !matches!(decoded.content, Content::Malformed(_));
        };
        let known = self.of_point.get(point.0).map_or(&[][..], Vec::as_slice);
        known.is_empty() || link.destination.is_multicast() || known.contains(&link.destination)
    }
}
