//! Rewriting of packets: TTL, addresses, ports, and every checksum that covers them
//! (RFC 1624), also inside the packet that an ICMP error quotes. The new addresses of a packet are of its
//! family.

use super::ip::{Ip, Ipv6, v4};
use labsim_wire::checksum::AddressPair;
use labsim_wire::{EmitError, checksum, icmpv4, icmpv6, ipv4, protocol};
use std::net::{IpAddr, SocketAddr};

/// Where a TCP or UDP header has its ports.
const SOURCE_PORT: usize = 0;
const DESTINATION_PORT: usize = 2;
/// Where an IPv4 header has its identification, its checksum and its addresses.
const ID: usize = 4;
const CHECKSUM: usize = 10;
const SOURCE: usize = 12;
const DESTINATION: usize = 16;
/// Where an IPv6 header has its addresses; it has no checksum.
const SOURCE_V6: usize = 8;
const DESTINATION_V6: usize = 24;

/// New addresses and ports of a packet; `None` keeps the old value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct AddressRewrite {
    pub(super) source: Option<IpAddr>,
    pub(super) destination: Option<IpAddr>,
    pub(super) source_port: Option<u16>,
    pub(super) destination_port: Option<u16>,
}

impl AddressRewrite {
    /// Whether nothing changes.
    const fn stay(self) -> bool {
        self.source.is_none()
            && self.destination.is_none()
            && self.source_port.is_none()
            && self.destination_port.is_none()
    }

    /// Whether an address changes.
    pub(super) const fn changes_address(self) -> bool {
        self.source.is_some() || self.destination.is_some()
    }

    #[inline]
    pub(super) fn with_source(self, source: SocketAddr) -> Self {
        Self { source: Some(source.ip()), source_port: Some(source.port()), ..self }
    }

    #[inline]
    pub(super) fn with_destination(self, destination: SocketAddr) -> Self {
        Self {
            destination: Some(destination.ip()),
            destination_port: Some(destination.port()),
            ..self
        }
    }

    /// A new destination address with unchanged ports.
    #[inline]
    pub(super) fn with_destination_address(self, destination: IpAddr) -> Self {
        Self { destination: Some(destination), ..self }
    }

    /// The rewrite of the other direction.
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
    #[inline]
    fn apply_to_header(self, header: &mut [u8]) -> Change {
        let mut change = Change::default();
        change.replace_address(header, SOURCE, self.source);
        change.replace_address(header, DESTINATION, self.destination);
        change.apply(header, CHECKSUM);
        change
    }

    /// Changes the addresses of an IPv6 header, which has its forty bytes.
    #[inline]
    fn apply_to_header_v6(self, header: &mut [u8]) -> Change {
        let mut change = Change::default();
        change.replace_address(header, SOURCE_V6, self.source);
        change.replace_address(header, DESTINATION_V6, self.destination);
        change
    }

    /// Changes the ports at the beginning of `payload`, as far as they are there, and its checksum,
    /// if that is there, with them and with the addresses.
    #[inline]
    fn apply_to_transport(self, transport: u8, payload: &mut [u8], mut change: Change) {
        let sum_at = match transport {
            protocol::TCP => 16,
            protocol::UDP => 6,
            _ => return,
        };
        change.replace_port(payload, SOURCE_PORT, self.source_port);
        change.replace_port(payload, DESTINATION_PORT, self.destination_port);
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

/// The sum of changed words, by RFC 1624's equation 3.
#[derive(Debug, Clone, Copy, Default)]
struct Change(u32);

impl Change {
    /// Replaces a word, if it is there.
    #[inline]
    fn replace(&mut self, bytes: &mut [u8], at: usize, new: [u8; 2]) {
        if let Some(word) = bytes.get_mut(at..at + 2) {
            self.0 += u32::from(!u16::from_be_bytes([word[0], word[1]]));
            self.0 += u32::from(u16::from_be_bytes(new));
            word.copy_from_slice(&new);
        }
    }

    /// Replaces an address, if it changes.
    #[inline]
    fn replace_address(&mut self, bytes: &mut [u8], at: usize, new: Option<IpAddr>) {
        match new {
            None => {}
            Some(IpAddr::V4(new)) => {
                let [a, b, c, d] = new.octets();
                self.replace(bytes, at, [a, b]);
                self.replace(bytes, at + 2, [c, d]);
            }
            Some(IpAddr::V6(new)) => {
                for (place, word) in new.segments().into_iter().enumerate() {
                    self.replace(bytes, at + 2 * place, word.to_be_bytes());
                }
            }
        }
    }

    /// Replaces a port, if it changes and is there.
    #[inline]
    fn replace_port(&mut self, bytes: &mut [u8], at: usize, new: Option<u16>) {
        if let Some(port) = new {
            self.replace(bytes, at, port.to_be_bytes());
        }
    }

    /// Keeps the checksum at `at`, which is there, in step.
    #[inline]
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
    /// Decrement the TTL, or hop limit, which is above 1.
    pub(super) decrement_ttl: bool,
    /// A new identification.
    pub(super) id: Option<u16>,
    pub(super) addresses: AddressRewrite,
    /// The ends of the packet that an ICMP error quotes; the packet is such an error.
    pub(super) quoted: Option<AddressRewrite>,
}

impl Rewrite {
    /// For a packet that was rewritten before it waited.
    pub(super) const UNCHANGED: Self = Self {
        decrement_ttl: false,
        id: None,
        addresses: AddressRewrite {
            source: None,
            destination: None,
            source_port: None,
            destination_port: None,
        },
        quoted: None,
    };

    /// A decremented TTL and these addresses.
    #[inline]
    pub(super) fn to(addresses: AddressRewrite) -> Self {
        Self { decrement_ttl: true, id: None, addresses, quoted: None }
    }

    /// Copies a packet to all of `out` and rewrites it.
    #[inline]
    pub(super) fn copy<'a>(&self, packet: &impl Ip<'a>, out: &mut [u8]) -> Result<(), EmitError> {
        if self.decrement_ttl {
            packet.copy_decrementing_ttl(out)?;
        } else {
            out.copy_from_slice(packet.bytes());
        }
        if self.addresses.stay() && self.id.is_none() && self.quoted.is_none() {
            return Ok(());
        }
        let Some(packet) = packet.v4() else {
            self.rewrite_v6(packet, out);
            return Ok(());
        };
        let (header, payload) = out.split_at_mut(packet.header_length());
        if let Some(id) = self.id {
            let mut change = Change::default();
            change.replace(header, ID, id.to_be_bytes());
            change.apply(header, CHECKSUM);
        }
        let change = self.addresses.apply_to_header(header);
        match self.quoted {
            Some(addresses) => rewrite_error(payload, addresses),
            // A later fragment has neither ports nor a checksum that covers the addresses.
            None if packet.fragment_offset() != 0 => {}
            None => self.addresses.apply_to_transport(packet.protocol(), payload, change),
        }
        Ok(())
    }

    /// Rewrites an IPv6 packet. Its identification, where it is a fragment, has 32 bits, and stays.
    fn rewrite_v6<'a>(&self, packet: &impl Ip<'a>, out: &mut [u8]) {
        let (length, transport) =
            (packet.bytes().len() - packet.payload().len(), packet.protocol());
        let is_later = packet.fragment_info().offset != 0;
        let (header, payload) = out.split_at_mut(length);
        let change = self.addresses.apply_to_header_v6(header);
        match self.quoted {
            Some(addresses) => rewrite_error_v6(header, payload, addresses),
            None if is_later => {}
            None => self.addresses.apply_to_transport(transport, payload, change),
        }
    }

    /// The header of a packet that is cut into fragments.
    pub(super) fn header<'a>(&self, header: ipv4::Header<'a>) -> ipv4::Header<'a> {
        ipv4::Header {
            ttl: header.ttl - u8::from(self.decrement_ttl),
            id: self.id.unwrap_or(header.id),
            source: self.addresses.source.and_then(v4).unwrap_or(header.source),
            destination: self.addresses.destination.and_then(v4).unwrap_or(header.destination),
            ..header
        }
    }

    /// Changes the first fragment's payload, whose packet had the given header.
    pub(super) fn first_payload(&self, header: &ipv4::Header<'_>, payload: &mut [u8]) {
        let mut addresses = [0; ipv4::MIN_HEADER_LEN];
        addresses[SOURCE..DESTINATION].copy_from_slice(&header.source.octets());
        addresses[DESTINATION..].copy_from_slice(&header.destination.octets());
        let change = self.addresses.apply_to_header(&mut addresses);
        self.addresses.apply_to_transport(header.protocol, payload, change);
    }
}

/// Changes the packet that an ICMP error quotes, and sums the message anew.
fn rewrite_error(message: &mut [u8], addresses: AddressRewrite) {
    let Some(quoted) = message.get_mut(icmpv4::HEADER_LEN..) else { return };
    rewrite_quoted(quoted, addresses);
    message[2..4].fill(0);
    let sum = checksum::of(message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
}

/// The same of ICMPv6, whose checksum covers the addresses of the header before it.
fn rewrite_error_v6(header: &[u8], message: &mut [u8], addresses: AddressRewrite) {
    let Some(quoted) = message.get_mut(icmpv6::HEADER_LEN..) else { return };
    rewrite_quoted(quoted, addresses);
    let address = |at| header.get(at..).and_then(|bytes| bytes.first_chunk::<16>()).copied();
    let Some((source, destination)) = address(SOURCE_V6).zip(address(DESTINATION_V6)) else {
        return;
    };
    message[2..4].fill(0);
    let addresses = AddressPair::V6(source.into(), destination.into());
    let sum = addresses.pseudo_header(protocol::ICMPV6, message.len()).with(message).finish();
    message[2..4].copy_from_slice(&sum.to_be_bytes());
}

/// Changes a packet that is whole or cut anywhere after its headers.
pub(super) fn rewrite_quoted(quoted: &mut [u8], addresses: AddressRewrite) {
    if let Some(view) = Ipv6::parse_truncated(quoted) {
        let (length, transport) = (view.bytes().len() - view.payload().len(), view.protocol());
        let is_later = view.fragment_info().offset != 0;
        let (header, payload) = quoted.split_at_mut(length);
        let change = addresses.apply_to_header_v6(header);
        if !is_later {
            addresses.apply_to_transport(transport, payload, change);
        }
        return;
    }
    let Ok(view) = ipv4::View::new_truncated(quoted) else { return };
    let (length, transport) = (view.header_length(), view.protocol());
    let (header, payload) = quoted.split_at_mut(length);
    let change = addresses.apply_to_header(header);
    addresses.apply_to_transport(transport, payload, change);
}
