//! Builds packets.

use labsim_wire::checksum::AddressPair;
use labsim_wire::ethernet::{self, Mac, ethertype};
use labsim_wire::tcp::{self, Flags};
use labsim_wire::{arp, icmpv4, ipv4, protocol, udp};
use std::net::{Ipv4Addr, SocketAddrV4};

/// A TCP segment within IPv4, before it is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Segment {
    pub(crate) source: SocketAddrV4,
    pub(crate) destination: SocketAddrV4,
    pub(crate) flags: Flags,
    pub(crate) sequence: u32,
    pub(crate) acknowledgement: u32,
    pub(crate) options: &'static [u8],
    pub(crate) payload: usize,
    pub(crate) id: u16,
    /// Leaves the checksum as transmit offload does.
    pub(crate) half_made: bool,
}

impl Segment {
    pub(crate) fn packet(&self, ttl: u8) -> Vec<u8> {
        let header = tcp::Header {
            source_port: self.source.port(),
            destination_port: self.destination.port(),
            sequence: self.sequence,
            acknowledgement: self.acknowledgement,
            flags: self.flags,
            window: 513,
            urgent: 0,
            options: self.options,
        };
        let mut body = vec![0; header.length() + self.payload];
        header.emit(&mut body).unwrap();
        let pair = AddressPair::V4(*self.source.ip(), *self.destination.ip());
        tcp::ViewMut::new(&mut body).unwrap().fill_checksum(&pair);
        if self.half_made {
            let sum = pair.pseudo_header(protocol::TCP, body.len()).folded();
            body[16..18].copy_from_slice(&sum.to_be_bytes());
        }
        ip(*self.source.ip(), *self.destination.ip(), protocol::TCP, ttl, self.id, &body)
    }
}

/// A UDP datagram within IPv4.
pub(crate) fn datagram(
    source: SocketAddrV4,
    destination: SocketAddrV4,
    id: u16,
    ttl: u8,
    payload: &[u8],
) -> Vec<u8> {
    let header = udp::Header {
        source_port: source.port(),
        destination_port: destination.port(),
        payload_length: payload.len(),
    };
    let mut body = vec![0; header.length()];
    header.emit(&mut body).unwrap();
    body.extend_from_slice(payload);
    let pair = AddressPair::V4(*source.ip(), *destination.ip());
    udp::ViewMut::new(&mut body).unwrap().fill_checksum(&pair);
    ip(*source.ip(), *destination.ip(), protocol::UDP, ttl, id, &body)
}

pub(crate) fn ip(
    source: Ipv4Addr,
    destination: Ipv4Addr,
    protocol: u8,
    ttl: u8,
    id: u16,
    body: &[u8],
) -> Vec<u8> {
    let header = ipv4::Header {
        source,
        destination,
        protocol,
        ttl,
        tos: 0,
        id,
        dont_fragment: true,
        more_fragments: false,
        fragment_offset: 0,
        options: &[],
        payload_length: body.len(),
    };
    let mut bytes = vec![0; header.length()];
    header.emit(&mut bytes).unwrap();
    bytes.extend_from_slice(body);
    bytes
}

pub(crate) fn ethernet(payload: &[u8], kind: u16) -> Vec<u8> {
    let header = ethernet::Header {
        destination: Mac([2, 0, 0, 0, 0, 1]),
        source: Mac([2, 0, 0, 0, 0, 2]),
        ethertype: kind,
    };
    let mut bytes = vec![0; header.length()];
    header.emit(&mut bytes).unwrap();
    bytes.extend_from_slice(payload);
    bytes
}

pub(crate) fn arp(operation: u16, sender: Ipv4Addr, target: Ipv4Addr) -> Vec<u8> {
    let packet = arp::Packet {
        operation,
        sender_mac: Mac([2, 0, 0, 0, 0, 2]),
        sender_ip: sender,
        target_mac: Mac::default(),
        target_ip: target,
    };
    let mut bytes = vec![0; packet.length()];
    packet.emit(&mut bytes).unwrap();
    ethernet(&bytes, ethertype::ARP)
}

pub(crate) fn icmp_error(
    source: Ipv4Addr,
    destination: Ipv4Addr,
    message: icmpv4::Message,
    original: &[u8],
) -> Vec<u8> {
    let error = icmpv4::Error { source, destination, ttl: 64, id: 1, message };
    let mut bytes = vec![0; error.length(original)];
    error.emit(original, &mut bytes).unwrap();
    bytes
}
