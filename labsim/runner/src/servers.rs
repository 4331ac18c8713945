//! The built-in servers: sockets in the nodes' namespaces, served on the scenario's thread.

mod radius;
mod tacacs;

use crate::fault::Fault;
use labsim_aaa::Secret;
use labsim_aaa::log::LogEntry;
use labsim_lab::{Lab, Node};
use labsim_scenario::model::{self, NodeName, Scenario};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A server's node and a line of its log.
pub(crate) type Line = (NodeName, LogEntry);

/// Running servers; dropping them closes every socket.
pub(crate) struct Servers<'a> {
    lab: &'a Lab,
    scenario: &'a Scenario,
    /// By node; a node whose servers were stopped is not among them.
    tasks: BTreeMap<NodeName, Tasks>,
    /// Those that were stopped and have connections.
    kept: JoinSet<()>,
    log: Log,
}

/// One node's servers.
#[derive(Default)]
struct Tasks {
    all: JoinSet<()>,
    /// Hears when they are to take no more connections; those that have none know nothing of it.
    closing: watch::Sender<bool>,
}

/// The servers' common log.
#[derive(Clone, Default)]
struct Log(Rc<RefCell<Vec<Line>>>);

impl Log {
    /// Where the server on `node` writes.
    fn of(&self, node: &NodeName) -> impl FnMut(LogEntry) + Clone + 'static {
        let (log, node) = (Rc::clone(&self.0), node.clone());
        move |entry| RefCell::borrow_mut(&log).push((node.clone(), entry))
    }
}

impl<'a> Servers<'a> {
    /// Starts every server of the scenario; they listen when this returns.
    ///
    /// Has to be called inside a `LocalSet`.
    pub(crate) fn start(lab: &'a Lab, scenario: &'a Scenario) -> Result<Self, Fault> {
        let mut servers = Self {
            lab,
            scenario,
            tasks: BTreeMap::new(),
            kept: JoinSet::new(),
            log: Log::default(),
        };
        for name in scenario.tacacs_servers.keys().chain(scenario.radius_servers.keys()) {
            if !servers.tasks.contains_key(name) {
                servers.start_on(name)?;
            }
        }
        Ok(servers)
    }

    /// Starts the servers of one node; they listen when this returns.
    ///
    /// Has to be called inside a `LocalSet`.
    pub(crate) fn start_on(&mut self, name: &NodeName) -> Result<(), Fault> {
        let mut tasks = Tasks::default();
        let node = self.lab.node(name).ok_or_else(|| Fault::no_node(name))?;
        if let Some(config) = self.scenario.tacacs_servers.get(name) {
            let what = format!("the TACACS+ server on {name}, port {}", config.port);
            let log = self.log.of(name);
            tacacs::start(node, config, log, &mut tasks).map_err(Fault::broken(&what))?;
        }
        if let Some(config) = self.scenario.radius_servers.get(name) {
            let (authentication, accounting) = (config.authentication_port, config.accounting_port);
            let what =
                format!("the RADIUS server on {name}, ports {authentication} and {accounting}");
            let log = self.log.of(name);
            radius::start(node, config, &log, &mut tasks).map_err(Fault::broken(&what))?;
        }
        self.tasks.insert(name.clone(), tasks);
        Ok(())
    }

    /// Stops the servers of one node: nobody listens when this returns, and connections are closed
    /// unless they are kept.
    pub(crate) async fn stop_on(&mut self, name: &NodeName, keep: bool) -> Result<(), Fault> {
        let mut tasks = self
            .tasks
            .remove(name)
            .ok_or_else(|| Fault::Broken(format!("no server runs on {name}")))?;
        if keep {
            tasks.closing.send_replace(true);
            // Each lets go of it once nobody listens there.
            tasks.closing.closed().await;
            self.kept.spawn_local(async move { while tasks.all.join_next().await.is_some() {} });
        } else {
            tasks.all.shutdown().await;
        }
        Ok(())
    }

    /// What was logged since the last call, in order. An entry is there before the client sees the
    /// answer that it is about.
    pub(crate) fn new_lines(&self) -> Vec<Line> {
        self.log.0.take()
    }
}

fn users(users: &BTreeMap<String, model::Secret>) -> BTreeMap<String, Secret> {
    let own = users.iter();
    own.map(|(user, password)| (user.clone(), Secret::new(password.expose()))).collect()
}

/// Every address of the node, its own and the VIPs: a socket for each family that there is.
fn everywhere(node: &Node, port: u16) -> impl Iterator<Item = SocketAddr> {
    let ipv6 = node.plan().addresses.iter().any(|it| it.address.addr().is_ipv6());
    let ipv6 = ipv6.then_some(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
    let each = std::iter::once(IpAddr::V4(Ipv4Addr::UNSPECIFIED)).chain(ipv6);
    each.map(move |any| SocketAddr::new(any, port))
}
