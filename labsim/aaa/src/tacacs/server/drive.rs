//! Runs a connection of the server over a stream: one write a packet, bounded reads, a deadline
//! for the silent, and closing at once after the last reply.

use super::{Action, Connection, Server};
use crate::log::LogEntry;
use crate::tacacs::error::ProtocolError;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};

/// Why a connection did not end as it should.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The client is not known.
    #[error(
        "{0} is not among the server's clients: its address was translated on the way, or it is \
         not configured"
    )]
    Refused(SocketAddr),
    /// A packet broke the protocol.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// No whole packet in time, or the client did not take an answer.
    #[error("the client was silent for {0:?}: it has gone, or its packets are lost")]
    Silent(Duration),
    /// The stream failed.
    #[error("the connection failed, so the client has gone or was cut off: {0}")]
    Io(#[from] io::Error),
}

/// Serves one connection that was accepted from `peer` at the server's own address `local`, to its
/// end. The stream is dropped, which closes it, right after the last reply was written, and before
/// that reply's entry goes to `log`. An unknown client is read from once, and closed without a
/// reply.
///
/// A shared connection that stays idle for the server's deadline is closed without a reply.
///
/// # Errors
/// [`Error`]; the connection is closed then as well, the cause is in the log if it is the client's,
/// and the server goes on with its other connections.
pub async fn serve_connection<S>(
    mut stream: S,
    peer: SocketAddr,
    local: SocketAddr,
    server: &Server,
    log: &mut impl FnMut(LogEntry),
) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut connection = match Connection::accept(server, peer, local) {
        Ok(connection) => connection,
        Err(entry) => {
            // Closed before its first bytes are read, the connection would end with FIN or with
            // RST, as chance has it.
            let mut first = [0; 1024];
            let _ = timeout(server.deadline, stream.read(&mut first)).await;
            drop(stream);
            log(*entry);
            return Err(Error::Refused(peer));
        }
    };
    let mut entries = Vec::new();
    let result = run(&mut stream, &mut connection, server.deadline, &mut entries, log).await;
    drop(stream);
    entries.into_iter().for_each(&mut *log);
    // The machine is at its end unless the stream broke: then sessions may be open.
    connection.handle_eof().into_iter().filter_map(entry).for_each(log);
    result
}

/// Runs the connection until it is to be closed. Entries to be logged after closing are left in
/// `entries`.
async fn run<S>(
    stream: &mut S,
    connection: &mut Connection<'_>,
    limit: Duration,
    entries: &mut Vec<LogEntry>,
    log: &mut impl FnMut(LogEntry),
) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut buffer = [0; 4096];
    let mut deadline = Instant::now() + limit;
    loop {
        let mut silent = false;
        let actions = match timeout_at(deadline, stream.read(&mut buffer)).await {
            Ok(Ok(0)) => connection.handle_eof(),
            Ok(Ok(read)) => connection.receive(buffer.get(..read).unwrap_or_default()),
            Ok(Err(error)) => return Err(error.into()),
            Err(_) => {
                silent = !connection.is_idle();
                connection.handle_timeout()
            }
        };
        if !actions.is_empty() {
            // The time is for a whole packet: dripping bytes does not prolong it.
            deadline = Instant::now() + limit;
        }
        let mut broken = None;
        let mut end = None;
        for action in actions {
            match action {
                Action::Send(packet) if broken.is_none() => {
                    broken = send(stream, &packet, limit).await.err();
                }
                Action::Send(_) => {}
                Action::Log(entry) => entries.push(entry),
                Action::Close(reason) => end = Some(reason),
            }
        }
        if let Some(error) = broken {
            return Err(error);
        }
        match end {
            None => entries.drain(..).for_each(&mut *log),
            Some(_) if silent => return Err(Error::Silent(limit)),
            Some(None) => return Ok(()),
            Some(Some(error)) => return Err(error.into()),
        }
    }
}

async fn send<S>(stream: &mut S, packet: &[u8], limit: Duration) -> Result<(), Error>
where
    S: AsyncWrite + Unpin,
{
    let sent = async {
        stream.write_all(packet).await?;
        stream.flush().await
    };
    Ok(timeout(limit, sent).await.map_err(|_| Error::Silent(limit))??)
}

fn entry(action: Action) -> Option<LogEntry> {
    match action {
        Action::Log(entry) => Some(entry),
        Action::Send(_) | Action::Close(_) => None,
    }
}
