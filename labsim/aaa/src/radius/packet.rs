//! Whole packets: twenty bytes of header and the attributes behind them (RFC 2865, section 3).

use super::attribute::{Attribute, AttributeType};
use super::code::Code;
use super::error::{EncodeError, PacketError};
use std::fmt;

/// Bytes of a header: code, identifier, two of length, authenticator.
pub const HEADER_LEN: usize = 20;

/// Bytes of the longest packet.
pub const MAX_LEN: usize = 4096;

/// Where the authenticator begins.
const AUTHENTICATOR: usize = 4;

/// The header's sixteen bytes that tie a reply to its request and to the shared secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Authenticator(pub [u8; 16]);

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A packet, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// What kind of message it is.
    pub code: Code,
    /// The number that a reply has in common with its request.
    pub identifier: u8,
    /// The authenticator; the code says of which kind.
    pub authenticator: Authenticator,
    /// The attributes, in order.
    pub attributes: Vec<Attribute>,
}

/// The packet's own bytes: bytes behind the length that the header announces are padding.
///
/// # Errors
/// [`PacketError`], but not about attributes: they are not looked at.
pub fn packet_bytes(datagram: &[u8]) -> Result<&[u8], PacketError> {
    let received = datagram.len();
    let Some((&[_, _, high, low], _)) = datagram.split_first_chunk() else {
        return Err(PacketError::Short(received));
    };
    if received < HEADER_LEN {
        return Err(PacketError::Short(received));
    }
    let announced = usize::from(u16::from_be_bytes([high, low]));
    if !(HEADER_LEN..=MAX_LEN).contains(&announced) {
        return Err(PacketError::Length(announced));
    }
    datagram.get(..announced).ok_or(PacketError::Truncated { announced, received })
}

/// An attribute where it lies in its packet.
pub(super) struct LocatedAttribute<'a> {
    /// Where the value begins, counted from the packet's first byte.
    pub(super) at: usize,
    pub(super) kind: AttributeType,
    pub(super) value: &'a [u8],
}

/// The attributes of a framed packet; after an error comes nothing more.
pub(super) fn attributes(
    packet: &[u8],
) -> impl Iterator<Item = Result<LocatedAttribute<'_>, PacketError>> {
    let mut at = HEADER_LEN;
    std::iter::from_fn(move || {
        let rest = packet.get(at..).filter(|rest| !rest.is_empty())?;
        let found = parse_attribute(rest, at);
        at = found.as_ref().map_or(packet.len(), |found| found.at + found.value.len());
        Some(found)
    })
}

fn parse_attribute(rest: &[u8], at: usize) -> Result<LocatedAttribute<'_>, PacketError> {
    let malformed = PacketError::Attribute { at };
    let &[kind, length, ..] = rest else { return Err(malformed) };
    let value = rest.get(2..usize::from(length)).ok_or(malformed)?;
    Ok(LocatedAttribute { at: at + 2, kind: AttributeType(kind), value })
}

impl Packet {
    /// Reads a packet. At most 2,038 attributes fit one.
    ///
    /// # Errors
    /// [`PacketError`] for what RFC 2865 says to discard.
    pub fn decode(datagram: &[u8]) -> Result<Self, PacketError> {
        let packet = packet_bytes(datagram)?;
        let short = PacketError::Short(packet.len());
        let (&[code, identifier, _, _], rest) = packet.split_first_chunk().ok_or(short)?;
        let (authenticator, _) = rest.split_first_chunk().ok_or(short)?;
        let read = |found: Result<LocatedAttribute<'_>, PacketError>| {
            let LocatedAttribute { at, kind, value } = found?;
            Attribute::new(kind, value).map_err(|_| PacketError::Attribute { at })
        };
        Ok(Self {
            code: Code::from(code),
            identifier,
            authenticator: Authenticator(*authenticator),
            attributes: attributes(packet).map(read).collect::<Result<_, _>>()?,
        })
    }

    /// The packet's bytes, as they go on the wire.
    ///
    /// # Errors
    /// [`EncodeError::Packet`] if they are more than [`MAX_LEN`].
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let sum: usize = self.attributes.iter().map(Attribute::encoded_len).sum();
        let length = HEADER_LEN + sum;
        let too_long = EncodeError::Packet(length);
        let announced = u16::try_from(length).ok().filter(|_| length <= MAX_LEN).ok_or(too_long)?;
        let mut bytes = Vec::with_capacity(length);
        bytes.extend_from_slice(&[u8::from(self.code), self.identifier]);
        bytes.extend_from_slice(&announced.to_be_bytes());
        bytes.extend_from_slice(&self.authenticator.0);
        self.attributes.iter().for_each(|attribute| attribute.encode(&mut bytes));
        Ok(bytes)
    }

    /// All attributes of that type, in order.
    pub fn all(&self, kind: AttributeType) -> impl Iterator<Item = &Attribute> {
        self.attributes.iter().filter(move |attribute| attribute.kind() == kind)
    }

    /// The first attribute of that type.
    #[must_use]
    pub fn first(&self, kind: AttributeType) -> Option<&Attribute> {
        self.all(kind).next()
    }

    /// The texts of all attributes of that type, one after the other; empty without any.
    #[must_use]
    pub fn text(&self, kind: AttributeType) -> String {
        self.all(kind).map(Attribute::as_text).collect()
    }
}

/// Writes the authenticator into a packet's bytes.
pub(super) fn write_authenticator(packet: &mut [u8], authenticator: Authenticator) {
    if let Some(place) = packet.get_mut(AUTHENTICATOR..HEADER_LEN) {
        place.copy_from_slice(&authenticator.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_has_at_most_4096_bytes_and_comes_back() {
        let attribute = |length| Attribute::new(AttributeType::CLASS, vec![1; length]).unwrap();
        let packet = |last| {
            let mut attributes = vec![attribute(253); 15];
            attributes.push(attribute(last));
            let authenticator = Authenticator([5; 16]);
            Packet { code: Code::AccessAccept, identifier: 1, authenticator, attributes }
        };
        let bytes = packet(249).encode().unwrap();
        assert_eq!(bytes.len(), MAX_LEN);
        assert_eq!(Packet::decode(&bytes), Ok(packet(249)));
        assert_eq!(packet(250).encode(), Err(EncodeError::Packet(MAX_LEN + 1)));
    }

    #[test]
    fn an_attribute_without_a_value_is_read_and_one_without_a_length_is_not() {
        let packet = |body: &[u8]| {
            let length = u8::try_from(HEADER_LEN + body.len()).unwrap();
            Packet::decode(&[&[2, 1, 0, length], [0; 16].as_slice(), body].concat())
        };
        assert_eq!(packet(&[25, 2]).unwrap().attributes[0].value(), [0_u8; 0]);
        let at = HEADER_LEN;
        for body in [&[25][..], &[25, 0], &[25, 1], &[25, 3], &[25, 255, 1]] {
            assert_eq!(packet(body), Err(PacketError::Attribute { at }), "{body:?}");
        }
        assert_eq!(packet(&[25, 2, 25, 1]), Err(PacketError::Attribute { at: at + 2 }));
    }
}
