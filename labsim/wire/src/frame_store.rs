//! Frames of a capture, equal ones kept once. The same frame is captured at both ends of a link, and a switch
//! floods copies to all ports: one after the other, as a rule.

use crate::decode::LinkType;
use std::hash::{BuildHasher, RandomState};
use std::mem::size_of;

/// How many frames are remembered, to find equal ones. One whose place another has taken is kept again.
const REMEMBERED: usize = 4096;
/// Bytes of a frame that its place is found by: headers up to those of TCP in a tunnel.
const HASHED: usize = 96;

/// A frame of a [`FrameStore`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameId(u32);

impl FrameId {
    /// Its place among the store's frames, from 0.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// What was captured of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredFrame<'a> {
    /// What it begins with.
    pub link: LinkType,
    /// How long it was, in bytes.
    pub original_length: u32,
    /// What was captured of it.
    pub bytes: &'a [u8],
}

/// Frames without times and places.
#[derive(Debug, Clone, Default)]
pub struct FrameStore {
    bytes: Vec<u8>,
    frames: Vec<Frame>,
    /// By hash; empty until the first frame.
    remembered: Vec<FrameId>,
    hasher: RandomState,
}

#[derive(Debug, Clone, Copy)]
struct Frame {
    start: u32,
    length: u32,
    original_length: u32,
    link: LinkType,
}

impl FrameStore {
    /// Keeps a frame; `None` if the store has 4 GiB of bytes already.
    pub fn add(&mut self, frame: StoredFrame<'_>) -> Option<FrameId> {
        let StoredFrame { link, original_length, bytes } = frame;
        let place = self.place(bytes);
        if let Some(known) = self.remembered.get(place).copied()
            && self.get(known) == Some(frame)
        {
            return Some(known);
        }
        let id = FrameId(u32::try_from(self.frames.len()).ok()?);
        let start = u32::try_from(self.bytes.len()).ok()?;
        let length = u32::try_from(bytes.len()).ok()?;
        self.bytes.extend_from_slice(bytes);
        self.frames.push(Frame { start, length, original_length, link });
        if self.remembered.is_empty() {
            self.remembered = vec![id; REMEMBERED];
        }
        if let Some(remembered) = self.remembered.get_mut(place) {
            *remembered = id;
        }
        Some(id)
    }

    /// The frame of that number.
    #[must_use]
    pub fn get(&self, id: FrameId) -> Option<StoredFrame<'_>> {
        self.frames.get(id.index()).map(|frame| self.stored(frame))
    }

    /// All frames, in the order of their numbers.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = StoredFrame<'_>> {
        self.frames.iter().map(|frame| self.stored(frame))
    }

    /// How many frames are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Bytes that the kept frames take.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.bytes.len() + self.frames.len() * size_of::<Frame>()
    }

    fn stored(&self, frame: &Frame) -> StoredFrame<'_> {
        let Frame { start, length, original_length, link } = *frame;
        let (start, length) = (start as usize, length as usize);
        let bytes = self.bytes.get(start..start + length).unwrap_or_default();
        StoredFrame { link, original_length, bytes }
    }

    fn place(&self, bytes: &[u8]) -> usize {
        let hashed = bytes.get(..HASHED).unwrap_or(bytes);
        self.hasher.hash_one((hashed, bytes.len())) as usize % REMEMBERED
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn frame(bytes: &[u8]) -> StoredFrame<'_> {
        let original_length = bytes.len() as u32;
        StoredFrame { link: LinkType::Ethernet, original_length, bytes }
    }

    #[test]
    fn equal_frames_are_kept_once_and_others_each() {
        let mut store = FrameStore::default();
        let first = store.add(frame(b"first")).unwrap();
        let second = store.add(frame(b"second")).unwrap();
        let memory = store.memory();
        assert_eq!(store.add(frame(b"first")), Some(first));
        assert_eq!(store.memory(), memory);
        assert_ne!(first, second);
        assert_eq!(store.get(first), Some(frame(b"first")));
        assert_eq!(store.get(second), Some(frame(b"second")));
    }

    #[test]
    fn frames_that_differ_behind_what_is_hashed_or_in_link_or_length_are_not_taken_for_each_other()
    {
        let mut store = FrameStore::default();
        let (mut long, mut other) = (vec![7; 1000], vec![7; 1000]);
        (long[999], other[999]) = (1, 2);
        let raw = StoredFrame { link: LinkType::Raw, ..frame(&long) };
        let cut = StoredFrame { original_length: 2000, ..frame(&long) };
        let all = [frame(&long), frame(&other), raw, cut];
        let ids = all.map(|one| store.add(one).unwrap());
        for (id, one) in ids.iter().zip(all) {
            assert_eq!(store.get(*id), Some(one));
        }
        assert_eq!(store.len(), 4);
        assert_eq!(store.iter().collect::<Vec<_>>(), all);
    }

    #[test]
    fn many_different_frames_are_all_found_again() {
        let mut store = FrameStore::default();
        let ids: Vec<FrameId> =
            (0..20_000_u32).map(|n| store.add(frame(&n.to_be_bytes())).unwrap()).collect();
        for (number, id) in (0..20_000_u32).zip(ids) {
            assert_eq!(store.get(id).unwrap().bytes, number.to_be_bytes());
        }
    }
}
