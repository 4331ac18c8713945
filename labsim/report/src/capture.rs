//! A run's frames as files: one pcapng file with an interface block for every capture point, and
//! one pcap file for each of them.

use crate::remarks::Remarks;
use labsim_scenario::model;
use labsim_verdict::{Capture, FrameView, Observations, PointId, is_probe};
use labsim_wire::pcap;
use labsim_wire::pcapng::{Direction, PacketRecord, Statistics, Writer};
use std::collections::BTreeSet;
use std::io::{self, Write};

/// The longest frame that a capture holds: a segment of 64 KiB with its headers.
const SNAP_LENGTH: u32 = 128 << 10;

/// Writes the frames of all points, those that matter with a comment.
///
/// A node's interfaces share one capture, so its drops are written once, at the node's first
/// interface. Statistics count markers as well: they came to the capture.
pub(crate) fn write_pcapng(
    out: &mut dyn Write,
    observations: &Observations,
    with_markers: bool,
    remarks: &Remarks,
) -> io::Result<()> {
    let capture = &observations.capture;
    let application = concat!("labsim ", env!("CARGO_PKG_VERSION"));
    let mut writer = Writer::new(out, application, remarks.of_run())?;
    let mut ids = Vec::new();
    for point in capture.points() {
        let name = format!("{}:{}", point.node, point.interface);
        ids.push(writer.interface(&name, point.link, SNAP_LENGTH)?);
    }
    let mut own_frames = OwnFrames::new(capture);
    let mut received = vec![0u64; ids.len()];
    let mut last_ns = 0;
    for frame in capture.frames() {
        let PointId(point) = frame.record.point;
        let Some(interface) = ids.get(point) else { continue };
        if let Some(count) = received.get_mut(point) {
            *count += 1;
        }
        last_ns = last_ns.max(frame.record.time_ns);
        let own = own_frames.of(&frame, observations);
        if own == Own::Marker && !with_markers {
            continue;
        }
        let comment = match own {
            Own::No => remarks.of_frame(frame.index),
            own => own.comment().map(str::to_owned),
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
            comment: comment.as_deref(),
        })?;
    }
    let mut written = BTreeSet::new();
    for ((point, id), received) in capture.points().iter().zip(&ids).zip(received) {
        let drops = observations.capture_drops.get(&point.node).copied().unwrap_or(0);
        let dropped = if written.insert(&point.node) { drops } else { 0 };
        writer.statistics(&Statistics {
            interface: *id,
            time_ns: last_ns,
            received: received + dropped,
            dropped,
        })?;
    }
    writer.finish().map(drop)
}

/// Whether a frame is one that no verdict is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Own {
    No,
    Marker,
    Probe,
}

impl Own {
    fn new(observations: &Observations, frame: &FrameView<'_>) -> Self {
        if frame.is_marker() {
            return Self::Marker;
        }
        if observations.probes.is_empty() {
            return Self::No;
        }
        let decoded = frame.decode();
        let is_probe = observations.probes.values().any(|sources| is_probe(sources, &decoded));
        if is_probe { Self::Probe } else { Self::No }
    }

    fn comment(self) -> Option<&'static str> {
        match self {
            Self::No => None,
            Self::Marker => Some("labsim's own marker: this capture point is alive"),
            Self::Probe => Some("a monitor's: no verdict is about it"),
        }
    }
}

/// What each frame is, equal ones decoded once.
struct OwnFrames(Vec<Option<Own>>);

impl OwnFrames {
    fn new(capture: &Capture) -> Self {
        Self(vec![None; capture.different_frames()])
    }

    fn of(&mut self, frame: &FrameView<'_>, observations: &Observations) -> Own {
        let make = || Own::new(observations, frame);
        match self.0.get_mut(frame.frame.index()) {
            Some(known) => *known.get_or_insert_with(make),
            None => make(),
        }
    }
}

/// One point's frames, for a classic capture.
pub(crate) struct PointFrames<'a> {
    capture: &'a Capture,
    point: usize,
    /// The file's name: `rs1-tunl0.pcap`.
    pub(crate) file: String,
    frames: Vec<usize>,
}

/// The frames of each point, in the order of the points.
pub(crate) fn split_by_point(capture: &Capture, with_markers: bool) -> Vec<PointFrames<'_>> {
    let mut names = BTreeSet::new();
    let mut points: Vec<PointFrames<'_>> = capture
        .points()
        .iter()
        .enumerate()
        .map(|(point, it)| {
            let name = format!("{}-{}", it.node, it.interface);
            let file = unused_name(&mut names, &name);
            PointFrames { capture, point, file, frames: Vec::new() }
        })
        .collect();
    for frame in capture.frames() {
        let is_kept = with_markers || !frame.is_marker();
        if is_kept && let Some(point) = points.get_mut(frame.record.point.0) {
            point.frames.push(frame.index);
        }
    }
    points
}

/// `NAME.pcap`, or with a number if that is taken: both a name and an interface may hold a hyphen.
fn unused_name(taken: &mut BTreeSet<String>, name: &str) -> String {
    let mut file = format!("{name}.pcap");
    let mut number = 1;
    while !taken.insert(file.clone()) {
        number += 1;
        file = format!("{name}-{number}.pcap");
    }
    file
}

impl PointFrames<'_> {
    /// Writes the frames as a classic capture.
    pub(crate) fn write_pcap(&self, out: &mut dyn Write) -> io::Result<()> {
        let Some(point) = self.capture.points().get(self.point) else { return Ok(()) };
        let mut writer = pcap::Writer::new(out, point.link, SNAP_LENGTH)?;
        for index in &self.frames {
            let Some(FrameView { record, bytes, .. }) = self.capture.frame(*index) else {
                continue;
            };
            writer.packet(record.time_ns, record.original_length, bytes)?;
        }
        writer.finish().map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_points_never_share_a_file() {
        let mut taken = BTreeSet::new();
        let files: Vec<_> =
            ["a-b-c", "a-b-c", "a-b-c-2", "d"].map(|name| unused_name(&mut taken, name)).into();
        assert_eq!(files, ["a-b-c.pcap", "a-b-c-2.pcap", "a-b-c-2-2.pcap", "d.pcap"]);
    }
}
