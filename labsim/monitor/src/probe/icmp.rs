//! ICMP echo (RFC 792), over a raw socket (raw(7)), which needs CAP_NET_RAW in the namespace.

use super::{Failure, ProbeTarget};
use labsim_sys::async_fd::register;
use labsim_wire::{checksum, icmpv4, ipv4, protocol};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn, bind, connect, recv,
    send, socket,
};
use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV4};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicU16, Ordering};
use tokio::io::unix::AsyncFd;

const ECHO_REPLY: u8 = 0;
const ECHO_REQUEST: u8 = 8;
/// Each probe has its own identifier, which identifies its reply and its member.
static IDENTIFIER: AtomicU16 = AtomicU16::new(0);

pub(super) async fn ask(target: &ProbeTarget<'_>) -> Result<String, Failure> {
    let (IpAddr::V4(from), IpAddr::V4(to)) = (target.from.ip(), target.address.ip()) else {
        return Err(Failure::InvalidReply("ICMPv6 echo is not supported yet".to_owned()));
    };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Inet, SockType::Raw, flags, SockProtocol::Icmp)
        .map_err(io::Error::from)?;
    target.mark(&socket)?;
    let address = |ip| SockaddrIn::from(SocketAddrV4::new(ip, 0));
    bind(socket.as_raw_fd(), &address(from)).map_err(io::Error::from)?;
    // The socket receives packets of the target only.
    connect(socket.as_raw_fd(), &address(to)).map_err(io::Error::from)?;
    let identifier = IDENTIFIER.fetch_add(1, Ordering::Relaxed);
    target.register(protocol::ICMP, SocketAddr::new(target.from.ip(), identifier));
    let [high, low] = identifier.to_be_bytes();
    let mut request = [ECHO_REQUEST, 0, 0, 0, high, low, 0, 1];
    let sum = checksum::of(&request).to_be_bytes();
    request[2..4].copy_from_slice(&sum);
    send(socket.as_raw_fd(), &request, MsgFlags::empty()).map_err(io::Error::from)?;
    let socket = register(socket)?;
    let mut buffer = [0; 512];
    loop {
        let length = receive(&socket, &mut buffer).await?;
        if is_reply(buffer.get(..length).unwrap_or_default(), [high, low]) {
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

/// A raw socket's packets begin with their IP header, and are cut where the buffer ends.
fn is_reply(packet: &[u8], identifier: [u8; 2]) -> bool {
    let Ok(packet) = ipv4::View::new(packet) else { return false };
    icmpv4::View::new(packet.payload()).is_ok_and(|reply| {
        reply.kind() == ECHO_REPLY && reply.rest()[..2] == identifier && reply.checksum_ok()
    })
}
