//! What a file is, by its first bytes.

use labsim_wire::pcap;

/// Bytes that are enough to know a file's form.
pub(crate) const ENOUGH: usize = 512;

/// A form of captures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Classic pcap, any variant.
    Pcap,
    /// pcapng.
    Pcapng,
}

/// A form of compression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
    /// The frame format of lz4.
    Lz4,
}

impl Compression {
    /// By a file's first bytes.
    pub(crate) fn of(head: &[u8]) -> Option<Self> {
        Some(match *head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            [0x04, 0x22, 0x4d, 0x18, ..] | [0x02, 0x21, 0x4c, 0x18, ..] => Self::Lz4,
            _ => return None,
        })
    }
}

/// What is no capture, and what to send instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoCapture {
    /// Nothing at all.
    #[error("the file is empty: capture again, and stop tcpdump by Ctrl-C before copying its file")]
    Empty,
    /// A picture.
    #[error("this is a picture: send the capture file, or the text that the picture shows")]
    Picture,
    /// Several files in one.
    #[error("this is an archive of files: unpack it and name its captures")]
    Archive,
    /// A compression without a reader here.
    #[error("this is compressed by {0}: unpack it first")]
    Compressed(&'static str),
    /// A capture format without a reader here.
    #[error("this is a capture of {0}: convert it by `editcap -F pcapng`")]
    Format(&'static str),
    /// A document of an office program.
    #[error("this is a PDF document: send the capture file, or the text in it")]
    Document,
    /// Nothing but zero bytes.
    #[error(
        "the file holds zero bytes: it was not written to its end, or its disk is damaged; copy it again"
    )]
    Zeros,
    /// Anything else that is no text.
    #[error("this is no capture: it begins with {0:#010x}; send the file that `tcpdump -w` writes")]
    Unknown(u32),
}

/// What a file is, by its first [`ENOUGH`] bytes, or all of them if it has fewer.
pub(crate) fn detect(head: &[u8]) -> Result<Form, NoCapture> {
    let first: [u8; 4] = match *head {
        [] => return Err(NoCapture::Empty),
        [a, b, c, d, ..] => [a, b, c, d],
        _ => return Err(NoCapture::Unknown(0)),
    };
    if first == [0x0a, 0x0d, 0x0d, 0x0a] {
        return Ok(Form::Pcapng);
    }
    if pcap::is_magic(first) {
        return Ok(Form::Pcap);
    }
    Err(match first {
        [0x89, b'P', b'N', b'G'] | [b'G', b'I', b'F', b'8'] | [0xff, 0xd8, 0xff, _] => {
            NoCapture::Picture
        }
        [b'R', b'I', b'F', b'F'] if head.get(8..12) == Some(b"WEBP") => NoCapture::Picture,
        [b'P', b'K', 3 | 5, 4 | 6] | [b'7', b'z', 0xbc, 0xaf] | [b'R', b'a', b'r', b'!'] => {
            NoCapture::Archive
        }
        [b'B', b'Z', b'h', _] => NoCapture::Compressed("bzip2"),
        [0xfd, b'7', b'z', b'X'] => NoCapture::Compressed("xz"),
        [b's', b'n', b'o', b'o'] => NoCapture::Format("snoop"),
        [b'G', b'M', b'B', b'U'] => NoCapture::Format("Network Monitor"),
        [b'%', b'P', b'D', b'F'] => NoCapture::Document,
        _ if head.get(257..262) == Some(b"ustar") => NoCapture::Archive,
        _ if head.iter().all(|byte| *byte == 0) => NoCapture::Zeros,
        other => NoCapture::Unknown(u32::from_be_bytes(other)),
    })
}
