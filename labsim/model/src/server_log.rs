//! A server's log of connections and requests: the evidence of which client address the server saw.

use std::fmt::{self, Write as _};
use std::net::SocketAddr;

/// One line of a server's log. It never holds a password or a secret. It has no time: the receiver
/// of the entry adds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// The client's address as the server's socket shows it.
    pub client: SocketAddr,
    /// The destination address of the client's packets: the VIP under DSR.
    pub local: SocketAddr,
    /// The subject of the entry.
    pub kind: LogKind,
    /// The user, if one was named; up to 255 bytes as the client sent them.
    pub user: Option<String>,
    /// The result of the request or connection.
    pub outcome: LogOutcome,
    /// A phrase, at most [`MAX_DETAIL`] characters: the login's method, the record, the error.
    pub detail: String,
}

/// Characters of a detail that are kept.
pub const MAX_DETAIL: usize = 1000;

/// The subject of a log entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogKind {
    /// A login.
    Authentication,
    /// An authorization request.
    Authorization,
    /// An accounting record.
    Accounting,
    /// A connection or a datagram from an address that is not among the server's clients.
    Refused,
    /// A packet or a connection that breaks the protocol.
    ProtocolError,
    /// A server status request (RADIUS's Status-Server).
    Status,
    /// A request of another service, or the first bytes of a connection.
    Request,
}

/// The result of a request or connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogOutcome {
    /// Granted, or recorded.
    Pass,
    /// The server denied the request.
    Fail,
    /// Answered with ERROR.
    Error,
    /// The client aborted the session or stopped responding.
    Abandoned,
    /// Closed without an answer.
    Closed,
    /// A datagram that was dropped without an answer.
    Discarded,
    /// A retransmitted request: the cached reply was sent again.
    Repeated,
}

impl LogEntry {
    /// An entry; `detail` is cut to [`MAX_DETAIL`] characters.
    #[must_use]
    pub fn new(
        client: SocketAddr,
        local: SocketAddr,
        kind: LogKind,
        user: Option<&str>,
        outcome: LogOutcome,
        detail: &str,
    ) -> Self {
        let user = user.filter(|user| !user.is_empty()).map(str::to_owned);
        let detail = detail.chars().take(MAX_DETAIL).collect();
        Self { client, local, kind, user, outcome, detail }
    }
}

impl fmt::Display for LogKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Authentication => "authentication",
            Self::Authorization => "authorization",
            Self::Accounting => "accounting",
            Self::Refused => "refused",
            Self::ProtocolError => "protocol error",
            Self::Status => "status",
            Self::Request => "request",
        })
    }
}

impl fmt::Display for LogOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pass => "PASS",
            Self::Fail => "FAIL",
            Self::Error => "ERROR",
            Self::Abandoned => "abandoned",
            Self::Closed => "closed",
            Self::Discarded => "discarded",
            Self::Repeated => "repeated",
        })
    }
}

/// A peer's text on one line: control characters are escaped, quotes stay.
pub struct OneLine<'a>(pub &'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '\'' | '"' => f.write_char(c),
            _ => write!(f, "{}", c.escape_debug()),
        })
    }
}

/// One line, whatever the client sent.
impl fmt::Display for LogEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {} {} {}", self.client, self.local, self.kind, self.outcome)?;
        if let Some(user) = &self.user {
            write!(f, " user `{}`", OneLine(user))?;
        }
        if !self.detail.is_empty() {
            write!(f, ": {}", OneLine(&self.detail))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(user: &str, detail: &str) -> LogEntry {
        let client = "192.168.11.201:61067".parse().unwrap();
        let local = "172.16.4.99:49".parse().unwrap();
        LogEntry::new(client, local, LogKind::Authentication, Some(user), LogOutcome::Pass, detail)
    }

    #[test]
    fn an_entry_shows_the_client_and_the_address_that_it_came_to() {
        assert_eq!(
            entry("violet", "ASCII login").to_string(),
            "192.168.11.201:61067 -> 172.16.4.99:49 authentication PASS user `violet`: ASCII login"
        );
    }

    #[test]
    fn an_entry_stays_one_bounded_line() {
        let entry = entry("a\nb", &"x\n".repeat(100_000));
        assert_eq!(entry.detail.chars().count(), MAX_DETAIL);
        assert!(!entry.to_string().contains('\n'));
    }
}
