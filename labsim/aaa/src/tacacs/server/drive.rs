//! Runs a connection of the server over a stream: one write a packet, bounded reads, a deadline
//! for the silent, and closing at once after the last reply.

use super::{Action, Connection, Server};
use crate::tacacs::error::ProtocolError;
use crate::tacacs::log::LogEntry;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};

/// Why a connection did not end as it should.
#[derive(Debug, Error)]
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
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
}

/// Serves one connection that was accepted from `peer` at the server's own address `local`, to its
/// end. The stream is dropped, which closes it, right after the last reply was written.
///
/// Everything that happens goes to `log` too, an error's cause included.
///
/// # Errors
/// [`Error`]; the connection is closed then as well, and the server goes on with its others.
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
            drop(stream);
            log(*entry);
            return Err(Error::Refused(peer));
        }
    };
    let limit = server.deadline;
    let mut buffer = [0; 4096];
    let mut deadline = Instant::now() + limit;
    loop {
        let (actions, silent) = match timeout_at(deadline, stream.read(&mut buffer)).await {
            Ok(Ok(0)) => (connection.ended(), false),
            Ok(Ok(read)) => (connection.receive(buffer.get(..read).unwrap_or_default()), false),
            Ok(Err(error)) => {
                drop(stream);
                entries(connection.ended(), log);
                return Err(Error::Io(error));
            }
            Err(_) => (connection.expired(), true),
        };
        let mut answered = false;
        let mut entries = Vec::new();
        let mut end = None;
        for action in actions {
            match action {
                Action::Send(packet) => {
                    let deadline = Instant::now() + limit;
                    let sent = async {
                        stream.write_all(&packet).await?;
                        stream.flush().await
                    };
                    timeout_at(deadline, sent).await.map_err(|_| Error::Silent(limit))??;
                    answered = true;
                }
                Action::Log(entry) => entries.push(entry),
                Action::Close(reason) => end = Some(reason),
            }
        }
        // Closing comes before everything else: the client waits for it.
        let Some(reason) = end else {
            entries.into_iter().for_each(&mut *log);
            if answered {
                deadline = Instant::now() + limit;
            }
            continue;
        };
        drop(stream);
        entries.into_iter().for_each(log);
        return match reason {
            _ if silent => Err(Error::Silent(limit)),
            Some(error) => Err(error.into()),
            None => Ok(()),
        };
    }
}

fn entries(actions: Vec<Action>, log: &mut impl FnMut(LogEntry)) {
    for action in actions {
        if let Action::Log(entry) = action {
            log(entry);
        }
    }
}
