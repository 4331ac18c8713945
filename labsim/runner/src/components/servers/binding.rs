//! Where servers listen: in a node of a lab, or in the network namespace of the process.

use crate::cancel::Cancelled;
use crate::error::RunError;
use crate::plan::ServerPart;
use labsim_aaa::log::LogEntry;
use labsim_codes::run;
use labsim_lab::{Node, sockets};
use labsim_scenario::model::{NodeName, Scenario};
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};

/// Makes the sockets of servers.
pub(super) trait Binding {
    /// Whether there are IPv6 addresses to listen at.
    fn has_ipv6(&self) -> bool;
    /// A listening TCP socket, nonblocking.
    fn tcp_listener(&self, address: SocketAddr) -> io::Result<TcpListener>;
    /// A UDP socket, nonblocking.
    fn udp_socket(&self, address: SocketAddr) -> io::Result<UdpSocket>;
}

impl Binding for Node {
    fn has_ipv6(&self) -> bool {
        self.plan().addresses.iter().any(|it| it.address.addr().is_ipv6())
    }

    fn tcp_listener(&self, address: SocketAddr) -> io::Result<TcpListener> {
        Self::tcp_listener(self, address)
    }

    fn udp_socket(&self, address: SocketAddr) -> io::Result<UdpSocket> {
        Self::udp_socket(self, address)
    }
}

/// The network namespace of the process.
struct CurrentNamespace {
    has_ipv6: bool,
}

impl Binding for CurrentNamespace {
    fn has_ipv6(&self) -> bool {
        self.has_ipv6
    }

    fn tcp_listener(&self, address: SocketAddr) -> io::Result<TcpListener> {
        sockets::tcp_listener(address)
    }

    fn udp_socket(&self, address: SocketAddr) -> io::Result<UdpSocket> {
        sockets::udp_socket(address)
    }
}

/// Runs the built-in servers of a scenario's node in the network namespace of the process, until
/// `cancelled`. `ready` is called once they listen, `log` with what they log.
///
/// # Errors
/// An address cannot be bound.
pub fn serve(
    scenario: &Scenario,
    node: &NodeName,
    mut cancelled: Cancelled,
    ready: impl FnOnce(),
    log: impl FnMut(LogEntry) + Clone + 'static,
) -> Result<(), RunError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(RunError::from_source(run::PROCESS_LIMIT, "the servers' event loop"))?;
    let has_ipv6 = scenario.topology.node(node).is_some_and(|node| {
        let mut addresses = node.interfaces.iter().flat_map(|it| &it.addresses);
        addresses.any(|net| matches!(net.addr(), IpAddr::V6(_)))
    });
    let servers = ServerPart::of(scenario, node);
    tokio::task::LocalSet::new().block_on(&runtime, async move {
        let _tasks = servers.start(&CurrentNamespace { has_ipv6 }, |_| log.clone())?;
        ready();
        cancelled.wait().await;
        Ok(())
    })
}
