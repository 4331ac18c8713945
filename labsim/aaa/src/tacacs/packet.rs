//! Whole packets: out of a stream of bytes, and into the one buffer that one write sends.

use super::body::Body;
use super::error::{BodyError, EncodeError, HeaderError, ProtocolError};
use super::header::{DEFAULT_MAX_BODY, FLAG_UNENCRYPTED, HEADER_LEN, Header};
use super::obfuscate::obfuscate;
use crate::Secret;
use std::fmt;

/// A packet as it came, its body still hidden.
#[derive(Clone, PartialEq, Eq)]
pub struct EncryptedPacket {
    /// Its header.
    pub header: Header,
    body: Vec<u8>,
}

impl fmt::Debug for EncryptedPacket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EncryptedPacket").field("header", &self.header).finish_non_exhaustive()
    }
}

impl EncryptedPacket {
    /// Bytes of the whole packet.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a packet has its header at least")]
    pub fn len(&self) -> usize {
        HEADER_LEN + self.body.len()
    }

    /// Takes the pad off.
    ///
    /// # Errors
    /// [`ProtocolError::Unencrypted`] if the packet says that it has none.
    pub fn decrypt(mut self, secret: &Secret) -> Result<DecryptedPacket, ProtocolError> {
        if self.header.has(FLAG_UNENCRYPTED) {
            return Err(ProtocolError::Unencrypted);
        }
        obfuscate(&self.header, secret, &mut self.body);
        Ok(DecryptedPacket { header: self.header, body: self.body })
    }
}

/// A packet with its body in clear, which may hold a password: `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct DecryptedPacket {
    /// Its header.
    pub header: Header,
    body: Vec<u8>,
}

impl fmt::Debug for DecryptedPacket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DecryptedPacket").field("header", &self.header).finish_non_exhaustive()
    }
}

impl DecryptedPacket {
    /// Reads the body as a message of this kind.
    ///
    /// # Errors
    /// [`BodyError`]; with a wrong secret nearly always [`BodyError::Lengths`].
    pub fn decode<B: Body>(&self) -> Result<B, BodyError> {
        B::decode(&self.body)
    }
}

/// A whole packet, ready to be sent with one write. The header's type and length are the body's.
///
/// # Errors
/// [`EncodeError`] if a field of the body is too long.
pub fn encrypt<B: Body>(header: Header, body: &B, secret: &Secret) -> Result<Vec<u8>, EncodeError> {
    let mut bytes = body.encode()?;
    let length = u32::try_from(bytes.len()).map_err(|_| EncodeError::TooLong {
        field: "body",
        length: bytes.len(),
        max: u32::MAX as usize,
    })?;
    let header = Header { kind: B::TYPE, length, ..header };
    obfuscate(&header, secret, &mut bytes);
    let mut packet = Vec::with_capacity(HEADER_LEN + bytes.len());
    packet.extend_from_slice(&header.encode());
    packet.append(&mut bytes);
    Ok(packet)
}

/// Puts packets together from a stream's pieces. It holds at most one packet, and never more than
/// has come, whatever a header announces.
#[derive(Debug, Clone)]
pub struct PacketReader {
    max_body: u32,
    header: [u8; HEADER_LEN],
    header_filled: usize,
    current: Option<EncryptedPacket>,
}

impl Default for PacketReader {
    fn default() -> Self {
        Self::new(DEFAULT_MAX_BODY)
    }
}

impl PacketReader {
    /// Takes bodies of up to `max_body` bytes.
    #[must_use]
    pub fn new(max_body: u32) -> Self {
        Self { max_body, header: [0; HEADER_LEN], header_filled: 0, current: None }
    }

    /// Takes from the front of `bytes` what the present packet lacks, and gives the packet once it
    /// is whole. `None` means that all bytes were taken and more are needed.
    ///
    /// # Errors
    /// [`HeaderError`]; the stream has no packet boundaries after that, so it is to be closed.
    pub fn next_packet(
        &mut self,
        bytes: &mut &[u8],
    ) -> Result<Option<EncryptedPacket>, HeaderError> {
        let mut packet = match self.current.take() {
            Some(packet) => packet,
            None => {
                let missing = (HEADER_LEN - self.header_filled).min(bytes.len());
                let (now, rest) = bytes.split_at(missing);
                self.header[self.header_filled..][..missing].copy_from_slice(now);
                self.header_filled += missing;
                *bytes = rest;
                if self.header_filled < HEADER_LEN {
                    return Ok(None);
                }
                self.header_filled = 0;
                let header = Header::decode(&self.header, self.max_body)?;
                EncryptedPacket { header, body: Vec::new() }
            }
        };
        let length = usize::try_from(packet.header.length).unwrap_or(usize::MAX);
        let missing = (length - packet.body.len()).min(bytes.len());
        let (now, rest) = bytes.split_at(missing);
        packet.body.extend_from_slice(now);
        *bytes = rest;
        if packet.body.len() == length {
            return Ok(Some(packet));
        }
        self.current = Some(packet);
        Ok(None)
    }

    /// Bytes that it holds of a packet that is not whole yet.
    #[must_use]
    pub fn buffered(&self) -> usize {
        match &self.current {
            Some(packet) => HEADER_LEN + packet.body.len(),
            None => self.header_filled,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tacacs::authentication::{Reply, Start};
    use crate::tacacs::codes::{AuthenStatus, PacketType};
    use crate::tacacs::header::{MinorVersion, Sequence, SessionId};
    use proptest::prelude::*;

    fn header() -> Header {
        Header {
            minor: MinorVersion::Default,
            kind: PacketType::Accounting,
            sequence: Sequence::FIRST,
            flags: 0,
            session: SessionId(7),
            length: 0,
        }
    }

    fn packet(message: &str) -> Vec<u8> {
        let reply = Reply::new(AuthenStatus::Pass, message);
        encrypt(header(), &reply, &Secret::new("secret")).unwrap()
    }

    fn open(packet: EncryptedPacket, secret: &str) -> Result<Reply, BodyError> {
        packet.decrypt(&Secret::new(secret)).unwrap().decode()
    }

    #[test]
    fn a_sealed_packet_takes_its_type_and_length_from_the_body() {
        let bytes = packet("hello");
        let sealed = PacketReader::default().next_packet(&mut bytes.as_slice()).unwrap().unwrap();
        assert_eq!(sealed.header.kind, PacketType::Authentication);
        assert_eq!(sealed.header.length, 11);
        assert_eq!(sealed.len(), bytes.len());
        assert_eq!(open(sealed, "secret").unwrap().message, "hello");
    }

    #[test]
    fn another_secret_shows_as_lengths_that_do_not_add_up() {
        let bytes = packet("hello");
        let sealed = PacketReader::default().next_packet(&mut bytes.as_slice()).unwrap().unwrap();
        assert!(matches!(open(sealed, "other"), Err(BodyError::Lengths { length: 11, .. })));
    }

    #[test]
    fn a_packet_in_clear_is_not_opened() {
        let mut bytes = packet("hello");
        bytes[3] = FLAG_UNENCRYPTED;
        let sealed = PacketReader::default().next_packet(&mut bytes.as_slice()).unwrap().unwrap();
        assert_eq!(sealed.decrypt(&Secret::new("secret")), Err(ProtocolError::Unencrypted));
    }

    #[test]
    fn nothing_is_allocated_for_a_body_that_has_not_come() {
        let mut reader = PacketReader::default();
        let announced = Header { length: DEFAULT_MAX_BODY, ..header() }.encode();
        assert_eq!(reader.next_packet(&mut announced.as_slice()), Ok(None));
        assert_eq!(reader.buffered(), HEADER_LEN);
        assert_eq!(reader.current.unwrap().body.capacity(), 0);

        let mut reader = PacketReader::default();
        let oversized = Header { length: u32::MAX, ..header() }.encode();
        let error = reader.next_packet(&mut oversized.as_slice()).unwrap_err();
        assert_eq!(error, HeaderError::TooLong { length: u32::MAX, max: DEFAULT_MAX_BODY });
        assert_eq!(reader.current, None);
    }

    #[test]
    fn bodies_are_not_shown_by_debug() {
        let start = Start::decode(b"\x01\x01\x02\x01\x00\x00\x00\x07hunter2").unwrap();
        let secret = Secret::new("secret");
        let bytes = encrypt(header(), &start, &secret).unwrap();
        let sealed = PacketReader::default().next_packet(&mut bytes.as_slice()).unwrap().unwrap();
        let opened = sealed.clone().decrypt(&secret).unwrap();
        assert!(!format!("{sealed:?}{opened:?}").contains("body"));
    }

    proptest! {
        #[test]
        fn packets_come_out_whole_however_the_stream_is_cut(
            messages in prop::collection::vec("[a-z]{0,40}", 1..5),
            cuts in prop::collection::vec(1_usize..30, 1..50),
        ) {
            let stream: Vec<u8> = messages.iter().flat_map(|text| packet(text)).collect();
            let mut rest = stream.as_slice();
            let mut reader = PacketReader::default();
            let mut read = Vec::new();
            for cut in cuts.iter().cycle() {
                let (mut piece, later) = rest.split_at((*cut).min(rest.len()));
                rest = later;
                while let Some(sealed) = reader.next_packet(&mut piece).unwrap() {
                    read.push(open(sealed, "secret").unwrap().message);
                }
                prop_assert!(piece.is_empty());
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(read, messages);
            prop_assert_eq!(reader.buffered(), 0);
        }
    }
}
