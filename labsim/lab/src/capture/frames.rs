//! A capture's result: points, frames by time, and how many were dropped.

use super::marker::MarkerKind;
use labsim_scenario::model::{Direction, InterfaceName, NodeName};
use labsim_wire::decode::LinkType;
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
    records: Vec<Record>,
    bytes: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Record {
    pub(super) time_ns: u64,
    pub(super) point: usize,
    pub(super) direction: Direction,
    pub(super) original_length: u32,
    pub(super) marker: Option<MarkerKind>,
    pub(super) start: usize,
    pub(super) length: usize,
}

/// Frames as they are read, up to a bound.
#[derive(Debug, Default)]
pub(super) struct Arena {
    records: Vec<Record>,
    bytes: Vec<u8>,
}

impl Arena {
    /// Keeps a frame, unless there is no room for it. `record`'s place is filled in.
    pub(super) fn push(&mut self, mut record: Record, bytes: &[u8]) -> bool {
        let needed = bytes.len() + size_of::<Record>();
        let used = self.bytes.len() + self.records.len() * size_of::<Record>();
        if used + needed > super::ARENA_BYTES {
            return false;
        }
        record.start = self.bytes.len();
        record.length = bytes.len();
        self.bytes.extend_from_slice(bytes);
        self.records.push(record);
        true
    }

    /// Sorts the frames by time.
    pub(super) fn into_captured(
        mut self,
        points: Vec<Point>,
        drops: BTreeMap<NodeName, u64>,
    ) -> Captured {
        self.records.sort_by_key(|record| record.time_ns);
        Captured { points, drops, records: self.records, bytes: self.bytes }
    }
}

impl Captured {
    /// All frames by time, start and end markers among them.
    pub fn frames(&self) -> impl ExactSizeIterator<Item = Frame<'_>> {
        self.records.iter().map(|record| Frame {
            time_ns: record.time_ns,
            point: record.point,
            direction: record.direction,
            original_length: record.original_length,
            bytes: &self.bytes[record.start..record.start + record.length],
            marker: record.marker,
        })
    }

    /// The place of an interface's point in [`Self::points`].
    #[must_use]
    pub fn find_point(&self, node: &NodeName, interface: &InterfaceName) -> Option<usize> {
        self.points.iter().position(|it| it.node == *node && it.interface == *interface)
    }
}
