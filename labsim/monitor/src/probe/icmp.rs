//! ICMP echo (RFC 792, RFC 4443), over a raw socket (raw(7)), which needs CAP_NET_RAW in the namespace.

use super::{Failure, ProbeTarget};
use labsim_sys::async_fd::register;
use labsim_wire::{checksum, icmpv4, icmpv6, ipv4, protocol};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrStorage, bind, connect,
    recv, send, socket,
};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicU16, Ordering};
use tokio::io::unix::AsyncFd;

const ECHO_REPLY: u8 = 0;
const ECHO_REQUEST: u8 = 8;
/// Each probe has its own identifier, which identifies its reply and its member.
static IDENTIFIER: AtomicU16 = AtomicU16::new(0);

pub(super) async fn ask(target: &ProbeTarget<'_>) -> Result<String, Failure> {
    let (from, to) = (target.from.ip(), target.address.ip());
    let (family, kind, transport) = match to {
        IpAddr::V4(_) => (AddressFamily::Inet, SockProtocol::Icmp, protocol::ICMP),
        IpAddr::V6(_) => (AddressFamily::Inet6, SockProtocol::IcmpV6, protocol::ICMPV6),
    };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(family, SockType::Raw, flags, kind).map_err(io::Error::from)?;
    target.mark(&socket)?;
    let address = |ip| SockaddrStorage::from(SocketAddr::new(ip, 0));
    bind(socket.as_raw_fd(), &address(from)).map_err(io::Error::from)?;
    // The socket receives packets of the target only.
    connect(socket.as_raw_fd(), &address(to)).map_err(io::Error::from)?;
    let identifier = IDENTIFIER.fetch_add(1, Ordering::Relaxed);
    target.register(transport, SocketAddr::new(from, identifier));
    let [high, low] = identifier.to_be_bytes();
    let request = match to {
        IpAddr::V4(_) => {
            let mut request = [ECHO_REQUEST, 0, 0, 0, high, low, 0, 1];
            let sum = checksum::of(&request).to_be_bytes();
            request[2..4].copy_from_slice(&sum);
            request
        }
        // The kernel fills the checksum in (RFC 3542 3.1).
        IpAddr::V6(_) => [icmpv6::kind::ECHO_REQUEST, 0, 0, 0, high, low, 0, 1],
    };
    send(socket.as_raw_fd(), &request, MsgFlags::empty()).map_err(io::Error::from)?;
    let socket = register(socket)?;
    let mut buffer = [0; 512];
    loop {
        let length = receive(&socket, &mut buffer).await?;
        let packet = buffer.get(..length).unwrap_or_default();
        let is_answer = match to {
            IpAddr::V4(_) => is_reply(packet, [high, low]),
            IpAddr::V6(_) => is_reply_v6(packet, [high, low]),
        };
        if is_answer {
            return Ok("it answered the echo request".to_owned());
        }
    }
}

async fn receive(socket: &AsyncFd<OwnedFd>, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        let mut ready = socket.readable().await?;
        let read = ready.try_io(|socket| {
            recv(socket.as_raw_fd(), buffer, MsgFlags::empty()).map_err(io::Error::from)
        });
        if let Ok(result) = read {
            return result;
        }
    }
}

/// A raw IPv6 socket's packets begin behind their headers, and the kernel has judged the checksum.
fn is_reply_v6(message: &[u8], identifier: [u8; 2]) -> bool {
    icmpv6::View::new(message).is_ok_and(|reply| {
        reply.kind() == icmpv6::kind::ECHO_REPLY && reply.rest()[..2] == identifier
    })
}

/// A raw IPv4 socket's packets begin with their IP header, and are cut where the buffer ends.
fn is_reply(packet: &[u8], identifier: [u8; 2]) -> bool {
    let Ok(packet) = ipv4::View::new(packet) else { return false };
    icmpv4::View::new(packet.payload()).is_ok_and(|reply| {
        reply.kind() == ECHO_REPLY && reply.rest()[..2] == identifier && reply.checksum_ok()
    })
}
