//! Packets and files that the tests are made of.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "helpers of several test programs"
)]

use labsim_captures::{Frame, ReadError, Reader};

/// 2025-11-23 01:14:09.162109123 UTC.
pub const TIME: u64 = 1_763_860_449_162_109_123;

/// A SYN from 192.168.11.201.61067 to 172.16.4.99.49, without checksums.
pub fn packet() -> Vec<u8> {
    let mut bytes = vec![0x45, 0, 0, 40, 0x1b, 0x90, 0x40, 0, 127, 6, 0, 0];
    bytes.extend([192, 168, 11, 201, 172, 16, 4, 99]);
    bytes.extend(61067u16.to_be_bytes());
    bytes.extend([0, 49]);
    bytes.extend(277_734_018u32.to_be_bytes());
    bytes.extend([0, 0, 0, 0, 0x50, 2, 0xfa, 0xf0, 0, 0, 0, 0]);
    bytes
}

/// The flow of [`packet`].
pub const FLOW: &str = "192.168.11.201:61067 > 172.16.4.99:49";

/// `inside` in an IPv4 packet.
pub fn ipv4(protocol: u8, inside: &[u8]) -> Vec<u8> {
    let length = u16::try_from(20 + inside.len()).unwrap();
    let mut bytes = vec![0x45, 0];
    bytes.extend(length.to_be_bytes());
    bytes.extend([0, 1, 0, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    bytes.extend(inside);
    bytes
}

/// `inside` in an Ethernet frame.
pub fn ethernet(ethertype: u16, inside: &[u8]) -> Vec<u8> {
    let mut bytes = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    bytes.extend(ethertype.to_be_bytes());
    bytes.extend(inside);
    bytes
}

/// A classic file in little endian and nanoseconds.
pub fn pcap(link: u32, frames: &[Vec<u8>]) -> Vec<u8> {
    Classic { link, ..Classic::default() }.file(frames)
}

/// How a classic file is written.
#[derive(Debug, Clone, Copy)]
pub struct Classic {
    pub magic: u32,
    pub big_endian: bool,
    pub link: u32,
    pub version: (u16, u16),
    /// What stands between a record's lengths and its bytes.
    pub extra: &'static [u8],
}

impl Default for Classic {
    fn default() -> Self {
        Self { magic: 0xa1b2_3c4d, big_endian: false, link: 1, version: (2, 4), extra: &[] }
    }
}

impl Classic {
    pub fn word(&self, value: u32) -> [u8; 4] {
        if self.big_endian { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    fn half(&self, value: u16) -> [u8; 2] {
        if self.big_endian { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    /// Frame `n` is captured `n` microseconds after [`TIME`], and was one byte longer.
    pub fn file(&self, frames: &[Vec<u8>]) -> Vec<u8> {
        let mut file = self.word(self.magic).to_vec();
        file.extend(self.half(self.version.0));
        file.extend(self.half(self.version.1));
        for word in [0, 0, 262_144, self.link] {
            file.extend(self.word(word));
        }
        if self.magic == 0x1c00_01ac {
            file.extend([0; 4]);
        }
        let unit = if matches!(self.magic, 0xa1b2_3c4d | 0x1c00_01ac) { 1 } else { 1000 };
        for (index, frame) in (0..).zip(frames) {
            let time = TIME + index * 1000;
            file.extend(self.word(u32::try_from(time / 1_000_000_000).unwrap()));
            file.extend(self.word(u32::try_from(time % 1_000_000_000 / unit).unwrap()));
            let captured = u32::try_from(frame.len()).unwrap();
            let mut lengths = [captured, captured + 1];
            if self.version < (2, 3) {
                lengths.reverse();
            }
            for length in lengths {
                file.extend(self.word(length));
            }
            file.extend(self.extra);
            file.extend(frame);
        }
        file
    }
}

/// A block of a little-endian pcapng file.
pub fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let mut block = kind.to_le_bytes().to_vec();
    let padded = body.len().next_multiple_of(4);
    let length = u32::try_from(padded + 12).unwrap().to_le_bytes();
    block.extend(length);
    block.extend(body);
    block.resize(8 + padded, 0);
    block.extend(length);
    block
}

/// All frames of a file.
pub fn read(file: &[u8]) -> Result<Vec<Frame>, ReadError> {
    let mut reader = Reader::new(file)?;
    let mut frames = Vec::new();
    while let Some(frame) = reader.next_frame()? {
        frames.push(frame);
    }
    Ok(frames)
}
