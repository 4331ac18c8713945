//! RADIUS's sockets: the lab's UDP sockets on the scenario's event loop.

use labsim_aaa::radius::datagram::{Datagrams, Received, ReplySocket};
use labsim_lab::{packet_info, sockets};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::{Rc, Weak};
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// A client's socket, bound to the client's own address.
pub(crate) struct ClientSocket(UdpSocket);

impl ClientSocket {
    /// Takes a nonblocking socket.
    pub(crate) fn new(socket: std::net::UdpSocket) -> io::Result<Self> {
        Ok(Self(UdpSocket::from_std(socket)?))
    }
}

impl Datagrams for ClientSocket {
    async fn send_to(&mut self, bytes: &[u8], to: SocketAddr) -> io::Result<()> {
        self.0.send_to(bytes, to).await.map(drop)
    }

    async fn recv_from(&mut self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.0.recv_from(buffer).await
    }
}

/// A server's socket, bound to no address in particular.
pub(crate) struct ServerSocket {
    socket: Rc<UdpSocket>,
    local: SocketAddr,
}

/// The queue of a server's socket. It does not keep the socket open.
pub(crate) struct ServerQueue(Weak<UdpSocket>);

impl ServerQueue {
    /// Whether nothing in it waits for the server.
    pub(crate) fn is_empty(&self) -> bool {
        !self.0.upgrade().is_some_and(|socket| sockets::has_datagram(&*socket))
    }
}

impl ServerSocket {
    /// Takes a nonblocking socket; `packet_info` tells whether it learns at which address it was
    /// asked.
    pub(crate) fn new(socket: std::net::UdpSocket, packet_info: bool) -> io::Result<Self> {
        if packet_info {
            packet_info::enable(&socket)?;
        }
        let local = socket.local_addr()?;
        Ok(Self { socket: Rc::new(UdpSocket::from_std(socket)?), local })
    }

    pub(crate) fn queue(&self) -> ServerQueue {
        ServerQueue(Rc::downgrade(&self.socket))
    }
}

impl ReplySocket for ServerSocket {
    async fn recv(&mut self, buffer: &mut [u8]) -> io::Result<Received> {
        let socket = &self.socket;
        let receive = || packet_info::receive(socket, buffer);
        let got = socket.async_io(Interest::READABLE, receive).await?;
        let at = got.to.unwrap_or(self.local.ip());
        let local = SocketAddr::new(at, self.local.port());
        Ok(Received { length: got.length, peer: got.peer, local })
    }

    async fn send(&mut self, bytes: &[u8], to: SocketAddr, from: Option<IpAddr>) -> io::Result<()> {
        let socket = &self.socket;
        let send = || packet_info::send(socket, bytes, to, from);
        socket.async_io(Interest::WRITABLE, send).await
    }
}
