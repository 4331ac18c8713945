//! The client: logins and probes, their outcomes, and the sessions that lead there.
//!
//! [`LoginSession`] and [`ProbeSession`] are pure: packets in, packets or an outcome out.
//! [`Connection`] runs them over a stream, and [`login`] is the short way for a single login.

mod drive;
mod outcome;
mod probe;
mod session;

pub use drive::{Connection, Event, login};
pub use outcome::{ClientError, ConnectionEnd, LoginOutcome, SessionResult};
pub use probe::{ProbeOutcome, ProbeSession};
pub use session::{LoginSession, Session, Step};

use crate::Secret;
use crate::tacacs::header::DEFAULT_MAX_BODY;
use std::time::Duration;

/// What a client has configured about a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The shared secret.
    pub secret: Secret,
    /// Whether to offer single-connection mode (RFC 8907, section 4.3).
    pub single_connection: bool,
    /// How long a session may take, the server's closing included; then it ends as a timeout.
    pub deadline: Duration,
    /// How long the client waits after the last reply until the server closes. Some servers leave closing
    /// to the client.
    pub close_wait: Duration,
    /// The longest reply body that is taken, in bytes.
    pub max_body: u32,
}

impl Options {
    /// No single-connection mode, 10 seconds, 1 second of them for the server to close, bodies of up to
    /// [`DEFAULT_MAX_BODY`].
    #[must_use]
    pub fn new(secret: Secret) -> Self {
        Self {
            secret,
            single_connection: false,
            deadline: Duration::from_secs(10),
            close_wait: Duration::from_secs(1),
            max_body: DEFAULT_MAX_BODY,
        }
    }
}

/// How the password travels (RFC 8907, section 5.4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Method {
    /// The server asks for it.
    Ascii {
        /// Whether START names the user; if not, the server asks for it first.
        user_in_start: bool,
    },
    /// With START.
    Pap,
    /// A challenge's MD5 digest travels with START (RFC 1994).
    Chap {
        /// The PPP id.
        id: u8,
        /// The challenge: 8 to 238 bytes, best random; see [`Method::chap`].
        challenge: Vec<u8>,
    },
}

impl Method {
    /// ASCII with the user in START.
    pub const ASCII: Self = Self::Ascii { user_in_start: true };

    /// CHAP with a random challenge of 16 bytes.
    ///
    /// # Errors
    /// [`ClientError::Random`] if the system has no random numbers.
    pub fn chap() -> Result<Self, ClientError> {
        let mut bytes = [0; 17];
        getrandom::fill(&mut bytes).map_err(|error| ClientError::Random(error.to_string()))?;
        let [id, challenge @ ..] = bytes;
        Ok(Self::Chap { id, challenge: challenge.to_vec() })
    }
}

/// A login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The user, up to 255 bytes.
    pub user: String,
    /// The password.
    pub password: Secret,
    /// How it travels.
    pub method: Method,
    /// The port that the user is at; empty by default.
    pub port: String,
    /// Where the user comes from; empty by default.
    pub remote_address: String,
}

impl Login {
    /// A login with an empty port and remote address: START has 26 bytes for a user of six.
    #[must_use]
    pub fn new(user: &str, password: Secret, method: Method) -> Self {
        Self {
            user: user.to_owned(),
            password,
            method,
            port: String::new(),
            remote_address: String::new(),
        }
    }
}
