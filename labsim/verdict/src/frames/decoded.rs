//! The different frames of a capture, decoded once, and their flows by number.

use crate::observe::{decode_stored, is_marker};
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use labsim_wire::decode::{Decoded, Flow};
use labsim_wire::frame_store::{FrameId, FrameStore};
use std::cmp::Ordering;
use std::hash::{BuildHasher, RandomState};

/// A flow's number: the two directions of a connection have an even one and the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FlowId(pub(crate) u32);

impl FlowId {
    /// Stands for none.
    const NONE: Self = Self(u32::MAX);
    /// Is added to the number of a flow whose source is its destination: it is its own other direction.
    const TO_ITSELF: u32 = 1 << 31;

    fn new(connection: u32, flow: Flow) -> Self {
        match flow.source.cmp(&flow.destination) {
            Ordering::Less => Self(2 * connection),
            Ordering::Equal => Self((2 * connection) | Self::TO_ITSELF),
            Ordering::Greater => Self(2 * connection + 1),
        }
    }

    /// Its place among all flows.
    pub(crate) fn index(self) -> usize {
        (self.0 & !Self::TO_ITSELF) as usize
    }

    /// The other direction.
    pub(crate) fn reversed(self) -> Self {
        if self.0 & Self::TO_ITSELF == 0 { Self(self.0 ^ 1) } else { self }
    }
}

/// What becomes of a frame of the store wherever it was captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Shown,
    Marker,
    LeftOut,
}

/// What the frames of a capture's store are.
#[derive(Debug)]
pub(super) struct DecodedFrames {
    decoded: Vec<Decoded>,
    kinds: Vec<Kind>,
    /// By frame; [`FlowId::NONE`] of one that is not shown, or has no flow.
    flows: Vec<FlowId>,
    /// By connection: a frame of either direction, which has its addresses and ports.
    connections: Vec<u32>,
    /// Numbers of connections, found by their addresses and ports.
    numbers: HashTable<u32>,
    hasher: RandomState,
}

impl DecodedFrames {
    /// Decodes everything.
    pub(super) fn new(store: &FrameStore, is_left_out: impl Fn(&Decoded) -> bool) -> Self {
        let count = store.len();
        let mut frames = Self {
            decoded: Vec::with_capacity(count),
            kinds: Vec::with_capacity(count),
            flows: Vec::with_capacity(count),
            connections: Vec::new(),
            // It never grows: that would read all frames again.
            numbers: HashTable::with_capacity(count),
            hasher: RandomState::new(),
        };
        for decoded in store.iter().map(decode_stored) {
            let kind = match (is_marker(&decoded), is_left_out(&decoded)) {
                (true, _) => Kind::Marker,
                (false, true) => Kind::LeftOut,
                (false, false) => Kind::Shown,
            };
            let flow = decoded.flow().filter(|_| kind == Kind::Shown);
            frames.decoded.push(decoded);
            frames.kinds.push(kind);
            let id = flow.map(|flow| FlowId::new(frames.number(flow), flow));
            frames.flows.push(id.unwrap_or(FlowId::NONE));
        }
        frames
    }

    /// The number of the last frame's connection, a new one if need be.
    fn number(&mut self, flow: Flow) -> u32 {
        let Self { decoded, connections, numbers, hasher, .. } = self;
        let key = connection(flow);
        let of = |number: &u32| connection_of(decoded, connections, *number);
        let is_it = |number: &u32| of(number) == Some(key);
        let hash = |number: &u32| of(number).map_or(0, |known| hasher.hash_one(known));
        match numbers.entry(hasher.hash_one(key), is_it, hash) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(place) => {
                // A store's frames have numbers of 32 bits.
                let number = connections.len() as u32;
                place.insert(number);
                connections.push((decoded.len() - 1) as u32);
                number
            }
        }
    }

    /// What a frame is; `None` if it is not shown.
    pub(super) fn shown(&self, frame: FrameId) -> Option<&Decoded> {
        (self.kind(frame) == Kind::Shown).then(|| self.decoded.get(frame.index()))?
    }

    pub(super) fn kind(&self, frame: FrameId) -> Kind {
        self.kinds.get(frame.index()).copied().unwrap_or(Kind::LeftOut)
    }

    /// The flow of a frame that is shown.
    pub(super) fn flow_of(&self, frame: FrameId) -> Option<FlowId> {
        self.flows.get(frame.index()).copied().filter(|flow| *flow != FlowId::NONE)
    }

    /// The number of a flow, if a frame of it or of its other direction is shown.
    pub(super) fn find(&self, flow: Flow) -> Option<FlowId> {
        let key = connection(flow);
        let is_it = |number: &u32| self.connection(*number) == Some(key);
        let number = self.numbers.find(self.hasher.hash_one(key), is_it)?;
        Some(FlowId::new(*number, flow))
    }

    /// The flow of that number.
    pub(super) fn flow(&self, id: FlowId) -> Option<Flow> {
        let flow = self.connection(id.index() as u32 / 2)?;
        Some(if id.index().is_multiple_of(2) { flow } else { flow.reversed() })
    }

    /// The numbers of all flows, both directions of each.
    pub(super) fn ids(&self) -> impl Iterator<Item = FlowId> + use<> {
        (0..self.count()).map(|number| FlowId(number as u32))
    }

    /// How many flows there are.
    pub(super) fn count(&self) -> usize {
        2 * self.connections.len()
    }

    fn connection(&self, number: u32) -> Option<Flow> {
        connection_of(&self.decoded, &self.connections, number)
    }
}

/// The direction by which a connection is known.
fn connection(flow: Flow) -> Flow {
    if flow.source <= flow.destination { flow } else { flow.reversed() }
}

fn connection_of(decoded: &[Decoded], connections: &[u32], number: u32) -> Option<Flow> {
    let frame = connections.get(number as usize)?;
    decoded.get(*frame as usize)?.flow().map(connection)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use labsim_wire::decode::LinkType;
    use labsim_wire::frame_store::StoredFrame;

    /// An IPv4 packet with the beginning of UDP from a host's port 7 to another's.
    fn udp(source: u8, destination: u8) -> [u8; 28] {
        let mut bytes = [0; 28];
        (bytes[0], bytes[3], bytes[9]) = (0x45, 28, 17);
        (bytes[15], bytes[19]) = (source, destination);
        (bytes[21], bytes[23], bytes[25]) = (7, 7, 8);
        bytes
    }

    #[test]
    fn both_directions_have_numbers_of_one_connection_and_a_flow_to_itself_has_one() {
        let mut store = FrameStore::default();
        let ids = [udp(1, 2), udp(2, 1), udp(3, 3)].map(|bytes| {
            let link = LinkType::Raw;
            store.add(StoredFrame { link, original_length: 28, bytes: &bytes }).unwrap()
        });
        let frames = DecodedFrames::new(&store, |_| false);
        let [there, back, own] = ids.map(|id| frames.flow_of(id).unwrap());
        assert_eq!((there.reversed(), back.reversed(), own.reversed()), (back, there, own));
        assert_eq!(frames.count(), 4);
        for (id, flow) in ids.into_iter().zip([there, back, own]) {
            let decoded = frames.shown(id).unwrap().flow();
            assert_eq!((frames.flow(flow), frames.find(decoded.unwrap())), (decoded, Some(flow)));
        }
    }
}
