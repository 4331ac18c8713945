//! Datagrams with the address that they came to, and from an address that the sender chooses
//! (`IP_PKTINFO` in ip(7), `IPV6_PKTINFO` in ipv6(7)).
//!
//! A UDP server that is bound to no address in particular answers from the address of the
//! interface that its answer leaves through. Under DSR that is not the VIP; with packet info it can
//! answer from the VIP all the same.

use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::sockopt::{Ipv4PacketInfo, Ipv6RecvPacketInfo};
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn, SockaddrIn6, SockaddrLike,
    SockaddrStorage, recvmsg, sendmsg, setsockopt,
};
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};

/// A datagram that was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Datagram {
    /// Bytes of it in the buffer; what did not fit is lost.
    pub length: usize,
    /// Where it came from.
    pub peer: SocketAddr,
    /// The address that it was sent to, if the socket asks for it.
    pub to: Option<IpAddr>,
}

/// Has a socket report with every datagram the address that it was sent to.
///
/// # Errors
/// The kernel refuses the option.
pub fn enable(socket: &UdpSocket) -> io::Result<()> {
    match socket.local_addr()? {
        SocketAddr::V4(_) => setsockopt(socket, Ipv4PacketInfo, &true)?,
        SocketAddr::V6(_) => setsockopt(socket, Ipv6RecvPacketInfo, &true)?,
    }
    Ok(())
}

/// Receives one datagram.
///
/// # Errors
/// `WouldBlock` if there is none and the socket does not block, and those of recvmsg(2).
pub fn receive(socket: &impl AsFd, buffer: &mut [u8]) -> io::Result<Datagram> {
    let mut control = cmsg_space!(libc::in_pktinfo, libc::in6_pktinfo);
    let mut parts = [IoSliceMut::new(buffer)];
    let descriptor = socket.as_fd().as_raw_fd();
    let flags = MsgFlags::empty();
    let message = recvmsg::<SockaddrStorage>(descriptor, &mut parts, Some(&mut control), flags)?;
    let to = message.cmsgs()?.find_map(|it| match it {
        ControlMessageOwned::Ipv4PacketInfo(info) => {
            Some(IpAddr::V4(Ipv4Addr::from(info.ipi_addr.s_addr.to_ne_bytes())))
        }
        ControlMessageOwned::Ipv6PacketInfo(info) => Some(info.ipi6_addr.s6_addr.into()),
        _ => None,
    });
    let peer = message.address.as_ref().and_then(address).ok_or(Errno::EAFNOSUPPORT)?;
    Ok(Datagram { length: message.bytes, peer, to })
}

/// Sends one datagram: from that address, or, without one, from the address that the kernel takes.
///
/// # Errors
/// `WouldBlock` if the queue is full and the socket does not block, and those of sendmsg(2): `from`
/// is not the host's address, for one.
pub fn send(
    socket: &impl AsFd,
    bytes: &[u8],
    to: SocketAddr,
    from: Option<IpAddr>,
) -> io::Result<()> {
    let parts = [IoSlice::new(bytes)];
    let (v4, v6);
    let control = match from {
        None => None,
        Some(IpAddr::V4(from)) => {
            let source = libc::in_addr { s_addr: u32::from_ne_bytes(from.octets()) };
            let none = libc::in_addr { s_addr: 0 };
            v4 = libc::in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: source, ipi_addr: none };
            Some(ControlMessage::Ipv4PacketInfo(&v4))
        }
        Some(IpAddr::V6(from)) => {
            let source = libc::in6_addr { s6_addr: from.octets() };
            v6 = libc::in6_pktinfo { ipi6_addr: source, ipi6_ifindex: 0 };
            Some(ControlMessage::Ipv6PacketInfo(&v6))
        }
    };
    let to = SockaddrStorage::from(to);
    let descriptor = socket.as_fd().as_raw_fd();
    sendmsg(descriptor, &parts, control.as_slice(), MsgFlags::empty(), Some(&to))?;
    Ok(())
}

fn address(raw: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = |it: &SockaddrIn| SocketAddrV4::new(it.ip(), it.port()).into();
    let v6 = |it: &SockaddrIn6| {
        SocketAddrV6::new(it.ip(), it.port(), it.flowinfo(), it.scope_id()).into()
    };
    raw.family()?;
    raw.as_sockaddr_in().map(v4).or_else(|| raw.as_sockaddr_in6().map(v6))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_that_a_datagram_was_sent_to_is_told_and_answered_from() {
        for (any, asked) in [("0.0.0.0:0", "127.0.0.7"), ("[::]:0", "::1")] {
            let server = UdpSocket::bind(any).unwrap();
            enable(&server).unwrap();
            let asked: IpAddr = asked.parse().unwrap();
            let client = UdpSocket::bind(any).unwrap();
            let at = SocketAddr::new(asked, server.local_addr().unwrap().port());
            client.send_to(b"question", at).unwrap();
            let mut buffer = [0; 16];
            let got = receive(&server, &mut buffer).unwrap();
            assert_eq!((&buffer[..got.length], got.to), (&b"question"[..], Some(asked)));
            send(&server, b"answer", got.peer, Some(asked)).unwrap();
            assert_eq!(client.recv_from(&mut buffer).unwrap(), (6, at));
        }
    }

    #[test]
    fn a_socket_that_does_not_ask_is_not_told() {
        let server = UdpSocket::bind("0.0.0.0:0").unwrap();
        let client = UdpSocket::bind("0.0.0.0:0").unwrap();
        let port = server.local_addr().unwrap().port();
        client.send_to(b"question", ("127.0.0.7", port)).unwrap();
        let mut buffer = [0; 4];
        let got = receive(&server, &mut buffer).unwrap();
        assert_eq!((got.length, got.to), (4, None), "and what does not fit is lost");
        send(&server, b"answer", got.peer, None).unwrap();
        let from = client.recv_from(&mut buffer).unwrap().1;
        assert_eq!(from.ip().to_string(), "127.0.0.1", "the kernel takes the interface's own");
    }
}
