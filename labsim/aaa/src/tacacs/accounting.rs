//! The bodies of accounting: REQUEST from the client, REPLY from the server (RFC 8907, section 7).

use super::authorization::{Origin, decode_origin, encode_origin};
use super::body::Body;
use super::codes::{AcctStatus, PacketType};
use super::error::{BodyError, EncodeError};
use super::fields::{Fields, length16};
use std::fmt;

/// What a record is about: the combinations of START (0x02), STOP (0x04) and WATCHDOG (0x08) that
/// RFC 8907, section 7.2, allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordKind {
    /// A task begins.
    Start,
    /// A task ends.
    Stop,
    /// A task goes on, nothing new.
    Watchdog,
    /// A task goes on, with new values.
    Update,
}

impl RecordKind {
    /// The record of a flags byte; `None` for a combination that is not allowed. Other bits, the
    /// old MORE (0x01) among them, are ignored.
    #[must_use]
    pub fn from_flags(flags: u8) -> Option<Self> {
        match flags & 0x0e {
            0x02 => Some(Self::Start),
            0x04 => Some(Self::Stop),
            0x08 => Some(Self::Watchdog),
            0x0a => Some(Self::Update),
            _ => None,
        }
    }

    /// The flags byte.
    #[must_use]
    pub fn flags(self) -> u8 {
        match self {
            Self::Start => 0x02,
            Self::Stop => 0x04,
            Self::Watchdog => 0x08,
            Self::Update => 0x0a,
        }
    }
}

impl fmt::Display for RecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Watchdog => "watchdog",
            Self::Update => "update",
        })
    }
}

/// REQUEST: write this down (section 7.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What the record is about, as it travels; see [`RecordKind`].
    pub flags: u8,
    /// Who did it.
    pub origin: Origin,
    /// What, such as `task_id=7`; up to 255 arguments of up to 255 bytes.
    pub arguments: Vec<String>,
}

impl Body for Request {
    const TYPE: PacketType = PacketType::Accounting;

    fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let mut bytes = vec![self.flags];
        encode_origin(&mut bytes, &self.origin, &self.arguments)?;
        Ok(bytes)
    }

    fn decode(bytes: &[u8]) -> Result<Self, BodyError> {
        let mut fields = Fields::new("accounting REQUEST", bytes);
        let [flags] = fields.array()?;
        let (origin, arguments) = decode_origin(&mut fields)?;
        Ok(Self { flags, origin, arguments })
    }
}

/// REPLY: whether it is written down (section 7.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The result.
    pub status: AcctStatus,
    /// For the user's eyes, up to 65,535 bytes.
    pub message: String,
    /// For the client's log, up to 65,535 bytes.
    pub data: Vec<u8>,
}

impl Reply {
    /// A reply with a message and nothing else.
    #[must_use]
    pub fn new(status: AcctStatus, message: &str) -> Self {
        Self { status, message: message.to_owned(), data: Vec::new() }
    }
}

impl Body for Reply {
    const TYPE: PacketType = PacketType::Accounting;

    fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let mut bytes = length16("server_msg", self.message.as_bytes())?.to_vec();
        bytes.extend_from_slice(&length16("data", &self.data)?);
        bytes.push(self.status.into());
        bytes.extend_from_slice(self.message.as_bytes());
        bytes.extend_from_slice(&self.data);
        Ok(bytes)
    }

    fn decode(bytes: &[u8]) -> Result<Self, BodyError> {
        let mut fields = Fields::new("accounting REPLY", bytes);
        let message = fields.length16()?;
        let data = fields.length16()?;
        let [status] = fields.array()?;
        fields.must_be(message + data)?;
        Ok(Self {
            status: status.into(),
            message: fields.text("server_msg", message)?,
            data: fields.bytes(data)?.to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_request_is_laid_out_as_the_rfc_says() {
        let request = Request {
            flags: RecordKind::Start.flags(),
            origin: Origin::of("violet"),
            arguments: vec!["task_id=7".to_owned()],
        };
        let bytes = b"\x02\x06\x01\x01\x01\x06\x00\x00\x01\x09violettask_id=7";
        assert_eq!(request.encode().unwrap(), bytes);
        assert_eq!(Request::decode(bytes).unwrap(), request);
    }

    #[test]
    fn a_reply_is_laid_out_as_the_rfc_says() {
        let reply = Reply::new(AcctStatus::Error, "full");
        let bytes = b"\x00\x04\x00\x00\x02full";
        assert_eq!(reply.encode().unwrap(), bytes);
        assert_eq!(Reply::decode(bytes).unwrap(), reply);
    }

    #[test]
    fn only_the_four_combinations_of_flags_are_records() {
        let valid: Vec<u8> = (0..16).filter(|&f| RecordKind::from_flags(f).is_some()).collect();
        assert_eq!(valid, [2, 3, 4, 5, 8, 9, 10, 11]);
        for record in
            [RecordKind::Start, RecordKind::Stop, RecordKind::Watchdog, RecordKind::Update]
        {
            assert_eq!(RecordKind::from_flags(record.flags()), Some(record));
        }
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_written_the_same(bytes in prop::collection::vec(0_u8..5, 0..40)) {
            if let Ok(request) = Request::decode(&bytes) {
                prop_assert_eq!(request.encode().unwrap(), bytes.clone());
            }
            if let Ok(reply) = Reply::decode(&bytes) {
                prop_assert_eq!(reply.encode().unwrap(), bytes);
            }
        }
    }
}
