//! Runs the client's sessions over a stream: one write a packet, reads that are bounded, one
//! deadline a session.

use super::{
    ClientError, ConnectionEnd, Login, LoginOutcome, LoginSession, Options, Session, SessionResult,
};
use crate::tacacs::header::{FLAG_SINGLE_CONNECT, SessionId};
use crate::tacacs::packet::{EncryptedPacket, PacketReader};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};

/// What has just happened on the stream, for who wants to set socket options in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A packet of so many bytes was written.
    Sent(usize),
    /// A whole packet of so many bytes was read.
    Received(usize),
    /// The server closed its side.
    Closed,
}

/// Whether the connection carries more than one session (RFC 8907, section 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Fresh,
    Shared,
    UsedUp,
}

/// A connection to a server: one session, or several one after the other if the server agrees.
///
/// The stream is the caller's: pass `&mut stream` to keep it. It is never closed here.
#[derive(Debug)]
pub struct Connection<S, F = fn(&mut S, Event)> {
    stream: S,
    options: Options,
    observer: F,
    reader: PacketReader,
    mode: Mode,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// A connection that was just made.
    pub fn new(stream: S, options: Options) -> Self {
        Self::with_observer(stream, options, |_, _| ())
    }
}

impl<S, F> Connection<S, F>
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: FnMut(&mut S, Event),
{
    /// A connection that was just made; `observer` is called after each [`Event`], before the next
    /// read or write.
    pub fn with_observer(stream: S, options: Options, observer: F) -> Self {
        let reader = PacketReader::new(options.max_body);
        Self { stream, options, observer, reader, mode: Mode::Fresh }
    }

    /// Logs in.
    pub async fn login(&mut self, login: Login) -> SessionResult<LoginOutcome> {
        match getrandom::u32() {
            Ok(id) => {
                let session = LoginSession::new(login, SessionId(id), &self.options);
                self.run(session).await
            }
            Err(error) => self.abort(ClientError::Random(error.to_string())),
        }
    }

    /// Runs any session to its end.
    ///
    /// Without single-connection mode it waits, after the final reply, until the server closes, for
    /// [`Options::close_wait`] at most: most servers close first, and the client's last packets depend on
    /// it.
    pub async fn run<P: Session>(&mut self, mut session: P) -> SessionResult<P::Outcome> {
        if self.mode == Mode::UsedUp {
            return self.abort(ClientError::UsedUp);
        }
        let limit = self.options.deadline;
        let deadline = Instant::now() + limit;
        let outcome = match timeout_at(deadline, self.exchange(&mut session)).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) => return self.abort(error),
            Err(_) => return self.abort(ClientError::Timeout(limit)),
        };
        if self.mode == Mode::Shared {
            return SessionResult { outcome, end: ConnectionEnd::Shared };
        }
        self.mode = Mode::UsedUp;
        let until = deadline.min(Instant::now() + self.options.close_wait);
        let closed = timeout_at(until, self.wait_for_close()).await.is_ok();
        SessionResult {
            outcome,
            end: if closed { ConnectionEnd::ServerClosed } else { ConnectionEnd::Open },
        }
    }

    pub(super) const fn options(&self) -> &Options {
        &self.options
    }

    fn abort<O: From<ClientError>>(&mut self, error: ClientError) -> SessionResult<O> {
        self.mode = Mode::UsedUp;
        let end = if error == ClientError::Closed {
            ConnectionEnd::ServerClosed
        } else {
            ConnectionEnd::Open
        };
        SessionResult { outcome: error.into(), end }
    }

    pub(super) async fn exchange<P: Session>(
        &mut self,
        session: &mut P,
    ) -> Result<P::Outcome, ClientError> {
        let first = session.first()?;
        self.send(&first).await?;
        loop {
            let packet = self.receive().await?;
            if self.mode == Mode::Fresh {
                // Both sides' first packets decide, and no later one.
                let agreed =
                    self.options.single_connection && packet.header.has(FLAG_SINGLE_CONNECT);
                self.mode = if agreed { Mode::Shared } else { Mode::UsedUp };
            }
            let step = session.receive(packet)?;
            if let Some(packet) = step.send {
                self.send(&packet).await?;
            }
            if let Some(outcome) = step.outcome {
                return Ok(outcome);
            }
        }
    }

    async fn send(&mut self, packet: &[u8]) -> Result<(), ClientError> {
        self.stream.write_all(packet).await.map_err(client_error)?;
        self.stream.flush().await.map_err(client_error)?;
        (self.observer)(&mut self.stream, Event::Sent(packet.len()));
        Ok(())
    }

    /// The next packet. What comes behind it in the same read has no place in the protocol (a
    /// server speaks only when asked) and is dropped.
    async fn receive(&mut self) -> Result<EncryptedPacket, ClientError> {
        let mut buffer = [0; 4096];
        loop {
            let read = self.stream.read(&mut buffer).await.map_err(client_error)?;
            if read == 0 {
                (self.observer)(&mut self.stream, Event::Closed);
                return Err(ClientError::Closed);
            }
            let mut bytes = buffer.get(..read).unwrap_or_default();
            let packet = self.reader.next_packet(&mut bytes);
            if let Some(packet) = packet.map_err(|error| ClientError::Unreadable(error.into()))? {
                (self.observer)(&mut self.stream, Event::Received(packet.len()));
                return Ok(packet);
            }
        }
    }

    /// Waits for the server's end of the stream; what comes before it is dropped.
    async fn wait_for_close(&mut self) {
        let mut buffer = [0; 512];
        while matches!(self.stream.read(&mut buffer).await, Ok(1..)) {}
        (self.observer)(&mut self.stream, Event::Closed);
    }
}

/// One login on a connection that was just made: pass `&mut stream` and close it afterwards.
pub async fn login<S>(stream: S, options: &Options, login: &Login) -> SessionResult<LoginOutcome>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    Connection::new(stream, options.clone()).login(login.clone()).await
}

/// A peer that resets the connection has closed it without an answer.
fn client_error(error: io::Error) -> ClientError {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof, WriteZero};
    match error.kind() {
        BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof | WriteZero => {
            ClientError::Closed
        }
        _ => ClientError::Io(error.to_string()),
    }
}
