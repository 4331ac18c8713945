//! A capture's result: points, frames by time, and how many were dropped.

use super::marker::MarkerKind;
use labsim_scenario::model::{Direction, InterfaceName, NodeName};
use labsim_wire::decode::LinkType;
use labsim_wire::frame_store::{FrameId, FrameStore, StoredFrame};
use std::collections::BTreeMap;

/// An interface whose frames were captured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// Whose it is.
    pub node: NodeName,
    /// Its name.
    pub interface: InterfaceName,
    /// What its frames begin with.
    pub link: LinkType,
    /// When its own start marker left it, in nanoseconds since 1970.
    pub started_ns: Option<u64>,
    /// When its own end marker left it, in nanoseconds since 1970.
    pub ended_ns: Option<u64>,
}

/// One captured frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Nanoseconds since 1970.
    pub time_ns: u64,
    /// Its point's place in [`Captured::points`].
    pub point: usize,
    /// Seen from the node whose interface it is. `lo` shows every frame both ways.
    pub direction: Direction,
    /// How long it was, in bytes; more than `bytes` if it was longer than any frame should be.
    pub original_length: u32,
    /// The frame.
    pub bytes: &'a [u8],
    /// Set if it is one of labsim's own markers.
    pub marker: Option<MarkerKind>,
}

/// A capture that has ended.
#[derive(Debug, Clone, Default)]
pub struct Captured {
    /// Node by node, `lo` first; points that the plan does not know come last.
    pub points: Vec<Point>,
    /// Frames that were there and are not here, by node. A node without any is not named.
    pub drops: BTreeMap<NodeName, u64>,
    /// Whether frames were left out on purpose.
    pub is_partial: bool,
    records: Vec<Record>,
    store: FrameStore,
}

/// When, where and which way a frame was captured.
#[derive(Debug, Clone, Copy)]
pub struct Record {
    /// Nanoseconds since 1970.
    pub time_ns: u64,
    /// Its point's place in [`Captured::points`].
    pub point: u32,
    /// Which frame, in [`Parts::store`].
    pub frame: FrameId,
    /// Seen from the node whose interface it is. `lo` shows every frame both ways.
    pub direction: Direction,
    /// Set if it is one of labsim's own markers.
    pub marker: Option<MarkerKind>,
}

/// A capture, taken apart.
#[derive(Debug)]
pub struct Parts {
    /// As [`Captured::points`].
    pub points: Vec<Point>,
    /// As [`Captured::drops`].
    pub drops: BTreeMap<NodeName, u64>,
    /// As [`Captured::is_partial`].
    pub is_partial: bool,
    /// All frames by time.
    pub records: Vec<Record>,
    /// What was captured of them.
    pub store: FrameStore,
}

/// Frames as they are read, up to a bound.
#[derive(Debug, Default)]
pub(super) struct Arena {
    records: Vec<Record>,
    store: FrameStore,
}

/// When, where and which way a frame was captured that has no place yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) time_ns: u64,
    pub(super) point: usize,
    pub(super) direction: Direction,
    pub(super) marker: Option<MarkerKind>,
}

impl Arena {
    /// Keeps a frame; `false` if there is no room for it.
    pub(super) fn push(&mut self, seen: Seen, frame: StoredFrame<'_>) -> bool {
        let needed = frame.bytes.len() + size_of::<Record>();
        let used = self.store.memory() + self.records.len() * size_of::<Record>();
        if used + needed > super::ARENA_BYTES {
            return false;
        }
        let Seen { time_ns, point, direction, marker } = seen;
        let (Ok(point), Some(frame)) = (u32::try_from(point), self.store.add(frame)) else {
            return false;
        };
        self.records.push(Record { time_ns, point, frame, direction, marker });
        true
    }

    /// Sorts the frames by time. `places` are those of their points among `points`.
    pub(super) fn into_captured(
        mut self,
        points: Vec<Point>,
        places: &[u32],
        (drops, is_partial): (BTreeMap<NodeName, u64>, bool),
    ) -> Captured {
        self.records.sort_by_key(|record| record.time_ns);
        for record in &mut self.records {
            record.point = places.get(record.point as usize).copied().unwrap_or(record.point);
        }
        Captured { points, drops, is_partial, records: self.records, store: self.store }
    }
}

impl Captured {
    /// All frames by time, start and end markers among them.
    pub fn frames(&self) -> impl Iterator<Item = Frame<'_>> {
        self.records.iter().filter_map(|record| {
            let StoredFrame { original_length, bytes, .. } = self.store.get(record.frame)?;
            let Record { time_ns, point, direction, marker, .. } = *record;
            Some(Frame {
                time_ns,
                point: point as usize,
                direction,
                original_length,
                bytes,
                marker,
            })
        })
    }

    /// Takes it apart, to be kept as something else without a copy.
    #[must_use]
    pub fn into_parts(self) -> Parts {
        let Self { points, drops, is_partial, records, store } = self;
        Parts { points, drops, is_partial, records, store }
    }

    /// The place of an interface's point in [`Self::points`].
    #[must_use]
    pub fn find_point(&self, node: &NodeName, interface: &InterfaceName) -> Option<usize> {
        self.points.iter().position(|it| it.node == *node && it.interface == *interface)
    }
}
