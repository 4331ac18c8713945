//! Reads and writes the fields of a body: fixed bytes first, then what their lengths announce.

use super::error::{BodyError, EncodeError};

/// A body being read. Every read is checked; nothing is allocated before the lengths add up.
pub(super) struct Fields<'a> {
    message: &'static str,
    length: usize,
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) fn new(message: &'static str, bytes: &'a [u8]) -> Self {
        Self { message, length: bytes.len(), rest: bytes }
    }

    fn lengths(&self) -> BodyError {
        BodyError::Lengths { message: self.message, length: self.length }
    }

    pub(super) fn bytes(&mut self, length: usize) -> Result<&'a [u8], BodyError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or_else(|| self.lengths())?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], BodyError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or_else(|| self.lengths())?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(super) fn length16(&mut self) -> Result<usize, BodyError> {
        self.array().map(u16::from_be_bytes).map(usize::from)
    }

    /// RFC 8907, section 4.5: the sum of the lengths is exactly what is there.
    pub(super) fn must_be(&self, sum: usize) -> Result<(), BodyError> {
        if sum == self.rest.len() { Ok(()) } else { Err(self.lengths()) }
    }

    pub(super) fn text(&mut self, field: &'static str, length: usize) -> Result<String, BodyError> {
        let message = self.message;
        let text = std::str::from_utf8(self.bytes(length)?);
        text.map(str::to_owned).map_err(|_| BodyError::Text { message, field })
    }

    pub(super) fn arguments(&mut self, lengths: &[u8]) -> Result<Vec<String>, BodyError> {
        lengths.iter().map(|&length| self.text("argument", usize::from(length))).collect()
    }
}

/// The sum of one-byte lengths.
pub(super) fn sum(lengths: &[u8]) -> usize {
    lengths.iter().copied().map(usize::from).sum()
}

/// A length that one byte holds.
pub(super) fn length8(field: &'static str, bytes: &[u8]) -> Result<u8, EncodeError> {
    let length = bytes.len();
    u8::try_from(length).map_err(|_| EncodeError::TooLong { field, length, max: 0xff })
}

/// A length that two bytes hold, as they go on the wire.
pub(super) fn length16(field: &'static str, bytes: &[u8]) -> Result<[u8; 2], EncodeError> {
    let length = bytes.len();
    u16::try_from(length).map(u16::to_be_bytes).map_err(|_| EncodeError::TooLong {
        field,
        length,
        max: 0xffff,
    })
}

/// The number of arguments and the length of each.
pub(super) fn argument_lengths(arguments: &[String]) -> Result<(u8, Vec<u8>), EncodeError> {
    let length = arguments.len();
    let count = u8::try_from(length).map_err(|_| EncodeError::TooLong {
        field: "arguments",
        length,
        max: 0xff,
    })?;
    let lengths = arguments.iter().map(|text| length8("argument", text.as_bytes()));
    Ok((count, lengths.collect::<Result<_, _>>()?))
}
