//! The built-in servers: listeners in the nodes' namespaces, served on the scenario's thread.

use crate::fault::Fault;
use labsim_aaa::Secret;
use labsim_aaa::tacacs::log::LogEntry;
use labsim_aaa::tacacs::server::{Server, serve_connection};
use labsim_lab::{Lab, Node};
use labsim_scenario::model::{NodeName, Scenario, TacacsServer};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Connections that a server takes at a time; more wait in the kernel's queue.
const CONNECTIONS: usize = 1024;

/// A server's node and a line of its log.
pub(crate) type Line = (NodeName, LogEntry);

/// Running servers; dropping them closes every socket.
pub(crate) struct Servers {
    _tasks: JoinSet<()>,
    log: Rc<RefCell<Vec<Line>>>,
}

impl Servers {
    /// Starts every server of the scenario; they listen when this returns.
    ///
    /// Has to be called inside a `LocalSet`.
    pub(crate) fn start(lab: &Lab, scenario: &Scenario) -> Result<Self, Fault> {
        let mut tasks = JoinSet::new();
        let log: Rc<RefCell<Vec<Line>>> = Rc::default();
        for (name, config) in &scenario.tacacs_servers {
            let node = lab.node(name).ok_or_else(|| Fault::no_node(name))?;
            let what = format!("the TACACS+ server on {name}, port {}", config.port);
            let listener = listen(node, config.port).map_err(Fault::broken(&what))?;
            let (name, log) = (name.clone(), Rc::clone(&log));
            let write = move |entry| RefCell::borrow_mut(&log).push((name.clone(), entry));
            tasks.spawn_local(serve(listener, Rc::new(server(config)), write));
        }
        Ok(Self { _tasks: tasks, log })
    }

    /// What was logged since the last call, in order. An entry is there before the client sees the
    /// answer that it is about.
    pub(crate) fn new_lines(&self) -> Vec<Line> {
        self.log.take()
    }
}

fn server(config: &TacacsServer) -> Server {
    let users: BTreeMap<String, Secret> = config
        .users
        .iter()
        .map(|(user, password)| (user.clone(), Secret::new(password.expose())))
        .collect();
    Server::new(Secret::new(config.secret.expose()), config.clients.clone(), users)
}

fn listen(node: &Node, port: u16) -> std::io::Result<TcpListener> {
    let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port);
    TcpListener::from_std(node.tcp_listener(address)?)
}

async fn serve(
    listener: TcpListener,
    server: Rc<Server>,
    write: impl FnMut(LogEntry) + Clone + 'static,
) {
    let places = Rc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        // A connection that failed before it was accepted is the client's matter.
        let Ok((stream, peer)) = listener.accept().await else { continue };
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
}
