//! Reads a classic capture record by record, in memory that no file can make grow.
//!
//! The variants and how they are told apart: libpcap's `sf-pcap.c`, Wireshark's `wiretap/libpcap.c`.

use super::magic;
use crate::link::of_packet_type;
use crate::pcapng::Direction;
use std::io::{self, Cursor, Read};

/// The longest record that is read, in bytes.
pub const MAX_RECORD: u32 = 1 << 20;

/// How much of a file is looked at to find out its variant, in bytes: some records of common lengths.
const LOOK_AHEAD: u64 = 64 << 10;

/// Records that a variant has to fit, if there are as many.
const PROBED: usize = 4;

/// Why a capture cannot be read on.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The input failed.
    #[error("the capture cannot be read: {0}")]
    Io(#[from] io::Error),
    /// The first bytes are no magic number of pcap.
    #[error("this is no pcap file: it begins with {0:#010x}")]
    Magic(u32),
    /// A major version that is neither 2 nor 543.
    #[error("version {0} of the format is not known")]
    Version(u16),
    /// A record is longer than [`MAX_RECORD`].
    #[error("a record's length is given as {0} bytes")]
    RecordLength(u32),
    /// The input ends within a header or a record.
    #[error("the capture ends within a record")]
    Cut,
}

/// A captured packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Nanoseconds since 1970.
    pub time_ns: u64,
    /// How long it was.
    pub original_length: u32,
    /// What was captured of it.
    pub bytes: Vec<u8>,
    /// The device's number on its host, in modified files.
    pub device: Option<u32>,
    /// Which way it went, in modified files.
    pub direction: Option<Direction>,
}

/// Reads a capture. Use [`Reader::next_record`] until it says `None` or an error.
#[derive(Debug)]
pub struct Reader<R: Read> {
    input: io::Chain<Cursor<Vec<u8>>, R>,
    format: Format,
    link: u32,
    snap_length: u32,
}

/// How the records of a file are written.
#[derive(Debug, Clone, Copy)]
struct Format {
    big_endian: bool,
    /// Nanoseconds that a unit of the second field has.
    unit_ns: u32,
    swapped: Swapped,
    extra: Extra,
}

/// Whether the two lengths of a record change places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Swapped {
    Never,
    /// Version 2.3: by either kind of program.
    WhereCapturedIsLonger,
    Always,
}

/// What follows a record's 16 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extra {
    Nothing,
    /// Four bytes of Nokia's.
    Nokia,
    /// Device, protocol, direction: eight bytes.
    Modified,
    /// The same of the patch ss990915, and the processor: twelve bytes.
    ModifiedLonger,
}

impl Extra {
    const fn length(self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Nokia => 4,
            Self::Modified => 8,
            Self::ModifiedLonger => 12,
        }
    }
}

/// Whether four bytes are those that a file of any variant begins with, in either byte order.
#[must_use]
pub fn is_magic(bytes: [u8; 4]) -> bool {
    variant(bytes).is_some()
}

/// The magic number and whether it is big endian.
fn variant(bytes: [u8; 4]) -> Option<(u32, bool)> {
    let known = |number: &u32| {
        matches!(*number, magic::MICROSECONDS | magic::NANOSECONDS | magic::MODIFIED)
            || magic::IXIA.contains(number)
    };
    let little = Some(u32::from_le_bytes(bytes)).filter(known).map(|number| (number, false));
    little.or_else(|| Some(u32::from_be_bytes(bytes)).filter(known).map(|number| (number, true)))
}

impl<R: Read> Reader<R> {
    /// Reads the header that a file begins with, and finds out the variant of its records.
    ///
    /// # Errors
    /// [`ReadError`]; among others for a file of another format.
    pub fn new(mut input: R) -> Result<Self, ReadError> {
        let mut first = [0; 4];
        read_exact(&mut input, &mut first)?;
        let (magic, big_endian) =
            variant(first).ok_or(ReadError::Magic(u32::from_le_bytes(first)))?;
        let mut header = [0; 20];
        read_exact(&mut input, &mut header)?;
        let u16_at = |at: usize| {
            let bytes = crate::bytes::array(&header, at);
            if big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }
        };
        let swapped = match (u16_at(0), u16_at(2)) {
            (2, 0..=2) | (543, 0) => Swapped::Always,
            (2, 3) => Swapped::WhereCapturedIsLonger,
            (2, _) => Swapped::Never,
            (other, _) => return Err(ReadError::Version(other)),
        };
        let nanoseconds = magic == magic::NANOSECONDS || magic::IXIA.contains(&magic);
        let unit_ns = if nanoseconds { 1 } else { 1000 };
        let mut format = Format { big_endian, unit_ns, swapped, extra: Extra::Nothing };
        let snap_length = format.word(&header, 12);
        // The bits above the number tell the length of a frame check sequence.
        let link = format.word(&header, 16) & 0x03ff_ffff;
        if magic::IXIA.contains(&magic) {
            read_exact(&mut input, &mut [0; 4])?;
        }
        let mut ahead = Vec::new();
        input.by_ref().take(LOOK_AHEAD).read_to_end(&mut ahead)?;
        let candidates: &[Extra] = match magic {
            magic::MODIFIED => &[Extra::Modified, Extra::ModifiedLonger],
            magic::MICROSECONDS => &[Extra::Nothing, Extra::Modified, Extra::Nokia],
            _ => &[Extra::Nothing],
        };
        let fits = |extra: &&Extra| Format { extra: **extra, ..format }.fits(&ahead);
        if let Some(extra) = candidates.iter().find(fits).or(candidates.first()) {
            format.extra = *extra;
        }
        Ok(Self { input: Cursor::new(ahead).chain(input), format, link, snap_length })
    }

    /// The tcpdump group's number of the link layer; see [`crate::link::Link::of_number`].
    #[must_use]
    pub fn link(&self) -> u32 {
        self.link
    }

    /// Packets were cut at this many bytes; 0 if that is not known.
    #[must_use]
    pub fn snap_length(&self) -> u32 {
        self.snap_length
    }

    /// The next record; `None` at the end of the file.
    ///
    /// # Errors
    /// [`ReadError`]; nothing more can be read after one.
    pub fn next_record(&mut self) -> Result<Option<Record>, ReadError> {
        let mut head = [0; 28];
        let length = 16 + self.format.extra.length();
        let head = &mut head[..length];
        if !self.begins(head)? {
            return Ok(None);
        }
        let record = self.format.head(head);
        if record.captured > MAX_RECORD {
            return Err(ReadError::RecordLength(record.captured));
        }
        // At most MAX_RECORD bytes: filled by one read as a rule, where `read_to_end` takes several.
        let mut bytes = vec![0; usize::try_from(record.captured).unwrap_or(usize::MAX)];
        read_exact(&mut self.input, &mut bytes)?;
        let time_ns = u64::from(record.seconds) * 1_000_000_000
            + u64::from(record.fraction) * u64::from(self.format.unit_ns);
        let (mut device, mut direction) = (None, None);
        if matches!(self.format.extra, Extra::Modified | Extra::ModifiedLonger) {
            device = Some(self.format.word(head, 16));
            direction = of_packet_type(u16::from(head[22]));
        }
        let original_length = record.original.max(record.captured);
        Ok(Some(Record { time_ns, original_length, bytes, device, direction }))
    }

    /// Fills `head`, or finds the clean end of the file.
    fn begins(&mut self, head: &mut [u8]) -> Result<bool, ReadError> {
        let mut filled = 0;
        while filled < head.len() {
            match self.input.read(&mut head[filled..]) {
                Ok(0) if filled == 0 => return Ok(false),
                Ok(0) => return Err(ReadError::Cut),
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }
}

/// A record's first 16 bytes.
struct Head {
    seconds: u32,
    fraction: u32,
    captured: u32,
    original: u32,
}

impl Format {
    fn word(self, bytes: &[u8], at: usize) -> u32 {
        let bytes = crate::bytes::array(bytes, at);
        if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }

    /// `bytes` has at least 16.
    fn head(self, bytes: &[u8]) -> Head {
        let (mut captured, mut original) = (self.word(bytes, 8), self.word(bytes, 12));
        let swap = match self.swapped {
            Swapped::Never => false,
            Swapped::WhereCapturedIsLonger => captured > original,
            Swapped::Always => true,
        };
        if swap {
            std::mem::swap(&mut captured, &mut original);
        }
        Head { seconds: self.word(bytes, 0), fraction: self.word(bytes, 4), captured, original }
    }

    /// Whether the first records are such as somebody could have captured.
    fn fits(self, mut bytes: &[u8]) -> bool {
        let mut first = None;
        for _ in 0..PROBED {
            let Some(head) = bytes.get(..16) else { break };
            let head = self.head(head);
            let units = 1_000_000_000 / self.unit_ns;
            // A day lies between neighbours at most, except in captures that were put together.
            let near = first.is_none_or(|first: u32| first.abs_diff(head.seconds) <= 86_400);
            if head.captured > MAX_RECORD
                || head.captured > head.original
                || head.fraction >= units
                || !near
            {
                return false;
            }
            first = first.or(Some(head.seconds));
            let length = usize::try_from(head.captured).unwrap_or(usize::MAX);
            match bytes.get(16 + self.extra.length() + length..) {
                Some(rest) => bytes = rest,
                None => break,
            }
        }
        true
    }
}

fn read_exact(input: &mut impl Read, bytes: &mut [u8]) -> Result<(), ReadError> {
    input.read_exact(bytes).map_err(|error| {
        if error.kind() == io::ErrorKind::UnexpectedEof { ReadError::Cut } else { error.into() }
    })
}
