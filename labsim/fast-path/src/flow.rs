//! Flows: what a packet is known by, what is done with it, and what was seen of it.

use crate::layout::{Flow4Key, Flow6Key, FlowValue, Writer, u32_at, u64_at};
use labsim_wire::gue;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// What the packets of a flow are known by, as they arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FlowKey {
    /// The source address.
    pub source: IpAddr,
    /// The destination address: a VIP, or a SNAT address.
    pub destination: IpAddr,
    /// The source port.
    pub source_port: u16,
    /// The destination port.
    pub destination_port: u16,
    /// TCP's or UDP's number.
    pub protocol: u8,
}

/// Whose packets a flow's are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Towards {
    /// A client's, on the way to a member.
    Member,
    /// A member's, on the way back through source address translation.
    Client,
}

/// What is done with a flow's packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flow {
    /// Whose they are.
    pub towards: Towards,
    /// The number of the way that they go ([`crate::FastPath::set_path`]).
    pub path: u16,
    /// The virtual server that they are counted for.
    pub server: u16,
    /// The member that they are counted for.
    pub member: u16,
    /// A new source, of the packet's family.
    pub new_source: Option<SocketAddr>,
    /// A new destination, of the packet's family.
    pub new_destination: Option<SocketAddr>,
}

/// What was seen of a flow since it was inserted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FlowUse {
    /// When its last packet came, on CLOCK_MONOTONIC, or when it was inserted; a tick of the kernel
    /// (at most 10 ms) may be missing.
    pub last_seen: Duration,
    /// TCP: the client's next sequence number, by the highest segment; without meaning without
    /// packets.
    pub client_next: u32,
    /// TCP: the highest acknowledgement, if `acknowledged`.
    pub server_next: u32,
    /// Whether the client has acknowledged anything.
    pub acknowledged: bool,
    /// Whether a packet came: the flow's second, as the engine had the first.
    pub second_packet: bool,
    /// Packets; a super-frame counts as those that it stands for.
    pub packets: u64,
    /// Bytes of these IP packets, as they came.
    pub bytes: u64,
}

/// A key as the program has it, by family.
#[derive(Debug, Clone, Copy)]
pub(crate) enum EncodedKey {
    V4(Flow4Key),
    V6(Flow6Key),
}

impl FlowKey {
    /// `None` if its addresses are of two families, which no packet's are.
    pub(crate) fn encode(&self) -> Option<EncodedKey> {
        fn finish<const N: usize>(key: &FlowKey, writer: Writer<N>) -> [u8; N] {
            let ports = writer.port(key.source_port).port(key.destination_port);
            ports.u32(key.protocol.into()).finish()
        }
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let addresses = Writer::new().bytes(&source.octets()).bytes(&destination.octets());
                Some(EncodedKey::V4(finish(self, addresses)))
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let addresses = Writer::new().bytes(&source.octets()).bytes(&destination.octets());
                Some(EncodedKey::V6(finish(self, addresses)))
            }
            _ => None,
        }
    }
}

/// Bits of `rewrites` and `seen` in `struct flow`.
const REWRITE_SOURCE: u32 = 1;
const REWRITE_DESTINATION: u32 = 2;
const REWRITE_PORTS: u32 = 4;
const TO_CLIENT: u32 = 8;
const SEEN_ACKNOWLEDGEMENT: u32 = 2;
const SEEN_PACKET: u32 = 4;

impl Flow {
    /// `None` if a new address is not of the packet's family.
    pub(crate) fn encode(&self, key: &FlowKey, last_seen: Duration) -> Option<FlowValue> {
        let old_source = SocketAddr::new(key.source, key.source_port);
        let old_destination = SocketAddr::new(key.destination, key.destination_port);
        let source = self.new_source.unwrap_or(old_source);
        let destination = self.new_destination.unwrap_or(old_destination);
        let is_ipv4 = key.source.is_ipv4();
        if source.is_ipv4() != is_ipv4 || destination.is_ipv4() != is_ipv4 {
            return None;
        }
        let bit = |bit, is_set| if is_set { bit } else { 0 };
        let ports =
            [(old_source.port(), source.port()), (old_destination.port(), destination.port())];
        let rewrites = bit(REWRITE_SOURCE, source.ip() != old_source.ip())
            | bit(REWRITE_DESTINATION, destination.ip() != old_destination.ip())
            | bit(REWRITE_PORTS, ports.iter().any(|(old, new)| old != new))
            | bit(TO_CLIENT, self.towards == Towards::Client);
        let address_sum = change(&words(old_source.ip()), &words(source.ip()))
            + change(&words(old_destination.ip()), &words(destination.ip()));
        let port_sum = ports.iter().map(|(old, new)| change(&[*old], &[*new])).sum();
        let value = Writer::new()
            .u64(u64::try_from(last_seen.as_nanos()).unwrap_or(u64::MAX))
            .u64(0)
            .u64(0)
            .u32(0)
            .u32(0)
            .u32(0)
            .u32(rewrites)
            .u32(address_sum)
            .u32(port_sum)
            .u32(self.path.into())
            .u32(self.server.into())
            .u32(self.member.into())
            .port(source.port())
            .port(destination.port())
            .port(gue_source_port(source, destination, key.protocol))
            .bytes(&[0; 6])
            .address(Some(source.ip()))
            .address(Some(destination.ip()));
        Some(value.finish())
    }
}

impl FlowUse {
    pub(crate) fn decode(value: &FlowValue) -> Self {
        let seen = u32_at(value, 32);
        Self {
            last_seen: Duration::from_nanos(u64_at(value, 0)),
            packets: u64_at(value, 8),
            bytes: u64_at(value, 16),
            client_next: u32_at(value, 24),
            server_next: u32_at(value, 28),
            acknowledged: seen & SEEN_ACKNOWLEDGEMENT != 0,
            second_packet: seen & SEEN_PACKET != 0,
        }
    }
}

/// The port that GUE's UDP header gets, which the packet inside decides.
fn gue_source_port(source: SocketAddr, destination: SocketAddr, protocol: u8) -> u16 {
    let octets = |address: IpAddr| match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let addresses = [octets(source.ip()), octets(destination.ip())].concat();
    let [a, b] = source.port().to_be_bytes();
    let [c, d] = destination.port().to_be_bytes();
    gue::source_port(protocol, &addresses, Some(&[a, b, c, d]))
}

/// The words of an address, in the packet's order.
fn words(address: IpAddr) -> Vec<u16> {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            vec![u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])]
        }
        IpAddr::V6(address) => address.segments().to_vec(),
    }
}

/// What RFC 1624 adds to a checksum when these words become those; 0 if nothing changes. Words are
/// summed as the machine reads them from a packet.
fn change(old: &[u16], new: &[u16]) -> u32 {
    let word = |word: u16| u32::from(u16::from_ne_bytes(word.to_be_bytes()));
    let changed = old.iter().zip(new).filter(|(old, new)| old != new);
    changed.map(|(old, new)| word(!*old) + word(*new)).sum()
}
