//! ICMPv6 errors as whole packets, and which packets may be answered with one.

use super::{HEADER_LEN, MAX_ERROR_LEN, Message, field};
use crate::bytes::put;
use crate::error::room;
use crate::{EmitError, Layer, ipv6, protocol};
use std::net::Ipv6Addr;

/// Whether `packet` may be answered with an ICMPv6 error at all (RFC 4443, 2.4 e): not an
/// error itself, not to or from a group. "Packet too big" alone may answer multicast.
#[must_use]
pub fn may_answer(packet: &ipv6::View<'_>) -> bool {
    let one_host = !packet.source().is_unspecified()
        && !packet.source().is_multicast()
        && !packet.source().is_loopback();
    let about_error = match packet.transport() {
        Ok(transport) => {
            transport.fragment.is_some_and(|fragment| fragment.offset != 0)
                || transport.protocol == protocol::ICMPV6
                    && transport.bytes.first().is_none_or(|kind| *kind < 128)
        }
        Err(_) => true,
    };
    one_host && !packet.destination().is_multicast() && !about_error
}

/// An ICMPv6 error as a whole packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Error {
    /// Who reports.
    pub source: Ipv6Addr,
    /// Who sent the packet that it is about.
    pub destination: Ipv6Addr,
    /// How many hops it may take.
    pub hop_limit: u8,
    /// What is wrong: one of the messages that quote.
    pub message: Message,
}

impl Error {
    /// The packet's length in bytes when it quotes `original`: as much of it as fits into
    /// [`MAX_ERROR_LEN`].
    #[must_use]
    pub fn length(&self, original: &[u8]) -> usize {
        (ipv6::HEADER_LEN + HEADER_LEN + original.len()).min(MAX_ERROR_LEN)
    }

    /// Writes IP header, ICMP header and the quoted beginning of `original` to `out`; returns
    /// the packet's length.
    ///
    /// # Errors
    /// [`EmitError::NoRoom`], and [`EmitError::Field`] for a message that does not quote.
    pub fn emit(&self, original: &[u8], out: &mut [u8]) -> Result<usize, EmitError> {
        let length = self.length(original);
        room(Layer::Icmpv6, out, length)?;
        if self.message.length() != HEADER_LEN {
            return Err(EmitError::Field { layer: Layer::Icmpv6, field: "an error", value: 0 });
        }
        let payload_length = length - ipv6::HEADER_LEN;
        let header = ipv6::Header {
            source: self.source,
            destination: self.destination,
            next_header: protocol::ICMPV6,
            hop_limit: self.hop_limit,
            traffic_class: 0,
            flow_label: 0,
            payload_length,
        };
        header.emit(out)?;
        let message = &mut out[ipv6::HEADER_LEN..length];
        put(message, field::DATA, &original[..payload_length - HEADER_LEN]);
        self.message.emit(self.source, self.destination, message)?;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::super::View;
    use super::*;

    const A: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1);
    const B: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2);

    #[test]
    fn an_error_quotes_no_more_than_fits_into_1280_bytes() {
        let original = [0x60; 2000];
        let message = Message::PacketTooBig { mtu: 1460 };
        let error = Error { source: A, destination: B, hop_limit: 64, message };
        let mut out = [0; 1500];
        assert_eq!(error.emit(&original, &mut out), Ok(1280));
        let ip = ipv6::View::new(&out[..1280]).unwrap();
        let icmp = View::new(ip.payload()).unwrap();
        assert!(icmp.checksum_ok(A, B));
        assert_eq!(icmp.mtu(), Some(1460));
        assert_eq!(icmp.quoted().unwrap(), &original[..1232]);
    }

    #[test]
    fn errors_are_not_answered_with_errors() {
        let with = |kind: u8, destination| {
            let header = ipv6::Header {
                source: A,
                destination,
                next_header: 58,
                hop_limit: 1,
                traffic_class: 0,
                flow_label: 0,
                payload_length: 8,
            };
            let mut bytes = [0; 48];
            header.emit(&mut bytes).unwrap();
            bytes[40] = kind;
            may_answer(&ipv6::View::new(&bytes).unwrap())
        };
        assert!(with(128, B));
        assert!(!with(1, B));
        assert!(!with(128, Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1)));
    }
}
