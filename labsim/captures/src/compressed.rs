//! Unpacks what is compressed, as a stream.

use crate::form::Compression;
use flate2::bufread::MultiGzDecoder;
use lz4_flex::frame::FrameDecoder as Lz4;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder as ZstdFrame};
use std::error::Error;
use std::io::{self, BufRead, BufReader, Read};

/// Unpacks `input`, which begins with the compression's magic number.
pub(crate) fn unpack<'a>(
    compression: Compression,
    input: BufReader<impl Read + 'a>,
) -> Box<dyn Read + 'a> {
    match compression {
        Compression::Gzip => Box::new(MultiGzDecoder::new(input)),
        Compression::Zstd => {
            Box::new(Zstd { input, frame: ZstdFrame::new(), is_open: false, is_bad: false })
        }
        Compression::Lz4 => Box::new(Frames(Lz4::new(input))),
    }
}

/// Frames of lz4 one after the other: their reader ends after each.
struct Frames<R: Read>(Lz4<R>);

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.0.read(bytes)?;
            if read > 0 || bytes.is_empty() || self.0.get_mut().fill_buf()?.is_empty() {
                return Ok(read);
            }
        }
    }
}

/// Frames of zstd one after the other, those to be skipped among them.
struct Zstd<R> {
    input: R,
    frame: ZstdFrame,
    is_open: bool,
    /// Nothing can be read after an error.
    is_bad: bool,
}

impl<R: BufRead> Zstd<R> {
    /// Begins the next frame, or finds the end of the input.
    fn open(&mut self) -> io::Result<bool> {
        while !self.input.fill_buf()?.is_empty() {
            match self.frame.reset(&mut self.input) {
                Ok(()) => {
                    self.is_open = true;
                    return Ok(true);
                }
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    io::copy(&mut self.input.by_ref().take(length.into()), &mut io::sink())?;
                }
                Err(error) => return Err(zstd_error(error)),
            }
        }
        Ok(false)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.is_open && !self.open()? {
                return Ok(0);
            }
            while self.frame.can_collect() == 0 && !self.frame.is_finished() {
                if self.input.fill_buf()?.is_empty() {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                self.frame
                    .decode_blocks(&mut self.input, BlockDecodingStrategy::UptoBlocks(1))
                    .map_err(zstd_error)?;
            }
            let read = self.frame.read(bytes)?;
            if read > 0 {
                return Ok(read);
            }
            self.is_open = false;
        }
    }
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        if self.is_bad {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let read = self.fill(bytes);
        self.is_bad = read.is_err();
        read
    }
}

/// The input's own error, if that is the reason: it tells a cut file from a damaged one.
fn zstd_error(error: FrameDecoderError) -> io::Error {
    let mut reason: Option<&dyn Error> = Some(&error);
    while let Some(cause) = reason {
        if let Some(own) = cause.downcast_ref::<io::Error>() {
            return own.kind().into();
        }
        reason = cause.source();
    }
    io::Error::other(error)
}

/// Reads no more than a number of bytes, and then fails instead of ending.
pub(crate) struct Bounded<R> {
    pub(crate) input: R,
    pub(crate) left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(bytes)?;
        match self.left.checked_sub(u64::try_from(read).unwrap_or(u64::MAX)) {
            Some(left) => {
                self.left = left;
                Ok(read)
            }
            None => Err(io::ErrorKind::FileTooLarge.into()),
        }
    }
}
