//! Runs one socket of the server: a datagram, its line in the log, its reply.

use super::{Endpoint, Server};
use crate::log::{LogEntry, LogOutcome};
use crate::radius::code::Service;
use crate::radius::datagram::{Received, ReplySocket};
use crate::radius::packet::MAX_LEN;
use std::io;
use tokio::time::Instant;

/// From which address the server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplySource {
    /// From the address that the request came to: the VIP under DSR. It is what a server bound to
    /// 0.0.0.0 does with packet info (`IP_PKTINFO`, ip(7)), and one bound to an address in any
    /// case.
    Received,
    /// From the address that the kernel takes: a server bound to 0.0.0.0 without packet info, whose
    /// clients drop its replies under DSR.
    Kernel,
}

/// Serves one socket until it fails. A line goes to `log` before its reply is sent: once the reply
/// has arrived, the line is there. A reply that cannot be sent has a second line, and the server
/// goes on.
///
/// # Errors
/// The error of receiving.
pub async fn serve(
    socket: &mut impl ReplySocket,
    server: &Server,
    service: Service,
    source: ReplySource,
    log: &mut impl FnMut(LogEntry),
) -> io::Error {
    let mut endpoint = Endpoint::new(server, service);
    let started = Instant::now();
    let mut buffer = [0; MAX_LEN];
    loop {
        let Received { length, peer, local } = match socket.recv(&mut buffer).await {
            Ok(received) => received,
            Err(error) => return error,
        };
        let datagram = buffer.get(..length).unwrap_or(&buffer);
        let answer = endpoint.handle(datagram, peer, local, started.elapsed());
        let entry = answer.log;
        let Some(reply) = answer.reply else {
            log(entry);
            continue;
        };
        log(entry.clone());
        let from = match source {
            ReplySource::Received => Some(local.ip()),
            ReplySource::Kernel => None,
        };
        if let Err(error) = socket.send(&reply, peer, from).await {
            let detail = format!("the reply could not be sent: {error}");
            log(LogEntry { outcome: LogOutcome::Error, detail, ..entry });
        }
    }
}
