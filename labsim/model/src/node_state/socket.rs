//! Sockets of a node, and which of them take a packet.

use super::NodeState;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};

/// A socket of TCP, UDP or a raw one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BoundSocket {
    /// The protocol's number: 6, 17, or that of a raw socket.
    pub protocol: u8,
    /// Whether it is raw: it sees a copy of the protocol's packets, with no port.
    #[serde(default)]
    pub raw: bool,
    /// Its own address and port; an unspecified address is any, and a raw socket's port is 0.
    pub local: SocketAddr,
    /// The one that it is connected to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<SocketAddr>,
    /// What it does.
    pub state: SocketState,
    /// The device that it is bound to (`SO_BINDTODEVICE`), where the kernel says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Of an IPv6 socket: whether it takes no IPv4 (`IPV6_V6ONLY`); absent if that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv6_only: Option<bool>,
}

/// What a socket does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SocketState {
    /// TCP: it takes new connections.
    Listening,
    /// TCP: a connection, established or on its way there or to its end.
    Connection,
    /// UDP and raw: it takes packets.
    Open,
}

impl BoundSocket {
    /// Whether it takes a packet to that address and port, by protocol, address and port: of TCP, a
    /// new connection. One of every IPv6 address may take IPv4 too, and is said to where that is
    /// not known.
    #[must_use]
    pub fn accepts(&self, protocol: u8, to: SocketAddr) -> bool {
        self.serves(protocol, to.port()) && self.takes_address(to.ip())
    }

    /// Whether it waits for packets of that protocol and port, at whatever address; a connected
    /// one does not.
    #[must_use]
    pub fn serves(&self, protocol: u8, port: u16) -> bool {
        let waits = self.state != SocketState::Connection && self.remote.is_none();
        !self.raw && waits && self.protocol == protocol && self.local.port() == port
    }

    fn takes_address(&self, address: IpAddr) -> bool {
        let own = self.local.ip().to_canonical();
        if own == address {
            return true;
        }
        match own {
            IpAddr::V4(own) => own.is_unspecified() && address.is_ipv4(),
            IpAddr::V6(own) => {
                own.is_unspecified() && (address.is_ipv6() || self.ipv6_only != Some(true))
            }
        }
    }
}

impl NodeState {
    /// The sockets that take a packet of that protocol to that address and port; of TCP, a new
    /// connection. Whether the address is the node's is another question.
    pub fn sockets_for(&self, protocol: u8, to: SocketAddr) -> impl Iterator<Item = &BoundSocket> {
        self.sockets.iter().filter(move |socket| socket.accepts(protocol, to))
    }

    /// The sockets that wait at that port, at whatever address: what listens elsewhere than where
    /// it is asked.
    pub fn sockets_at_port(&self, protocol: u8, port: u16) -> impl Iterator<Item = &BoundSocket> {
        self.sockets.iter().filter(move |socket| socket.serves(protocol, port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket(protocol: u8, local: &str, state: SocketState) -> BoundSocket {
        BoundSocket {
            protocol,
            raw: false,
            local: local.parse().unwrap(),
            remote: None,
            state,
            device: None,
            ipv6_only: None,
        }
    }

    fn found(sockets: &[BoundSocket], protocol: u8, to: &str) -> Vec<String> {
        let state = NodeState { sockets: sockets.to_vec(), ..NodeState::default() };
        let to = to.parse().unwrap();
        state.sockets_for(protocol, to).map(|socket| socket.local.to_string()).collect()
    }

    #[test]
    fn a_server_of_another_address_is_not_at_the_vip() {
        let sockets = [socket(6, "10.1.1.51:49", SocketState::Listening)];
        assert_eq!(found(&sockets, 6, "172.16.4.99:49"), [] as [&str; 0]);
        assert_eq!(found(&sockets, 6, "10.1.1.51:49"), ["10.1.1.51:49"]);
        assert_eq!(found(&sockets, 17, "10.1.1.51:49"), [] as [&str; 0]);
        let state = NodeState { sockets: sockets.to_vec(), ..NodeState::default() };
        assert_eq!(state.sockets_at_port(6, 49).count(), 1);
        assert_eq!(state.sockets_at_port(6, 50).count(), 0);
    }

    #[test]
    fn an_unspecified_address_is_any_of_its_family() {
        let any = socket(6, "0.0.0.0:49", SocketState::Listening);
        let mut any6 = socket(6, "[::]:49", SocketState::Listening);
        let both = [any.clone(), any6.clone()];
        assert_eq!(found(&both, 6, "172.16.4.99:49"), ["0.0.0.0:49", "[::]:49"]);
        assert_eq!(found(&both, 6, "[2001:db8::1]:49"), ["[::]:49"]);
        any6.ipv6_only = Some(true);
        assert_eq!(found(&[any, any6], 6, "172.16.4.99:49"), ["0.0.0.0:49"]);
        let mapped = socket(17, "[::ffff:10.1.1.51]:1812", SocketState::Open);
        assert_eq!(found(&[mapped], 17, "10.1.1.51:1812").len(), 1);
    }

    #[test]
    fn connections_connected_and_raw_sockets_take_nothing_new() {
        let connection = socket(6, "10.1.1.51:49", SocketState::Connection);
        let mut connected = socket(17, "10.1.1.51:49", SocketState::Open);
        connected.remote = Some("10.1.1.2:1".parse().unwrap());
        let mut raw = socket(6, "0.0.0.0:49", SocketState::Open);
        raw.raw = true;
        let all = [connection, connected, raw];
        assert_eq!(found(&all, 6, "10.1.1.51:49"), [] as [&str; 0]);
        assert_eq!(found(&all, 17, "10.1.1.51:49"), [] as [&str; 0]);
    }
}
