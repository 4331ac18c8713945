//! How a session ended for the client.

use crate::log::OneLine;
use crate::tacacs::error::{EncodeError, ProtocolError};
use std::fmt;
use std::time::Duration;
use thiserror::Error;

/// Why a session has no result from the server.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ClientError {
    /// The reply breaks the protocol or cannot be read.
    #[error("the reply is unreadable: {0}")]
    Unreadable(#[from] ProtocolError),
    /// The server closed, or reset, the connection without a final answer.
    #[error(
        "the connection was closed without an answer: the server does not know this client's \
         address, or it refuses what was sent"
    )]
    Closed,
    /// Nothing in time.
    #[error("no answer within {0:?}: a packet is lost on the way there or back")]
    Timeout(Duration),
    /// The stream failed in another way.
    #[error("the connection failed: {0}")]
    Io(String),
    /// What is to be sent does not fit the protocol.
    #[error("the request cannot be sent: {0}")]
    Request(#[from] EncodeError),
    /// A challenge that no server accepts.
    #[error("a CHAP challenge of {0} bytes was given, and servers take 8 to 238")]
    Challenge(usize),
    /// The connection is for one session, and that is over.
    #[error(
        "the connection has carried its one session: the server did not agree to single-connection \
         mode"
    )]
    UsedUp,
    /// No random numbers for a session's number.
    #[error("the system gives no random numbers: {0}")]
    Random(String),
}

/// How a login ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginOutcome {
    /// The server replied PASS.
    Pass {
        /// Its message, mostly empty.
        message: String,
    },
    /// The server replied FAIL (or RESTART, FOLLOW, or asked again): user or password are wrong, or
    /// the server does not offer this way to log in.
    Fail {
        /// Its message.
        message: String,
    },
    /// The server replied ERROR: it could not decide.
    Error {
        /// Its message.
        message: String,
    },
    /// The session failed before a final reply.
    NoResult(ClientError),
}

fn show(f: &mut fmt::Formatter<'_>, status: &str, message: &str) -> fmt::Result {
    f.write_str(status)?;
    if message.is_empty() { Ok(()) } else { write!(f, ": {}", OneLine(message)) }
}

/// One line: `PASS`, `FAIL: no such user`, or the error's sentence.
impl fmt::Display for LoginOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pass { message } => show(f, "PASS", message),
            Self::Fail { message } => show(f, "FAIL", message),
            Self::Error { message } => show(f, "ERROR", message),
            Self::NoResult(error) => error.fmt(f),
        }
    }
}

impl From<ClientError> for LoginOutcome {
    fn from(error: ClientError) -> Self {
        Self::NoResult(error)
    }
}

/// What became of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionEnd {
    /// The server closed it, and the client saw that.
    ServerClosed,
    /// Single-connection mode is agreed: it is ready for the next session.
    Shared,
    /// It is open still: the server did not close in time, or the session broke off.
    Open,
}

/// A session's outcome, and what became of the connection. Closing is left to the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionResult<O> {
    /// How the session ended.
    pub outcome: O,
    /// What became of the connection.
    pub end: ConnectionEnd,
}
