//! Ethernet II frames, without a VLAN tag and without the frame check sequence.

use crate::bytes::{array, be16, put};
use crate::error::{enough, room};
use crate::{EmitError, Layer, Malformed};
use std::fmt;

mod field {
    pub(super) const DESTINATION: usize = 0;
    pub(super) const SOURCE: usize = 6;
    pub(super) const ETHERTYPE: usize = 12;
    pub(super) const PAYLOAD: usize = 14;
}

/// The header's length in bytes.
pub const HEADER_LEN: usize = field::PAYLOAD;

/// What an Ethernet frame carries.
pub mod ethertype {
    /// IPv4.
    pub const IPV4: u16 = 0x0800;
    /// ARP, RFC 826.
    pub const ARP: u16 = 0x0806;
    /// IPv6.
    pub const IPV6: u16 = 0x86dd;
    /// "Local experimental ethertype 1" (IEEE 802): labsim's marker frames.
    pub const MARKER: u16 = 0x88b5;
}

/// A link-layer address.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// Everybody on the segment.
    pub const BROADCAST: Self = Self([0xff; 6]);

    /// Whether it names a group of stations, broadcast among them.
    #[inline]
    #[must_use]
    pub fn is_multicast(&self) -> bool {
        self.0[0] & 1 != 0
    }

    /// Whether it names every station.
    #[inline]
    #[must_use]
    pub fn is_broadcast(&self) -> bool {
        *self == Self::BROADCAST
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// A frame whose header is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View<'a> {
    bytes: &'a [u8],
}

impl<'a> View<'a> {
    /// Checks the length.
    ///
    /// # Errors
    /// [`Malformed::Truncated`].
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Result<Self, Malformed> {
        enough(Layer::Ethernet, bytes, HEADER_LEN)?;
        Ok(Self { bytes })
    }

    /// Whom it is for.
    #[inline]
    #[must_use]
    pub fn destination(&self) -> Mac {
        Mac(array(self.bytes, field::DESTINATION))
    }

    /// Who sent it.
    #[inline]
    #[must_use]
    pub fn source(&self) -> Mac {
        Mac(array(self.bytes, field::SOURCE))
    }

    /// What it carries; see [`ethertype`].
    #[inline]
    #[must_use]
    pub fn ethertype(&self) -> u16 {
        be16(self.bytes, field::ETHERTYPE)
    }

    /// What follows the header, padding to the least frame length included.
    #[inline]
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        &self.bytes[field::PAYLOAD..]
    }
}

/// A frame that is changed in place.
#[derive(Debug)]
pub struct ViewMut<'a> {
    bytes: &'a mut [u8],
}

impl<'a> ViewMut<'a> {
    /// Checks the length.
    ///
    /// # Errors
    /// [`Malformed::Truncated`].
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

    /// Readdresses it.
    #[inline]
    pub fn set_destination(&mut self, mac: Mac) {
        put(self.bytes, field::DESTINATION, &mac.0);
    }

    /// Names another sender.
    #[inline]
    pub fn set_source(&mut self, mac: Mac) {
        put(self.bytes, field::SOURCE, &mac.0);
    }

    /// What follows the header.
    #[inline]
    #[must_use]
    pub fn payload_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[field::PAYLOAD..]
    }
}

/// An Ethernet header as a plain value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Whom it is for.
    pub destination: Mac,
    /// Who sends it.
    pub source: Mac,
    /// What it carries; see [`ethertype`].
    pub ethertype: u16,
}

impl Header {
    /// Reads the header.
    #[inline]
    #[must_use]
    pub fn parse(view: &View<'_>) -> Self {
        Self { destination: view.destination(), source: view.source(), ethertype: view.ethertype() }
    }

    /// Bytes that [`Self::emit`] writes.
    #[inline]
    #[must_use]
    pub fn length(&self) -> usize {
        HEADER_LEN
    }

    /// Writes the header to the beginning of `out`.
    ///
    /// # Errors
    /// [`EmitError::NoRoom`].
    #[inline]
    pub fn emit(&self, out: &mut [u8]) -> Result<(), EmitError> {
        room(Layer::Ethernet, out, HEADER_LEN)?;
        put(out, field::DESTINATION, &self.destination.0);
        put(out, field::SOURCE, &self.source.0);
        put(out, field::ETHERTYPE, &self.ethertype.to_be_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirteen_bytes_are_no_frame() {
        assert_eq!(
            View::new(&[0; 13]),
            Err(Malformed::Truncated { layer: Layer::Ethernet, needed: 14, present: 13 })
        );
    }

    #[test]
    fn a_frame_can_be_readdressed_in_place() {
        let header = Header {
            destination: Mac([2, 0, 0, 0, 0, 1]),
            source: Mac([2, 0, 0, 0, 0, 2]),
            ethertype: ethertype::IPV4,
        };
        let mut bytes = [0; 15];
        header.emit(&mut bytes).unwrap();
        let mut frame = ViewMut::new(&mut bytes).unwrap();
        frame.set_destination(Mac::BROADCAST);
        frame.set_source(Mac([2, 0, 0, 0, 0, 3]));
        assert!(frame.view().destination().is_broadcast());
        assert_eq!(frame.view().source().to_string(), "02:00:00:00:00:03");
        assert_eq!(frame.view().ethertype(), 0x0800);
        assert_eq!(frame.payload_mut().len(), 1);
    }
}
