//! The client: requests, their outcomes, and the session that leads from one to the other.
//!
//! [`Session`] is pure: datagrams in, what to do next out. [`run`] drives it over a socket.

mod drive;
mod outcome;
mod session;

pub use drive::run;
pub use outcome::{ClientError, DropReason, DroppedReplies, RequestOutcome};
pub use session::{MAX_DROPPED, Session, Step};

use super::accounting::AcctStatusType;
use super::attribute::{Attribute, AttributeType};
use super::error::EncodeError;
use super::packet::Authenticator;
use crate::Secret;
use std::net::IpAddr;
use std::time::Duration;

/// What a client has configured about a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The shared secret.
    pub secret: Secret,
    /// How the client identifies itself.
    pub nas: Nas,
    /// Whether an Access-Request carries a Message-Authenticator. Clients of today always send it;
    /// old ones do not.
    pub message_authenticator: bool,
    /// Whether a reply to an Access-Request without a Message-Authenticator is dropped. It is the
    /// client's protection against forged replies (draft-ietf-radext-deprecating-radius).
    pub require_message_authenticator: bool,
    /// When a request is sent again, and for how long.
    pub retransmission: Retransmission,
}

impl Options {
    /// A client named `labsim` that sends and requires Message-Authenticators, and retransmits as
    /// RFC 5080 recommends.
    #[must_use]
    pub fn new(secret: Secret) -> Self {
        Self {
            secret,
            nas: Nas::Identifier("labsim".to_owned()),
            message_authenticator: true,
            require_message_authenticator: true,
            retransmission: Retransmission::RFC_5080,
        }
    }
}

/// The client's NAS identity. RFC 2865, section 4.1: every request has one of the two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Nas {
    /// NAS-Identifier.
    Identifier(String),
    /// NAS-IP-Address or NAS-IPv6-Address.
    Address(IpAddr),
}

impl Nas {
    fn attribute(&self) -> Result<Attribute, EncodeError> {
        match self {
            Self::Identifier(name) => {
                Attribute::new(AttributeType::NAS_IDENTIFIER, name.as_bytes())
            }
            Self::Address(address) => Ok(Attribute::nas_address(*address)),
        }
    }
}

/// When a request is sent again (RFC 5080, section 2.2.1): after `first`, then after twice the time
/// before, up to `longest`. The bytes stay the same. There is no random part, so that two runs of a
/// lab are the same; for jitter, vary `first`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retransmission {
    /// The time to wait after the first transmission (IRT).
    pub first: Duration,
    /// The longest time to wait after any (MRT).
    pub longest: Duration,
    /// Transmissions altogether, the first included; at least one is made.
    pub attempts: u32,
    /// The time for all of it (MRD).
    pub total: Duration,
}

impl Retransmission {
    /// RFC 5080's values for Access-Request: 2 seconds, 16 at most, 5 transmissions, 30 seconds.
    pub const RFC_5080: Self = Self {
        first: Duration::from_secs(2),
        longest: Duration::from_secs(16),
        attempts: 5,
        total: Duration::from_secs(30),
    };
}

/// The authentication method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Method {
    /// Hidden in User-Password.
    Pap,
    /// A challenge's MD5 digest in CHAP-Password (RFC 2865, section 5.3; RFC 1994).
    Chap {
        /// The PPP id.
        id: u8,
        /// CHAP-Challenge, 1 to 253 bytes; without it the request authenticator is the challenge.
        challenge: Option<Vec<u8>>,
    },
}

impl Method {
    /// CHAP with the random request authenticator as the challenge.
    pub const CHAP: Self = Self::Chap { id: 1, challenge: None };
}

/// A login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The user, up to 253 bytes.
    pub user: String,
    /// The password, up to 128 bytes with PAP.
    pub password: Secret,
    /// PAP or CHAP.
    pub method: Method,
    /// More attributes, behind those that every login has.
    pub attributes: Vec<Attribute>,
}

impl Login {
    /// A login without further attributes.
    #[must_use]
    pub fn new(user: &str, password: Secret, method: Method) -> Self {
        Self { user: user.to_owned(), password, method, attributes: Vec::new() }
    }
}

/// An accounting record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountingRequest {
    /// Acct-Status-Type: start, stop or interim.
    pub status_type: AcctStatusType,
    /// The user of the session.
    pub user: String,
    /// Acct-Session-Id: the same in all records of a session.
    pub session: String,
    /// More attributes, such as Acct-Session-Time, behind those that every record has.
    /// A Message-Authenticator of sixteen zeros among them is filled in.
    pub attributes: Vec<Attribute>,
}

impl AccountingRequest {
    /// A record without further attributes.
    #[must_use]
    pub fn new(status_type: AcctStatusType, user: &str, session: &str) -> Self {
        let (user, session) = (user.to_owned(), session.to_owned());
        Self { status_type, user, session, attributes: Vec::new() }
    }
}

/// The two numbers that identify a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestId {
    /// Ties the reply to the request. One socket must not have two requests with the same one
    /// under way to one server.
    pub identifier: u8,
    /// The Request Authenticator of Access-Request and Status-Server: random (RFC 2865, section
    /// 3). An Accounting-Request computes its own.
    pub authenticator: Authenticator,
}

impl RequestId {
    /// Random numbers of the system.
    ///
    /// # Errors
    /// [`ClientError::Random`] if it has none.
    pub fn random() -> Result<Self, ClientError> {
        let mut bytes = [0; 17];
        getrandom::fill(&mut bytes).map_err(|error| ClientError::Random(error.to_string()))?;
        let [identifier, authenticator @ ..] = bytes;
        Ok(Self { identifier, authenticator: Authenticator(authenticator) })
    }
}
