//! Packets for the table, written by an independent encoder (etherparse): what comes in and what
//! has to go out.

use crate::support::{ROUTER, US};
use etherparse::{
    EtherType, Ethernet2Header, Icmpv4Header, Icmpv4Type, IpNumber, Ipv4Header, TcpHeader,
    UdpHeader,
};
use labsim_wire::ethernet::Mac;
use std::net::Ipv4Addr;
use std::ops::Range;

/// An IPv4 packet; `bytes` sums it.
#[derive(Debug, Clone)]
pub(crate) struct Ip {
    header: Ipv4Header,
    payload: Vec<u8>,
}

/// A packet without DF, with ID 0x1b90.
pub(crate) fn ip(source: Ipv4Addr, destination: Ipv4Addr, ttl: u8) -> Ip {
    let (source, destination) = (source.octets(), destination.octets());
    let mut header = Ipv4Header::new(0, ttl, IpNumber(0), source, destination).unwrap();
    header.dont_fragment = false;
    header.identification = 0x1b90;
    Ip { header, payload: Vec::new() }
}

impl Ip {
    pub(crate) fn id(mut self, id: u16) -> Self {
        self.header.identification = id;
        self
    }

    pub(crate) fn df(mut self) -> Self {
        self.header.dont_fragment = true;
        self
    }

    pub(crate) fn tos(mut self, tos: u8) -> Self {
        self.header.dscp = (tos >> 2).try_into().unwrap();
        self.header.ecn = (tos & 3).try_into().unwrap();
        self
    }

    pub(crate) fn options(mut self, options: &[u8]) -> Self {
        self.header.options = options.try_into().unwrap();
        self
    }

    pub(crate) fn carrying(mut self, protocol: u8, payload: Vec<u8>) -> Self {
        self.header.protocol = IpNumber(protocol);
        self.payload = payload;
        self
    }

    pub(crate) fn udp(self, ports: (u16, u16), data: &[u8]) -> Self {
        let header = UdpHeader::with_ipv4_checksum(ports.0, ports.1, &self.header, data).unwrap();
        self.carrying(17, [&header.to_bytes(), data].concat())
    }

    pub(crate) fn tcp(self, ports: (u16, u16), change: impl Fn(&mut TcpHeader)) -> Self {
        self.tcp_with(ports, change, &[])
    }

    /// Sequence number 1000, window 513.
    pub(crate) fn tcp_with(
        self,
        ports: (u16, u16),
        change: impl Fn(&mut TcpHeader),
        data: &[u8],
    ) -> Self {
        let mut header = tcp_header(ports, change);
        header.checksum = header.calc_checksum_ipv4(&self.header, data).unwrap();
        self.carrying(6, [&header.to_bytes(), data].concat())
    }

    pub(crate) fn icmp(self, kind: (u8, u8), rest: [u8; 4], data: &[u8]) -> Self {
        let (type_u8, code_u8) = kind;
        let kind = Icmpv4Type::Unknown { type_u8, code_u8, bytes5to8: rest };
        let header = Icmpv4Header::with_checksum(kind, data);
        self.carrying(1, [&header.to_bytes(), data].concat())
    }

    /// A fragment of it: these bytes of its payload.
    pub(crate) fn part(&self, bytes: Range<usize>) -> Self {
        let mut part = self.clone();
        part.header.more_fragments = bytes.end < self.payload.len();
        let offset = u16::try_from(bytes.start / 8).unwrap();
        part.header.fragment_offset = offset.try_into().unwrap();
        part.payload = self.payload[bytes].to_vec();
        part
    }

    /// The same packet after a router.
    pub(crate) fn hop(mut self) -> Self {
        self.header.time_to_live -= 1;
        self
    }

    /// In IPIP to a member: the forwarder's outer header with that ID and the packet's TOS.
    pub(crate) fn ipip(&self, member: Ipv4Addr, id: u16) -> Self {
        let tos = self.header.dscp.value() << 2 | self.header.ecn.value();
        ip(crate::support::OUR_IP, member, 255).id(id).tos(tos).df().carrying(4, self.bytes())
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut header = self.header.clone();
        header.set_payload_len(self.payload.len()).unwrap();
        header.header_checksum = header.calc_header_checksum();
        [&header.to_bytes(), &self.payload[..]].concat()
    }

    /// In a frame from the router to us.
    pub(crate) fn comes(&self) -> Vec<u8> {
        self.frame(ROUTER, US)
    }

    /// In a frame from us to the router.
    pub(crate) fn goes(&self) -> Vec<u8> {
        self.frame(US, ROUTER)
    }

    pub(crate) fn frame(&self, source: Mac, destination: Mac) -> Vec<u8> {
        framed(source, destination, EtherType::IPV4, &self.bytes())
    }
}

/// Sequence number 1000, window 513.
pub(crate) fn tcp_header(ports: (u16, u16), change: impl Fn(&mut TcpHeader)) -> TcpHeader {
    let mut header = TcpHeader::new(ports.0, ports.1, 1000, 513);
    change(&mut header);
    header
}

pub(crate) fn framed(source: Mac, destination: Mac, kind: EtherType, payload: &[u8]) -> Vec<u8> {
    let (source, destination) = (source.0, destination.0);
    let header = Ethernet2Header { source, destination, ether_type: kind };
    [&header.to_bytes(), payload].concat()
}

/// A frame with other bytes at some place, summed as it was.
pub(crate) fn with(mut frame: Vec<u8>, at: usize, bytes: &[u8]) -> Vec<u8> {
    frame[at..at + bytes.len()].copy_from_slice(bytes);
    frame
}
