//! A model of what forwards established flows: the rules of [`Offload`] in the plainest words, and an
//! engine with it beside one without.

use super::{Bench, US};
use labsim_forwarder::{
    FlowUse, Instant, Offload, OffloadCounters, OffloadDirection, OffloadKey, OffloadPath,
    OffloadedFlow, Outcome, Tally, TunnelHeader,
};
use labsim_wire::checksum::AddressPair;
use labsim_wire::ethernet::{self, ethertype};
use labsim_wire::tcp::Flags;
use labsim_wire::{ipv4, ipv6, protocol, tcp, udp};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

/// What the model holds.
#[derive(Debug, Default)]
pub struct Model {
    pub paths: BTreeMap<u16, OffloadPath>,
    pub flows: BTreeMap<OffloadKey, (OffloadedFlow, FlowUse)>,
    pub counters: OffloadCounters,
    /// Flows of all that were ever handed over.
    pub inserted: u64,
    /// How many it has room for.
    pub room: usize,
    id: u16,
}

/// The engine's handle of it.
#[derive(Debug, Clone)]
pub struct Shared(pub Rc<RefCell<Model>>);

impl Offload for Shared {
    fn set_path(&mut self, number: u16, path: Option<OffloadPath>) {
        let paths = &mut self.0.borrow_mut().paths;
        match path {
            Some(path) => drop(paths.insert(number, path)),
            None => drop(paths.remove(&number)),
        }
    }

    fn insert(&mut self, key: &OffloadKey, flow: &OffloadedFlow, last_seen: Instant) -> bool {
        let mut model = self.0.borrow_mut();
        if model.flows.len() >= model.room {
            return false;
        }
        let unused = FlowUse {
            last_seen,
            is_used: false,
            client_next: 0,
            server_next: 0,
            acknowledged: false,
        };
        assert!(model.flows.insert(*key, (*flow, unused)).is_none(), "{key:?} is there already");
        model.inserted += 1;
        true
    }

    fn remove(&mut self, key: &OffloadKey) -> Option<FlowUse> {
        self.0.borrow_mut().flows.remove(key).map(|(_, used)| used)
    }

    fn flow_use(&mut self, key: &OffloadKey) -> Option<FlowUse> {
        self.0.borrow().flows.get(key).map(|(_, used)| *used)
    }

    fn remove_all(&mut self) {
        self.0.borrow_mut().flows.clear();
    }

    fn counters(&self, _: u16, _: u16) -> OffloadCounters {
        self.0.borrow().counters.clone()
    }
}

/// A packet that may be taken.
struct Packet {
    bytes: Vec<u8>,
    header: usize,
    key: OffloadKey,
    tos: u8,
    may_fragment: bool,
    segment: Option<(u32, Option<u32>)>,
}

impl Model {
    /// What goes out for a frame; `None` leaves it to the engine.
    pub fn take(&mut self, now: Instant, frame: &[u8]) -> Option<Vec<u8>> {
        let link = ethernet::View::new(frame).ok().filter(|link| link.destination() == US)?;
        let mut packet = match link.ethertype() {
            ethertype::IPV4 => read_v4(link.payload())?,
            ethertype::IPV6 => read_v6(link.payload())?,
            _ => return None,
        };
        let (flow, used) = self.flows.get_mut(&packet.key)?;
        let path = self.paths.get(&flow.path)?;
        let changes_address = flow.new_source.is_some_and(|new| new.ip() != packet.key.source.ip())
            || flow.new_destination.is_some_and(|new| new.ip() != packet.key.destination.ip());
        if packet.may_fragment && changes_address {
            return None;
        }
        let length = packet.bytes.len();
        let (v4, tos) = (packet.key.source.is_ipv4(), packet.tos);
        let outer = path.tunnel.map_or(0, |tunnel| {
            let header = if tunnel.destination.is_ipv4() { 20 } else { 40 };
            header + tunnel.protocol.header_length()
        });
        if length + outer > usize::from(path.mtu) {
            return None;
        }
        used.last_seen = used.last_seen.max(now);
        let is_first = !std::mem::replace(&mut used.is_used, true);
        if let Some((next, acknowledged)) = packet.segment {
            let later = |one: u32, other: u32| {
                if (other.wrapping_sub(one) as i32) > 0 { other } else { one }
            };
            used.client_next = if is_first { next } else { later(used.client_next, next) };
            if let Some(number) = acknowledged {
                let known = used.acknowledged;
                used.server_next = if known { later(used.server_next, number) } else { number };
                used.acknowledged = true;
            }
        }
        let OffloadCounters {
            received,
            sent,
            server_replies,
            member_replies,
            forwarded,
            forwarded_to_client,
        } = &mut self.counters;
        let (server, member, all) = match flow.direction {
            OffloadDirection::ToMember => (received, sent, forwarded),
            OffloadDirection::ToClient => (server_replies, member_replies, forwarded_to_client),
        };
        count(at(server, flow.server), length);
        count(at(member, flow.member), length);
        count(all, frame.len());
        packet.rewrite(flow.new_source, flow.new_destination);
        let source = flow.new_source.unwrap_or(packet.key.source).ip();
        let mut out = vec![0; 14 + outer + length];
        let kind = match path.tunnel {
            Some(tunnel) if tunnel.destination.is_ipv4() => ethertype::IPV4,
            Some(_) => ethertype::IPV6,
            None => link.ethertype(),
        };
        let header =
            ethernet::Header { destination: path.next_hop, source: path.own, ethertype: kind };
        header.emit(&mut out).unwrap();
        out[14 + outer..].copy_from_slice(&packet.bytes);
        let Some(tunnel) = path.tunnel else { return Some(out) };
        let (tos, payload_length) = (tunnel.tos.unwrap_or(tos), outer + length);
        let protocol = tunnel.protocol.outer_protocol(v4);
        match (tunnel.source.unwrap_or(source), tunnel.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                self.id = self.id.wrapping_add(1);
                let header = ipv4::Header {
                    source,
                    destination,
                    protocol,
                    ttl: 255,
                    tos,
                    id: self.id,
                    dont_fragment: true,
                    more_fragments: false,
                    fragment_offset: 0,
                    options: &[],
                    payload_length: payload_length - 20,
                };
                header.emit(&mut out[14..]).unwrap();
                let addresses = AddressPair::V4(source, destination);
                tunnel.protocol.emit(&addresses, v4, &mut out[34..]).unwrap();
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let header = ipv6::Header {
                    source,
                    destination,
                    next_header: protocol,
                    hop_limit: 255,
                    traffic_class: tos,
                    flow_label: 0,
                    payload_length: payload_length - 40,
                };
                header.emit(&mut out[14..]).unwrap();
                let addresses = AddressPair::V6(source, destination);
                tunnel.protocol.emit(&addresses, v4, &mut out[54..]).unwrap();
            }
            families => panic!("an outer header of {families:?}"),
        }
        Some(out)
    }
}

impl Packet {
    /// One off the TTL, and other ends.
    fn rewrite(&mut self, source: Option<SocketAddr>, destination: Option<SocketAddr>) {
        let (source, destination) =
            (source.unwrap_or(self.key.source), destination.unwrap_or(self.key.destination));
        let (bytes, header) = (&mut self.bytes, self.header);
        let sum = header + if self.key.protocol == protocol::TCP { 16 } else { 6 };
        let none = self.key.protocol == protocol::UDP && bytes[sum..sum + 2] == [0, 0];
        let mut change = |at: usize, new: &[u8]| {
            for (word, new) in new.chunks(2).enumerate() {
                let place = at + 2 * word;
                let old = [bytes[place], bytes[place + 1]];
                bytes[place..place + 2].copy_from_slice(new);
                if !none {
                    let new = [new[0], new[1]];
                    let summed = replace([bytes[sum], bytes[sum + 1]], old, new);
                    bytes[sum..sum + 2].copy_from_slice(&summed);
                }
            }
        };
        match (source.ip(), destination.ip()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                change(12, &source.octets());
                change(16, &destination.octets());
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                change(8, &source.octets());
                change(24, &destination.octets());
            }
            families => panic!("a packet between {families:?}"),
        }
        change(header, &source.port().to_be_bytes());
        change(header + 2, &destination.port().to_be_bytes());
        if self.key.protocol == protocol::UDP && !none && bytes[sum..sum + 2] == [0, 0] {
            bytes[sum..sum + 2].fill(0xff);
        }
        if source.is_ipv4() {
            bytes[8] -= 1;
            ipv4::ViewMut::new(bytes).unwrap().fill_checksum();
        } else {
            bytes[7] -= 1;
        }
    }
}

/// A checksum after one word became another (RFC 1624, equation 3).
fn replace(sum: [u8; 2], old: [u8; 2], new: [u8; 2]) -> [u8; 2] {
    let word = |bytes| u32::from(u16::from_be_bytes(bytes));
    if old == new {
        return sum;
    }
    let total = (!word(sum) & 0xffff) + (!word(old) & 0xffff) + word(new);
    let total = (total & 0xffff) + (total >> 16);
    let total = (total & 0xffff) + (total >> 16);
    (!(total as u16)).to_be_bytes()
}

fn at(tallies: &mut Vec<Tally>, number: u16) -> &mut Tally {
    let number = usize::from(number);
    if tallies.len() <= number {
        tallies.resize(number + 1, Tally::default());
    }
    &mut tallies[number]
}

fn count(tally: &mut Tally, bytes: usize) {
    tally.packets += 1;
    tally.bytes += bytes as u64;
}

fn read_v4(bytes: &[u8]) -> Option<Packet> {
    let ip = ipv4::View::new(bytes).ok()?;
    let plain = ip.checksum_ok() && ip.options().is_empty() && !ip.is_fragment() && ip.ttl() > 1;
    let (source, destination) = (ip.source().into(), ip.destination().into());
    let packet = read(ip.bytes(), 20, (source, destination), ip.protocol())?;
    plain.then(|| Packet { tos: ip.tos(), may_fragment: !ip.dont_fragment(), ..packet })
}

fn read_v6(bytes: &[u8]) -> Option<Packet> {
    let ip = ipv6::View::new(bytes).ok().filter(|ip| ip.hop_limit() > 1)?;
    let (source, destination) = (ip.source().into(), ip.destination().into());
    let packet = read(ip.bytes(), 40, (source, destination), ip.next_header())?;
    Some(Packet { tos: ip.traffic_class(), ..packet })
}

fn read(
    bytes: &[u8],
    header: usize,
    (source, destination): (IpAddr, IpAddr),
    transport: u8,
) -> Option<Packet> {
    let payload = &bytes[header..];
    let (from, to, segment) = match transport {
        protocol::TCP => {
            let segment = tcp::View::new(payload).ok()?;
            let flags = segment.flags();
            if [Flags::SYN, Flags::FIN, Flags::RST].iter().any(|flag| flags.contains(*flag)) {
                return None;
            }
            let next = segment.sequence().wrapping_add(segment.payload().len() as u32);
            let acknowledged = flags.contains(Flags::ACK).then(|| segment.acknowledgement());
            (segment.source_port(), segment.destination_port(), Some((next, acknowledged)))
        }
        protocol::UDP => {
            let datagram = udp::View::new(payload).ok()?;
            (datagram.source_port(), datagram.destination_port(), None)
        }
        _ => return None,
    };
    let key = OffloadKey {
        source: SocketAddr::new(source, from),
        destination: SocketAddr::new(destination, to),
        protocol: transport,
    };
    Some(Packet { bytes: bytes.to_vec(), header, key, tos: 0, may_fragment: false, segment })
}

/// An engine whose established flows the model forwards.
pub struct Accelerated {
    pub bench: Bench,
    pub model: Rc<RefCell<Model>>,
}

impl Accelerated {
    pub fn of(mut bench: Bench) -> Self {
        let model = Rc::new(RefCell::new(Model { room: usize::MAX, ..Model::default() }));
        bench.engine.set_offload(Box::new(Shared(Rc::clone(&model))));
        Self { bench, model }
    }

    /// A frame comes in; returns the engine's outcome, unless the model took it.
    pub fn feed(&mut self, frame: &[u8]) -> Option<Outcome> {
        let taken = self.model.borrow_mut().take(self.bench.now, frame);
        if let Some(sent) = taken {
            self.bench.sent.push(sent);
            return None;
        }
        let outcome = self.bench.feed(frame);
        self.bench.engine.hand_over(self.bench.now);
        Some(outcome)
    }

    pub fn pass(&mut self, duration: Duration) {
        self.bench.pass(duration);
    }

    /// Flows that are handed over, both directions for themselves.
    pub fn handed_over(&self) -> usize {
        self.model.borrow().flows.len()
    }
}
