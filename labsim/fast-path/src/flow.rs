//! Flows in the program's maps: what a packet is known by, what is done with it, and what was seen of it.

use crate::layout::{Flow4Key, Flow6Key, FlowValue, Writer, u32_at, u64_at};
use labsim_forwarder::{FlowUse, Instant, OffloadDirection, OffloadKey, OffloadedFlow};
use labsim_wire::gue;
use std::net::{IpAddr, SocketAddr};

/// A key as the program has it, by family.
#[derive(Debug, Clone, Copy)]
pub(crate) enum EncodedKey {
    V4(Flow4Key),
    V6(Flow6Key),
}

/// `None` if its addresses are of two families, which no packet's are.
pub(crate) fn encode_key(key: &OffloadKey) -> Option<EncodedKey> {
    fn finish<const N: usize>(key: &OffloadKey, writer: Writer<N>) -> [u8; N] {
        let ports = writer.port(key.source.port()).port(key.destination.port());
        ports.u32(key.protocol.into()).finish()
    }
    match (key.source.ip(), key.destination.ip()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let addresses = Writer::new().bytes(&source.octets()).bytes(&destination.octets());
            Some(EncodedKey::V4(finish(key, addresses)))
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let addresses = Writer::new().bytes(&source.octets()).bytes(&destination.octets());
            Some(EncodedKey::V6(finish(key, addresses)))
        }
        _ => None,
    }
}

/// Bits of `rewrites` and `seen` in `struct flow`.
const REWRITE_SOURCE: u32 = 1;
const REWRITE_DESTINATION: u32 = 2;
const REWRITE_PORTS: u32 = 4;
const TO_CLIENT: u32 = 8;
const SEEN_ACKNOWLEDGEMENT: u32 = 2;
const SEEN_PACKET: u32 = 4;

/// A flow that was last seen at that time; `None` if a new address is not of the packet's family.
pub(crate) fn encode(
    key: &OffloadKey,
    flow: &OffloadedFlow,
    last_seen: Instant,
) -> Option<FlowValue> {
    let OffloadKey { source: old_source, destination: old_destination, protocol } = *key;
    let source = flow.new_source.unwrap_or(old_source);
    let destination = flow.new_destination.unwrap_or(old_destination);
    let is_ipv4 = old_source.is_ipv4();
    if source.is_ipv4() != is_ipv4 || destination.is_ipv4() != is_ipv4 {
        return None;
    }
    let bit = |bit, is_set| if is_set { bit } else { 0 };
    let ports = [(old_source.port(), source.port()), (old_destination.port(), destination.port())];
    let rewrites = bit(REWRITE_SOURCE, source.ip() != old_source.ip())
        | bit(REWRITE_DESTINATION, destination.ip() != old_destination.ip())
        | bit(REWRITE_PORTS, ports.iter().any(|(old, new)| old != new))
        | bit(TO_CLIENT, flow.direction == OffloadDirection::ToClient);
    let address_sum = change(&words(old_source.ip()), &words(source.ip()))
        + change(&words(old_destination.ip()), &words(destination.ip()));
    let port_sum = ports.iter().map(|(old, new)| change(&[*old], &[*new])).sum();
    let value = Writer::new()
        .u64(last_seen.as_nanos())
        .u32(0)
        .u32(0)
        .u32(0)
        .u32(rewrites)
        .u32(address_sum)
        .u32(port_sum)
        .u32(flow.path.into())
        .u32(flow.server.into())
        .u32(flow.member.into())
        .port(source.port())
        .port(destination.port())
        .port(gue_source_port(source, destination, protocol))
        .bytes(&[0; 6])
        .address(Some(source.ip()))
        .address(Some(destination.ip()));
    Some(value.finish())
}

/// What was seen of a flow. A tick of the kernel (at most 10 ms) may be missing of the time.
pub(crate) fn decode_use(value: &FlowValue) -> FlowUse {
    let seen = u32_at(value, 16);
    FlowUse {
        last_seen: Instant::from_nanos(u64_at(value, 0)),
        is_used: seen & SEEN_PACKET != 0,
        client_next: u32_at(value, 8),
        server_next: u32_at(value, 12),
        acknowledged: seen & SEEN_ACKNOWLEDGEMENT != 0,
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
