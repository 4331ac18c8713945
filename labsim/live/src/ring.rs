//! The last frames of a lab, up to a number of bytes. Memory is taken as frames come, and no more than that
//! number. Pure.

use crate::record::{HEADER, Record};
use std::collections::VecDeque;
use std::io::{self, Write};

/// Bytes that are taken at a time, and given up at the old end.
const SEGMENT: usize = 256 << 10;

/// Frames, in the order in which they were read.
#[derive(Debug)]
pub(crate) struct Ring {
    /// Segments at most.
    most: usize,
    segments: VecDeque<Segment>,
    cut: u64,
    /// The time of the newest frame that was given up.
    cut_ns: Option<u64>,
}

/// Frames that came one after the other.
#[derive(Debug, Default)]
struct Segment {
    /// Records, each followed by its frame.
    bytes: Vec<u8>,
    frames: u64,
    oldest_ns: u64,
    newest_ns: u64,
}

impl Ring {
    /// One of so many bytes at most; at least one frame fits.
    pub(crate) fn new(bytes: usize) -> Self {
        Self { most: (bytes / SEGMENT).max(1), segments: VecDeque::new(), cut: 0, cut_ns: None }
    }

    /// Adds a frame. Where there is no room for it, the oldest ones are given up.
    pub(crate) fn push(&mut self, record: Record, frame: &[u8]) {
        // More than a frame of 64 KiB with its headers never is.
        let frame = frame.get(..SEGMENT - HEADER).unwrap_or(frame);
        let length = u32::try_from(frame.len()).unwrap_or_default();
        let needed = HEADER + frame.len();
        if self.segments.back().is_none_or(|last| last.bytes.len() + needed > SEGMENT) {
            let segment = self.next_segment();
            self.segments.push_back(segment);
        }
        if let Some(last) = self.segments.back_mut() {
            last.bytes.extend_from_slice(&Record { length, ..record }.to_bytes());
            last.bytes.extend_from_slice(frame);
            last.frames += 1;
            last.oldest_ns = last.oldest_ns.min(record.time_ns);
            last.newest_ns = last.newest_ns.max(record.time_ns);
        }
    }

    /// An empty segment: the oldest one once there are as many as there may be.
    fn next_segment(&mut self) -> Segment {
        let oldest =
            if self.segments.len() >= self.most { self.segments.pop_front() } else { None };
        let bytes = oldest.map(|Segment { mut bytes, frames, newest_ns, .. }| {
            self.cut += frames;
            self.cut_ns = self.cut_ns.max(Some(newest_ns));
            bytes.clear();
            bytes
        });
        let bytes = bytes.unwrap_or_else(|| Vec::with_capacity(SEGMENT));
        Segment { bytes, frames: 0, oldest_ns: u64::MAX, newest_ns: 0 }
    }

    /// Frames that were given up at the old end.
    pub(crate) fn cut(&self) -> u64 {
        self.cut
    }

    /// The time of the newest one of them: what came later is here.
    pub(crate) fn cut_ns(&self) -> Option<u64> {
        self.cut_ns
    }

    /// Writes all frames, or those of a time and later, each after its record.
    ///
    /// # Errors
    /// Those of `out`.
    pub(crate) fn write(&self, since_ns: Option<u64>, out: &mut impl Write) -> io::Result<()> {
        let since_ns = since_ns.unwrap_or(0);
        for segment in self.segments.iter().filter(|it| it.newest_ns >= since_ns) {
            if segment.oldest_ns >= since_ns {
                out.write_all(&segment.bytes)?;
                continue;
            }
            let mut rest = segment.bytes.as_slice();
            while let Some(record) = Record::parse(rest) {
                let length = HEADER + usize::try_from(record.length).unwrap_or(usize::MAX);
                let Some((frame, after)) = rest.split_at_checked(length) else { break };
                if record.time_ns >= since_ns {
                    out.write_all(frame)?;
                }
                rest = after;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use labsim_scenario::model::Direction;

    fn record(time_ns: u64) -> Record {
        Record { time_ns, point: 0, original_length: 1000, length: 0, direction: Direction::In }
    }

    /// The times of the frames that are written.
    fn times(ring: &Ring, since_ns: Option<u64>) -> Vec<u64> {
        let (mut out, mut times) = (Vec::new(), Vec::new());
        ring.write(since_ns, &mut out).unwrap();
        let mut rest = out.as_slice();
        while let Some(record) = Record::parse(rest) {
            times.push(record.time_ns);
            rest = &rest[HEADER + record.length as usize..];
        }
        assert_eq!(rest, [0; 0]);
        times
    }

    #[test]
    fn memory_is_taken_as_frames_come_and_never_more_than_the_bound() {
        let mut ring = Ring::new(4 * SEGMENT);
        let taken = |ring: &Ring| ring.segments.iter().map(|it| it.bytes.capacity()).sum::<usize>();
        assert_eq!((taken(&ring), ring.cut_ns()), (0, None));
        ring.push(record(1), &[0; 1000]);
        assert_eq!((taken(&ring), ring.cut_ns()), (SEGMENT, None));
        for time in 2..=100_000 {
            ring.push(record(time), &[0; 1000]);
        }
        assert_eq!(taken(&ring), 4 * SEGMENT);
        let kept = times(&ring, None);
        assert_eq!(kept.len() as u64 + ring.cut(), 100_000);
        let first = ring.cut_ns().map(|time| time + 1);
        assert_eq!((kept.first().copied(), kept.last()), (first, Some(&100_000)));
        assert!(kept.len() > 3 * (SEGMENT / (HEADER + 1000)), "{}", kept.len());
    }

    #[test]
    fn what_is_older_than_a_time_is_left_out_wherever_it_stands() {
        let mut ring = Ring::new(4 * SEGMENT);
        for time in [5, 30, 10, 20, 40] {
            ring.push(record(time), &[0; SEGMENT / 3]);
        }
        assert_eq!(times(&ring, Some(20)), [30, 20, 40]);
        assert_eq!(times(&ring, Some(41)), [0; 0]);
        assert_eq!(times(&ring, None), [5, 30, 10, 20, 40]);
    }

    #[test]
    fn a_frame_that_no_segment_has_room_for_is_shortened() {
        let mut ring = Ring::new(0);
        ring.push(record(1), &vec![0; 2 * SEGMENT]);
        ring.push(record(2), &[0; 60]);
        assert_eq!((times(&ring, None), ring.cut()), (vec![2], 1));
    }
}
