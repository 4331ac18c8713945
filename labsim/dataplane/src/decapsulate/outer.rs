//! The sockets that tunnel packets come in through, and their outer headers.

use crate::Error;
use labsim_model::TunnelKind;
use labsim_sys::Errno;
use labsim_sys::socket;
use labsim_wire::{EmitError, ipv4, ipv6, udp};
use nix::libc;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recv, recvmsg};
use std::io::IoSliceMut;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// `UDP_NO_CHECK6_RX` (linux/udp.h).
const NO_CHECK6_RX: i32 = 102;

/// One of them: a raw socket of one protocol, or GUE's UDP socket.
#[derive(Debug)]
pub(super) struct Outer {
    socket: OwnedFd,
    /// The number in the outer header.
    pub(super) number: u8,
    ipv4: bool,
    /// The port of a UDP socket.
    port: Option<u16>,
    /// Room for the control messages of a packet that comes without its outer header.
    beside: Option<Vec<u8>>,
}

impl Outer {
    pub(super) fn new(socket: OwnedFd, protocol: TunnelKind, number: u8) -> Result<Self, Error> {
        socket::set_nonblocking(socket.as_fd()).map_err(Error::nonblocking)?;
        let (ipv4, port) = (protocol.outer_ipv4(), protocol.gue().map(|gue| gue.port));
        let options: &[(i32, i32)] = match (ipv4, port) {
            (true, None) => &[],
            (true, Some(_)) => &[
                (libc::IPPROTO_IP, libc::IP_PKTINFO),
                (libc::IPPROTO_IP, libc::IP_RECVTTL),
                (libc::IPPROTO_IP, libc::IP_RECVTOS),
            ],
            (false, _) => &[
                (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO),
                (libc::IPPROTO_IPV6, libc::IPV6_RECVHOPLIMIT),
                (libc::IPPROTO_IPV6, libc::IPV6_RECVTCLASS),
            ],
        };
        // The kernel's fou takes packets without a checksum.
        let unchecked = (!ipv4 && port.is_some()).then_some((libc::IPPROTO_UDP, NO_CHECK6_RX));
        for (level, option) in options.iter().copied().chain(unchecked) {
            socket::set_int(socket.as_fd(), level, option, 1)
                .map_err(Error::system("what an outer header says (ip(7), ipv6(7))"))?;
        }
        let beside = (!options.is_empty()).then(|| nix::cmsg_space!(libc::in6_pktinfo, i32, i32));
        Ok(Self { socket, number, ipv4, port, beside })
    }

    /// Takes a packet, outer header first, and gives its length.
    ///
    /// IPv6's raw sockets leave the outer header off, and its extension headers (raw(7), RFC 3542),
    /// and UDP sockets every header: they are made anew, without extension headers and a flow label.
    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> nix::Result<usize> {
        let Some(beside) = &mut self.beside else {
            return recv(self.socket.as_raw_fd(), buffer, MsgFlags::MSG_DONTWAIT);
        };
        let ip = if self.ipv4 { ipv4::MIN_HEADER_LEN } else { ipv6::HEADER_LEN };
        let length = ip + self.port.map_or(0, |_| udp::HEADER_LEN);
        let (head, body) = buffer.split_at_mut(length);
        let mut into = [IoSliceMut::new(body)];
        let (descriptor, flags) = (self.socket.as_raw_fd(), MsgFlags::MSG_DONTWAIT);
        let message = recvmsg::<SockaddrStorage>(descriptor, &mut into, Some(beside), flags)?;
        let mut outer = Header::default();
        match message.address {
            Some(from) if self.ipv4 => {
                let from = from.as_sockaddr_in().copied();
                outer.source = from.map(|from| (from.ip().into(), from.port()));
            }
            Some(from) => {
                let from = from.as_sockaddr_in6().copied();
                outer.source = from.map(|from| (from.ip().into(), from.port()));
            }
            None => {}
        }
        for control in message.cmsgs()? {
            match control {
                ControlMessageOwned::Ipv6PacketInfo(info) => {
                    outer.destination = Some(Ipv6Addr::from(info.ipi6_addr.s6_addr).into());
                }
                ControlMessageOwned::Ipv4PacketInfo(info) => {
                    let address = u32::from_be(info.ipi_addr.s_addr);
                    outer.destination = Some(Ipv4Addr::from(address).into());
                }
                ControlMessageOwned::Ipv4Ttl(ttl) => outer.ttl = low_byte(ttl),
                ControlMessageOwned::Ipv4Tos(tos) => outer.tos = tos,
                ControlMessageOwned::Ipv6HopLimit(limit) => outer.ttl = low_byte(limit),
                ControlMessageOwned::Ipv6TClass(class) => outer.tos = low_byte(class),
                _ => {}
            }
        }
        let (bytes, source_port) = (message.bytes, outer.source.map_or(0, |(_, port)| port));
        if let Some(destination_port) = self.port {
            udp::Header { source_port, destination_port, payload_length: bytes }
                .emit(&mut head[ip..])
                .map_err(|_| Errno::EMSGSIZE)?;
        }
        let payload_length = length - ip + bytes;
        let written = outer.emit(self.ipv4, self.number, payload_length, head);
        written.map_err(|_| Errno::EMSGSIZE)?;
        Ok(length + bytes)
    }

    /// A number of packets that cannot be exceeded at this moment.
    pub(super) fn queue_bound(&self) -> usize {
        socket::queue_bound(self.socket.as_fd()).unwrap_or(0)
    }

    /// What the kernel dropped because the queue was full.
    pub(super) fn drops(&self) -> Option<u64> {
        socket::receive_drops(self.socket.as_fd())
    }

    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// What the kernel says of a packet's outer header.
#[derive(Default)]
struct Header {
    source: Option<(IpAddr, u16)>,
    destination: Option<IpAddr>,
    ttl: u8,
    tos: u8,
}

impl Header {
    fn emit(
        &self,
        ipv4: bool,
        protocol: u8,
        payload_length: usize,
        head: &mut [u8],
    ) -> Result<(), EmitError> {
        let (source, destination) = (self.source.map(|(address, _)| address), self.destination);
        if !ipv4 {
            let address = |address| match address {
                Some(IpAddr::V6(address)) => address,
                _ => Ipv6Addr::UNSPECIFIED,
            };
            return ipv6::Header {
                source: address(source),
                destination: address(destination),
                next_header: protocol,
                hop_limit: self.ttl,
                traffic_class: self.tos,
                flow_label: 0,
                payload_length,
            }
            .emit(head);
        }
        let address = |address| match address {
            Some(IpAddr::V4(address)) => address,
            _ => Ipv4Addr::UNSPECIFIED,
        };
        ipv4::Header {
            source: address(source),
            destination: address(destination),
            protocol,
            ttl: self.ttl,
            tos: self.tos,
            id: 0,
            dont_fragment: true,
            more_fragments: false,
            fragment_offset: 0,
            options: &[],
            payload_length,
        }
        .emit(head)
    }
}

/// Of a number that the kernel gives as an int, and that is a byte.
fn low_byte(number: i32) -> u8 {
    number.to_le_bytes()[0]
}
