//! The bodies of authentication: START and CONTINUE from the client, REPLY from the server
//! (RFC 8907, section 5).

use super::body::Body;
use super::codes::{Action, AuthenService, AuthenStatus, AuthenType, PacketType};
use super::error::{BodyError, EncodeError};
use super::fields::{Fields, length8, length16, sum};
use crate::Secret;

/// START, a session's first packet (section 5.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// What it is for.
    pub action: Action,
    /// The privilege level that is asked for, 0 to 15.
    pub privilege: u8,
    /// How the password travels.
    pub authen_type: AuthenType,
    /// The service that asks.
    pub service: AuthenService,
    /// The user, up to 255 bytes; empty if the server is to ask.
    pub user: String,
    /// The client's port that the user is at, such as `tty10`, up to 255 bytes.
    pub port: String,
    /// Where the user comes from, up to 255 bytes.
    pub remote_address: String,
    /// PAP: the password. CHAP: id, challenge and response. ASCII: unused. Up to 255 bytes.
    pub data: Secret,
}

impl Body for Start {
    const TYPE: PacketType = PacketType::Authentication;

    fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let mut bytes = vec![
            self.action.into(),
            self.privilege,
            self.authen_type.into(),
            self.service.into(),
            length8("user", self.user.as_bytes())?,
            length8("port", self.port.as_bytes())?,
            length8("rem_addr", self.remote_address.as_bytes())?,
            length8("data", self.data.expose())?,
        ];
        bytes.extend_from_slice(self.user.as_bytes());
        bytes.extend_from_slice(self.port.as_bytes());
        bytes.extend_from_slice(self.remote_address.as_bytes());
        bytes.extend_from_slice(self.data.expose());
        Ok(bytes)
    }

    fn decode(bytes: &[u8]) -> Result<Self, BodyError> {
        let mut fields = Fields::new("authentication START", bytes);
        let [action, privilege, authen_type, service] = fields.array()?;
        let lengths: [u8; 4] = fields.array()?;
        fields.must_be(sum(&lengths))?;
        let [user, port, remote_address, data] = lengths.map(usize::from);
        Ok(Self {
            action: action.into(),
            privilege,
            authen_type: authen_type.into(),
            service: service.into(),
            user: fields.text("user", user)?,
            port: fields.text("port", port)?,
            remote_address: fields.text("rem_addr", remote_address)?,
            data: Secret::new(fields.bytes(data)?),
        })
    }
}

/// REPLY, the server's only packet (section 5.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The result, or what is asked for.
    pub status: AuthenStatus,
    /// [`super::codes::REPLY_FLAG_NOECHO`].
    pub flags: u8,
    /// For the user's eyes, up to 65,535 bytes.
    pub message: String,
    /// For the client, up to 65,535 bytes.
    pub data: Vec<u8>,
}

impl Reply {
    /// A reply with a message and nothing else.
    #[must_use]
    pub fn new(status: AuthenStatus, message: &str) -> Self {
        Self { status, flags: 0, message: message.to_owned(), data: Vec::new() }
    }
}

impl Body for Reply {
    const TYPE: PacketType = PacketType::Authentication;

    fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let mut bytes = vec![self.status.into(), self.flags];
        bytes.extend_from_slice(&length16("server_msg", self.message.as_bytes())?);
        bytes.extend_from_slice(&length16("data", &self.data)?);
        bytes.extend_from_slice(self.message.as_bytes());
        bytes.extend_from_slice(&self.data);
        Ok(bytes)
    }

    fn decode(bytes: &[u8]) -> Result<Self, BodyError> {
        let mut fields = Fields::new("authentication REPLY", bytes);
        let [status, flags] = fields.array()?;
        let message = fields.length16()?;
        let data = fields.length16()?;
        fields.must_be(message + data)?;
        Ok(Self {
            status: status.into(),
            flags,
            message: fields.text("server_msg", message)?,
            data: fields.bytes(data)?.to_vec(),
        })
    }
}

/// CONTINUE, the client's answer to what the server asked for (section 5.3).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Continue {
    /// What the user entered, a password maybe, up to 65,535 bytes.
    pub user_message: Secret,
    /// With an abort, its reason; up to 65,535 bytes.
    pub data: Vec<u8>,
    /// [`super::codes::CONTINUE_FLAG_ABORT`].
    pub flags: u8,
}

impl Body for Continue {
    const TYPE: PacketType = PacketType::Authentication;

    fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let mut bytes = length16("user_msg", self.user_message.expose())?.to_vec();
        bytes.extend_from_slice(&length16("data", &self.data)?);
        bytes.push(self.flags);
        bytes.extend_from_slice(self.user_message.expose());
        bytes.extend_from_slice(&self.data);
        Ok(bytes)
    }

    fn decode(bytes: &[u8]) -> Result<Self, BodyError> {
        let mut fields = Fields::new("authentication CONTINUE", bytes);
        let user_message = fields.length16()?;
        let data = fields.length16()?;
        let [flags] = fields.array()?;
        fields.must_be(user_message + data)?;
        Ok(Self {
            user_message: Secret::new(fields.bytes(user_message)?),
            data: fields.bytes(data)?.to_vec(),
            flags,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_start_is_laid_out_as_the_rfc_says() {
        let start = Start {
            action: Action::Login,
            privilege: 1,
            authen_type: AuthenType::Pap,
            service: AuthenService::Ppp,
            user: "ab".to_owned(),
            port: "c".to_owned(),
            remote_address: "def".to_owned(),
            data: Secret::new("gh"),
        };
        let bytes = b"\x01\x01\x02\x03\x02\x01\x03\x02abcdefgh";
        assert_eq!(start.encode().unwrap(), bytes);
        assert_eq!(Start::decode(bytes).unwrap(), start);
    }

    #[test]
    fn a_reply_is_laid_out_as_the_rfc_says() {
        let reply = Reply {
            status: AuthenStatus::GetPass,
            flags: 1,
            message: "Password: ".to_owned(),
            data: vec![7],
        };
        let bytes = b"\x05\x01\x00\x0a\x00\x01Password: \x07";
        assert_eq!(reply.encode().unwrap(), bytes);
        assert_eq!(Reply::decode(bytes).unwrap(), reply);
    }

    #[test]
    fn a_continue_is_laid_out_as_the_rfc_says() {
        let message =
            Continue { user_message: Secret::new("secret"), data: b"why".to_vec(), flags: 1 };
        let bytes = b"\x00\x06\x00\x03\x01secretwhy";
        assert_eq!(message.encode().unwrap(), bytes);
        assert_eq!(Continue::decode(bytes).unwrap(), message);
    }

    #[test]
    fn lengths_that_do_not_add_up_are_refused() {
        let start = b"\x01\x01\x01\x01\x06\x00\x00\x00violet";
        assert!(Start::decode(start).is_ok());
        for end in 0..start.len() {
            assert!(matches!(Start::decode(&start[..end]), Err(BodyError::Lengths { .. })));
        }
        assert!(matches!(
            Start::decode(&[start, b"!".as_slice()].concat()),
            Err(BodyError::Lengths { .. })
        ));
        assert!(Reply::decode(b"\x01\x00\xff\xff\xff\xff").is_err());
        assert!(Continue::decode(b"\x00\x01\x00\x00\x00").is_err());
    }

    #[test]
    fn a_user_that_is_no_text_is_refused() {
        let error = Start::decode(b"\x01\x01\x01\x01\x01\x00\x00\x00\xff").unwrap_err();
        assert_eq!(error, BodyError::Text { message: "authentication START", field: "user" });
    }

    #[test]
    fn a_field_that_is_too_long_is_not_encoded() {
        let message =
            Continue { user_message: Secret::new(vec![0; 65_536]), ..Continue::default() };
        let error = message.encode().unwrap_err();
        assert_eq!(error, EncodeError::TooLong { field: "user_msg", length: 65_536, max: 65_535 });
    }

    #[test]
    fn passwords_are_not_shown_by_debug() {
        let mut start = Start::decode(b"\x01\x01\x02\x01\x00\x00\x00\x00").unwrap();
        start.data = Secret::new("hunter2");
        let message = Continue { user_message: Secret::new("hunter2"), ..Continue::default() };
        assert!(!format!("{start:?}{message:?}").contains("hunter2"));
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_written_the_same(bytes in prop::collection::vec(0_u8..9, 0..40)) {
            if let Ok(start) = Start::decode(&bytes) {
                prop_assert_eq!(start.encode().unwrap(), bytes.clone());
            }
            if let Ok(reply) = Reply::decode(&bytes) {
                prop_assert_eq!(reply.encode().unwrap(), bytes.clone());
            }
            if let Ok(message) = Continue::decode(&bytes) {
                prop_assert_eq!(message.encode().unwrap(), bytes);
            }
        }
    }
}
