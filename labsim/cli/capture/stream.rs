//! Packets as pcapng, with an interface for each point.

use super::Form;
use labsim_lab::{TappedFrame, TappedPoint};
use labsim_scenario::model;
use labsim_wire::pcapng::{Direction, InterfaceId, PacketRecord, Statistics, Writer};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::rc::Rc;

/// The longest frame that a capture holds: a segment of 64 KiB with its headers.
const SNAP_LENGTH: u32 = 128 << 10;

/// Blocks that were not written yet.
pub(super) struct Stream {
    writer: Writer<Blocks>,
    blocks: Blocks,
    points: BTreeMap<usize, Described>,
    last_ns: u64,
}

/// A point in the file, and how many packets it has.
struct Described {
    name: String,
    id: InterfaceId,
    received: u64,
}

/// Takes blocks as they are made.
#[derive(Default, Clone)]
struct Blocks(Rc<RefCell<Vec<u8>>>);

impl Write for Blocks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream {
    /// One of these points, each with its place.
    pub(super) fn new<'p>(
        points: impl IntoIterator<Item = (usize, &'p TappedPoint)>,
    ) -> io::Result<Self> {
        let blocks = Blocks::default();
        let application = concat!("labsim ", env!("CARGO_PKG_VERSION"));
        let writer = Writer::new(blocks.clone(), application, None)?;
        let mut stream = Self { writer, blocks, points: BTreeMap::new(), last_ns: 0 };
        for (place, point) in points {
            stream.describe(place, point)?;
        }
        Ok(stream)
    }

    fn describe(&mut self, place: usize, point: &TappedPoint) -> io::Result<InterfaceId> {
        if let Some(described) = self.points.get_mut(&place) {
            described.received += 1;
            return Ok(described.id);
        }
        let id = self.writer.interface(&point.name, point.link, SNAP_LENGTH)?;
        self.points.insert(place, Described { name: point.name.clone(), id, received: 0 });
        Ok(id)
    }

    fn packet(&mut self, point: &TappedPoint, frame: &TappedFrame<'_>) -> io::Result<()> {
        self.last_ns = self.last_ns.max(frame.time_ns);
        let interface = self.describe(frame.point, point)?;
        self.writer.packet(&PacketRecord {
            interface,
            time_ns: frame.time_ns,
            bytes: frame.bytes,
            original_length: frame.original_length,
            direction: Some(match frame.direction {
                model::Direction::In => Direction::In,
                model::Direction::Out => Direction::Out,
            }),
            comment: None,
        })
    }
}

impl Form for Stream {
    fn frame(&mut self, point: &TappedPoint, frame: &TappedFrame<'_>) {
        // Writing to memory cannot fail.
        let _ = self.packet(point, frame);
    }

    fn take(&mut self) -> Vec<u8> {
        self.blocks.0.take()
    }

    /// A node's interfaces share one socket, so its drops are written once.
    fn finish(&mut self, dropped: &[(String, u64)]) {
        let mut written = BTreeSet::new();
        for Described { name, id, received } in self.points.values() {
            let node = name.split(':').next().unwrap_or_default();
            let drops = dropped.iter().find(|(of, _)| of == node && written.insert(node));
            let dropped = drops.map_or(0, |(_, dropped)| *dropped);
            let (interface, time_ns) = (*id, self.last_ns);
            let received = received + dropped;
            let statistics = Statistics { interface, time_ns, received, dropped };
            // Writing to memory cannot fail.
            let _ = self.writer.statistics(&statistics);
        }
    }
}
