//! The addresses with their ports, and the flows that hold them.

use super::ports::Ports;
use crate::SnatPorts;
use crate::counters::SnatCounters;
use crate::flow::{FlowId, Hasher, Index, Key, Stand};
use labsim_wire::protocol;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::num::NonZeroU16;

/// An address that stands in for clients.
#[derive(Debug)]
pub(crate) struct Address {
    pub(crate) ip: Ipv4Addr,
    /// It is the interface's own: the kernel uses it too, and only the range's ports are ours.
    pub(crate) shared: bool,
    /// Whether ARP requests for it are to be answered: it is on the interface's subnet, and the
    /// kernel does not answer for it.
    pub(crate) answers_arp: bool,
}

/// One address with what is free of it.
#[derive(Debug)]
struct Holder {
    address: Address,
    /// Ports that flows hold.
    held: u32,
    tcp: Ports,
    udp: Ports,
}

/// What a flow holds, on a cache line of its own: what its member's packets need beside the flow.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
struct Binding {
    /// What the member's packets are recognised by.
    reply: Key,
    stand: Stand,
    held: bool,
}

#[derive(Debug)]
pub(crate) struct Table {
    range: SnatPorts,
    holders: Vec<Holder>,
    /// The holders' numbers, ordered by address.
    by_ip: Vec<(Ipv4Addr, u16)>,
    /// The same for packets, each number one higher: nearly all look for one that is not there.
    numbers: Index,
    /// By flow number less one; as long as the highest number that ever held one.
    bindings: Vec<Binding>,
    /// By the hash of the reply's key.
    index: Index,
    hasher: Hasher,
    pub(crate) counters: SnatCounters,
}

impl Table {
    /// Without addresses. It takes no memory until it has some.
    pub(crate) fn new(range: SnatPorts, hasher: Hasher) -> Self {
        Self {
            range,
            by_ip: Vec::new(),
            numbers: Index::new(0),
            holders: Vec::new(),
            bindings: Vec::new(),
            index: Index::new(0),
            hasher,
            counters: SnatCounters::default(),
        }
    }

    /// Up to `flows` flows, the same number every time, stand in as one of `addresses` from here
    /// on. Others keep those that flows hold ports of, until the next call that finds them free.
    pub(crate) fn set_addresses(&mut self, addresses: Vec<Address>, flows: usize) {
        if self.holders.is_empty() && !addresses.is_empty() {
            self.bindings = Vec::with_capacity(flows);
            self.index = Index::new(flows);
        }
        let Self { holders, by_ip, range, .. } = self;
        by_ip.retain(|(ip, number)| {
            let wanted = addresses.iter().any(|address| address.ip == *ip);
            wanted || holders[usize::from(*number)].held > 0
        });
        for address in addresses {
            let ip = address.ip;
            let place = match by_ip.binary_search_by_key(&ip, |(ip, _)| *ip) {
                Ok(place) => {
                    holders[usize::from(by_ip[place].1)].address = address;
                    continue;
                }
                Err(place) => place,
            };
            let ports = || Ports::new(*range);
            let holder = Holder { address, held: 0, tcp: ports(), udp: ports() };
            let is_known = |ip| by_ip.binary_search_by_key(&ip, |(ip, _)| *ip).is_ok();
            let given_up = holders.iter().position(|holder| !is_known(holder.address.ip));
            let number = given_up.unwrap_or(holders.len());
            match holders.get_mut(number) {
                Some(place) => *place = holder,
                None => holders.push(holder),
            }
            by_ip.insert(place, (ip, number as u16));
        }
        self.numbers = Index::new(self.by_ip.len());
        for (ip, number) in &self.by_ip {
            self.numbers.insert(spread(*ip), u32::from(*number) + 1);
        }
    }

    /// The number of an address.
    pub(crate) fn number(&self, ip: Ipv4Addr) -> Option<u16> {
        let is_it = |number| self.holders[number as usize - 1].address.ip == ip;
        Some((self.numbers.find(spread(ip), is_it)? - 1) as u16)
    }

    /// Whether there is no address at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_ip.is_empty()
    }

    /// All of them.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.by_ip.iter().map(|(_, number)| &self.holders[usize::from(*number)].address)
    }

    pub(crate) fn address(&self, ip: Ipv4Addr) -> Option<&Address> {
        Some(&self.holders[usize::from(self.number(ip)?)].address)
    }

    /// The ports that are ours on every address.
    pub(crate) fn range(&self) -> SnatPorts {
        self.range
    }

    /// Finds an address, the first of `addresses` that has one, and a port for a client's flow: the
    /// client's own port if it may be kept, else the one that was free for longest. `to` is whom
    /// the translated packets are for.
    ///
    /// The kernel must not see the flow on an address that it shares, so only ports of the range
    /// are kept there.
    pub(crate) fn choose(
        &mut self,
        addresses: impl Iterator<Item = u16>,
        client_port: u16,
        to: SocketAddrV4,
        transport: u8,
    ) -> Option<Stand> {
        for number in addresses {
            let holder = &mut self.holders[usize::from(number)];
            let ip = holder.address.ip;
            let shared = holder.address.shared;
            let ports = holder.ports(transport);
            let kept = if self.range.contains(client_port) {
                ports.take_this(client_port)
            } else {
                let as_whom = SocketAddrV4::new(ip, client_port);
                !shared && client_port != 0 && !self.holds(&Key::v4(to, as_whom, transport))
            };
            let taken = if kept {
                Some(client_port)
            } else {
                self.holders[usize::from(number)].ports(transport).take()
            };
            if let Some(port) = taken.and_then(NonZeroU16::new) {
                let counter = if kept {
                    &mut self.counters.ports_kept
                } else {
                    &mut self.counters.ports_changed
                };
                *counter += 1;
                return Some(Stand { address: number, port });
            }
        }
        self.counters.exhausted += 1;
        None
    }

    /// The flow stands in as that from here on; its member answers from `from`.
    pub(crate) fn bind(&mut self, flow: FlowId, stand: Stand, from: SocketAddrV4, transport: u8) {
        let reply = Key::v4(from, self.as_whom(stand), transport);
        let binding = Binding { reply, stand, held: true };
        let place = flow.number() as usize - 1;
        // Room for all was reserved at the start.
        while self.bindings.len() <= place {
            self.bindings.push(Binding { held: false, ..binding });
        }
        self.bindings[place] = binding;
        self.index.insert(self.hasher.hash(&reply), flow.number());
        self.holders[usize::from(stand.address)].held += 1;
        self.counters.ports += 1;
    }

    /// The flow is forgotten: what it held is free.
    pub(crate) fn release(&mut self, flow: FlowId) {
        let Some(binding) = self.bindings.get_mut(flow.number() as usize - 1) else { return };
        if !std::mem::take(&mut binding.held) {
            return;
        }
        let Binding { reply, stand, .. } = *binding;
        self.index.remove(self.hasher.hash(&reply), flow.number());
        let holder = &mut self.holders[usize::from(stand.address)];
        holder.held -= 1;
        holder.ports(reply.protocol()).give_back(stand.port.get());
        self.counters.ports -= 1;
    }

    /// The address and port that stand in for a client's.
    #[inline]
    pub(crate) fn as_whom(&self, stand: Stand) -> SocketAddrV4 {
        let ip = self.holders[usize::from(stand.address)].address.ip;
        SocketAddrV4::new(ip, stand.port.get())
    }

    /// The flow that a member's packet answers.
    pub(crate) fn find(&self, reply: &Key) -> Option<FlowId> {
        let number = self.index.find(self.hasher.hash(reply), |number| {
            self.bindings[number as usize - 1].reply == *reply
        });
        number.map(FlowId::of)
    }

    /// Reads where the search for a reply of `hash` begins, and means nothing.
    pub(crate) fn glance(&self, hash: u32) -> u64 {
        self.index.glance(hash)
    }

    /// The flow that the search for a reply of `hash` most likely ends at.
    pub(crate) fn likely(&self, hash: u32) -> Option<FlowId> {
        self.index.likely(hash).map(FlowId::of)
    }

    /// Reads something of what the flow holds, and means nothing.
    pub(crate) fn glance_at(&self, flow: FlowId) -> u64 {
        let binding = self.bindings.get(flow.number() as usize - 1);
        binding.map_or(0, |binding| u64::from(binding.stand.address))
    }

    fn holds(&self, reply: &Key) -> bool {
        self.find(reply).is_some()
    }
}

/// Neighbouring addresses to places that are far from each other. It needs no secret: nobody chooses
/// the addresses that are in the index.
const fn spread(ip: Ipv4Addr) -> u32 {
    ip.to_bits().wrapping_mul(0x9e37_79b1).rotate_left(16)
}

impl Holder {
    fn ports(&mut self, transport: u8) -> &mut Ports {
        if transport == protocol::TCP { &mut self.tcp } else { &mut self.udp }
    }
}
