//! Writes a classic capture, times in nanoseconds.

use super::magic;
use crate::decode::LinkType;
use crate::pcapng::link_number;
use std::io::{self, Write};

/// The format's version, 2.4.
const VERSION: [u16; 2] = [2, 4];

/// Writes a capture onto anything; records are written whole, in one call each.
#[derive(Debug)]
pub struct Writer<W: Write> {
    out: W,
    record: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// Begins a file: its packets are of one link type and cut at `snap_length` bytes.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn new(mut out: W, link: LinkType, snap_length: u32) -> io::Result<Self> {
        let mut header = Vec::with_capacity(24);
        header.extend(magic::NANOSECONDS.to_le_bytes());
        header.extend(VERSION.into_iter().flat_map(u16::to_le_bytes));
        // Two fields that are not used any more.
        header.extend([0; 8]);
        header.extend(snap_length.to_le_bytes());
        header.extend(u32::from(link_number(link)).to_le_bytes());
        out.write_all(&header)?;
        Ok(Self { out, record: Vec::new() })
    }

    /// Writes a packet that was captured `time_ns` nanoseconds after 1970 began and was
    /// `original_length` bytes long.
    ///
    /// # Errors
    /// Those of the output; [`io::ErrorKind::InvalidInput`] for a packet over 4 GiB or a time
    /// after 2106, which the format cannot hold.
    pub fn packet(&mut self, time_ns: u64, original_length: u32, bytes: &[u8]) -> io::Result<()> {
        let invalid = |_| io::Error::from(io::ErrorKind::InvalidInput);
        let seconds = u32::try_from(time_ns / 1_000_000_000).map_err(invalid)?;
        let nanoseconds = u32::try_from(time_ns % 1_000_000_000).map_err(invalid)?;
        let length = u32::try_from(bytes.len()).map_err(invalid)?;
        self.record.clear();
        for field in [seconds, nanoseconds, length, original_length.max(length)] {
            self.record.extend(field.to_le_bytes());
        }
        self.record.extend_from_slice(bytes);
        self.out.write_all(&self.record)
    }

    /// Flushes and gives the output back.
    ///
    /// # Errors
    /// Those of the output.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}
