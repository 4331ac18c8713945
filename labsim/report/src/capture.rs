//! A run's frames as one pcapng file: an interface block for every capture point.

use labsim_scenario::model;
use labsim_verdict::{Observations, PointId, is_marker};
use labsim_wire::pcapng::{Direction, PacketRecord, Statistics, Writer};
use std::io::{self, Write};

/// The longest frame that a capture holds: a segment of 64 KiB with its headers.
const SNAP_LENGTH: u32 = 128 << 10;

/// Writes every frame, marker frames and monitors' with a remark.
///
/// A node's interfaces share one capture, so what it dropped is told once, at its first interface.
pub(crate) fn write(out: &mut dyn Write, observations: &Observations) -> io::Result<()> {
    let capture = &observations.capture;
    let mut writer = Writer::new(out, concat!("labsim ", env!("CARGO_PKG_VERSION")))?;
    let mut ids = Vec::new();
    for point in capture.points() {
        let name = format!("{}:{}", point.node, point.interface);
        ids.push(writer.interface(&name, point.link, SNAP_LENGTH)?);
    }
    let mut received = vec![0u64; ids.len()];
    let mut last_ns = 0;
    for frame in capture.frames() {
        let PointId(point) = frame.record.point;
        let Some(interface) = ids.get(point) else { continue };
        if let Some(count) = received.get_mut(point) {
            *count += 1;
        }
        last_ns = last_ns.max(frame.record.time_ns);
        let decoded = frame.decode();
        let comment = match observations.probes.values().any(|probes| probes.has(&decoded)) {
            true => Some("a monitor's: no verdict is about it"),
            false => {
                is_marker(&decoded).then_some("labsim's own marker: this capture point is alive")
            }
        };
        writer.packet(&PacketRecord {
            interface: *interface,
            time_ns: frame.record.time_ns,
            bytes: frame.bytes,
            original_length: frame.record.original_length,
            direction: Some(match frame.record.direction {
                model::Direction::In => Direction::In,
                model::Direction::Out => Direction::Out,
            }),
            comment,
        })?;
    }
    let mut told = std::collections::BTreeSet::new();
    for ((point, id), received) in capture.points().iter().zip(&ids).zip(received) {
        let drops = observations.capture_drops.get(&point.node).copied().unwrap_or(0);
        let dropped = if told.insert(&point.node) { drops } else { 0 };
        writer.statistics(&Statistics {
            interface: *id,
            time_ns: last_ns,
            received: received + dropped,
            dropped,
        })?;
    }
    writer.finish().map(drop)
}
