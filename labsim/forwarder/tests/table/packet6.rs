//! IPv6 packets for the table, written by an independent encoder (etherparse), and tunnel packets
//! of either family around either.

use crate::packet::{framed, ip, tcp_header};
use crate::support::ipv6::OUR_IP6;
use crate::support::{OUR_IP, ROUTER, US};
use etherparse::{EtherType, Icmpv6Header, Icmpv6Type, IpNumber, Ipv6Header, TcpHeader, UdpHeader};
use labsim_wire::ethernet::Mac;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

/// An IPv6 packet.
#[derive(Debug, Clone)]
pub(crate) struct Ip6 {
    header: Ipv6Header,
    /// What stands before the fragment header, and what behind it.
    before: Vec<Vec<u8>>,
    /// Place, more, and identification.
    place: Option<(u16, bool, u32)>,
    protocol: u8,
    payload: Vec<u8>,
}

/// A packet with the flow label 0x12345.
pub(crate) fn ip6(source: Ipv6Addr, destination: Ipv6Addr, hops: u8) -> Ip6 {
    let header = Ipv6Header {
        traffic_class: 0,
        flow_label: 0x1_2345.try_into().unwrap(),
        payload_length: 0,
        next_header: IpNumber(0),
        hop_limit: hops,
        source: source.octets(),
        destination: destination.octets(),
    };
    Ip6 { header, before: Vec::new(), place: None, protocol: 59, payload: Vec::new() }
}

impl Ip6 {
    pub(crate) fn class(mut self, class: u8) -> Self {
        self.header.traffic_class = class;
        self
    }

    pub(crate) fn label(mut self, label: u32) -> Self {
        self.header.flow_label = label.try_into().unwrap();
        self
    }

    pub(crate) fn carrying(mut self, protocol: u8, payload: Vec<u8>) -> Self {
        self.protocol = protocol;
        self.payload = payload;
        self
    }

    /// Behind an extension header of that kind; the next header field is filled in.
    pub(crate) fn behind(mut self, kind: u8, rest: &[u8]) -> Self {
        self.before.push([&[kind, 0], rest].concat());
        self
    }

    pub(crate) fn udp(self, ports: (u16, u16), data: &[u8]) -> Self {
        let header = UdpHeader::with_ipv6_checksum(ports.0, ports.1, &self.header, data).unwrap();
        self.carrying(17, [&header.to_bytes(), data].concat())
    }

    pub(crate) fn tcp(self, ports: (u16, u16), change: impl Fn(&mut TcpHeader)) -> Self {
        self.segment(tcp_header(ports, change), &[])
    }

    /// Any packet of a connection but its first.
    pub(crate) fn ack(self, ports: (u16, u16), data: &[u8]) -> Self {
        self.segment(tcp_header(ports, |tcp| tcp.ack = true), data)
    }

    fn segment(self, mut header: TcpHeader, data: &[u8]) -> Self {
        header.checksum = header.calc_checksum_ipv6(&self.header, data).unwrap();
        self.carrying(6, [&header.to_bytes(), data].concat())
    }

    pub(crate) fn icmp(self, kind: (u8, u8), rest: [u8; 4], data: &[u8]) -> Self {
        let (type_u8, code_u8) = kind;
        let kind = Icmpv6Type::Unknown { type_u8, code_u8, bytes5to8: rest };
        let (source, destination) = (self.header.source, self.header.destination);
        let header = Icmpv6Header::with_checksum(kind, source, destination, data).unwrap();
        self.carrying(58, [&header.to_bytes(), data].concat())
    }

    /// A fragment of it: these bytes of its payload.
    pub(crate) fn part(&self, bytes: Range<usize>, id: u32) -> Self {
        let more = bytes.end < self.payload.len();
        let offset = u16::try_from(bytes.start).unwrap();
        let payload = self.payload[bytes].to_vec();
        Self { place: Some((offset, more, id)), payload, ..self.clone() }
    }

    /// The same packet after a router.
    pub(crate) fn hop(mut self) -> Self {
        self.header.hop_limit -= 1;
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut headers = self.before.clone();
        if let Some((offset, more, id)) = self.place {
            let place = (offset | u16::from(more)).to_be_bytes();
            headers.push([&[44, 0][..], &place, &id.to_be_bytes()].concat());
        }
        let mut next = self.protocol;
        for header in headers.iter_mut().rev() {
            // Its first byte told its own kind until here.
            std::mem::swap(&mut header[0], &mut next);
        }
        let body = [headers.concat(), self.payload.clone()].concat();
        let mut header = self.header.clone();
        header.next_header = IpNumber(next);
        header.set_payload_length(body.len()).unwrap();
        [&header.to_bytes(), &body[..]].concat()
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
        framed(source, destination, EtherType::IPV6, &self.bytes())
    }
}

/// The forwarder's tunnel packet over IPv4, in a frame to the router.
pub(crate) fn over_v4(member: Ipv4Addr, id: u16, protocol: u8, inner: Vec<u8>) -> Vec<u8> {
    ip(OUR_IP, member, 255).id(id).df().carrying(protocol, inner).goes()
}

/// The forwarder's tunnel packet over IPv6: hop limit 255, and neither traffic class nor flow label.
pub(crate) fn over_v6(member: Ipv6Addr, next_header: u8, inner: Vec<u8>) -> Ip6 {
    ip6(OUR_IP6, member, 255).label(0).carrying(next_header, inner)
}
