//! Why a capture cannot be read.

use crate::form::NoCapture;
use crate::points::MAX_POINTS;
use labsim_wire::{pcap, pcapng};
use std::io;

/// Bytes that a compressed file may unpack to at most.
pub const MAX_UNPACKED: u64 = 64 << 30;

/// Why a capture cannot be read, or not be read on.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The input failed.
    #[error("the capture cannot be read: {0}")]
    Io(io::Error),
    /// It is no capture.
    #[error(transparent)]
    NoCapture(#[from] NoCapture),
    /// What is compressed is no capture.
    #[error("what is compressed: {0}")]
    NoCaptureInside(NoCapture),
    /// It ends before its first frame.
    #[error("the file ends before its first frame: copy it again when its capture has ended")]
    Cut,
    /// The compressed data is damaged.
    #[error("the compressed data is damaged: {0}")]
    Compressed(io::Error),
    /// It unpacks to more than [`MAX_UNPACKED`].
    #[error("the file unpacks to more than {} GiB", MAX_UNPACKED >> 30)]
    TooLarge,
    /// A record of a pcap file is damaged.
    #[error("after frame {frames}: {why}")]
    Pcap {
        /// Frames before it.
        frames: u64,
        /// What is wrong.
        why: pcap::ReadError,
    },
    /// A block of a pcapng file is damaged.
    #[error("after frame {frames}: {why}")]
    Pcapng {
        /// Frames before it.
        frames: u64,
        /// What is wrong.
        why: pcapng::ReadError,
    },
    /// More points than [`MAX_POINTS`].
    #[error("more than {MAX_POINTS} interfaces and devices")]
    TooManyPoints,
}

pub(crate) fn pcap_error(why: pcap::ReadError, frames: u64, is_packed: bool) -> ReadError {
    match why {
        pcap::ReadError::Io(error) => io_error(error, is_packed),
        pcap::ReadError::Cut => ReadError::Cut,
        why => ReadError::Pcap { frames, why },
    }
}

pub(crate) fn pcapng_error(why: pcapng::ReadError, frames: u64, is_packed: bool) -> ReadError {
    match why {
        pcapng::ReadError::Io(error) => io_error(error, is_packed),
        pcapng::ReadError::Cut => ReadError::Cut,
        why => ReadError::Pcapng { frames, why },
    }
}

pub(crate) fn io_error(error: io::Error, is_packed: bool) -> ReadError {
    match error.kind() {
        io::ErrorKind::FileTooLarge => ReadError::TooLarge,
        io::ErrorKind::UnexpectedEof => ReadError::Cut,
        _ if is_packed => ReadError::Compressed(error),
        _ => ReadError::Io(error),
    }
}
