//! What servers do: with a connection over any stream, and with a datagram.

mod connection;
mod datagram;

pub use connection::serve_connection;
pub(crate) use connection::write;
pub use datagram::{Answer, answer_datagram};

use labsim_model::server_log::{LogEntry, LogKind, LogOutcome};
use std::net::SocketAddr;

/// A line about a request.
fn entry(
    (peer, local): (SocketAddr, SocketAddr),
    (kind, outcome): (LogKind, LogOutcome),
    detail: &str,
) -> LogEntry {
    LogEntry::new(peer, local, kind, None, outcome, detail)
}
