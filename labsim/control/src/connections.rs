//! Limits on the number of clients of a socket.

use std::collections::VecDeque;
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Clients of a socket at a time.
pub(crate) const MAX_CLIENTS: usize = 8;

/// Counts clients, at most [`MAX_CLIENTS`].
#[derive(Debug, Clone, Default)]
pub(crate) struct ConnectionLimit(Arc<AtomicUsize>);

/// One client of a [`ConnectionLimit`]; dropping the permit admits another.
pub(crate) struct Permit(ConnectionLimit);

impl ConnectionLimit {
    /// A permit, unless all are in use.
    pub(crate) fn acquire(&self) -> Option<Permit> {
        let one_more = |clients: usize| (clients < MAX_CLIENTS).then_some(clients + 1);
        let acquired = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        acquired.is_ok().then(|| Permit(self.clone()))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The open connections of a listener, at most [`MAX_CLIENTS`]. A new connection closes the oldest,
/// so that slow clients cannot keep others out.
#[derive(Debug, Clone, Default)]
pub(crate) struct Connections(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Oldest first.
    open: Mutex<VecDeque<Arc<TcpStream>>>,
    closed: Condvar,
}

/// An open connection; dropping it removes it from its [`Connections`].
pub(crate) struct Connection {
    stream: Arc<TcpStream>,
    connections: Connections,
}

impl Connections {
    /// Admits a connection. Where all places are taken, it shuts the oldest down and waits until
    /// its thread has given the place up.
    pub(crate) fn admit(&self, stream: TcpStream) -> Connection {
        let mut open = self.open();
        while open.len() >= MAX_CLIENTS {
            if let Some(oldest) = open.front() {
                // A thread that reads or writes gets an error; one that computes ends soon.
                let _ = oldest.shutdown(Shutdown::Both);
            }
            open = self.0.closed.wait(open).unwrap_or_else(PoisonError::into_inner);
        }
        let stream = Arc::new(stream);
        open.push_back(Arc::clone(&stream));
        Connection { stream, connections: self.clone() }
    }

    fn open(&self) -> MutexGuard<'_, VecDeque<Arc<TcpStream>>> {
        // Every change leaves the list consistent.
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.connections.open().retain(|stream| !Arc::ptr_eq(stream, &self.stream));
        self.connections.0.closed.notify_all();
    }
}
