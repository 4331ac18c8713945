//! Which ports of a node are open, as its kernel lists them: asking it sends no packet.

use crate::lab::Node;
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

/// The states that count: `TCP_LISTEN`, and that of a UDP socket without a peer (`TCP_CLOSE`;
/// include/net/tcp_states.h).
const LISTENS: &str = "0A";
const BOUND: &str = "07";

impl Node {
    /// Whether somebody in the node has a port open (proc_net_tcp in the kernel's documentation).
    ///
    /// # Errors
    /// The node's sockets cannot be read.
    pub fn is_open(&self, port: Port) -> io::Result<bool> {
        let (name, state, number) = match port {
            Port::Tcp(number) => ("tcp", LISTENS, number),
            Port::Udp(number) => ("udp", BOUND, number),
        };
        self.run(|| {
            for name in [name.to_owned(), format!("{name}6")] {
                match fs::read_to_string(format!("/proc/thread-self/net/{name}")) {
                    Ok(table) if lists(&table, state, number) => return Ok(true),
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

/// Whether a table has a socket of that state on that port.
fn lists(table: &str, state: &str, port: u16) -> bool {
    table.lines().skip(1).any(|line| {
        let mut columns = line.split_ascii_whitespace();
        let local = columns.nth(1).and_then(|local| local.rsplit_once(':'));
        let found = local.and_then(|(_, port)| u16::from_str_radix(port, 16).ok());
        found == Some(port) && columns.nth(1) == Some(state)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0714 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1 2 0 0
   1: 0100007F:0031 0A01010A:0016 01 00000000:00000000 00:00000000 00000000     0        0 2 1 0 0
";

    #[test]
    fn a_port_is_open_if_a_socket_of_the_right_state_is_on_it() {
        assert!(lists(TABLE, BOUND, 1812));
        assert!(!lists(TABLE, BOUND, 1813));
        assert!(!lists(TABLE, LISTENS, 0x31), "an established connection is no listener");
        assert!(!lists(TABLE, BOUND, 0x16), "the peer's port is not the node's");
    }

    #[test]
    fn a_broken_table_lists_nothing() {
        for table in ["", "\n\n", "header\n0: 1", "header\n0: x:zz y 07", "header\n0: :0714"] {
            assert!(!lists(table, BOUND, 1812), "{table:?}");
        }
    }
}
