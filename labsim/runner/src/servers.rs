//! The built-in servers: sockets in the nodes' namespaces, served on the scenario's thread.

mod radius;
mod tacacs;

use crate::fault::Fault;
use labsim_aaa::Secret;
use labsim_aaa::log::LogEntry;
use labsim_lab::Lab;
use labsim_scenario::model::{self, NodeName, Scenario};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use tokio::task::JoinSet;

/// A server's node and a line of its log.
pub(crate) type Line = (NodeName, LogEntry);

/// Running servers; dropping them closes every socket.
pub(crate) struct Servers {
    _tasks: JoinSet<()>,
    log: Log,
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

impl Servers {
    /// Starts every server of the scenario; they listen when this returns.
    ///
    /// Has to be called inside a `LocalSet`.
    pub(crate) fn start(lab: &Lab, scenario: &Scenario) -> Result<Self, Fault> {
        let mut tasks = JoinSet::new();
        let log = Log::default();
        for (name, config) in &scenario.tacacs_servers {
            let node = lab.node(name).ok_or_else(|| Fault::no_node(name))?;
            let what = format!("the TACACS+ server on {name}, port {}", config.port);
            tacacs::start(node, config, log.of(name), &mut tasks).map_err(Fault::broken(&what))?;
        }
        for (name, config) in &scenario.radius_servers {
            let node = lab.node(name).ok_or_else(|| Fault::no_node(name))?;
            let (authentication, accounting) = (config.authentication_port, config.accounting_port);
            let what =
                format!("the RADIUS server on {name}, ports {authentication} and {accounting}");
            radius::start(node, config, &log.of(name), &mut tasks).map_err(Fault::broken(&what))?;
        }
        Ok(Self { _tasks: tasks, log })
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

/// Every address of the node: its own and the VIPs.
fn everywhere(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port)
}
