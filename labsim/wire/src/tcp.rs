//! TCP segments (RFC 9293): the header, and its options as an iterator.

mod options;

pub use options::{Options, TcpOption};

use crate::bytes::{be16, be32, put};
use crate::checksum::{self, AddressPair, ChecksumState};
use crate::error::{enough, room};
use crate::{EmitError, Layer, Malformed, protocol};
use std::fmt;

mod field {
    pub(super) const SOURCE: usize = 0;
    pub(super) const DESTINATION: usize = 2;
    pub(super) const SEQUENCE: usize = 4;
    pub(super) const ACKNOWLEDGEMENT: usize = 8;
    pub(super) const OFFSET: usize = 12;
    pub(super) const FLAGS: usize = 13;
    pub(super) const WINDOW: usize = 14;
    pub(super) const CHECKSUM: usize = 16;
    pub(super) const URGENT: usize = 18;
    pub(super) const OPTIONS: usize = 20;
}

/// The length of a header without options, in bytes.
pub const MIN_HEADER_LEN: usize = field::OPTIONS;
/// The length of the longest header, in bytes.
pub const MAX_HEADER_LEN: usize = 60;

/// The control bits, as the header's byte holds them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flags(pub u8);

impl Flags {
    /// No more data from the sender.
    pub const FIN: Self = Self(0x01);
    /// Synchronise sequence numbers.
    pub const SYN: Self = Self(0x02);
    /// Reset the connection.
    pub const RST: Self = Self(0x04);
    /// Push.
    pub const PSH: Self = Self(0x08);
    /// The acknowledgement number counts.
    pub const ACK: Self = Self(0x10);
    /// The urgent pointer counts.
    pub const URG: Self = Self(0x20);
    /// ECN echo (RFC 3168).
    pub const ECE: Self = Self(0x40);
    /// Congestion window reduced (RFC 3168).
    pub const CWR: Self = Self(0x80);

    /// Whether all bits of `other` are set.
    #[inline]
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The bits of both.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Display for Flags {
    /// As tcpdump writes them: `S`, `S.`, `.`, `P.`, `F.`, `R.`, `none`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The order is tcpdump's (print-tcp.c, tcp_flag_values).
        const LETTERS: [(Flags, char); 8] = [
            (Flags::FIN, 'F'),
            (Flags::SYN, 'S'),
            (Flags::RST, 'R'),
            (Flags::PSH, 'P'),
            (Flags::ACK, '.'),
            (Flags::URG, 'U'),
            (Flags::ECE, 'E'),
            (Flags::CWR, 'W'),
        ];
        let text: String =
            LETTERS.iter().filter(|(bit, _)| self.contains(*bit)).map(|(_, c)| c).collect();
        f.pad(if text.is_empty() { "none" } else { &text })
    }
}

/// A segment whose header is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View<'a> {
    bytes: &'a [u8],
}

impl<'a> View<'a> {
    /// Checks the data offset against the bytes.
    ///
    /// # Errors
    /// [`Malformed`], by what is wrong.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Result<Self, Malformed> {
        enough(Layer::Tcp, bytes, MIN_HEADER_LEN)?;
        let header = usize::from(bytes[field::OFFSET] >> 4) * 4;
        if header < MIN_HEADER_LEN {
            return Err(Malformed::HeaderLength { layer: Layer::Tcp, bytes: header });
        }
        enough(Layer::Tcp, bytes, header)?;
        Ok(Self { bytes })
    }

    /// Source port.
    #[inline]
    #[must_use]
    pub fn source_port(&self) -> u16 {
        be16(self.bytes, field::SOURCE)
    }

    /// Destination port.
    #[inline]
    #[must_use]
    pub fn destination_port(&self) -> u16 {
        be16(self.bytes, field::DESTINATION)
    }

    /// Sequence number.
    #[inline]
    #[must_use]
    pub fn sequence(&self) -> u32 {
        be32(self.bytes, field::SEQUENCE)
    }

    /// Acknowledgement number; without meaning if ACK is not set.
    #[inline]
    #[must_use]
    pub fn acknowledgement(&self) -> u32 {
        be32(self.bytes, field::ACKNOWLEDGEMENT)
    }

    /// The header's length in bytes, 20 to 60.
    #[inline]
    #[must_use]
    pub fn header_length(&self) -> usize {
        usize::from(self.bytes[field::OFFSET] >> 4) * 4
    }

    /// The control bits.
    #[inline]
    #[must_use]
    pub fn flags(&self) -> Flags {
        Flags(self.bytes[field::FLAGS])
    }

    /// The window as it stands, not scaled.
    #[inline]
    #[must_use]
    pub fn window(&self) -> u16 {
        be16(self.bytes, field::WINDOW)
    }

    /// The checksum field.
    #[inline]
    #[must_use]
    pub fn checksum(&self) -> u16 {
        be16(self.bytes, field::CHECKSUM)
    }

    /// What the checksum is worth, if the whole segment is there.
    #[inline]
    #[must_use]
    pub fn checksum_state(&self, addresses: &AddressPair) -> ChecksumState {
        checksum::judge(addresses, protocol::TCP, self.bytes, self.checksum())
    }

    /// The urgent pointer.
    #[inline]
    #[must_use]
    pub fn urgent(&self) -> u16 {
        be16(self.bytes, field::URGENT)
    }

    /// The options as they stand, up to 40 bytes.
    #[inline]
    #[must_use]
    pub fn option_bytes(&self) -> &'a [u8] {
        &self.bytes[field::OPTIONS..self.header_length()]
    }

    /// The options one by one.
    #[inline]
    #[must_use]
    pub fn options(&self) -> Options<'a> {
        Options::new(self.option_bytes())
    }

    /// The maximum segment size that a SYN announces.
    #[inline]
    #[must_use]
    pub fn mss(&self) -> Option<u16> {
        self.options().find_map(|option| match option {
            TcpOption::Mss(mss) => Some(mss),
            _ => None,
        })
    }

    /// What follows the header.
    #[inline]
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        &self.bytes[self.header_length()..]
    }
}

/// A segment that is changed in place.
#[derive(Debug)]
pub struct ViewMut<'a> {
    bytes: &'a mut [u8],
}

impl<'a> ViewMut<'a> {
    /// Checks what [`View::new`] checks; `bytes` is the segment and nothing more.
    ///
    /// # Errors
    /// [`Malformed`], by what is wrong.
    #[inline]
    pub fn new(bytes: &'a mut [u8]) -> Result<Self, Malformed> {
        View::new(bytes)?;
        Ok(Self { bytes })
    }

    /// To read it.
    #[inline]
    #[must_use]
    pub fn view(&self) -> View<'_> {
        View { bytes: self.bytes }
    }

    /// What follows the header.
    #[inline]
    #[must_use]
    pub fn payload_mut(&mut self) -> &mut [u8] {
        let length = self.view().header_length();
        &mut self.bytes[length..]
    }

    /// Sums header and payload anew.
    #[inline]
    pub fn fill_checksum(&mut self, addresses: &AddressPair) {
        put(self.bytes, field::CHECKSUM, &[0, 0]);
        let sum =
            addresses.pseudo_header(protocol::TCP, self.bytes.len()).with(self.bytes).finish();
        put(self.bytes, field::CHECKSUM, &sum.to_be_bytes());
    }

    /// Leaves the sum half made, as a kernel leaves it to hardware: the pseudo-header's alone.
    #[inline]
    pub fn leave_checksum(&mut self, addresses: &AddressPair) {
        let sum = addresses.pseudo_header(protocol::TCP, self.bytes.len()).folded();
        put(self.bytes, field::CHECKSUM, &sum.to_be_bytes());
    }
}

/// A TCP header as a plain value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub destination_port: u16,
    /// Sequence number.
    pub sequence: u32,
    /// Acknowledgement number.
    pub acknowledgement: u32,
    /// The control bits.
    pub flags: Flags,
    /// The window, not scaled.
    pub window: u16,
    /// The urgent pointer.
    pub urgent: u16,
    /// Options as they stand: at most 40 bytes, a multiple of four.
    pub options: &'a [u8],
}

impl<'a> Header<'a> {
    /// Reads the header.
    #[inline]
    #[must_use]
    pub fn parse(view: &View<'a>) -> Self {
        Self {
            source_port: view.source_port(),
            destination_port: view.destination_port(),
            sequence: view.sequence(),
            acknowledgement: view.acknowledgement(),
            flags: view.flags(),
            window: view.window(),
            urgent: view.urgent(),
            options: view.option_bytes(),
        }
    }

    /// Bytes that [`Self::emit`] writes: the header with its options.
    #[inline]
    #[must_use]
    pub fn length(&self) -> usize {
        MIN_HEADER_LEN + self.options.len()
    }

    /// Writes the header to the beginning of `out`, its checksum 0: it covers the payload, so
    /// [`ViewMut::fill_checksum`] sets it when that is in place.
    ///
    /// # Errors
    /// [`EmitError`]: too small a buffer, options that do not fit.
    #[inline]
    pub fn emit(&self, out: &mut [u8]) -> Result<(), EmitError> {
        let layer = Layer::Tcp;
        let length = self.length();
        if length > MAX_HEADER_LEN || !length.is_multiple_of(4) {
            return Err(EmitError::Options { layer, length: self.options.len() });
        }
        room(layer, out, length)?;
        put(out, field::SOURCE, &self.source_port.to_be_bytes());
        put(out, field::DESTINATION, &self.destination_port.to_be_bytes());
        put(out, field::SEQUENCE, &self.sequence.to_be_bytes());
        put(out, field::ACKNOWLEDGEMENT, &self.acknowledgement.to_be_bytes());
        // At most 60 bytes in words of four.
        out[field::OFFSET] = u8::try_from(length / 4).unwrap_or(0xf) << 4;
        out[field::FLAGS] = self.flags.0;
        put(out, field::WINDOW, &self.window.to_be_bytes());
        put(out, field::CHECKSUM, &[0, 0]);
        put(out, field::URGENT, &self.urgent.to_be_bytes());
        put(out, field::OPTIONS, self.options);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_read_as_tcpdump_writes_them() {
        let ack = Flags::ACK;
        for (flags, text) in [
            (Flags::SYN, "S"),
            (Flags::SYN.with(ack), "S."),
            (ack, "."),
            (Flags::PSH.with(ack), "P."),
            (Flags::FIN.with(ack), "F."),
            (Flags::RST.with(ack), "R."),
            (Flags::FIN.with(Flags::PSH).with(ack), "FP."),
            (Flags(0), "none"),
        ] {
            assert_eq!(flags.to_string(), text);
        }
    }

    #[test]
    fn a_data_offset_below_five_words_is_refused() {
        let mut bytes = [0; 20];
        bytes[12] = 0x40;
        assert_eq!(
            View::new(&bytes),
            Err(Malformed::HeaderLength { layer: Layer::Tcp, bytes: 16 })
        );
        bytes[12] = 0x60;
        assert!(matches!(View::new(&bytes), Err(Malformed::Truncated { needed: 24, .. })));
    }
}
