//! Which ports of a node are open, as its kernel lists them: asking it sends no packet.

use crate::lab::Node;
use crate::state::sockets;
use labsim_model::node_state::{BoundSocket, SocketState};
use std::fs;
use std::io;

/// A port of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// A listening TCP socket's.
    Tcp(u16),
    /// A bound UDP socket's.
    Udp(u16),
}

impl Node {
    /// Whether a process in the node has a port open (proc_net_tcp in the kernel's documentation).
    ///
    /// # Errors
    /// The node's sockets cannot be read.
    pub fn is_open(&self, port: Port) -> io::Result<bool> {
        let (name, protocol, number) = match port {
            Port::Tcp(number) => ("tcp", sockets::TCP, number),
            Port::Udp(number) => ("udp", sockets::UDP, number),
        };
        // Of TCP a listener, of UDP a socket without a peer.
        let is_it = |socket: BoundSocket| {
            socket.local.port() == number
                && socket.remote.is_none()
                && socket.state != SocketState::Connection
        };
        self.run_passive(|| {
            for name in [name.to_owned(), format!("{name}6")] {
                match fs::read_to_string(format!("/proc/thread-self/net/{name}")) {
                    Ok(table) if sockets::parse(&table, protocol).any(is_it) => return Ok(true),
                    Ok(_) => {}
                    // A kernel without IPv6.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(false)
        })?
    }
}
