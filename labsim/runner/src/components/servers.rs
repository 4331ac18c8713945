//! The built-in servers of a node: sockets in its namespace, served on the scenario's thread.

mod binding;
mod listener;
mod radius;
mod services;
mod tacacs;

pub use binding::serve;

use crate::component::{Component, Pending, Shutdown, done};
use crate::datagrams::ServerQueue;
use crate::error::RunError;
use crate::logbook::{LogWriter, Logbook};
use crate::plan::ServerPart;
use crate::quiesce::until_closed;
use binding::Binding;
use labsim_aaa::log::LogEntry;
use labsim_codes::run;
use labsim_event::Event;
use labsim_lab::{Lab, now_ns};
use labsim_scenario::model::{NodeName, Service};
use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use std::time::Instant;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A line of a server's log.
pub(crate) struct LogLine {
    /// The server's node.
    pub(crate) node: NodeName,
    /// When it was logged, in nanoseconds since 1970.
    pub(crate) time_ns: u64,
    pub(crate) entry: LogEntry,
}

/// What all servers of a lab logged, in order. An entry is there before the client sees the answer
/// that it is about.
#[derive(Clone, Default)]
pub(crate) struct ServerLog(Rc<RefCell<Vec<LogLine>>>);

impl ServerLog {
    /// What was logged since the last call.
    pub(crate) fn take(&self) -> Vec<LogLine> {
        self.0.take()
    }

    /// Where the server on `node` writes; its lines go to `also` as well.
    fn writer(&self, node: &NodeName, also: LogWriter) -> impl FnMut(LogEntry) + Clone + 'static {
        let (log, node) = (Rc::clone(&self.0), node.clone());
        move |entry: LogEntry| {
            also.line(|| entry.to_string());
            let line = LogLine { node: node.clone(), time_ns: now_ns(), entry };
            RefCell::borrow_mut(&log).push(line);
        }
    }
}

/// The servers of one node.
pub(crate) struct NodeServers {
    part: ServerPart,
    log: ServerLog,
    logbook: Logbook,
    /// `None` where they do not run.
    tasks: Option<Tasks>,
    /// Whether the last start has failed.
    has_failed: bool,
    /// Those that were stopped and still have connections.
    closing: JoinSet<()>,
}

/// Running servers; dropping them closes every socket.
#[derive(Default)]
struct Tasks {
    all: JoinSet<()>,
    /// What waits for the servers that are asked by datagrams.
    queues: Vec<ServerQueue>,
    /// Tells them to accept no more connections.
    closing: watch::Sender<bool>,
}

impl NodeServers {
    pub(super) fn new(part: ServerPart, log: ServerLog, logbook: Logbook) -> Self {
        Self { part, log, logbook, tasks: None, has_failed: false, closing: JoinSet::new() }
    }

    pub(super) fn node(&self) -> &NodeName {
        &self.part.node
    }

    /// How they are configured.
    pub(super) fn part(&self) -> &ServerPart {
        &self.part
    }

    /// Configures them in another way, which holds from their next start on.
    pub(super) fn set_part(&mut self, part: ServerPart) {
        self.part = part;
    }

    /// Whether they were to start, and could not.
    pub(super) fn has_failed(&self) -> bool {
        self.has_failed
    }

    /// What they are.
    pub(super) fn kinds(&self) -> impl Iterator<Item = String> {
        let tacacs = self.part.tacacs.is_some().then_some(TACACS);
        let radius = self.part.radius.is_some().then_some(RADIUS);
        let services = self.part.services.iter().map(service_kind);
        let aaa = tacacs.into_iter().chain(radius).map(str::to_owned);
        aaa.chain(services)
    }

    /// Whether they listen.
    pub(crate) fn listen(&self) -> bool {
        self.tasks.is_some()
    }

    /// Closes the listening sockets; open connections go on to their end.
    pub(crate) async fn stop_listening(&mut self) {
        let Some(mut tasks) = self.tasks.take() else { return };
        tasks.closing.send_replace(true);
        // Each lets go of it once its socket is closed.
        tasks.closing.closed().await;
        until_closed().await;
        self.closing.spawn_local(async move { while tasks.all.join_next().await.is_some() {} });
    }

    /// Closes the listening sockets and all connections that they accepted.
    pub(crate) async fn stop_all(&mut self) {
        if let Some(mut tasks) = self.tasks.take() {
            tasks.all.shutdown().await;
            until_closed().await;
        }
    }
}

/// What servers are.
const TACACS: &str = "TACACS+ server";
const RADIUS: &str = "RADIUS server";

fn service_kind(service: &Service) -> String {
    format!("{} server", service.name())
}

impl ServerPart {
    /// They listen when this returns. `log` makes where a server of a kind writes.
    fn start<W: FnMut(LogEntry) + Clone + 'static>(
        &self,
        binding: &impl Binding,
        log: impl Fn(&str) -> W,
    ) -> Result<Tasks, RunError> {
        let mut tasks = Tasks::default();
        let name = &self.node;
        if let Some(config) = &self.tacacs {
            let context = format!("the TACACS+ server on {name}, port {}", config.port);
            tacacs::start(binding, config, log(TACACS), &mut tasks)
                .map_err(RunError::from_source(run::SERVER_FAILED, context))?;
        }
        if let Some(config) = &self.radius {
            let (authentication, accounting) = (config.authentication_port, config.accounting_port);
            let context =
                format!("the RADIUS server on {name}, ports {authentication} and {accounting}");
            radius::start(binding, config, &log(RADIUS), &mut tasks)
                .map_err(RunError::from_source(run::SERVER_FAILED, context))?;
        }
        for service in &self.services {
            let context =
                format!("the {} server on {name}, {}", service.name(), service.shown_ports());
            services::start(binding, (name, service), &log(&service_kind(service)), &mut tasks)
                .map_err(RunError::from_source(run::SERVER_FAILED, context))?;
        }
        Ok(tasks)
    }
}

impl Component<Lab> for NodeServers {
    fn name(&self) -> String {
        format!("the servers on {}", self.part.node)
    }

    /// They listen when this returns.
    fn start(&mut self, lab: &Lab, _emit: &dyn Fn(Event)) -> Result<(), RunError> {
        let name = &self.part.node;
        let node = lab.node(name).ok_or_else(|| RunError::unknown_node(name))?;
        let log = |kind: &str| self.log.writer(name, self.logbook.writer(name, kind));
        let started = self.part.start(node, log);
        self.has_failed = started.is_err();
        self.tasks = Some(started?);
        Ok(())
    }

    /// Of datagrams that nobody answers, only the servers' logs tell.
    fn flush(&mut self, deadline: Instant) -> Pending<'_> {
        Box::pin(async move {
            let queues = self.tasks.iter().flat_map(|tasks| &tasks.queues);
            for queue in queues {
                while !queue.is_empty() && Instant::now() < deadline {
                    tokio::task::yield_now().await;
                }
            }
            Ok(())
        })
    }

    fn stop<'a>(&'a mut self, _how: Shutdown, _emit: &'a dyn Fn(Event)) -> Pending<'a> {
        drop(self.tasks.take());
        self.closing.abort_all();
        done(Ok(()))
    }
}

/// Where a server listens: at the given addresses, or, without any, at every address of the node,
/// its own and the VIPs, by a socket for each family that it has.
fn listen_at(addresses: &[IpAddr], has_ipv6: bool, port: u16) -> Vec<SocketAddr> {
    let ipv6 = has_ipv6.then_some(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
    let every = std::iter::once(IpAddr::V4(Ipv4Addr::UNSPECIFIED)).chain(ipv6);
    let every = every.filter(|_| addresses.is_empty());
    addresses.iter().copied().chain(every).map(|at| SocketAddr::new(at, port)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::path::Path;

    /// This process's network namespace.
    struct Here;

    impl Binding for Here {
        fn has_ipv6(&self) -> bool {
            false
        }

        fn tcp_listener(&self, address: SocketAddr) -> std::io::Result<std::net::TcpListener> {
            labsim_lab::sockets::tcp_listener(address)
        }

        fn udp_socket(&self, address: SocketAddr) -> std::io::Result<UdpSocket> {
            labsim_lab::sockets::udp_socket(address)
        }
    }

    /// A collector of syslog messages on loopback, and its address.
    fn collector() -> (ServerPart, SocketAddr) {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/syslog-udp.yaml");
        let scenario = labsim_scenario::load(file.as_path()).unwrap().scenario;
        let mut part = ServerPart::of(&scenario, &NodeName::new("rs1").unwrap());
        // No other process has this address of loopback.
        let [_, _, high, low] = std::process::id().to_be_bytes();
        let address = SocketAddr::from(([127, high, low, 1], 5514));
        part.services[0].addresses = vec![address.ip()];
        part.services[0].ports = vec![address.port()];
        (part, address)
    }

    #[test]
    fn what_has_arrived_and_is_not_answered_is_in_the_log_after_a_flush() {
        const MESSAGES: usize = 200;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, async {
            let (part, address) = collector();
            let log = ServerLog::default();
            let mut servers = NodeServers::new(part, log.clone(), Logbook::default());
            let node = servers.node().clone();
            let writer = |kind: &str| log.writer(&node, servers.logbook.writer(&node, kind));
            servers.tasks = Some(servers.part.start(&Here, writer).unwrap());
            let client = UdpSocket::bind("127.0.0.1:0").unwrap();
            for _ in 0..MESSAGES {
                client.send_to(b"<134>1 - - - - - - up", address).unwrap();
            }
            assert!(log.take().is_empty(), "no task has run yet");
            let deadline = Instant::now() + std::time::Duration::from_secs(60);
            servers.flush(deadline).await.unwrap();
            assert_eq!(log.take().len(), MESSAGES);
        });
    }
}
