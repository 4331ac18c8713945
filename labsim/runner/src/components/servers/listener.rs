//! Listeners of TCP servers: a task for every connection.

use std::net::SocketAddr;
use std::rc::Rc;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tracing::debug;

/// Connections that a server serves at a time; more wait in the kernel's queue.
const CONNECTIONS: usize = 1024;

/// The connections that a server may serve at a time, at all of its listeners.
pub(super) fn permits() -> Rc<Semaphore> {
    Rc::new(Semaphore::new(CONNECTIONS))
}

/// Serves the connections of a listener with `serve_one`, which gets a connection and its ends: the
/// client's and the server's. When it is closed, the connections that it has go on.
pub(super) async fn serve<Serving: Future<Output = ()> + 'static>(
    listener: TcpListener,
    mut closing: watch::Receiver<bool>,
    permits: Rc<Semaphore>,
    serve_one: impl Fn(TcpStream, (SocketAddr, SocketAddr)) -> Serving,
) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = closing.changed() => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            // Mostly a connection that failed before it was accepted: its client reports it.
            Err(error) => {
                debug!(%error, "connection not accepted");
                continue;
            }
        };
        let Ok(local) = stream.local_addr() else { continue };
        while connections.try_join_next().is_some() {}
        let serving = serve_one(stream, (peer, local));
        let permits = Rc::clone(&permits);
        connections.spawn_local(async move {
            let Ok(_permit) = permits.acquire().await else { return };
            serving.await;
        });
    }
    drop(listener);
    drop(closing);
    while connections.join_next().await.is_some() {}
}
