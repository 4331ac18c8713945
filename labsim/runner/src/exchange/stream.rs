//! A client's connection: resets when it is dropped, unless it is to end in order, and can be held
//! after the server's first answer.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd as _;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Shared by an exchange and the step that waits for it.
#[derive(Debug)]
pub(crate) struct Gate {
    state: Cell<State>,
    local: Cell<Option<SocketAddr>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Whatever the client writes goes out.
    Open,
    /// As open, until the server's first answer; shut from then on.
    ShutAtAnswer,
    Shut,
    /// The client wanted to write, and waits.
    Held,
}

impl Gate {
    /// For an exchange that goes on to its end.
    pub(crate) fn open() -> Rc<Self> {
        Rc::new(Self { state: Cell::new(State::Open), local: Cell::default() })
    }

    /// For an exchange that waits before it goes on after the server's first answer.
    pub(crate) fn pausing() -> Rc<Self> {
        Rc::new(Self { state: Cell::new(State::ShutAtAnswer), local: Cell::default() })
    }

    /// Lets a held exchange go on.
    pub(crate) fn release(&self) {
        self.state.set(State::Open);
    }

    /// Whether the exchange waits to be released. Polling it does nothing until then.
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

    /// An unspecified address, such as that of a socket that found no route, is left out.
    pub(crate) fn set_local(&self, local: SocketAddr) {
        self.local.set((!local.ip().is_unspecified()).then_some(local));
    }
}

/// The connection.
#[derive(Debug)]
pub(super) struct ClientStream {
    stream: TcpStream,
    gate: Rc<Gate>,
    /// Whether it is reset when it is dropped.
    resets: bool,
}

impl ClientStream {
    pub(super) fn new(stream: TcpStream, gate: Rc<Gate>, resets: bool) -> Self {
        Self { stream, gate, resets }
    }

    /// Ends in order when it is dropped.
    pub(super) fn end_in_order(&mut self) {
        self.resets = false;
    }

    /// The longest segment that the socket sends, without options (tcp(7), `TCP_MAXSEG`); 0 if it is
    /// not known.
    pub(super) fn segment_size(&self) -> i32 {
        labsim_lab::segment_size(self.stream.as_fd()).unwrap_or_default()
    }

    /// Whether acknowledgements wait for data to ride on. Only the frames' number depends on it,
    /// so a refusal shows in the captures and nowhere else.
    pub(super) fn hold_acknowledgements(&self, hold: bool) {
        let _ = self.stream.set_quickack(!hold);
    }

    /// A packet came from the server.
    pub(super) fn answered(&self) {
        if self.gate.state.get() == State::ShutAtAnswer {
            self.gate.state.set(State::Shut);
        }
    }
}

impl Drop for ClientStream {
    fn drop(&mut self) {
        if self.resets {
            // Sends RST now, as the document's client does. Closing without lingering would send it
            // later if a child process that another lab starts holds a copy of the descriptor.
            let _ = labsim_lab::disconnect(self.stream.as_fd());
        }
    }
}

impl AsyncRead for ClientStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.gate.state.get() {
            State::Open | State::ShutAtAnswer => {
                Pin::new(&mut self.stream).poll_write(context, bytes)
            }
            // No waker is kept: the step that releases the exchange polls it.
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
