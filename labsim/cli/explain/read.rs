//! Reads the captures into a trace.

use super::packets::Packets;
use super::points::{Hints, host, names};
use crate::stream;
use labsim_captures::{
    Direction, Frame, Known, Mac, Opened, Origin, Packet, PointId, Reader, Section, TextFrame,
    TextReader, Transport,
};
use labsim_explain::{
    Claim, Clock, Days, MAX_CLAIMS, MAX_POINTS, MAX_ROWS, Point, Role, Row, Trace, Unit, icmp_error,
};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io::BufRead;
use std::path::{Path, PathBuf};

/// An argument: a file, perhaps with a name.
#[derive(Debug)]
pub(super) struct Input {
    name: Option<String>,
    path: PathBuf,
}

impl Input {
    /// `NAME=FILE` or `FILE`. A file whose own name has this form is a file.
    pub(super) fn new(argument: &OsStr) -> Self {
        let path = PathBuf::from(argument);
        let named = argument.to_str().and_then(|text| text.split_once('='));
        match named.filter(|(name, _)| !name.is_empty() && !name.contains('/')) {
            Some((name, file)) if !path.exists() => {
                Self { name: Some(name.to_owned()), path: file.into() }
            }
            _ => Self { name: None, path },
        }
    }

    pub(super) fn is_stdin(&self) -> bool {
        self.path == Path::new(stream::STDIN)
    }

    pub(super) fn shown(&self) -> String {
        self.path.display().to_string()
    }
}

/// What was read so far.
#[derive(Debug, Default)]
pub(super) struct Reading {
    trace: Trace,
    files: Vec<FilePoints>,
    captures: usize,
    /// Packets that are neither TCP nor UDP nor ICMP errors.
    others: u64,
    /// All packets as they are, if they are to be written.
    packets: Option<Packets>,
}

/// What a capture tells of how it was taken.
#[derive(Debug, Default)]
struct Told {
    command: Option<String>,
    snap_length: Option<u32>,
}

/// The points of a file, which are named when all files are known.
#[derive(Debug)]
struct FilePoints {
    given: Option<String>,
    file: String,
    first: usize,
    hints: Vec<Hints>,
}

impl Reading {
    /// A reading that keeps all packets.
    pub(super) fn keeping(packets: Packets) -> Self {
        Self { packets: Some(packets), ..Self::default() }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// What is wrong with it, and what to do.
    pub(super) fn read(&mut self, input: &Input) -> Result<(), String> {
        let opened = stream::open(&input.path, "capture or a text with one")?;
        let opened = labsim_captures::open(opened).map_err(|error| error.to_string())?;
        self.files.push(FilePoints {
            given: input.name.clone(),
            file: input.shown(),
            first: self.trace.points.len(),
            hints: Vec::new(),
        });
        match opened {
            Opened::Frames(reader) => self.frames(*reader, input),
            Opened::Text(reader) => self.text(*reader, input),
        }
    }

    /// All that was read, with a name for each point, and the packets if they were kept.
    pub(super) fn finish(mut self) -> (Trace, Option<Packets>) {
        let mut taken = BTreeSet::new();
        let is_only_file = self.files.len() == 1;
        for file in &self.files {
            let given = file.given.as_deref();
            let names = names(given, &file.file, &file.hints, is_only_file, &mut taken);
            for (point, name) in self.trace.points.iter_mut().skip(file.first).zip(names) {
                point.name = name;
            }
        }
        if self.others > 0 && self.packets.is_none() {
            let count = if self.others == 1 {
                "1 packet is".to_owned()
            } else {
                format!("{} packets are", self.others)
            };
            self.trace
                .notices
                .push(format!("{count} neither TCP nor UDP nor an ICMP error, and not explained"));
        }
        (self.trace, self.packets)
    }

    fn frames(&mut self, mut reader: Reader<'_>, input: &Input) -> Result<(), String> {
        let capture = self.next_capture();
        let mut points: BTreeMap<PointId, usize> = BTreeMap::new();
        while let Some(frame) = reader.next_frame().map_err(|error| error.to_string())? {
            let point = match points.get(&frame.point) {
                Some(point) => *point,
                None => {
                    let found = reader.points().get(frame.point.0);
                    let device = found.and_then(|it| match (&it.name, it.device) {
                        (Some(name), Some(device)) => Some(format!("{name}:if{device}")),
                        (Some(name), None) => Some(name.clone()),
                        (None, device) => device.map(|device| format!("if{device}")),
                    });
                    let clock = if frame.time_ns.is_some() { Clock::Utc } else { Clock::None };
                    let hints = Hints { host: None, device };
                    let snap_length = found.map(|it| it.snap_length).filter(|it| *it > 0);
                    let told = Told { command: None, snap_length };
                    let point = self.add_point(input, capture, Unit::Frame, clock, hints, told)?;
                    points.insert(frame.point, point);
                    point
                }
            };
            if let (Some(packets), Some(found)) =
                (&mut self.packets, reader.points().get(frame.point.0))
            {
                packets.add_frame(point, &frame, found.link, found.snap_length)?;
            }
            let packet = match frame.known() {
                Known::Ip(packet) => packet,
                known => {
                    let source = frame.link.ethernet.map(|it| it.source);
                    self.claim(point, frame.number, &known, source);
                    continue;
                }
            };
            self.add(row_of_frame(point, &frame, packet))?;
        }
        if points.is_empty() {
            return Err(
                "this capture has no frame: capture again while the client connects".to_owned()
            );
        }
        self.note_frames(&reader, input, capture);
        Ok(())
    }

    fn note_frames(&mut self, reader: &Reader<'_>, input: &Input, capture: usize) {
        let notices = reader.notices();
        let file = input.shown();
        let mut note = |text: String| self.trace.notices.push(format!("{file}: {text}"));
        if notices.is_cut {
            note("the file ends within a frame, which was left out".to_owned());
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
            note(format!("captured by: {command}"));
            let points = self.trace.points.iter_mut().filter(|it| it.capture == capture);
            points.for_each(|it| it.command = Some(command.clone()));
        }
    }

    fn text<R: BufRead>(&mut self, mut reader: TextReader<R>, input: &Input) -> Result<(), String> {
        let mut sections: BTreeMap<usize, usize> = BTreeMap::new();
        let mut points: BTreeMap<(usize, Option<String>), usize> = BTreeMap::new();
        let mut days: BTreeMap<usize, Days> = BTreeMap::new();
        loop {
            let frame = reader.next_frame();
            let frame = frame.map_err(|error| format!("the text cannot be read: {error}"))?;
            let Some(frame) = frame else { break };
            let capture = match sections.get(&frame.section) {
                Some(capture) => *capture,
                None => {
                    let capture = self.next_capture();
                    sections.insert(frame.section, capture);
                    capture
                }
            };
            let key = (frame.section, frame.device.clone());
            let point = match points.get(&key) {
                Some(point) => *point,
                None => {
                    let section = reader.sections().get(frame.section);
                    let hints = Hints {
                        host: section.and_then(|it| host(it.prompt.as_deref()?)),
                        device: frame.device.clone(),
                    };
                    let told = Told {
                        command: section.and_then(|it| it.command.clone()),
                        snap_length: section.and_then(|it| it.snap_length),
                    };
                    let clock = clock(&frame);
                    let point = self.add_point(input, capture, Unit::Line, clock, hints, told)?;
                    points.insert(key, point);
                    point
                }
            };
            let time_ns = time(&frame, days.entry(frame.section).or_default());
            if let Some(packets) = &mut self.packets {
                packets.add_text(point, &frame, time_ns)?;
            }
            let packet = match frame.known {
                Known::Ip(packet) => packet,
                known => {
                    self.claim(point, frame.line, &known, None);
                    continue;
                }
            };
            self.add(Row {
                point,
                number: frame.line,
                time_ns,
                direction: frame.direction,
                is_f5_out: is_f5_out(frame.f5.as_ref()),
                reset_cause: frame.f5.and_then(|it| it.reset_cause),
                link: None,
                packet,
            })?;
        }
        let notices = reader.notices();
        if points.is_empty() {
            let unread = match notices.unread_lines.first() {
                Some((line, text)) => format!(" (line {line} is not understood: {text})"),
                None => String::new(),
            };
            return Err(format!(
                "this text shows no packet of tcpdump's{unread}: paste what `tcpdump -nn -vvv` prints, or send \
                 the file that `tcpdump -w` writes"
            ));
        }
        let file = input.shown();
        if let Some((line, text)) = notices.unread_lines.first() {
            self.trace.notices.push(format!(
                "{file}: packets that are not understood and were left out: {}, the first in line {line}: {text}",
                notices.unread
            ));
        }
        let dropped = |section: &Section| section.dropped.filter(|count| *count > 0);
        for (count, section) in reader.sections().iter().filter_map(|it| Some((dropped(it)?, it))) {
            self.trace.notices.push(format!(
                "{file}: the kernel dropped {count} packets of the capture in line {}: not seen may be dropped",
                section.line
            ));
        }
        Ok(())
    }

    fn next_capture(&mut self) -> usize {
        self.captures += 1;
        self.captures - 1
    }

    fn add_point(
        &mut self,
        input: &Input,
        capture: usize,
        unit: Unit,
        clock: Clock,
        hints: Hints,
        told: Told,
    ) -> Result<usize, String> {
        if self.trace.points.len() >= MAX_POINTS {
            return Err(format!(
                "more than {MAX_POINTS} capture points in all: name fewer files, or keep fewer interfaces"
            ));
        }
        self.trace.points.push(Point {
            name: String::new(),
            file: input.shown(),
            unit,
            capture,
            clock,
            given: input.name.as_deref().and_then(Role::of_name),
            command: told.command,
            snap_length: told.snap_length,
        });
        if let Some(file) = self.files.last_mut() {
            file.hints.push(hints);
        }
        if let Some(packets) = &mut self.packets {
            packets.add_point();
        }
        Ok(self.trace.points.len() - 1)
    }

    /// Keeps who claims an address; other packets that are no IP are counted.
    fn claim(&mut self, point: usize, number: u64, known: &Known, source: Option<Mac>) {
        let claim = match known {
            Known::Arp(arp) => arp.claim(source),
            _ => None,
        };
        match claim {
            Some((address, mac)) if self.trace.claims.len() < MAX_CLAIMS => {
                self.trace.claims.push(Claim { point, number, address, mac });
            }
            _ => self.others += 1,
        }
    }

    /// Keeps a packet that is of use.
    fn add(&mut self, row: Row) -> Result<(), String> {
        let is_kept = matches!(row.packet.transport, Transport::Tcp(_) | Transport::Udp { .. });
        if !is_kept && icmp_error(&row).is_none() {
            self.others += 1;
            return Ok(());
        }
        if self.trace.rows.len() >= MAX_ROWS {
            return Err(format!(
                "more than {MAX_ROWS} packets of TCP and UDP in all: keep those of one client, by \
                 `tcpdump -r FILE -w SMALLER 'host CLIENT or ip proto 4 or ip proto 47'`"
            ));
        }
        self.trace.rows.push(row);
        Ok(())
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

fn is_f5_out(trailer: Option<&labsim_captures::F5Trailer>) -> bool {
    trailer.is_some_and(|it| it.direction == Some(Direction::Out) && it.virtual_server.is_some())
}

fn clock(frame: &TextFrame) -> Clock {
    match frame.time.map(|it| it.origin) {
        Some(Origin::Epoch) => Clock::Utc,
        Some(Origin::LocalEpoch) => Clock::Local,
        Some(Origin::Midnight) => Clock::TimeOfDay,
        Some(Origin::FirstPacket) => Clock::FirstPacket,
        None => Clock::None,
    }
}

fn time(frame: &TextFrame, days: &mut Days) -> Option<i64> {
    let time = frame.time?;
    let ns = i64::try_from(time.ns).ok()?;
    Some(if time.origin == Origin::Midnight { days.count(ns) } else { ns })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_before_a_file_unless_the_file_is_called_so() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a=b.pcap");
        std::fs::write(&file, "").unwrap();
        let named = Input::new(OsStr::new("client=c.txt"));
        assert_eq!((named.name.as_deref(), named.shown()), (Some("client"), "c.txt".to_owned()));
        let input = Input::new(file.as_os_str());
        assert_eq!((input.name, input.path), (None, file));
        assert!(Input::new(OsStr::new("client=-")).is_stdin());
    }
}
