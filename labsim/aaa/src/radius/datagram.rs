//! Datagram sockets as the drivers need them. The owner of the sockets implements these traits; an
//! `async fn` in the implementation is fine.
//!
//! Receiving has to be cancel-safe, as it is with tokio's sockets: a future that is dropped before
//! it is ready has taken nothing.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};

/// A client's socket. It must not be connected: the kernel would drop what comes from another
/// address, and the session could not tell.
pub trait Datagrams {
    /// Sends one datagram.
    fn send_to(&mut self, bytes: &[u8], to: SocketAddr) -> impl Future<Output = io::Result<()>>;

    /// Waits for one datagram: bytes of it in `buffer` (what does not fit is lost), and where it
    /// came from.
    fn recv_from(
        &mut self,
        buffer: &mut [u8],
    ) -> impl Future<Output = io::Result<(usize, SocketAddr)>>;
}

/// A datagram that came to a server's socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// Bytes of it in the buffer; what does not fit is lost.
    pub length: usize,
    /// Where it came from.
    pub peer: SocketAddr,
    /// The address that it was sent to (`IP_PKTINFO`, ip(7)), and the socket's port. A socket that
    /// does not ask for packet info gives its own address, mostly 0.0.0.0.
    pub local: SocketAddr,
}

/// A server's socket.
pub trait ReplySocket {
    /// Waits for one datagram.
    fn recv(&mut self, buffer: &mut [u8]) -> impl Future<Output = io::Result<Received>>;

    /// Sends one datagram: from that address (`IP_PKTINFO`), or, without one, from the address
    /// that the kernel takes, which is that of the interface towards the peer.
    fn send(
        &mut self,
        bytes: &[u8],
        to: SocketAddr,
        from: Option<IpAddr>,
    ) -> impl Future<Output = io::Result<()>>;
}
