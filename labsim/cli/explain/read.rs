//! Reads the captures into a trace.

use super::frames::Ring;
use super::input::Input;
use super::kept::{Keeping, Room};
use super::packets::Packets;
use super::points::{Hints, host, names};
use super::progress::Progress;
use super::spool::Spools;
use crate::stream;
use labsim_captures::{
    Direction, Fragments, Known, Mac, Opened, Origin, Section, TextFrame, TextReader,
};
use labsim_explain::{Claim, Clock, Days, MAX_CLAIMS, MAX_POINTS, Point, Role, Trace, Unit, Vip};
use std::collections::{BTreeMap, BTreeSet};
use std::io::BufRead;

/// What was read so far.
#[derive(Debug, Default)]
pub(super) struct Reading {
    pub(super) trace: Trace,
    pub(super) files: Vec<FilePoints>,
    pub(super) captures: usize,
    /// Packets that are neither TCP nor UDP nor ICMP errors.
    pub(super) others: u64,
    /// All packets as they are, if they are to be written.
    pub(super) packets: Option<Packets>,
    /// Ring files of the same capture, the last one of each.
    pub(super) rings: Vec<Ring>,
    /// Whether notices quote nothing of the files.
    pub(super) has_no_quotes: bool,
    /// Fragments of the frames.
    pub(super) fragments: Fragments,
    /// Which packets are kept.
    pub(super) keeping: Keeping,
    /// How many are kept.
    pub(super) room: Room,
    /// The ends of the connections that are explained; all if there are none.
    pub(super) wanted: Vec<Vip>,
    /// What pipes had.
    pub(super) spools: Spools,
    pub(super) progress: Progress,
}

/// What a capture shows of how it was taken.
#[derive(Debug, Default)]
pub(super) struct HowTaken {
    pub(super) command: Option<String>,
    pub(super) snap_length: Option<u32>,
}

/// The points of a file, which are named when all files are known.
#[derive(Debug)]
pub(super) struct FilePoints {
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

    /// A reading whose notices quote nothing of the files.
    pub(super) fn without_quotes() -> Self {
        Self { has_no_quotes: true, ..Self::default() }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// What is wrong with it, and what to do.
    pub(super) fn read(&mut self, input: &Input) -> Result<(), String> {
        let open = || stream::open(&input.path, "capture or a text with one");
        let opened = if input.path.is_file() { open()? } else { self.spools.read(open)? };
        let length = input.path.metadata().ok().filter(|it| it.is_file()).map(|it| it.len());
        self.progress.file(self.keeping.doing(), &input.shown(), length);
        let opened = self.progress.counting(opened);
        let opened = labsim_captures::open(opened).map_err(|error| error.to_string())?;
        self.files.push(FilePoints {
            given: input.name.clone(),
            file: input.shown(),
            first: self.trace.points.len(),
            hints: Vec::new(),
        });
        match opened {
            Opened::Frames(reader) => self.frames(*reader, input)?,
            Opened::Text(reader) => self.text(*reader, input)?,
        }
        if self.keeping.is_surveying() { self.check_spools() } else { Ok(()) }
    }

    /// All that was read, with a name for each point, and the packets if they were kept.
    pub(super) fn finish(mut self) -> (Trace, Option<Packets>) {
        self.trace.identify_messages();
        let empty = self.trace.empty.iter().filter_map(|it| self.trace.points.get(*it));
        let empty: Vec<String> = empty.map(|point| point.file.clone()).collect();
        self.trace.notices.extend(empty.iter().map(|file| {
            format!("{file}: a capture without any packet: nothing was seen there, at a time that it does not show")
        }));
        self.trace.incomplete = self.fragments.incomplete().collect();
        self.trace.notices.extend(self.fragments.notices());
        let mut taken = BTreeSet::new();
        let is_only_file = self.files.len() == 1;
        for file in &self.files {
            let given = file.given.as_deref();
            let names = names(given, &file.file, &file.hints, is_only_file, &mut taken);
            for (point, name) in self.trace.points.iter_mut().skip(file.first).zip(names) {
                point.name = name;
            }
        }
        for ring in self.rings.iter().filter(|ring| ring.files > 1) {
            self.trace.notices.push(format!(
                "{}: the first of {} files of one capture, whose frames are counted from there on",
                ring.file, ring.files
            ));
        }
        let keeping = std::mem::take(&mut self.keeping);
        self.trace.selection = keeping.finish(self.room, &mut self.trace.notices);
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
                    let taken = HowTaken {
                        command: section.and_then(|it| it.command.clone()),
                        snap_length: section.and_then(|it| it.snap_length),
                    };
                    let clock = clock(&frame);
                    let point = self.add_point(input, capture, Unit::Line, clock, hints, taken)?;
                    points.insert(key, point);
                    point
                }
            };
            let time_ns = time(&frame, days.entry(frame.section).or_default());
            if let Some(packets) = &mut self.packets {
                packets.add_text(point, &frame, time_ns)?;
            }
            if self.claim(point, frame.line, &frame.known, None) {
                continue;
            }
            let packet = match frame.known {
                Known::Ip(packet) => packet,
                _ => {
                    self.others += 1;
                    continue;
                }
            };
            let row = labsim_explain::Row {
                point,
                number: frame.line,
                time_ns,
                direction: frame.direction,
                is_f5_out: is_f5_out(frame.f5.as_ref()),
                reset_cause: frame.f5.and_then(|it| it.reset_cause),
                link: None,
                packet,
            };
            match &frame.bytes {
                Some(bytes) => self.add_packet(row, bytes)?,
                None => self.add_worded(row)?,
            }
        }
        let notices = reader.notices();
        if points.is_empty() {
            let unread = match notices.unread_lines.first() {
                Some((line, text)) => format!(" (line {line} is not understood: {text})"),
                None => String::new(),
            };
            return Err(format!(
                "this text shows no packet of tcpdump's or tshark's{unread}: paste what `tcpdump -nn -vvv` prints, or send \
                 the file that `tcpdump -w` writes"
            ));
        }
        let file = input.shown();
        if let Some((line, text)) = notices.unread_lines.first() {
            let quote = if self.has_no_quotes { String::new() } else { format!(": {text}") };
            self.trace.notices.push(format!(
                "{file}: packets that are not understood and were left out: {}, the first in line {line}{quote}",
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

    pub(super) fn next_capture(&mut self) -> usize {
        self.captures += 1;
        self.captures - 1
    }

    pub(super) fn add_point(
        &mut self,
        input: &Input,
        capture: usize,
        unit: Unit,
        clock: Clock,
        hints: Hints,
        taken: HowTaken,
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
            command: taken.command,
            snap_length: taken.snap_length,
        });
        if let Some(file) = self.files.last_mut() {
            file.hints.push(hints);
        }
        if let Some(packets) = &mut self.packets {
            packets.add_point();
        }
        Ok(self.trace.points.len() - 1)
    }

    /// Keeps who claims an address; whether that is what a packet is for.
    pub(super) fn claim(
        &mut self,
        point: usize,
        number: u64,
        known: &Known,
        source: Option<Mac>,
    ) -> bool {
        let Some((address, mac)) = known.claim(source) else { return false };
        if self.trace.claims.len() < MAX_CLAIMS {
            self.trace.claims.push(Claim { point, number, address, mac });
        } else {
            self.others += 1;
        }
        true
    }
}

pub(super) fn is_f5_out(trailer: Option<&labsim_captures::F5Trailer>) -> bool {
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
