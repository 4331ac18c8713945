//! Sockets of a node, for use on any thread.

use crate::lab::Node;
use labsim_scenario::model::TunnelKind;
use labsim_sys::Errno;
use labsim_sys::socket::{PROTOCOL_RAW, raw};
use nix::sys::socket::{
    AddressFamily, Backlog, MsgFlags, SockFlag, SockType, SockaddrIn, SockaddrIn6, SockaddrStorage,
    bind, connect, listen, recv, sendto, setsockopt, socket, sockopt,
};
use std::io;
use std::net::{
    IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, TcpListener, TcpStream,
    UdpSocket,
};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::atomic::Ordering;

/// Not inherited by children, and ready for an event loop.
const FLAGS: SockFlag = SockFlag::SOCK_CLOEXEC.union(SockFlag::SOCK_NONBLOCK);

/// Connections that wait to be accepted, as std has it.
const BACKLOG: i32 = 128;

/// Where clients' ports begin, and how many there are: within what Linux picks ports from itself
/// (`net.ipv4.ip_local_port_range`).
const FIRST_CLIENT_PORT: u16 = 50_001;
const CLIENT_PORTS: u16 = 10_000;

/// Whether a datagram waits to be received.
#[must_use]
pub fn has_datagram(socket: impl AsFd) -> bool {
    let flags = MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT;
    // Of a longer datagram the rest is cut off, and it stays whole in the queue.
    recv(socket.as_fd().as_raw_fd(), &mut [0], flags).is_ok()
}

impl Node {
    /// A listening TCP socket, nonblocking. `SO_REUSEADDR` is set, as servers do; one that is bound
    /// to every IPv6 address takes no IPv4.
    ///
    /// # Errors
    /// The address cannot be bound: it is not the node's, or in use.
    pub fn tcp_listener(&self, address: SocketAddr) -> io::Result<TcpListener> {
        self.run_passive(|| tcp_listener(address))?
    }

    /// A TCP socket that is not connected, nonblocking, of the family of `to`.
    /// `tokio::net::TcpSocket::from_std_stream` takes it.
    ///
    /// A node's clients have one port after the other, the same in every run: what is chosen by a
    /// port, such as a member by Maglev's hash, is chosen again. A port that is taken is left to
    /// the kernel. A port of the caller's choice, `own_port`, is not: a connection that it had
    /// before may still be in TIME_WAIT.
    ///
    /// # Errors
    /// The socket cannot be made, or the port of the caller's choice is in use.
    pub fn tcp_socket(&self, to: SocketAddr, own_port: Option<u16>) -> io::Result<TcpStream> {
        let family = if to.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
        let port = own_port.unwrap_or_else(|| {
            FIRST_CLIENT_PORT + self.clients.fetch_add(1, Ordering::Relaxed) % CLIENT_PORTS
        });
        self.run(|| {
            let socket = socket(family, SockType::Stream, FLAGS, None)?;
            if own_port.is_some() {
                setsockopt(&socket, sockopt::ReuseAddr, &true)?;
            }
            let bound = match to {
                SocketAddr::V4(_) => {
                    let any = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port);
                    bind(socket.as_raw_fd(), &SockaddrIn::from(any))
                }
                SocketAddr::V6(_) => {
                    let any = SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, port, 0, 0);
                    bind(socket.as_raw_fd(), &SockaddrIn6::from(any))
                }
            };
            match bound {
                Ok(()) => Ok(socket.into()),
                Err(Errno::EADDRINUSE) if own_port.is_none() => Ok(socket.into()),
                Err(errno) => Err(errno.into()),
            }
        })?
    }

    /// A UDP socket bound to `address`, nonblocking; to every IPv6 address, it takes no IPv4.
    ///
    /// # Errors
    /// The address cannot be bound: it is not the node's, or in use.
    pub fn udp_socket(&self, address: SocketAddr) -> io::Result<UdpSocket> {
        self.run(|| udp_socket(address))?
    }

    /// Sockets that receive every packet of a tunnel for the node, nonblocking: GUE's a UDP socket of
    /// its port; otherwise raw ones that receive every packet of its protocols, one for each of
    /// [`TunnelKind::ip_protocols`] (raw(7)): with the outer header if that is IPv4's,
    /// without if it is IPv6's. While they are open the kernel sends no `protocol unreachable` for
    /// them.
    ///
    /// # Errors
    /// A socket cannot be made.
    pub fn tunnel_sockets(&self, kind: TunnelKind) -> io::Result<Vec<OwnedFd>> {
        if let Some(gue) = kind.gue() {
            let any: IpAddr = match kind.outer_ipv4() {
                true => Ipv4Addr::UNSPECIFIED.into(),
                false => Ipv6Addr::UNSPECIFIED.into(),
            };
            let address = SocketAddr::new(any, gue.port);
            return self.run_passive(|| Ok(vec![bound(address, SockType::Datagram)?]))?;
        }
        let protocols = kind.ip_protocols().iter();
        self.run_passive(|| protocols.map(|protocol| raw(kind.outer_ipv4(), *protocol)).collect())?
    }

    /// A raw socket that sends whole packets of a family and receives none, nonblocking (raw(7),
    /// `IPPROTO_RAW`).
    ///
    /// # Errors
    /// The socket cannot be made.
    pub fn ip_socket(&self, ipv4: bool) -> io::Result<OwnedFd> {
        self.run(|| raw(ipv4, PROTOCOL_RAW))?
    }

    /// The same, connected: what is sent needs no address, and the node's kernel routes it to `to`.
    ///
    /// # Errors
    /// The socket cannot be created, or there is no route.
    pub fn ip_socket_to(&self, to: IpAddr) -> io::Result<OwnedFd> {
        self.run(|| {
            let socket = raw(to.is_ipv4(), PROTOCOL_RAW)?;
            connect(socket.as_raw_fd(), &SockaddrStorage::from(SocketAddr::new(to, 0)))?;
            Ok(socket)
        })?
    }

    /// Sends an IP packet as it is, but for an IPv4 header's checksum, and its identification if
    /// that is 0 (raw(7), `IPPROTO_RAW`): the node's kernel routes it to `to`.
    ///
    /// # Errors
    /// The socket cannot be made, or the kernel refuses the packet: there is no route, or it is
    /// longer than the first link takes.
    pub fn send_ip(&self, packet: &[u8], to: IpAddr) -> io::Result<()> {
        self.run(|| send_here(packet, to))?
    }

    /// The address that the node's kernel takes for packets to `to` (udp(7): connecting sends
    /// nothing).
    ///
    /// # Errors
    /// There is no route.
    pub fn source_towards(&self, to: SocketAddr) -> io::Result<IpAddr> {
        let any: IpAddr = match to {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        self.run(|| {
            let socket = UdpSocket::bind((any, 0))?;
            socket.connect(to)?;
            Ok(socket.local_addr()?.ip())
        })?
    }

    /// A packet socket for whole frames, nonblocking and bound to nothing: it receives nothing
    /// until it is bound to a protocol and an interface (packet(7)).
    ///
    /// # Errors
    /// The socket cannot be made.
    pub fn packet_socket(&self) -> io::Result<OwnedFd> {
        self.run(labsim_sys::packet::open)?
    }
}

/// A socket bound to an address, of its family alone.
fn bound(address: SocketAddr, kind: SockType) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let socket = socket(family, kind, FLAGS, None)?;
    if kind == SockType::Stream {
        setsockopt(&socket, sockopt::ReuseAddr, &true)?;
    }
    if address.is_ipv6() {
        setsockopt(&socket, sockopt::Ipv6V6Only, &true)?;
    }
    bind(socket.as_raw_fd(), &SockaddrStorage::from(address))?;
    Ok(socket)
}

/// As [`Node::tcp_listener`], in the calling thread's namespace.
///
/// # Errors
/// The address cannot be bound: it is not the host's, or in use.
pub fn tcp_listener(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = bound(address, SockType::Stream)?;
    listen(&socket, Backlog::new(BACKLOG)?)?;
    Ok(socket.into())
}

/// As [`Node::udp_socket`], in the calling thread's namespace.
///
/// # Errors
/// The address cannot be bound: it is not the host's, or in use.
pub fn udp_socket(address: SocketAddr) -> io::Result<UdpSocket> {
    Ok(bound(address, SockType::Datagram)?.into())
}

/// Sends an IP packet from the calling thread's namespace.
pub(crate) fn send_here(packet: &[u8], to: IpAddr) -> io::Result<()> {
    let socket = raw(to.is_ipv4(), PROTOCOL_RAW)?;
    let to = SockaddrStorage::from(SocketAddr::new(to, 0));
    sendto(socket.as_raw_fd(), packet, &to, MsgFlags::empty())?;
    Ok(())
}
