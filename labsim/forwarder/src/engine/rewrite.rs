//! What changes in a packet on its way: TTL, addresses, ports, and every checksum that covers them
//! (RFC 1624), also inside the packet that an ICMP error quotes. Addresses and ports change in IPv4
//! packets alone.

use super::ip::Ip;
use labsim_wire::{EmitError, checksum, icmpv4, ipv4, protocol};
use std::net::{Ipv4Addr, SocketAddrV4};

/// Where a TCP or UDP header has its ports.
const SOURCE_PORT: usize = 0;
const DESTINATION_PORT: usize = 2;
/// Where an IPv4 header has its identification, its checksum and its addresses.
const ID: usize = 4;
const CHECKSUM: usize = 10;
const SOURCE: usize = 12;
const DESTINATION: usize = 16;

/// The ends that a packet gets, where they become others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Ends {
    pub(super) source: Option<Ipv4Addr>,
    pub(super) destination: Option<Ipv4Addr>,
    pub(super) source_port: Option<u16>,
    pub(super) destination_port: Option<u16>,
}

impl Ends {
    /// Whether none becomes another.
    const fn stay(self) -> bool {
        self.source.is_none()
            && self.destination.is_none()
            && self.source_port.is_none()
            && self.destination_port.is_none()
    }

    /// Whether an address becomes another.
    pub(super) const fn readdresses(self) -> bool {
        self.source.is_some() || self.destination.is_some()
    }

    pub(super) fn with_source(self, source: SocketAddrV4) -> Self {
        Self { source: Some(*source.ip()), source_port: Some(source.port()), ..self }
    }

    pub(super) fn with_destination(self, destination: SocketAddrV4) -> Self {
        Self {
            destination: Some(*destination.ip()),
            destination_port: Some(destination.port()),
            ..self
        }
    }

    /// Another destination address, the ports as they are.
    pub(super) fn with_address(self, destination: Ipv4Addr) -> Self {
        Self { destination: Some(destination), ..self }
    }

    /// What becomes of the packets of the other direction.
    pub(super) fn reversed(self) -> Self {
        Self {
            source: self.destination,
            destination: self.source,
            source_port: self.destination_port,
            destination_port: self.source_port,
        }
    }

    /// Changes the addresses of an IPv4 header and its checksum with them. The header has its
    /// twenty bytes. Returns what happened to the words that a transport checksum covers too.
    fn readdress(self, header: &mut [u8]) -> Change {
        let mut change = Change::default();
        change.put_address(header, SOURCE, self.source);
        change.put_address(header, DESTINATION, self.destination);
        change.apply(header, CHECKSUM);
        change
    }

    /// Changes the ports at the beginning of `payload`, as far as they are there, and its checksum,
    /// if that is there, with them and with the addresses.
    fn renumber(self, transport: u8, payload: &mut [u8], mut change: Change) {
        let sum_at = match transport {
            protocol::TCP => 16,
            protocol::UDP => 6,
            _ => return,
        };
        change.put_port(payload, SOURCE_PORT, self.source_port);
        change.put_port(payload, DESTINATION_PORT, self.destination_port);
        let is_udp = transport == protocol::UDP;
        let absent = payload.get(sum_at..sum_at + 2).is_none_or(|sum| is_udp && sum == [0, 0]);
        if absent {
            return;
        }
        change.apply(payload, sum_at);
        if is_udp && payload[sum_at..sum_at + 2] == [0, 0] {
            // UDP's 0 says that there is none (RFC 768).
            payload[sum_at..sum_at + 2].fill(0xff);
        }
    }
}

/// Words that went from one value to another, as RFC 1624's equation 3 adds them up.
#[derive(Debug, Clone, Copy, Default)]
struct Change(u32);

impl Change {
    /// Writes a word, if it is there.
    fn put(&mut self, bytes: &mut [u8], at: usize, new: [u8; 2]) {
        if let Some(word) = bytes.get_mut(at..at + 2) {
            self.0 += u32::from(!u16::from_be_bytes([word[0], word[1]]));
            self.0 += u32::from(u16::from_be_bytes(new));
            word.copy_from_slice(&new);
        }
    }

    /// Writes an address, if it becomes another.
    fn put_address(&mut self, bytes: &mut [u8], at: usize, new: Option<Ipv4Addr>) {
        if let Some([a, b, c, d]) = new.map(|address| address.octets()) {
            self.put(bytes, at, [a, b]);
            self.put(bytes, at + 2, [c, d]);
        }
    }

    /// Writes a port, if it becomes another and is there.
    fn put_port(&mut self, bytes: &mut [u8], at: usize, new: Option<u16>) {
        if let Some(port) = new {
            self.put(bytes, at, port.to_be_bytes());
        }
    }

    /// Keeps the checksum at `at`, which is there, in step.
    fn apply(self, bytes: &mut [u8], at: usize) {
        if self.0 == 0 {
            return;
        }
        let mut sum = u32::from(!u16::from_be_bytes([bytes[at], bytes[at + 1]])) + self.0;
        sum = (sum & 0xffff) + (sum >> 16);
        sum = (sum & 0xffff) + (sum >> 16);
        bytes[at..at + 2].copy_from_slice(&(!(sum as u16)).to_be_bytes());
    }
}

/// What changes in a packet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Rewrite {
    /// Take one off the TTL, or hop limit, which is above 1.
    pub(super) decrement_ttl: bool,
    /// Another identification.
    pub(super) id: Option<u16>,
    pub(super) ends: Ends,
    /// The ends of the packet that an ICMP error quotes; the packet is such an error.
    pub(super) quoted: Option<Ends>,
}

impl Rewrite {
    /// For a packet that was rewritten before it waited.
    pub(super) const DONE: Self = Self {
        decrement_ttl: false,
        id: None,
        ends: Ends { source: None, destination: None, source_port: None, destination_port: None },
        quoted: None,
    };

    /// A router's only change, and these ends.
    pub(super) fn to(ends: Ends) -> Self {
        Self { decrement_ttl: true, id: None, ends, quoted: None }
    }

    /// Copies a packet to all of `out` and changes it. An IPv6 packet loses one of its hops, and
    /// nothing else changes in it.
    #[inline]
    pub(super) fn copy<'a>(&self, packet: &impl Ip<'a>, out: &mut [u8]) -> Result<(), EmitError> {
        if self.decrement_ttl {
            packet.copy_one_hop_on(out)?;
        } else {
            out.copy_from_slice(packet.bytes());
        }
        let Some(packet) = packet.v4() else { return Ok(()) };
        if self.ends.stay() && self.id.is_none() && self.quoted.is_none() {
            return Ok(());
        }
        let (header, payload) = out.split_at_mut(packet.header_length());
        if let Some(id) = self.id {
            let mut change = Change::default();
            change.put(header, ID, id.to_be_bytes());
            change.apply(header, CHECKSUM);
        }
        let change = self.ends.readdress(header);
        match self.quoted {
            Some(ends) => rewrite_error(payload, ends),
            // A later fragment has neither ports nor a checksum that covers the addresses.
            None if packet.fragment_offset() != 0 => {}
            None => self.ends.renumber(packet.protocol(), payload, change),
        }
        Ok(())
    }

    /// The header of a packet that is cut into fragments.
    pub(super) fn header<'a>(&self, header: ipv4::Header<'a>) -> ipv4::Header<'a> {
        ipv4::Header {
            ttl: header.ttl - u8::from(self.decrement_ttl),
            id: self.id.unwrap_or(header.id),
            source: self.ends.source.unwrap_or(header.source),
            destination: self.ends.destination.unwrap_or(header.destination),
            ..header
        }
    }

    /// Changes the first fragment's payload, whose packet had the given header.
    pub(super) fn first_payload(&self, header: &ipv4::Header<'_>, payload: &mut [u8]) {
        let mut addresses = [0; ipv4::MIN_HEADER_LEN];
        addresses[SOURCE..DESTINATION].copy_from_slice(&header.source.octets());
        addresses[DESTINATION..].copy_from_slice(&header.destination.octets());
        let change = self.ends.readdress(&mut addresses);
        self.ends.renumber(header.protocol, payload, change);
    }
}

/// Changes the packet that an ICMP error quotes, and sums the message anew.
fn rewrite_error(message: &mut [u8], ends: Ends) {
    let Some(quoted) = message.get_mut(icmpv4::HEADER_LEN..) else { return };
    requote(quoted, ends);
    message[2..4].fill(0);
    let sum = checksum::of(message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
}

/// Changes a packet that is whole or cut anywhere after its header.
pub(super) fn requote(quoted: &mut [u8], ends: Ends) {
    let Ok(view) = ipv4::View::new_cut(quoted) else { return };
    let (length, transport) = (view.header_length(), view.protocol());
    let (header, payload) = quoted.split_at_mut(length);
    let change = ends.readdress(header);
    ends.renumber(transport, payload, change);
}
