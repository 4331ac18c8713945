//! UDP datagrams (RFC 768).

use crate::bytes::{be16, put};
use crate::checksum::{self, AddressPair, ChecksumState};
use crate::error::{enough, room};
use crate::{EmitError, Layer, Malformed, protocol};

mod field {
    pub(super) const SOURCE: usize = 0;
    pub(super) const DESTINATION: usize = 2;
    pub(super) const LENGTH: usize = 4;
    pub(super) const CHECKSUM: usize = 6;
    pub(super) const PAYLOAD: usize = 8;
}

/// The header's length in bytes.
pub const HEADER_LEN: usize = field::PAYLOAD;

/// A datagram whose header is whole and whose length field makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View<'a> {
    /// No longer than the length field says.
    bytes: &'a [u8],
}

impl<'a> View<'a> {
    /// Checks that the whole datagram is there.
    ///
    /// # Errors
    /// [`Malformed`], by what is wrong.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let view = Self::new_truncated(bytes)?;
        enough(Layer::Udp, bytes, view.length())?;
        Ok(view)
    }

    /// As [`Self::new`], but the datagram may be cut anywhere after its header: a first
    /// fragment, or what an ICMP error quotes.
    ///
    /// # Errors
    /// [`Malformed`], by what is wrong.
    #[inline]
    pub fn new_truncated(bytes: &'a [u8]) -> Result<Self, Malformed> {
        enough(Layer::Udp, bytes, HEADER_LEN)?;
        let length = usize::from(be16(bytes, field::LENGTH));
        if length < HEADER_LEN {
            return Err(Malformed::Length { layer: Layer::Udp, bytes: length });
        }
        Ok(Self { bytes: &bytes[..length.min(bytes.len())] })
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

    /// Header and payload in bytes, as the header gives it.
    #[inline]
    #[must_use]
    pub fn length(&self) -> usize {
        usize::from(be16(self.bytes, field::LENGTH))
    }

    /// The checksum field; 0 means none.
    #[inline]
    #[must_use]
    pub fn checksum(&self) -> u16 {
        be16(self.bytes, field::CHECKSUM)
    }

    /// What the checksum is worth.
    #[inline]
    #[must_use]
    pub fn checksum_state(&self, addresses: &AddressPair) -> ChecksumState {
        match (self.checksum(), addresses) {
            _ if self.is_truncated() => ChecksumState::Unknown,
            (0, AddressPair::V4(..)) => ChecksumState::Absent,
            // RFC 8200, 8.1: IPv6 does not allow a datagram without one.
            (0, AddressPair::V6(..)) => ChecksumState::Bad,
            (found, _) => checksum::judge(addresses, protocol::UDP, self.bytes, found),
        }
    }

    /// Whether less than the length field says is there.
    #[inline]
    #[must_use]
    pub fn is_truncated(&self) -> bool {
        self.bytes.len() < self.length()
    }

    /// What follows the header.
    #[inline]
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        &self.bytes[field::PAYLOAD..]
    }
}

/// A datagram that is changed in place.
#[derive(Debug)]
pub struct ViewMut<'a> {
    bytes: &'a mut [u8],
}

impl<'a> ViewMut<'a> {
    /// Checks what [`View::new`] checks.
    ///
    /// # Errors
    /// [`Malformed`], by what is wrong.
    #[inline]
    pub fn new(bytes: &'a mut [u8]) -> Result<Self, Malformed> {
        let length = View::new(bytes)?.bytes.len();
        Ok(Self { bytes: &mut bytes[..length] })
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
        &mut self.bytes[field::PAYLOAD..]
    }

    /// Sums header and payload anew. A sum of 0 is sent as 0xffff (RFC 768).
    #[inline]
    pub fn fill_checksum(&mut self, addresses: &AddressPair) {
        put(self.bytes, field::CHECKSUM, &[0, 0]);
        let sum =
            addresses.pseudo_header(protocol::UDP, self.bytes.len()).with(self.bytes).finish();
        let sum = if sum == 0 { 0xffff } else { sum };
        put(self.bytes, field::CHECKSUM, &sum.to_be_bytes());
    }
}

/// A UDP header as a plain value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub destination_port: u16,
    /// Bytes that follow the header.
    pub payload_length: usize,
}

impl Header {
    /// Reads the header.
    #[inline]
    #[must_use]
    pub fn parse(view: &View<'_>) -> Self {
        Self {
            source_port: view.source_port(),
            destination_port: view.destination_port(),
            payload_length: view.length() - HEADER_LEN,
        }
    }

    /// Bytes that [`Self::emit`] writes.
    #[inline]
    #[must_use]
    pub fn length(&self) -> usize {
        HEADER_LEN
    }

    /// Writes the header to the beginning of `out`, its checksum 0 (none):
    /// [`ViewMut::fill_checksum`] sets it when the payload is in place.
    ///
    /// # Errors
    /// [`EmitError`]: too small a buffer, a datagram over 65535 bytes.
    #[inline]
    pub fn emit(&self, out: &mut [u8]) -> Result<(), EmitError> {
        room(Layer::Udp, out, HEADER_LEN)?;
        let length =
            u16::try_from(HEADER_LEN + self.payload_length).map_err(|_| EmitError::Field {
                layer: Layer::Udp,
                field: "the length",
                value: u32::try_from(self.payload_length).unwrap_or(u32::MAX),
            })?;
        put(out, field::SOURCE, &self.source_port.to_be_bytes());
        put(out, field::DESTINATION, &self.destination_port.to_be_bytes());
        put(out, field::LENGTH, &length.to_be_bytes());
        put(out, field::CHECKSUM, &[0, 0]);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    #[test]
    fn a_missing_checksum_is_allowed_over_ipv4_only() {
        let mut bytes = [0; 8];
        Header { source_port: 1, destination_port: 2, payload_length: 0 }.emit(&mut bytes).unwrap();
        let view = View::new(&bytes).unwrap();
        let v4 = AddressPair::V4(Ipv4Addr::LOCALHOST, Ipv4Addr::LOCALHOST);
        let v6 = AddressPair::V6(Ipv6Addr::LOCALHOST, Ipv6Addr::LOCALHOST);
        assert_eq!(view.checksum_state(&v4), ChecksumState::Absent);
        assert_eq!(view.checksum_state(&v6), ChecksumState::Bad);
    }

    #[test]
    fn a_sum_of_zero_is_sent_as_all_ones() {
        let pair = AddressPair::V4(Ipv4Addr::UNSPECIFIED, Ipv4Addr::UNSPECIFIED);
        let mut bytes = [0; 10];
        Header { source_port: 0, destination_port: 0, payload_length: 2 }.emit(&mut bytes).unwrap();
        // Protocol 17 and twice the length 10 are summed already: the rest to 0xffff.
        bytes[8..].copy_from_slice(&(0xffff_u16 - 17 - 20).to_be_bytes());
        ViewMut::new(&mut bytes).unwrap().fill_checksum(&pair);
        let view = View::new(&bytes).unwrap();
        assert_eq!(view.checksum(), 0xffff);
        assert_eq!(view.checksum_state(&pair), ChecksumState::Good);
    }

    #[test]
    fn a_length_field_below_the_header_is_refused() {
        let bytes = [0, 1, 0, 2, 0, 7, 0, 0];
        assert_eq!(View::new(&bytes), Err(Malformed::Length { layer: Layer::Udp, bytes: 7 }));
        let bytes = [0, 1, 0, 2, 0, 9, 0, 0];
        assert!(matches!(View::new(&bytes), Err(Malformed::Truncated { needed: 9, .. })));
    }
}
