//! A login's connection: resets when it is dropped, unless it is to end in order, and can be held
//! before the client's second packet.

use labsim_scenario::model::LoginClose;
use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// What a login and whoever waits for it share.
#[derive(Debug)]
pub(crate) struct Gate {
    state: Cell<State>,
    local: Cell<Option<SocketAddr>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Whatever the client writes goes out.
    Open,
    /// It does until the server's first answer, and then no more.
    ShutsWithAnswer,
    Shut,
    /// The client wanted to write, and waits.
    Held,
}

impl Gate {
    /// For a login that goes on to its end.
    pub(crate) fn open() -> Rc<Self> {
        Rc::new(Self { state: Cell::new(State::Open), local: Cell::default() })
    }

    /// For a login that waits before it answers the server's first answer.
    pub(crate) fn pausing() -> Rc<Self> {
        Rc::new(Self { state: Cell::new(State::ShutsWithAnswer), local: Cell::default() })
    }

    /// Lets a login go on that is held.
    pub(crate) fn release(&self) {
        self.state.set(State::Open);
    }

    /// Whether the login waits to be released. Polling it does nothing until then.
    pub(crate) fn is_holding(&self) -> bool {
        self.state.get() == State::Held
    }

    pub(super) fn may_hold(&self) -> bool {
        self.state.get() != State::Open
    }

    /// The client's own address and port, once it had one.
    pub(crate) fn local(&self) -> Option<SocketAddr> {
        self.local.get()
    }

    /// An address that means nothing, as that of a socket that found no route, is left out.
    pub(super) fn set_local(&self, local: SocketAddr) {
        self.local.set((!local.ip().is_unspecified()).then_some(local));
    }
}

/// The connection.
#[derive(Debug)]
pub(super) struct Line {
    stream: TcpStream,
    gate: Rc<Gate>,
    close: LoginClose,
}

impl Line {
    pub(super) fn new(stream: TcpStream, gate: Rc<Gate>, close: LoginClose) -> Self {
        Self { stream, gate, close }
    }

    /// Whether acknowledgements wait for data to ride on. Only the frames' number depends on it,
    /// so a refusal shows in the captures and nowhere else.
    pub(super) fn hold_acknowledgements(&self, hold: bool) {
        let _ = self.stream.set_quickack(!hold);
    }

    /// A packet came from the server.
    pub(super) fn answered(&self) {
        if self.gate.state.get() == State::ShutsWithAnswer {
            self.gate.state.set(State::Shut);
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if self.close == LoginClose::Reset {
            // Closing now sends RST, as the document's client does.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.gate.state.get() {
            State::Open | State::ShutsWithAnswer => {
                Pin::new(&mut self.stream).poll_write(context, bytes)
            }
            // Nobody is woken: who releases the login polls it.
            State::Held => Poll::Pending,
            State::Shut => {
                // Nothing is owed while it waits: the answer is acknowledged now, alone.
                self.hold_acknowledgements(false);
                self.hold_acknowledgements(true);
                self.gate.state.set(State::Held);
                Poll::Pending
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
