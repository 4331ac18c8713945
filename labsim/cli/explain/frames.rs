//! Reads the frames of captures: of one file each, or of several that are one capture.

use super::input::{Input, Part};
use super::points::Hints;
use super::read::{HowTaken, Reading, is_f5_out};
use labsim_captures::{Frame, Known, Packet, PointId, Reader};
use labsim_explain::{Clock, Row, Unit};
use std::collections::BTreeMap;

/// Of a capture with a header and nothing behind it.
pub(super) const NO_FRAME: &str =
    "this capture has no frame: capture again while the client connects";

/// A capture in several files, as far as they were read.
#[derive(Debug)]
pub(super) struct Ring {
    /// Its last file, if more may follow.
    part: Option<Part>,
    /// Its first file.
    pub(super) file: String,
    pub(super) files: usize,
    capture: usize,
    /// Its points by their devices.
    points: BTreeMap<Option<String>, usize>,
    /// Its frames so far: those of the next file are counted on.
    frames: u64,
    /// The time of its last frame.
    time_ns: Option<u64>,
}

impl Reading {
    pub(super) fn frames(&mut self, mut reader: Reader<'_>, input: &Input) -> Result<(), String> {
        let mut points: BTreeMap<PointId, usize> = BTreeMap::new();
        let mut opened: Option<Ring> = None;
        while let Some(mut frame) = reader.next_frame().map_err(|error| error.to_string())? {
            let ring = opened.get_or_insert_with(|| self.ring(input, frame.time_ns));
            let point = match points.get(&frame.point) {
                Some(point) => *point,
                None => {
                    let point =
                        self.point_of(reader.points().get(frame.point.0), &frame, input, ring)?;
                    points.insert(frame.point, point);
                    point
                }
            };
            ring.time_ns = frame.time_ns.or(ring.time_ns);
            frame.number = frame.number.saturating_add(ring.frames);
            if let (Some(packets), Some(found)) =
                (&mut self.packets, reader.points().get(frame.point.0))
            {
                packets.add_frame(point, &frame, found.link, found.snap_length)?;
            }
            let known = frame.known();
            let source = frame.link.ethernet.map(|it| it.source);
            if self.claim(point, frame.number, &known, source) {
                continue;
            }
            match known {
                Known::Ip(packet) => {
                    self.add_packet(row_of_frame(point, &frame, packet), frame.network_layer())?;
                }
                _ => self.others += 1,
            }
        }
        let Some(mut ring) = opened else { return self.add_empty(input) };
        self.note_frames(&reader, input, ring.capture);
        ring.frames = ring.frames.saturating_add(reader.frames());
        self.rings.push(ring);
        Ok(())
    }

    /// Adds the point of a capture that has a header and no frame: nothing was seen there.
    fn add_empty(&mut self, input: &Input) -> Result<(), String> {
        if self.packets.is_some() {
            return Err(NO_FRAME.to_owned());
        }
        let capture = self.next_capture();
        let taken = HowTaken { command: None, snap_length: None };
        let point =
            self.add_point(input, capture, Unit::Frame, Clock::None, Hints::default(), taken)?;
        self.trace.empty.insert(point);
        Ok(())
    }

    /// The capture that a file goes on with, or a new one. `time_ns`: of its first frame.
    fn ring(&mut self, input: &Input, time_ns: Option<u64>) -> Ring {
        let part = input.part();
        let goes_on = |ring: &Ring| {
            let follows = |part: &Part| ring.part.as_ref().is_some_and(|it| part.follows(it));
            part.as_ref().is_some_and(follows) && ring.time_ns.is_some() && ring.time_ns <= time_ns
        };
        match self.rings.iter().position(goes_on) {
            Some(place) => {
                let ring = self.rings.remove(place);
                Ring { part, files: ring.files + 1, ..ring }
            }
            None => {
                let (capture, file, points) = (self.next_capture(), input.shown(), BTreeMap::new());
                Ring { part, file, files: 1, capture, points, frames: 0, time_ns: None }
            }
        }
    }

    /// The point of a frame whose point this file did not have before.
    fn point_of(
        &mut self,
        found: Option<&labsim_captures::Point>,
        frame: &Frame,
        input: &Input,
        ring: &mut Ring,
    ) -> Result<usize, String> {
        let device = found.and_then(|it| match (&it.name, it.device) {
            (Some(name), Some(device)) => Some(format!("{name}:if{device}")),
            (Some(name), None) => Some(name.clone()),
            (None, device) => device.map(|device| format!("if{device}")),
        });
        if let Some(point) = ring.points.get(&device) {
            return Ok(*point);
        }
        let clock = if frame.time_ns.is_some() { Clock::Utc } else { Clock::None };
        let hints = Hints { host: None, device: device.clone() };
        let snap_length = found.map(|it| it.snap_length).filter(|it| *it > 0);
        let taken = HowTaken { command: None, snap_length };
        let point = self.add_point(input, ring.capture, Unit::Frame, clock, hints, taken)?;
        ring.points.insert(device, point);
        Ok(point)
    }

    fn note_frames(&mut self, reader: &Reader<'_>, input: &Input, capture: usize) {
        let notices = reader.notices();
        let file = input.shown();
        let mut note = |text: String| self.trace.notices.push(format!("{file}: {text}"));
        if notices.is_cut {
            note("the file ends within a frame, which was left out".to_owned());
        }
        if let Some(frame) = notices.zeros_from {
            note(format!(
                "from frame {frame} on the file holds zero bytes: it was not written to its end, or its disk is \
                 damaged; copy it again. What stands before them is read"
            ));
        }
        if notices.dropped > 0 {
            note(format!(
                "{} packets were dropped while capturing: not seen may be dropped",
                notices.dropped
            ));
        }
        for (link, count) in &notices.unknown_links {
            note(format!("{count} frames have link layer {link}, which is not known here"));
        }
        if let Some(command) = notices.f5.as_ref().and_then(|it| it.command.as_ref()) {
            if !self.has_no_quotes {
                note(format!("captured by: {command}"));
            }
            let points = self.trace.points.iter_mut().filter(|it| it.capture == capture);
            points.for_each(|it| it.command = Some(command.clone()));
        }
    }
}

fn row_of_frame(point: usize, frame: &Frame, packet: Packet) -> Row {
    Row {
        point,
        number: frame.number,
        time_ns: frame.time_ns.and_then(|ns| i64::try_from(ns).ok()),
        direction: frame.direction,
        is_f5_out: is_f5_out(frame.f5.as_ref()),
        reset_cause: frame.f5.as_ref().and_then(|it| it.reset_cause.clone()),
        link: frame.link.ethernet.map(|it| (it.source, it.destination)),
        packet,
    }
}
