//! How a session ended for the client, and which replies it dropped.

use crate::log::OneLine;
use crate::radius::error::EncodeError;
use std::fmt;
use std::net::SocketAddr;
use thiserror::Error;

/// Why a reply was silently dropped (RFC 2865, section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DropReason {
    /// It came from another address or port than the request went to.
    WrongSource,
    /// It is no RADIUS packet.
    Malformed,
    /// It has another identifier than the request.
    WrongIdentifier,
    /// Its code is no answer to the request.
    WrongCode,
    /// It has no Message-Authenticator, and the client requires one.
    NoMessageAuthenticator,
    /// Its Message-Authenticator is wrong.
    WrongMessageAuthenticator,
    /// Its Response Authenticator is wrong.
    WrongAuthenticator,
}

impl DropReason {
    /// Its name, such as `wrong-source`: for counters and expectations.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::WrongSource => "wrong-source",
            Self::Malformed => "malformed",
            Self::WrongIdentifier => "wrong-identifier",
            Self::WrongCode => "wrong-code",
            Self::NoMessageAuthenticator => "no-message-authenticator",
            Self::WrongMessageAuthenticator => "wrong-message-authenticator",
            Self::WrongAuthenticator => "wrong-authenticator",
        }
    }

    fn explanation(self) -> &'static str {
        match self {
            Self::WrongSource => "the request went to another address",
            Self::Malformed => "it is not RADIUS",
            Self::WrongIdentifier => "its identifier is another request's",
            Self::WrongCode => "its code is no answer to this request",
            Self::NoMessageAuthenticator => {
                "it has no Message-Authenticator, and the client requires one"
            }
            Self::WrongMessageAuthenticator => {
                "its Message-Authenticator is wrong, so the shared secrets differ, most likely"
            }
            Self::WrongAuthenticator => {
                "its authenticator is wrong, so the shared secrets differ, most likely"
            }
        }
    }
}

/// The reason's name.
impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// ReplySocket that were dropped for one reason and came from one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DroppedReplies {
    /// Why.
    pub reason: DropReason,
    /// Where they came from.
    pub from: SocketAddr,
    /// How many there were.
    pub count: u64,
}

/// A sentence's part, such as `a reply from 10.1.1.51:1812 was dropped (wrong-source: the request
/// went to another address)`.
impl fmt::Display for DroppedReplies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reason, from, count } = self;
        match count {
            1 => write!(f, "a reply from {from} was dropped")?,
            _ => write!(f, "{count} replies from {from} were dropped")?,
        }
        write!(f, " ({reason}: {})", reason.explanation())
    }
}

/// Why a session has no result from the server.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ClientError {
    /// What is to be sent does not fit the protocol.
    #[error("the request cannot be sent: {0}")]
    Request(#[from] EncodeError),
    /// A challenge that CHAP-Challenge cannot carry.
    #[error("a CHAP challenge of {0} bytes was given, and RADIUS carries 1 to 253")]
    Challenge(usize),
    /// The socket failed.
    #[error("the socket failed: {0}")]
    Io(String),
    /// No random numbers for a request.
    #[error("the system gives no random numbers: {0}")]
    Random(String),
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestOutcome {
    /// Access-Accept: the user may.
    Accept {
        /// Its Reply-Message, mostly empty.
        message: String,
    },
    /// Access-Reject: the user may not. Or Access-Challenge, which a client without a user at hand
    /// takes for a reject (RFC 2865, section 4.4).
    Reject {
        /// Its Reply-Message, mostly empty.
        message: String,
    },
    /// Accounting-Response: the server recorded it.
    AccountingOk,
    /// The server answered Status-Server: it is alive.
    StatusOk,
    /// No valid reply.
    Timeout {
        /// Where the request went.
        server: SocketAddr,
        /// How often it was sent.
        attempts: u32,
        /// Invalid replies, in order of reason and address.
        dropped: Vec<DroppedReplies>,
    },
    /// The session failed before a reply.
    NoResult(ClientError),
}

impl From<ClientError> for RequestOutcome {
    fn from(error: ClientError) -> Self {
        Self::NoResult(error)
    }
}

/// One line: `ACCEPT`, `REJECT: no such user`, `no answer from ...`, or the error's sentence.
impl fmt::Display for RequestOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |f: &mut fmt::Formatter<'_>, status, message: &str| {
            f.write_str(status)?;
            if message.is_empty() { Ok(()) } else { write!(f, ": {}", OneLine(message)) }
        };
        match self {
            Self::Accept { message } => show(f, "ACCEPT", message),
            Self::Reject { message } => show(f, "REJECT", message),
            Self::AccountingOk => f.write_str("RECORDED"),
            Self::StatusOk => f.write_str("ALIVE"),
            Self::Timeout { server, attempts, dropped } => {
                write!(f, "no answer from {server}, the request was sent ")?;
                match attempts {
                    1 => f.write_str("once")?,
                    _ => write!(f, "{attempts} times")?,
                }
                dropped.iter().try_for_each(|dropped| write!(f, "; {dropped}"))
            }
            Self::NoResult(error) => error.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_says_what_came_and_why_it_did_not_count() {
        let dropped = vec![
            DroppedReplies {
                reason: DropReason::WrongSource,
                from: "10.1.1.51:1812".parse().unwrap(),
                count: 3,
            },
            DroppedReplies {
                reason: DropReason::Malformed,
                from: "172.16.4.99:1812".parse().unwrap(),
                count: 1,
            },
        ];
        let server = "172.16.4.99:1812".parse().unwrap();
        assert_eq!(
            RequestOutcome::Timeout { server, attempts: 3, dropped }.to_string(),
            "no answer from 172.16.4.99:1812, the request was sent 3 times; 3 replies from \
             10.1.1.51:1812 were dropped (wrong-source: the request went to another address); a \
             reply from 172.16.4.99:1812 was dropped (malformed: it is not RADIUS)"
        );
        assert_eq!(
            RequestOutcome::Timeout { server, attempts: 1, dropped: Vec::new() }.to_string(),
            "no answer from 172.16.4.99:1812, the request was sent once"
        );
    }

    #[test]
    fn an_outcome_stays_one_line_whatever_the_server_says() {
        let message = "no\nway".to_owned();
        assert_eq!(RequestOutcome::Reject { message }.to_string(), "REJECT: no\\nway");
        assert_eq!(RequestOutcome::Accept { message: String::new() }.to_string(), "ACCEPT");
    }
}
