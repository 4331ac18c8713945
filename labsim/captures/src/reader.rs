//! Reads a capture frame by frame.

use crate::compressed::{Bounded, unpack};
use crate::error::{MAX_UNPACKED, ReadError, io_error, pcap_error, pcapng_error};
use crate::form::{Compression, ENOUGH, Form, detect};
use crate::frame::{Frame, Point};
use crate::points::{Interface, Points};
use crate::{f5, mirror};
use labsim_wire::link::{self, Link};
use labsim_wire::pcapng::{Block, Direction};
use labsim_wire::{pcap, pcapng};
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufReader, Cursor, Read};

/// Records in a row of no bytes and no time after which a file holds nothing else: zero bytes are read as such
/// records.
const MAX_EMPTY: u32 = 64;

/// Mirrors of mirrors that are followed at most.
const MAX_MIRRORS: usize = 2;

/// What a reader of frames noticed on the way, for those who rely on the frames being all there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notices {
    /// The file ends within a frame, which was left out.
    pub is_cut: bool,
    /// From a frame on the file holds zero bytes, which were left out.
    pub zeros_from: Option<u64>,
    /// Frames whose link layer is not known, by its number.
    pub unknown_links: BTreeMap<u32, u64>,
    /// Frames that end within their link layer.
    pub without_network: u64,
    /// Frames of which only a part was captured.
    pub shortened: u64,
    /// Blocks of pcapng that are no frames, interfaces or figures.
    pub other_blocks: u64,
    /// Packets that the capture had no room for, by its own account.
    pub dropped: u64,
    /// What F5's tcpdump says of the capture.
    pub f5: Option<f5::F5Banner>,
}

/// Reads a capture. Use [`Reader::next_frame`] until it says `None` or an error.
pub struct Reader<'a> {
    source: Source<'a>,
    compression: Option<Compression>,
    points: Points,
    frames: u64,
    /// Records in a row, up to the last, of no bytes and no time.
    empty: u32,
    notices: Notices,
}

impl fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("form", &self.form())
            .field("compression", &self.compression)
            .field("frames", &self.frames)
            .finish_non_exhaustive()
    }
}

pub(crate) type Input<'a> = Box<dyn Read + 'a>;

/// An input without its compression.
pub(crate) struct Unpacked<'a> {
    /// Its first bytes, which `input` has as well.
    pub(crate) head: Vec<u8>,
    pub(crate) compression: Option<Compression>,
    pub(crate) input: Input<'a>,
}

impl<'a> Unpacked<'a> {
    pub(crate) fn new(input: impl Read + 'a) -> Result<Self, ReadError> {
        let (head, input) = look_ahead(input).map_err(ReadError::Io)?;
        let Some(compression) = Compression::of(&head) else {
            return Ok(Self { head, compression: None, input: Box::new(input) });
        };
        let unpacked = Bounded { input: unpack(compression, input), left: MAX_UNPACKED };
        let (head, input) = look_ahead(unpacked).map_err(|error| io_error(error, true))?;
        Ok(Self { head, compression: Some(compression), input: Box::new(input) })
    }

    pub(crate) fn form(&self) -> Result<Form, ReadError> {
        let is_packed = self.compression.is_some();
        detect(&self.head).map_err(|error| {
            if is_packed { ReadError::NoCaptureInside(error) } else { error.into() }
        })
    }
}

enum Source<'a> {
    Pcap(pcap::Reader<Input<'a>>),
    Pcapng(pcapng::Reader<Input<'a>>),
    /// Nothing follows.
    Ended(Form),
}

/// What a file's own format says of a frame.
struct Raw {
    interface: usize,
    device: Option<u32>,
    time_ns: Option<u64>,
    direction: Option<Direction>,
    original_length: u32,
    bytes: Vec<u8>,
}

impl<'a> Reader<'a> {
    /// Begins to read a file of any form. It need not be buffered.
    ///
    /// # Errors
    /// [`ReadError`]; what is no capture is named.
    pub fn new(input: impl Read + 'a) -> Result<Self, ReadError> {
        let unpacked = Unpacked::new(input)?;
        Self::plain(unpacked.form()?, unpacked.compression, unpacked.input)
    }

    pub(crate) fn plain(
        form: Form,
        compression: Option<Compression>,
        input: Input<'a>,
    ) -> Result<Self, ReadError> {
        let mut points = Points::default();
        let source = match form {
            Form::Pcap => {
                let reader = pcap::Reader::new(input)
                    .map_err(|why| pcap_error(why, 0, compression.is_some()))?;
                points.interfaces.push(Interface {
                    name: None,
                    link: reader.link(),
                    snap_length: reader.snap_length(),
                });
                Source::Pcap(reader)
            }
            Form::Pcapng => Source::Pcapng(
                pcapng::Reader::new(input)
                    .map_err(|why| pcapng_error(why, 0, compression.is_some()))?,
            ),
        };
        Ok(Self { source, compression, points, frames: 0, empty: 0, notices: Notices::default() })
    }

    /// What the file is, unpacked.
    #[must_use]
    pub fn form(&self) -> Form {
        match self.source {
            Source::Pcap(_) => Form::Pcap,
            Source::Pcapng(_) => Form::Pcapng,
            Source::Ended(form) => form,
        }
    }

    /// What the file is packed by.
    #[must_use]
    pub fn compression(&self) -> Option<Compression> {
        self.compression
    }

    /// The frames that were read so far, those without a known link layer among them.
    #[must_use]
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// The points of the frames that were read so far, in the order of their first frames.
    #[must_use]
    pub fn points(&self) -> &[Point] {
        &self.points.points
    }

    /// What was noticed so far.
    #[must_use]
    pub fn notices(&self) -> &Notices {
        &self.notices
    }

    /// The next frame; `None` at the end of the file, also if that is within a frame
    /// ([`Notices::is_cut`]).
    ///
    /// # Errors
    /// [`ReadError`]; nothing more can be read after one.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, ReadError> {
        loop {
            let raw = match self.next_raw() {
                Ok(Some(raw)) => raw,
                end => {
                    self.source = Source::Ended(self.form());
                    return end.map(|_| None);
                }
            };
            self.frames += 1;
            if self.frames == 1
                && let Some(banner) = f5::banner(&raw.bytes)
            {
                self.notices.f5 = Some(banner);
                continue;
            }
            return self.frame(raw).map(Some);
        }
    }

    /// The next frame as its file has it.
    fn next_raw(&mut self) -> Result<Option<Raw>, ReadError> {
        let (frames, is_packed) = (self.frames, self.compression.is_some());
        loop {
            match &mut self.source {
                Source::Ended(_) => return Ok(None),
                Source::Pcap(reader) => {
                    let record = reader.next_record();
                    if let Ok(Some(record)) = &record {
                        let is_empty = record.time_ns == 0 && record.original_length == 0;
                        self.empty = if is_empty { self.empty + 1 } else { 0 };
                        if self.empty == MAX_EMPTY {
                            self.notices.zeros_from = Some(frames + 2 - u64::from(MAX_EMPTY));
                            return Ok(None);
                        }
                    }
                    return match record {
                        Ok(record) => Ok(record.map(|record| Raw {
                            interface: 0,
                            device: record.device,
                            time_ns: Some(record.time_ns),
                            direction: record.direction,
                            original_length: record.original_length,
                            bytes: record.bytes,
                        })),
                        Err(pcap::ReadError::Cut) => Ok(self.cut()),
                        Err(pcap::ReadError::Io(error)) if is_cut(&error) => Ok(self.cut()),
                        Err(why) => Err(pcap_error(why, frames, is_packed)),
                    };
                }
                Source::Pcapng(reader) => {
                    let block = match reader.next_block() {
                        Ok(Some(block)) => block,
                        Ok(None) => return Ok(None),
                        Err(pcapng::ReadError::Cut) => return Ok(self.cut()),
                        Err(pcapng::ReadError::Io(error)) if is_cut(&error) => {
                            return Ok(self.cut());
                        }
                        Err(why) => return Err(pcapng_error(why, frames, is_packed)),
                    };
                    if let Some(raw) = self.block(block) {
                        return Ok(Some(raw));
                    }
                }
            }
        }
    }

    fn cut(&mut self) -> Option<Raw> {
        self.notices.is_cut = true;
        None
    }

    /// A frame, if a block is one.
    fn block(&mut self, block: Block) -> Option<Raw> {
        match block {
            Block::Section => self.points.begin_section(),
            Block::Interface { name, link, snap_length } => {
                let name = (!name.is_empty()).then_some(name);
                let link = u32::from(link);
                self.points.interfaces.push(Interface { name, link, snap_length });
            }
            Block::Packet { interface, time_ns, bytes, original_length, direction, .. } => {
                return Some(Raw {
                    interface: usize::try_from(interface).unwrap_or(usize::MAX),
                    device: None,
                    time_ns: Some(time_ns),
                    direction,
                    original_length,
                    bytes,
                });
            }
            Block::SimplePacket { bytes, original_length } => {
                return Some(Raw {
                    interface: 0,
                    device: None,
                    time_ns: None,
                    direction: None,
                    original_length,
                    bytes,
                });
            }
            Block::Statistics { dropped, .. } => {
                let sum = self.notices.dropped.saturating_add(dropped.unwrap_or(0));
                self.notices.dropped = sum;
            }
            Block::Other { .. } => self.notices.other_blocks += 1,
        }
        None
    }

    /// Finds the network layer of a frame, and what else is said of it.
    fn frame(&mut self, raw: Raw) -> Result<Frame, ReadError> {
        let Raw { interface, device, time_ns, direction, original_length, bytes } = raw;
        let number = self.points.interfaces.get(interface).map_or(u32::MAX, |it| it.link);
        let is_whole = usize::try_from(original_length).is_ok_and(|length| bytes.len() >= length);
        self.notices.shortened += u64::from(!is_whole);
        let mut header = link::Header { length: bytes.len(), ..link::Header::default() };
        match Link::of_number(number).map(|link| (link, link::parse(link, &bytes))) {
            None => *self.notices.unknown_links.entry(number).or_default() += 1,
            Some((_, None)) => self.notices.without_network += 1,
            Some((_, Some(found))) => header = found,
        }
        let device = device.or(header.device);
        let direction = direction.or(header.direction);
        let trailer = if is_whole && header.ethernet.is_some() {
            f5::trailer(&bytes, header.length, header.ethertype)
        } else {
            None
        };
        let (mut network, mut mirrors) = (header.length, 0);
        while mirrors < MAX_MIRRORS
            && let Some((start, inner)) = mirrored(header.ethertype, &bytes, network)
        {
            header = inner;
            network = start + inner.length;
            mirrors += 1;
        }
        Ok(Frame {
            number: self.frames,
            point: self.points.id(interface, device)?,
            time_ns,
            direction: trailer.as_ref().and_then(|it| it.direction).or(direction),
            original_length,
            bytes,
            link: header,
            network,
            mirrors,
            f5: trailer,
        })
    }
}

/// Where the frame that a mirror's packet carries begins, and its link layer.
fn mirrored(ethertype: u16, bytes: &[u8], network: usize) -> Option<(usize, link::Header)> {
    let packet = bytes.get(network..)?;
    let start = mirror::inside(ethertype, packet)?;
    let header = link::parse(Link::Ethernet, packet.get(start..)?)?;
    Some((network + start, header))
}

/// The first bytes of an input, and the input with them.
fn look_ahead<'a>(mut input: impl Read + 'a) -> io::Result<(Vec<u8>, BufReader<impl Read + 'a>)> {
    let mut head = Vec::new();
    let enough = u64::try_from(ENOUGH).unwrap_or(u64::MAX);
    input.by_ref().take(enough).read_to_end(&mut head)?;
    Ok((head.clone(), BufReader::with_capacity(1 << 16, Cursor::new(head).chain(input))))
}

fn is_cut(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::UnexpectedEof
}
