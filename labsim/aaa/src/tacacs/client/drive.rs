//! Runs the client's sessions over a stream: one write a packet, reads that are bounded, one
//! deadline a session.

use super::{
    Account, AccountingOutcome, AccountingSession, AuthorizationOutcome, AuthorizationSession,
    Authorize, End, Finished, Login, LoginOutcome, LoginSession, Options, Session, Trouble,
};
use crate::tacacs::header::{FLAG_SINGLE_CONNECT, SessionId};
use crate::tacacs::packet::{Inbox, Sealed};
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
    inbox: Inbox,
    mode: Mode,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// A connection that was just made.
    pub fn new(stream: S, options: Options) -> Self {
        Self::observed(stream, options, |_, _| ())
    }
}

impl<S, F> Connection<S, F>
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: FnMut(&mut S, Event),
{
    /// A connection that was just made; `observer` is called after each [`Event`], before the next
    /// read or write.
    pub fn observed(stream: S, options: Options, observer: F) -> Self {
        let inbox = Inbox::new(options.max_body);
        Self { stream, options, observer, inbox, mode: Mode::Fresh }
    }

    /// Logs in.
    pub async fn login(&mut self, login: Login) -> Finished<LoginOutcome> {
        self.start(|id, options| LoginSession::new(login, id, options)).await
    }

    /// Asks for permission.
    pub async fn authorize(&mut self, question: Authorize) -> Finished<AuthorizationOutcome> {
        self.start(|id, options| AuthorizationSession::new(question, id, options)).await
    }

    /// Sends a record.
    pub async fn account(&mut self, account: Account) -> Finished<AccountingOutcome> {
        self.start(|id, options| AccountingSession::new(account, id, options)).await
    }

    async fn start<P: Session>(
        &mut self,
        make: impl FnOnce(SessionId, &Options) -> P,
    ) -> Finished<P::Outcome> {
        match getrandom::u32() {
            Ok(id) => {
                let session = make(SessionId(id), &self.options);
                self.run(session).await
            }
            Err(error) => self.broken(Trouble::Random(error.to_string())),
        }
    }

    /// Runs any session to its end.
    ///
    /// Without single-connection mode it waits, after the final reply, until the server closes:
    /// servers close first, and the client's last packets depend on it.
    pub async fn run<P: Session>(&mut self, mut session: P) -> Finished<P::Outcome> {
        if self.mode == Mode::UsedUp {
            return self.broken(Trouble::UsedUp);
        }
        let limit = self.options.deadline;
        let deadline = Instant::now() + limit;
        let outcome = match timeout_at(deadline, self.exchange(&mut session)).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(trouble)) => return self.broken(trouble),
            Err(_) => return self.broken(Trouble::Timeout(limit)),
        };
        if self.mode == Mode::Shared {
            return Finished { outcome, end: End::Shared };
        }
        self.mode = Mode::UsedUp;
        let closed = timeout_at(deadline, self.closed()).await.is_ok();
        Finished { outcome, end: if closed { End::ServerClosed } else { End::Open } }
    }

    pub(super) const fn options(&self) -> &Options {
        &self.options
    }

    fn broken<O: From<Trouble>>(&mut self, trouble: Trouble) -> Finished<O> {
        self.mode = Mode::UsedUp;
        let end = if trouble == Trouble::Closed { End::ServerClosed } else { End::Open };
        Finished { outcome: trouble.into(), end }
    }

    pub(super) async fn exchange<P: Session>(
        &mut self,
        session: &mut P,
    ) -> Result<P::Outcome, Trouble> {
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

    async fn send(&mut self, packet: &[u8]) -> Result<(), Trouble> {
        self.stream.write_all(packet).await.map_err(trouble)?;
        self.stream.flush().await.map_err(trouble)?;
        (self.observer)(&mut self.stream, Event::Sent(packet.len()));
        Ok(())
    }

    /// The next packet. What comes behind it in the same read has no place in the protocol (a
    /// server speaks only when asked) and is dropped.
    async fn receive(&mut self) -> Result<Sealed, Trouble> {
        let mut buffer = [0; 4096];
        loop {
            let read = self.stream.read(&mut buffer).await.map_err(trouble)?;
            if read == 0 {
                (self.observer)(&mut self.stream, Event::Closed);
                return Err(Trouble::Closed);
            }
            let mut bytes = buffer.get(..read).unwrap_or_default();
            let packet = self.inbox.take(&mut bytes);
            if let Some(packet) = packet.map_err(|error| Trouble::Unreadable(error.into()))? {
                (self.observer)(&mut self.stream, Event::Received(packet.len()));
                return Ok(packet);
            }
        }
    }

    /// Waits for the server's end of the stream; what comes before it is dropped.
    async fn closed(&mut self) {
        let mut buffer = [0; 512];
        while matches!(self.stream.read(&mut buffer).await, Ok(1..)) {}
        (self.observer)(&mut self.stream, Event::Closed);
    }
}

/// One login on a connection that was just made: pass `&mut stream` and close it afterwards.
pub async fn login<S>(stream: S, options: &Options, login: &Login) -> Finished<LoginOutcome>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    Connection::new(stream, options.clone()).login(login.clone()).await
}

/// A peer that resets the connection has closed it without an answer.
fn trouble(error: io::Error) -> Trouble {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof, WriteZero};
    match error.kind() {
        BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof | WriteZero => {
            Trouble::Closed
        }
        _ => Trouble::Io(error.to_string()),
    }
}
