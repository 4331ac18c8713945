//! The packets of all points, kept in a file without a name until all clocks are known.

use super::spool::unnamed;
use labsim_captures::{Direction, Frame, Known, TextFrame};
use labsim_explain::{Axis, Point};
use labsim_wire::pcapng::{InterfaceRecord, PacketRecord, Writer};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// Packets that are kept at most: what is remembered of each is 32 bytes.
const MAX_PACKETS: usize = 4_000_000;
/// The tcpdump group's number of packets that begin with their IP header.
const RAW: u16 = 101;

/// Packets as they were captured.
#[derive(Debug)]
pub(super) struct Packets {
    bytes: BufWriter<File>,
    length: u64,
    kept: Vec<Kept>,
    sources: Vec<Source>,
    /// Whether all files were read: what is added is read a second time.
    is_complete: bool,
}

/// Where a packet's bytes are, and what else is written of it.
#[derive(Debug, Clone, Copy)]
struct Kept {
    time_ns: i64,
    at: u64,
    length: u32,
    original_length: u32,
    point: u16,
    direction: Option<Direction>,
}

/// What the packets of a point are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Source {
    /// Their link layer, if pcapng has a number for it.
    link: Option<u16>,
    snap_length: u32,
    /// Those that are kept.
    pub(super) kept: u64,
    /// Those of a text that shows no bytes of them.
    pub(super) without_bytes: u64,
    /// Those without a time.
    pub(super) without_time: u64,
    /// Those that are before the first time that pcapng knows.
    pub(super) too_early: u64,
}

impl Source {
    /// Whether pcapng has a number for the link layer.
    pub(super) fn has_link(&self) -> bool {
        self.link.is_some()
    }

    /// Whether packets of the point are written.
    pub(super) fn is_written(&self) -> bool {
        self.has_link() && self.kept > 0
    }
}

impl Packets {
    /// Keeps packets in this folder.
    pub(super) fn new(folder: &Path) -> io::Result<Self> {
        let bytes = BufWriter::with_capacity(1 << 16, unnamed(folder)?);
        Ok(Self { bytes, length: 0, kept: Vec::new(), sources: Vec::new(), is_complete: false })
    }

    /// The same when all files were read. What is added to it is there already.
    pub(super) fn completed(self) -> Self {
        Self { is_complete: true, ..self }
    }

    /// The points, in the order of the trace.
    pub(super) fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// Adds a frame of a capture whose link layer has this number in the list of the tcpdump group.
    pub(super) fn add_frame(
        &mut self,
        point: usize,
        frame: &Frame,
        link: u32,
        snap_length: u32,
    ) -> Result<(), String> {
        if self.is_complete {
            return Ok(());
        }
        self.count(point, |it| {
            (it.link, it.snap_length) = (u16::try_from(link).ok(), snap_length);
        });
        let Some(time_ns) = frame.time_ns.and_then(|ns| i64::try_from(ns).ok()) else {
            self.count(point, |it| it.without_time += 1);
            return Ok(());
        };
        let kept = (time_ns, frame.original_length, frame.direction);
        self.keep(point, kept, &frame.bytes)
    }

    /// Adds a packet of a text, from its IP header on, if the text shows its bytes.
    pub(super) fn add_text(
        &mut self,
        point: usize,
        frame: &TextFrame,
        time_ns: Option<i64>,
    ) -> Result<(), String> {
        if self.is_complete {
            return Ok(());
        }
        let Some(bytes) = &frame.bytes else {
            self.count(point, |it| it.without_bytes += 1);
            return Ok(());
        };
        self.count(point, |it| it.link = Some(RAW));
        let Some(time_ns) = time_ns else {
            self.count(point, |it| it.without_time += 1);
            return Ok(());
        };
        let length = match &frame.known {
            Known::Ip(packet) => packet.outermost.length,
            _ => None,
        };
        self.keep(point, (time_ns, length.unwrap_or(0), frame.direction), bytes)
    }

    /// Adds a point, in the order of the trace.
    pub(super) fn add_point(&mut self) {
        if !self.is_complete {
            self.sources.push(Source::default());
        }
    }

    fn count(&mut self, point: usize, count: impl FnOnce(&mut Source)) {
        if let Some(source) = self.sources.get_mut(point) {
            count(source);
        }
    }

    fn keep(
        &mut self,
        point: usize,
        (time_ns, original_length, direction): (i64, u32, Option<Direction>),
        bytes: &[u8],
    ) -> Result<(), String> {
        if self.kept.len() >= MAX_PACKETS {
            return Err(format!(
                "more than {MAX_PACKETS} packets in all: keep those of one client, by \
                 `tcpdump -r FILE -w SMALLER 'host CLIENT or ip proto 4 or ip proto 47'`"
            ));
        }
        let failed =
            |error: io::Error| format!("its packets cannot be kept beside the output: {error}");
        self.bytes.write_all(bytes).map_err(failed)?;
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.kept.push(Kept {
            time_ns,
            at: self.length,
            length,
            original_length,
            point: u16::try_from(point).unwrap_or(u16::MAX),
            direction,
        });
        self.length += u64::from(length);
        self.count(point, |it| it.kept += 1);
        Ok(())
    }

    /// Leaves out what has no place on the axis, and puts the others in its order; packets of one time stay
    /// in the order of the files.
    pub(super) fn arrange(&mut self, axis: &Axis) {
        let place = |it: &Kept| axis.place(usize::from(it.point), it.time_ns);
        for it in self.kept.iter().filter(|it| place(it).is_none()) {
            if let Some(source) = self.sources.get_mut(usize::from(it.point)) {
                source.too_early += 1;
                source.kept -= 1;
            }
        }
        self.kept.retain(|it| place(it).is_some());
        self.kept.sort_by_key(place);
    }

    /// Writes the packets that were arranged, one interface a point.
    pub(super) fn write(
        &mut self,
        out: impl Write,
        points: &[Point],
        axis: &Axis,
        comment: &str,
        comments: &[String],
    ) -> io::Result<()> {
        self.bytes.flush()?;
        let application = concat!("labsim ", env!("CARGO_PKG_VERSION"));
        let mut writer = Writer::new(out, application, Some(comment))?;
        let mut interfaces = vec![None; points.len()];
        for (place, source) in self.sources.iter().enumerate() {
            let (Some(link), Some(point)) = (source.link, points.get(place)) else { continue };
            if !source.is_written() {
                continue;
            }
            let interface = writer.describe(&InterfaceRecord {
                name: &point.name,
                link,
                snap_length: source.snap_length,
                comment: comments.get(place).map(String::as_str),
            })?;
            if let Some(known) = interfaces.get_mut(place) {
                *known = Some(interface);
            }
        }
        let mut bytes = Vec::new();
        for it in &self.kept {
            let point = usize::from(it.point);
            let (Some(Some(interface)), Some(time_ns)) =
                (interfaces.get(point), axis.place(point, it.time_ns))
            else {
                continue;
            };
            bytes.resize(usize::try_from(it.length).unwrap_or(usize::MAX), 0);
            self.bytes.get_ref().read_exact_at(&mut bytes, it.at)?;
            writer.packet(&PacketRecord {
                interface: *interface,
                time_ns,
                bytes: &bytes,
                original_length: it.original_length,
                direction: it.direction,
                comment: None,
            })?;
        }
        writer.finish().map(drop)
    }
}
