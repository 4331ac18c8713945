//! Reads a capture block by block, in memory that no file can make grow.

use super::{BYTE_ORDER_MAGIC, Direction, kind, option};
use std::io::{self, Read};

/// The longest block that is read, in bytes. The longest packet that a capture point of labsim
/// can see (a segmentation offload's) has under 256 KiB.
pub const MAX_BLOCK: u32 = 1 << 20;

/// Interfaces of one section that are read at most.
pub const MAX_INTERFACES: usize = 65_536;

/// Why a capture cannot be read on.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The input failed.
    #[error("the capture cannot be read: {0}")]
    Io(#[from] io::Error),
    /// The first block is no section header.
    #[error("this is no pcapng file: it begins with {0:#010x}")]
    NoSection(u32),
    /// The byte-order magic is neither way round.
    #[error("the byte-order magic is {0:#010x}")]
    Magic(u32),
    /// A major version that is not 1.
    #[error("version {0} of the format is not known")]
    Version(u16),
    /// A block's length is below its least, not a multiple of 4, or above [`MAX_BLOCK`].
    #[error("a block's length is given as {0} bytes")]
    BlockLength(u32),
    /// The length before a block and the one after it differ.
    #[error("a block has {before} bytes by its head and {after} by its end")]
    LengthsDiffer {
        /// By its head.
        before: u32,
        /// By its end.
        after: u32,
    },
    /// The input ends within a block.
    #[error("the capture ends within a block")]
    Cut,
    /// What a block holds is longer than the block.
    #[error("a block of type {kind} is shorter than what it holds")]
    Short {
        /// The block's type.
        kind: u32,
    },
    /// A packet or statistic of an interface that was not described.
    #[error("interface {0} is not described")]
    Interface(u32),
    /// More interfaces than [`MAX_INTERFACES`].
    #[error("more than {MAX_INTERFACES} interfaces")]
    TooManyInterfaces,
    /// A time that 64 bits of nanoseconds since 1970 cannot hold.
    #[error("a time stamp of {0} units is out of range")]
    Time(u64),
}

/// A block that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// A section begins; interfaces are counted from 0 again.
    Section,
    /// An interface.
    Interface {
        /// `node:interface` in labsim's own files; empty if it has no name.
        name: String,
        /// The tcpdump group's number: 1 Ethernet, 101 raw IP.
        link: u16,
        /// Packets were cut at this many bytes; 0 for never.
        snap_length: u32,
    },
    /// A packet.
    Packet {
        /// The interface's place among the section's.
        interface: u32,
        /// Nanoseconds since 1970.
        time_ns: u64,
        /// What was captured of it.
        bytes: Vec<u8>,
        /// How long it was.
        original_length: u32,
        /// Which way it went.
        direction: Option<Direction>,
        /// A remark.
        comment: Option<String>,
    },
    /// A packet of the section's first interface, without a time.
    SimplePacket {
        /// What was captured of it.
        bytes: Vec<u8>,
        /// How long it was.
        original_length: u32,
    },
    /// An interface's figures.
    Statistics {
        /// The interface's place among the section's.
        interface: u32,
        /// Packets that came to the capture.
        received: Option<u64>,
        /// Packets that it had no room for.
        dropped: Option<u64>,
    },
    /// A block that labsim does not write.
    Other {
        /// Its type.
        kind: u32,
    },
}

/// Reads a capture. Use [`Reader::next_block`] until it says `None` or an error.
#[derive(Debug)]
pub struct Reader<R: Read> {
    input: R,
    big_endian: bool,
    /// Nanoseconds a unit is described by, for each interface of the section.
    resolutions: Vec<Resolution>,
    body: Vec<u8>,
}

/// `if_tsresol`: a unit is 10^-n or 2^-n seconds; `if_tsoffset`: seconds to add; and the interface's
/// snap length, which says how much of a packet without a length of its own is there.
#[derive(Debug, Clone, Copy)]
struct Resolution {
    exponent: u32,
    binary: bool,
    offset_seconds: i64,
    snap_length: u32,
}

impl Resolution {
    fn nanoseconds(self, units: u64) -> Option<u64> {
        let units = u128::from(units);
        let ns = if self.binary {
            // At most 127 bits to shift: the option's own seven bits.
            units.checked_mul(1_000_000_000)?.checked_shr(self.exponent)?
        } else if self.exponent <= 9 {
            units.checked_mul(10u128.checked_pow(9 - self.exponent)?)?
        } else {
            units.checked_div(10u128.checked_pow(self.exponent - 9)?)?
        };
        let offset = i128::from(self.offset_seconds) * 1_000_000_000;
        u64::try_from(i128::try_from(ns).ok()?.checked_add(offset)?).ok()
    }
}

impl<R: Read> Reader<R> {
    /// Reads the section header that a file begins with.
    ///
    /// # Errors
    /// [`ReadError`]; among others for a file of another format.
    pub fn new(input: R) -> Result<Self, ReadError> {
        let mut reader =
            Self { input, big_endian: false, resolutions: Vec::new(), body: Vec::new() };
        match reader.head()? {
            Some(kind::SECTION) => {
                reader.section()?;
                Ok(reader)
            }
            Some(other) => Err(ReadError::NoSection(other)),
            None => Err(ReadError::Cut),
        }
    }

    /// The next block; `None` at the end of the file.
    ///
    /// # Errors
    /// [`ReadError`]; nothing more can be read after one.
    pub fn next_block(&mut self) -> Result<Option<Block>, ReadError> {
        let Some(kind) = self.head()? else { return Ok(None) };
        if kind == kind::SECTION {
            self.section()?;
            return Ok(Some(Block::Section));
        }
        let length = self.word()?;
        self.body(kind, length, 8)?;
        let body = Body { bytes: &self.body, big_endian: self.big_endian, kind };
        let block = match kind {
            kind::INTERFACE => {
                let (block, resolution) = body.interface()?;
                if self.resolutions.len() >= MAX_INTERFACES {
                    return Err(ReadError::TooManyInterfaces);
                }
                self.resolutions.push(resolution);
                block
            }
            kind::PACKET => body.packet(&self.resolutions)?,
            kind::OLD_PACKET => body.old_packet(&self.resolutions)?,
            kind::SIMPLE_PACKET => body.simple_packet(&self.resolutions)?,
            kind::STATISTICS => body.statistics(&self.resolutions)?,
            _ => Block::Other { kind },
        };
        Ok(Some(block))
    }

    /// A block's type, or the clean end of the file.
    fn head(&mut self) -> Result<Option<u32>, ReadError> {
        let mut bytes = [0; 4];
        let mut filled = 0;
        while filled < bytes.len() {
            match self.input.read(&mut bytes[filled..]) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(ReadError::Cut),
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Some(self.number(bytes)))
    }

    fn word(&mut self) -> Result<u32, ReadError> {
        let mut bytes = [0; 4];
        self.input.read_exact(&mut bytes).map_err(cut)?;
        Ok(self.number(bytes))
    }

    fn number(&self, bytes: [u8; 4]) -> u32 {
        if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }

    /// A section header after its type, which reads the same in either byte order.
    fn section(&mut self) -> Result<(), ReadError> {
        let mut length = [0; 4];
        self.input.read_exact(&mut length).map_err(cut)?;
        let mut magic = [0; 4];
        self.input.read_exact(&mut magic).map_err(cut)?;
        self.big_endian = match u32::from_le_bytes(magic) {
            BYTE_ORDER_MAGIC => false,
            other if other.swap_bytes() == BYTE_ORDER_MAGIC => true,
            other => return Err(ReadError::Magic(other)),
        };
        let length = self.number(length);
        self.body(kind::SECTION, length, 12)?;
        let body = Body { bytes: &self.body, big_endian: self.big_endian, kind: kind::SECTION };
        let major = body.u16(0)?;
        if major != 1 {
            return Err(ReadError::Version(major));
        }
        self.resolutions.clear();
        Ok(())
    }

    /// Reads the rest of a block of `length` bytes, of which `read` are gone, without the
    /// length that it ends with.
    fn body(&mut self, kind: u32, length: u32, read: u32) -> Result<(), ReadError> {
        let least = if kind == kind::SECTION { 28 } else { 12 };
        if length < least || !length.is_multiple_of(4) || length > MAX_BLOCK {
            return Err(ReadError::BlockLength(length));
        }
        let rest = length - read - 4;
        self.body.clear();
        let got = self.input.by_ref().take(u64::from(rest)).read_to_end(&mut self.body)?;
        if u32::try_from(got) != Ok(rest) {
            return Err(ReadError::Cut);
        }
        let after = self.word()?;
        if after == length {
            Ok(())
        } else {
            Err(ReadError::LengthsDiffer { before: length, after })
        }
    }
}

fn cut(error: io::Error) -> ReadError {
    if error.kind() == io::ErrorKind::UnexpectedEof { ReadError::Cut } else { error.into() }
}

/// The inside of a block.
struct Body<'a> {
    bytes: &'a [u8],
    big_endian: bool,
    kind: u32,
}

impl<'a> Body<'a> {
    fn at<const N: usize>(&self, at: usize) -> Result<[u8; N], ReadError> {
        self.slice(at, N)?.try_into().map_err(|_| ReadError::Short { kind: self.kind })
    }

    fn slice(&self, at: usize, length: usize) -> Result<&'a [u8], ReadError> {
        at.checked_add(length)
            .and_then(|end| self.bytes.get(at..end))
            .ok_or(ReadError::Short { kind: self.kind })
    }

    fn u16(&self, at: usize) -> Result<u16, ReadError> {
        let bytes = self.at(at)?;
        Ok(if self.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    fn u32(&self, at: usize) -> Result<u32, ReadError> {
        let bytes = self.at(at)?;
        Ok(if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    fn u64(&self, value: &[u8]) -> Option<u64> {
        let bytes = value.try_into().ok()?;
        Some(if self.big_endian { u64::from_be_bytes(bytes) } else { u64::from_le_bytes(bytes) })
    }

    /// Options from `at` on, by code; an option beyond the block is an error.
    fn options(&self, mut at: usize) -> Result<Vec<(u16, &'a [u8])>, ReadError> {
        let mut options = Vec::new();
        while at < self.bytes.len() {
            let code = self.u16(at)?;
            let length = usize::from(self.u16(at + 2)?);
            if code == option::END {
                break;
            }
            options.push((code, self.slice(at + 4, length)?));
            at += 4 + length.next_multiple_of(4);
        }
        Ok(options)
    }

    fn interface(&self) -> Result<(Block, Resolution), ReadError> {
        let mut name = String::new();
        // Without the option, microseconds.
        let snap_length = self.u32(4)?;
        let mut resolution =
            Resolution { exponent: 6, binary: false, offset_seconds: 0, snap_length };
        for (code, value) in self.options(8)? {
            match (code, value) {
                (option::INTERFACE_NAME, value) => {
                    name = String::from_utf8_lossy(value).into_owned();
                }
                (option::INTERFACE_TIME_RESOLUTION, &[byte, ..]) => {
                    resolution.exponent = u32::from(byte & 0x7f);
                    resolution.binary = byte & 0x80 != 0;
                }
                (option::INTERFACE_TIME_OFFSET, value) => {
                    resolution.offset_seconds = self.u64(value).map_or(0, u64::cast_signed);
                }
                _ => {}
            }
        }
        let block = Block::Interface { name, link: self.u16(0)?, snap_length };
        Ok((block, resolution))
    }

    /// Checks that interface and time are good; returns both.
    fn place(&self, resolutions: &[Resolution]) -> Result<(u32, u64), ReadError> {
        let interface = self.u32(0)?;
        Ok((interface, self.time(interface, resolutions)?))
    }

    /// The time that stands at byte 4, in units of the interface.
    fn time(&self, interface: u32, resolutions: &[Resolution]) -> Result<u64, ReadError> {
        let resolution = usize::try_from(interface)
            .ok()
            .and_then(|place| resolutions.get(place))
            .ok_or(ReadError::Interface(interface))?;
        let units = (u64::from(self.u32(4)?) << 32) | u64::from(self.u32(8)?);
        resolution.nanoseconds(units).ok_or(ReadError::Time(units))
    }

    fn packet(&self, resolutions: &[Resolution]) -> Result<Block, ReadError> {
        let (interface, time_ns) = self.place(resolutions)?;
        self.packet_of(interface, time_ns)
    }

    /// The obsolete block: its interface has 16 bits, beside a count of drops.
    fn old_packet(&self, resolutions: &[Resolution]) -> Result<Block, ReadError> {
        let interface = u32::from(self.u16(0)?);
        self.packet_of(interface, self.time(interface, resolutions)?)
    }

    fn simple_packet(&self, resolutions: &[Resolution]) -> Result<Block, ReadError> {
        let interface = resolutions.first().ok_or(ReadError::Interface(0))?;
        let original_length = self.u32(0)?;
        let most = if interface.snap_length == 0 { u32::MAX } else { interface.snap_length };
        let length = usize::try_from(original_length.min(most)).unwrap_or(usize::MAX);
        Ok(Block::SimplePacket { bytes: self.slice(4, length)?.to_vec(), original_length })
    }

    fn packet_of(&self, interface: u32, time_ns: u64) -> Result<Block, ReadError> {
        let length = usize::try_from(self.u32(12)?).unwrap_or(usize::MAX);
        let bytes = self.slice(20, length)?.to_vec();
        let mut direction = None;
        let mut comment = None;
        for (code, value) in self.options(20 + length.next_multiple_of(4))? {
            match code {
                option::COMMENT => comment = Some(String::from_utf8_lossy(value).into_owned()),
                option::PACKET_FLAGS => {
                    // The two lowest bits of a 32-bit number.
                    let byte = if self.big_endian { value.last() } else { value.first() };
                    direction = match byte.map(|byte| byte & 3) {
                        Some(1) => Some(Direction::In),
                        Some(2) => Some(Direction::Out),
                        _ => None,
                    };
                }
                _ => {}
            }
        }
        let original_length = self.u32(16)?;
        Ok(Block::Packet { interface, time_ns, bytes, original_length, direction, comment })
    }

    fn statistics(&self, resolutions: &[Resolution]) -> Result<Block, ReadError> {
        let (interface, _) = self.place(resolutions)?;
        let (mut received, mut dropped) = (None, None);
        for (code, value) in self.options(12)? {
            match code {
                option::STATISTICS_RECEIVED => received = self.u64(value),
                option::STATISTICS_DROPPED => dropped = self.u64(value),
                _ => {}
            }
        }
        Ok(Block::Statistics { interface, received, dropped })
    }
}
