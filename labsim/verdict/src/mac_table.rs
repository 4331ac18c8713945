//! Which interface sends with which link-layer address, learnt from what it sends.
//!
//! A capture shows what passes an interface, frames for others among them: a switch floods what
//! it cannot place. A frame's destination shows whether it is addressed to the node.

use crate::observe::PointId;
use labsim_scenario::model::Direction;
use labsim_wire::decode::{Content, Decoded};
use labsim_wire::ethernet::Mac;
use std::collections::HashMap;

/// Addresses of one interface that are kept at most; it has one, unless somebody forges them.
const MAX_ADDRESSES: usize = 8;

/// Link-layer addresses by interface, and the other way.
#[derive(Debug, Default)]
pub struct MacTable {
    of_point: Vec<Vec<Mac>>,
    points: HashMap<Mac, PointId>,
}

impl MacTable {
    /// For so many capture points, nothing learnt.
    #[must_use]
    pub fn new(points: usize) -> Self {
        Self { of_point: vec![Vec::new(); points], points: HashMap::new() }
    }

    /// Takes note of who sent a frame.
    pub fn learn(&mut self, point: PointId, direction: Direction, decoded: &Decoded) {
        let Some(link) = decoded.link.filter(|_| direction == Direction::Out) else { return };
        let Some(known) = self.of_point.get_mut(point.0) else { return };
        if !known.contains(&link.source) && known.len() < MAX_ADDRESSES {
            known.push(link.source);
            self.points.entry(link.source).or_insert(point);
        }
    }

    /// The interface that sends with that address.
    #[must_use]
    pub fn find(&self, mac: Mac) -> Option<PointId> {
        self.points.get(&mac).copied()
    }

    /// Whether a frame that was captured at this interface is addressed to it. One that never sent
    /// anything is believed to be meant.
    #[must_use]
    pub fn addressed(&self, point: PointId, decoded: &Decoded) -> bool {
        let Some(link) = decoded.link else {
            return !matches!(decoded.content, Content::Malformed(_));
        };
        let known = self.of_point.get(point.0).map_or(&[][..], Vec::as_slice);
        known.is_empty() || link.destination.is_multicast() || known.contains(&link.destination)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use labsim_wire::decode::{LinkType, decode};

    fn frame(source: u8, destination: u8) -> Decoded {
        let mut bytes = vec![0; 14];
        (bytes[5], bytes[11]) = (destination, source);
        decode(LinkType::Ethernet, &bytes, bytes.len())
    }

    #[test]
    fn an_interface_is_known_by_what_it_sends_and_not_by_what_it_receives() {
        let (here, there) = (PointId(0), PointId(1));
        let mut mac_table = MacTable::new(2);
        mac_table.learn(here, Direction::Out, &frame(1, 9));
        mac_table.learn(here, Direction::In, &frame(2, 1));
        assert!(mac_table.addressed(here, &frame(2, 1)));
        assert!(!mac_table.addressed(here, &frame(1, 2)));
        assert!(mac_table.addressed(there, &frame(1, 2)), "nothing is known of it yet");
        assert_eq!(mac_table.find(Mac([0, 0, 0, 0, 0, 1])), Some(here));
        assert_eq!(mac_table.find(Mac([0, 0, 0, 0, 0, 2])), None);
    }

    #[test]
    fn what_is_for_everybody_is_for_an_interface_too() {
        let mut mac_table = MacTable::new(1);
        mac_table.learn(PointId(0), Direction::Out, &frame(1, 9));
        let mut everybody = frame(2, 9);
        everybody.link.as_mut().unwrap().destination = Mac::BROADCAST;
        assert!(mac_table.addressed(PointId(0), &everybody));
    }

    #[test]
    fn forged_addresses_are_bounded() {
        let mut mac_table = MacTable::new(1);
        for source in 0..=u8::MAX {
            mac_table.learn(PointId(0), Direction::Out, &frame(source, 9));
        }
        assert_eq!((mac_table.of_point[0].len(), mac_table.points.len()), (8, 8));
    }
}
