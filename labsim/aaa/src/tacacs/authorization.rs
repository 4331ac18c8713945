//! The bodies of authorization: REQUEST from the client, REPLY from the server (RFC 8907,
//! section 6). Accounting shares the request's middle part, [`Origin`] and the arguments.

use super::body::Body;
use super::codes::{
    AuthenMethod, AuthenService, AuthenType, AuthorStatus, PRIVILEGE_USER, PacketType,
};
use super::error::{BodyError, EncodeError};
use super::fields::{Fields, argument_lengths, length8, length16, sum};

/// Who asks, and from where: in authorization and accounting requests alike (section 6.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// How the client came to know the user.
    pub method: AuthenMethod,
    /// The user's privilege level, 0 to 15.
    pub privilege: u8,
    /// How the password travelled.
    pub authen_type: AuthenType,
    /// The service that asks.
    pub service: AuthenService,
    /// The user, up to 255 bytes.
    pub user: String,
    /// The client's port that the user is at, up to 255 bytes.
    pub port: String,
    /// Where the user comes from, up to 255 bytes.
    pub remote_address: String,
}

impl Origin {
    /// A user who logged in by TACACS+ and ASCII, at privilege level 1, no port and address given.
    #[must_use]
    pub fn of(user: &str) -> Self {
        Self {
            method: AuthenMethod::TacacsPlus,
            privilege: PRIVILEGE_USER,
            authen_type: AuthenType::Ascii,
            service: AuthenService::Login,
            user: user.to_owned(),
            port: String::new(),
            remote_address: String::new(),
        }
    }
}

/// Writes the part that authorization and accounting requests share.
pub(super) fn encode_origin(
    bytes: &mut Vec<u8>,
    origin: &Origin,
    arguments: &[String],
) -> Result<(), EncodeError> {
    let (count, lengths) = argument_lengths(arguments)?;
    bytes.extend_from_slice(&[
        origin.method.into(),
        origin.privilege,
        origin.authen_type.into(),
        origin.service.into(),
        length8("user", origin.user.as_bytes())?,
        length8("port", origin.port.as_bytes())?,
        length8("rem_addr", origin.remote_address.as_bytes())?,
        count,
    ]);
    bytes.extend_from_slice(&lengths);
    for text in [&origin.user, &origin.port, &origin.remote_address].into_iter().chain(arguments) {
        bytes.extend_from_slice(text.as_bytes());
    }
    Ok(())
}

/// Reads the part that authorization and accounting requests share.
pub(super) fn decode_origin(fields: &mut Fields<'_>) -> Result<(Origin, Vec<String>), BodyError> {
    let [method, privilege, authen_type, service] = fields.array()?;
    let [user, port, remote_address, count] = fields.array()?;
    let lengths = fields.bytes(usize::from(count))?;
    fields.must_be(sum(&[user, port, remote_address]) + sum(lengths))?;
    let origin = Origin {
        method: method.into(),
        privilege,
        authen_type: authen_type.into(),
        service: service.into(),
        user: fields.text("user", usize::from(user))?,
        port: fields.text("port", usize::from(port))?,
        remote_address: fields.text("rem_addr", usize::from(remote_address))?,
    };
    Ok((origin, fields.arguments(lengths)?))
}

/// REQUEST: may the user do this? (section 6.1)
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Who asks.
    pub origin: Origin,
    /// What for: `name=value` (must be understood) or `name*value` (may be ignored), up to 255
    /// arguments of up to 255 bytes.
    pub arguments: Vec<String>,
}

impl Body for Request {
    const TYPE: PacketType = PacketType::Authorization;

    fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let mut bytes = Vec::new();
        encode_origin(&mut bytes, &self.origin, &self.arguments)?;
        Ok(bytes)
    }

    fn decode(bytes: &[u8]) -> Result<Self, BodyError> {
        let mut fields = Fields::new("authorization REQUEST", bytes);
        let (origin, arguments) = decode_origin(&mut fields)?;
        Ok(Self { origin, arguments })
    }
}

/// REPLY: whether, and with which arguments (section 6.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The result.
    pub status: AuthorStatus,
    /// For the user's eyes, up to 65,535 bytes.
    pub message: String,
    /// For the client's log, up to 65,535 bytes.
    pub data: Vec<u8>,
    /// Added to the request's, or in their place; as in [`Request::arguments`].
    pub arguments: Vec<String>,
}

impl Reply {
    /// A reply with a message and nothing else.
    #[must_use]
    pub fn new(status: AuthorStatus, message: &str) -> Self {
        Self { status, message: message.to_owned(), data: Vec::new(), arguments: Vec::new() }
    }
}

impl Body for Reply {
    const TYPE: PacketType = PacketType::Authorization;

    fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let (count, lengths) = argument_lengths(&self.arguments)?;
        let mut bytes = vec![self.status.into(), count];
        bytes.extend_from_slice(&length16("server_msg", self.message.as_bytes())?);
        bytes.extend_from_slice(&length16("data", &self.data)?);
        bytes.extend_from_slice(&lengths);
        bytes.extend_from_slice(self.message.as_bytes());
        bytes.extend_from_slice(&self.data);
        for argument in &self.arguments {
            bytes.extend_from_slice(argument.as_bytes());
        }
        Ok(bytes)
    }

    fn decode(bytes: &[u8]) -> Result<Self, BodyError> {
        let mut fields = Fields::new("authorization REPLY", bytes);
        let [status, count] = fields.array()?;
        let message = fields.length16()?;
        let data = fields.length16()?;
        let lengths = fields.bytes(usize::from(count))?;
        fields.must_be(message + data + sum(lengths))?;
        Ok(Self {
            status: status.into(),
            message: fields.text("server_msg", message)?,
            data: fields.bytes(data)?.to_vec(),
            arguments: fields.arguments(lengths)?,
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
            origin: Origin {
                port: "p".to_owned(),
                remote_address: "ra".to_owned(),
                ..Origin::of("violet")
            },
            arguments: vec!["service=shell".to_owned(), "cmd*".to_owned()],
        };
        let bytes = b"\x06\x01\x01\x01\x06\x01\x02\x02\x0d\x04violetpraservice=shellcmd*";
        assert_eq!(request.encode().unwrap(), bytes);
        assert_eq!(Request::decode(bytes).unwrap(), request);
    }

    #[test]
    fn a_reply_is_laid_out_as_the_rfc_says() {
        let reply = Reply {
            status: AuthorStatus::PassAdd,
            message: "hi".to_owned(),
            data: b"x".to_vec(),
            arguments: vec!["priv-lvl=1".to_owned()],
        };
        let bytes = b"\x01\x01\x00\x02\x00\x01\x0ahixpriv-lvl=1";
        assert_eq!(reply.encode().unwrap(), bytes);
        assert_eq!(Reply::decode(bytes).unwrap(), reply);
    }

    #[test]
    fn argument_lengths_that_do_not_add_up_are_refused() {
        let request = b"\x06\x01\x01\x01\x01\x00\x00\x02\x03\x03va=1b=2";
        assert!(Request::decode(request).is_ok());
        for end in 0..request.len() {
            assert!(Request::decode(&request[..end]).is_err(), "{end} bytes");
        }
        assert!(Request::decode(b"\x06\x01\x01\x01\x00\x00\x00\xff").is_err());
        assert!(Reply::decode(b"\x01\x02\x00\x00\x00\x00\x01").is_err());
    }

    #[test]
    fn more_than_255_arguments_are_not_encoded() {
        let arguments = vec!["a=b".to_owned(); 256];
        let error = Request { origin: Origin::of("violet"), arguments }.encode().unwrap_err();
        assert_eq!(error, EncodeError::TooLong { field: "arguments", length: 256, max: 255 });
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
