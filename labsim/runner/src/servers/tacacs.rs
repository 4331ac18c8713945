//! The TACACS+ server: a listener of each family, and a task for every connection.

use super::{Tasks, everywhere, users};
use labsim_aaa::Secret;
use labsim_aaa::log::LogEntry;
use labsim_aaa::tacacs::server::{Server, serve_connection};
use labsim_lab::Node;
use labsim_scenario::model::TacacsServer;
use std::io;
use std::rc::Rc;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

/// Connections that a server takes at a time; more wait in the kernel's queue.
const CONNECTIONS: usize = 1024;

/// Listens, and serves in a task of `tasks`. Told to close, it serves the connections that it has.
pub(super) fn start(
    node: &Node,
    config: &TacacsServer,
    write: impl FnMut(LogEntry) + Clone + 'static,
    tasks: &mut Tasks,
) -> io::Result<()> {
    let secret = Secret::new(config.secret.expose());
    let server = Rc::new(Server::new(secret, config.clients.clone(), users(&config.users)));
    let places = Rc::new(Semaphore::new(CONNECTIONS));
    for address in everywhere(node, config.port) {
        let listener = TcpListener::from_std(node.tcp_listener(address)?)?;
        let (server, places) = (Rc::clone(&server), Rc::clone(&places));
        let closing = tasks.closing.subscribe();
        tasks.all.spawn_local(serve(listener, closing, server, places, write.clone()));
    }
    Ok(())
}

async fn serve(
    listener: TcpListener,
    mut closing: watch::Receiver<bool>,
    server: Rc<Server>,
    places: Rc<Semaphore>,
    write: impl FnMut(LogEntry) + Clone + 'static,
) {
    let mut connections = JoinSet::new();
    loop {
        // A connection that failed before it was accepted is the client's matter.
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = closing.changed() => break,
        };
        let Ok((stream, peer)) = accepted else { continue };
        let Ok(local) = stream.local_addr() else { continue };
        while connections.try_join_next().is_some() {}
        let (server, mut write) = (Rc::clone(&server), write.clone());
        let places = Rc::clone(&places);
        connections.spawn_local(async move {
            let Ok(_place) = places.acquire().await else { return };
            // An error is in the log, which is where an operator would look.
            let _ = serve_connection(stream, peer, local, &server, &mut write).await;
        });
    }
    drop(listener);
    drop(closing);
    while connections.join_next().await.is_some() {}
}
