//! Writes a capture, block by block.

use super::{BYTE_ORDER_MAGIC, Direction, kind, link_number, option};
use crate::decode::LinkType;
use std::io::{self, Write};

/// An interface of the file that is being written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceId(u32);

/// What a file says of an interface.
#[derive(Debug, Clone, Copy)]
pub struct InterfaceRecord<'a> {
    /// Its name, such as `lb:eth0`.
    pub name: &'a str,
    /// The tcpdump group's number of its link layer.
    pub link: u16,
    /// Packets were cut at this many bytes; 0 for never.
    pub snap_length: u32,
    /// A remark that Wireshark shows.
    pub comment: Option<&'a str>,
}

/// One captured packet.
#[derive(Debug, Clone, Copy)]
pub struct PacketRecord<'a> {
    /// Where it was captured.
    pub interface: InterfaceId,
    /// Nanoseconds since 1970.
    pub time_ns: u64,
    /// What was captured of it.
    pub bytes: &'a [u8],
    /// How long it was; at least as long as `bytes`.
    pub original_length: u32,
    /// Which way it went.
    pub direction: Option<Direction>,
    /// A remark that Wireshark shows.
    pub comment: Option<&'a str>,
}

/// What became of an interface's packets.
#[derive(Debug, Clone, Copy)]
pub struct Statistics {
    /// Which.
    pub interface: InterfaceId,
    /// When it was counted, in nanoseconds since 1970.
    pub time_ns: u64,
    /// Packets that came to the capture, those that it dropped included.
    pub received: u64,
    /// Packets that the capture had no room for.
    pub dropped: u64,
}

/// Writes a capture onto anything; blocks are written whole, in one call each.
#[derive(Debug)]
pub struct Writer<W: Write> {
    out: W,
    interfaces: u32,
    block: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// Begins a file with its section header: `application` is the program that writes it,
    /// `comment` a remark about the whole capture.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn new(out: W, application: &str, comment: Option<&str>) -> io::Result<Self> {
        let mut writer = Self { out, interfaces: 0, block: Vec::new() };
        writer.begin(kind::SECTION);
        writer.u32(BYTE_ORDER_MAGIC);
        writer.u16(1);
        writer.u16(0);
        // The section's length is not known yet.
        writer.u64(u64::MAX);
        if let Some(comment) = comment {
            writer.option(option::COMMENT, bounded(comment).as_bytes());
        }
        writer.option(option::SECTION_APPLICATION, bounded(application).as_bytes());
        writer.end(true)?;
        Ok(writer)
    }

    /// Describes an interface, such as `lb:eth0`. All have to be described before their packets.
    ///
    /// # Errors
    /// Those of the output.
    pub fn interface(
        &mut self,
        name: &str,
        link: LinkType,
        snap_length: u32,
    ) -> io::Result<InterfaceId> {
        let link = link_number(link);
        self.describe(&InterfaceRecord { name, link, snap_length, comment: None })
    }

    /// Describes an interface of any link layer. All have to be described before their packets.
    ///
    /// # Errors
    /// Those of the output.
    pub fn describe(&mut self, interface: &InterfaceRecord<'_>) -> io::Result<InterfaceId> {
        let id = InterfaceId(self.interfaces);
        self.interfaces += 1;
        self.begin(kind::INTERFACE);
        self.u16(interface.link);
        self.u16(0);
        self.u32(interface.snap_length);
        if let Some(comment) = interface.comment {
            self.option(option::COMMENT, bounded(comment).as_bytes());
        }
        self.option(option::INTERFACE_NAME, bounded(interface.name).as_bytes());
        // 10^-9 seconds.
        self.option(option::INTERFACE_TIME_RESOLUTION, &[9]);
        self.end(true)?;
        Ok(id)
    }

    /// Writes a packet.
    ///
    /// # Errors
    /// Those of the output; [`io::ErrorKind::InvalidInput`] for a packet over 4 GiB.
    pub fn packet(&mut self, packet: &PacketRecord<'_>) -> io::Result<()> {
        let length = u32::try_from(packet.bytes.len())
            .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        self.begin(kind::PACKET);
        self.u32(packet.interface.0);
        self.time(packet.time_ns);
        self.u32(length);
        self.u32(packet.original_length.max(length));
        self.padded(packet.bytes);
        if let Some(comment) = packet.comment {
            self.option(option::COMMENT, bounded(comment).as_bytes());
        }
        if let Some(direction) = packet.direction {
            // Bits 0 and 1: 01 inbound, 10 outbound.
            let flags: u32 = match direction {
                Direction::In => 1,
                Direction::Out => 2,
            };
            self.option(option::PACKET_FLAGS, &flags.to_le_bytes());
        }
        self.end(packet.comment.is_some() || packet.direction.is_some())
    }

    /// Writes an interface's figures; they belong to the file's end.
    ///
    /// # Errors
    /// Those of the output.
    pub fn statistics(&mut self, statistics: &Statistics) -> io::Result<()> {
        self.begin(kind::STATISTICS);
        self.u32(statistics.interface.0);
        self.time(statistics.time_ns);
        self.option(option::STATISTICS_RECEIVED, &statistics.received.to_le_bytes());
        self.option(option::STATISTICS_DROPPED, &statistics.dropped.to_le_bytes());
        self.end(true)
    }

    /// Flushes and gives the output back.
    ///
    /// # Errors
    /// Those of the output.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }

    fn begin(&mut self, kind: u32) {
        self.block.clear();
        self.u32(kind);
        // Its length stands here when it is known.
        self.u32(0);
    }

    fn end(&mut self, options: bool) -> io::Result<()> {
        if options {
            self.u16(option::END);
            self.u16(0);
        }
        let length = u32::try_from(self.block.len() + 4)
            .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        self.block[4..8].copy_from_slice(&length.to_le_bytes());
        self.u32(length);
        self.out.write_all(&self.block)
    }

    fn option(&mut self, code: u16, value: &[u8]) {
        // Every value is shorter than 64 KiB: `bounded` saw to the texts.
        let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
        self.u16(code);
        self.u16(length);
        self.padded(&value[..usize::from(length)]);
    }

    fn time(&mut self, time_ns: u64) {
        self.block.extend_from_slice(&high(time_ns).to_le_bytes());
        self.block.extend_from_slice(&low(time_ns).to_le_bytes());
    }

    fn padded(&mut self, bytes: &[u8]) {
        self.block.extend_from_slice(bytes);
        let end = self.block.len().next_multiple_of(4);
        self.block.resize(end, 0);
    }

    fn u16(&mut self, value: u16) {
        self.block.extend_from_slice(&value.to_le_bytes());
    }

    fn u32(&mut self, value: u32) {
        self.block.extend_from_slice(&value.to_le_bytes());
    }

    fn u64(&mut self, value: u64) {
        self.block.extend_from_slice(&value.to_le_bytes());
    }
}

fn high(value: u64) -> u32 {
    u32::try_from(value >> 32).unwrap_or(u32::MAX)
}

fn low(value: u64) -> u32 {
    u32::try_from(value & u64::from(u32::MAX)).unwrap_or(u32::MAX)
}

/// The longest beginning of a text that an option can hold.
fn bounded(text: &str) -> &str {
    let mut end = text.len().min(usize::from(u16::MAX));
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
