//! The sockets that tunnel packets come in through, and their outer headers.

use super::Protocol;
use crate::{Error, socket};
use labsim_wire::ipv6;
use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrIn6, recv, recvmsg, setsockopt, sockopt,
};
use std::io::IoSliceMut;
use std::net::Ipv6Addr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// One of them: a raw socket of one protocol.
#[derive(Debug)]
pub(super) struct Outer {
    socket: OwnedFd,
    /// The number in the outer header.
    pub(super) number: u8,
    /// Room for what the kernel tells beside an IPv6 packet; `None` for IPv4.
    beside: Option<Vec<u8>>,
}

impl Outer {
    pub(super) fn new(socket: OwnedFd, protocol: Protocol, number: u8) -> Result<Self, Error> {
        socket::set_nonblocking(socket.as_fd())?;
        let beside = (!protocol.outer_ipv4())
            .then(|| nix::cmsg_space!(libc::in6_pktinfo, libc::c_int, libc::c_int));
        if beside.is_some() {
            let ask = || -> nix::Result<()> {
                setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
                setsockopt(&socket, sockopt::Ipv6RecvHopLimit, &true)?;
                setsockopt(&socket, sockopt::Ipv6RecvTClass, &true)
            };
            ask().map_err(|errno| {
                Error::system("what an outer IPv6 header says (ipv6(7))")(errno.into())
            })?;
        }
        Ok(Self { socket, number, beside })
    }

    /// Takes a packet, outer header first, and gives its length.
    ///
    /// IPv6's raw sockets leave the outer header off, and its extension headers (raw(7), RFC 3542):
    /// it is made anew, without them and without a flow label.
    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> nix::Result<usize> {
        let Some(beside) = &mut self.beside else {
            return recv(self.socket.as_raw_fd(), buffer, MsgFlags::MSG_DONTWAIT);
        };
        let (head, body) = buffer.split_at_mut(ipv6::HEADER_LEN);
        let mut into = [IoSliceMut::new(body)];
        let (descriptor, flags) = (self.socket.as_raw_fd(), MsgFlags::MSG_DONTWAIT);
        let message = recvmsg::<SockaddrIn6>(descriptor, &mut into, Some(beside), flags)?;
        let mut header = ipv6::Header {
            source: message.address.map_or(Ipv6Addr::UNSPECIFIED, |from| from.ip()),
            destination: Ipv6Addr::UNSPECIFIED,
            next_header: self.number,
            hop_limit: 0,
            traffic_class: 0,
            flow_label: 0,
            payload_length: message.bytes,
        };
        for told in message.cmsgs()? {
            match told {
                ControlMessageOwned::Ipv6PacketInfo(info) => {
                    header.destination = info.ipi6_addr.s6_addr.into();
                }
                ControlMessageOwned::Ipv6HopLimit(limit) => header.hop_limit = low_byte(limit),
                ControlMessageOwned::Ipv6TClass(class) => header.traffic_class = low_byte(class),
                _ => {}
            }
        }
        header.emit(head).map_err(|_| Errno::EMSGSIZE)?;
        Ok(ipv6::HEADER_LEN + header.payload_length)
    }

    /// A number of packets that cannot be exceeded at this moment.
    pub(super) fn queued_at_most(&self) -> usize {
        socket::queued_at_most(self.socket.as_fd()).unwrap_or(0)
    }

    /// What the kernel dropped because the queue was full.
    pub(super) fn drops(&self) -> Option<u64> {
        socket::receive_drops(self.socket.as_fd())
    }

    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Of a number that the kernel gives as an int, and that is a byte.
fn low_byte(number: libc::c_int) -> u8 {
    number.to_le_bytes()[0]
}
