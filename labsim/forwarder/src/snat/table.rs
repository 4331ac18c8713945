//! The addresses with their ports, and the flows that hold them.

use super::ports::Ports;
use crate::SnatPorts;
use crate::counters::SnatCounters;
use crate::flow::{FlowId, Hasher, Index, Key, SnatBinding};
use labsim_wire::protocol;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;

/// A SNAT address.
#[derive(Debug)]
pub(crate) struct SnatAddress {
    pub(crate) ip: IpAddr,
    /// Whether the interface has it: the kernel uses it too, and only the range's ports are ours.
    pub(crate) shared: bool,
    /// Whether ARP requests and neighbour solicitations for it are to be answered: it is on the interface's
    /// subnet, and the kernel does not answer for it.
    pub(crate) answers: bool,
}

/// One address with its free ports.
#[derive(Debug)]
struct PortPool {
    address: SnatAddress,
    /// Ports in use.
    held: u32,
    tcp: Ports,
    udp: Ports,
}

/// What a flow holds, on a cache line of its own: what its member's packets need beside the flow.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
struct BoundFlow {
    /// What the member's packets are recognised by.
    reply: Key,
    binding: SnatBinding,
    held: bool,
}

#[derive(Debug)]
pub(crate) struct Table {
    range: SnatPorts,
    pools: Vec<PortPool>,
    /// The holders' numbers, ordered by address.
    by_ip: Vec<(IpAddr, u16)>,
    /// The same for packets, each number one higher: nearly all look for one that is not there.
    numbers: Index,
    /// By flow number less one; as long as the highest number that ever held one.
    bound_flows: Vec<BoundFlow>,
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
            pools: Vec::new(),
            bound_flows: Vec::new(),
            index: Index::new(0),
            hasher,
            counters: SnatCounters::default(),
        }
    }

    /// Up to `flows` flows, the same number every time, stand in as one of `addresses` from here
    /// on. Others keep those that flows hold ports of, until the next call that finds them free.
    pub(crate) fn set_addresses(&mut self, addresses: Vec<SnatAddress>, flows: usize) {
        if self.pools.is_empty() && !addresses.is_empty() {
            self.bound_flows = Vec::with_capacity(flows);
            self.index = Index::new(flows);
        }
        let Self { pools, by_ip, range, .. } = self;
        by_ip.retain(|(ip, number)| {
            let wanted = addresses.iter().any(|address| address.ip == *ip);
            wanted || pools[usize::from(*number)].held > 0
        });
        for address in addresses {
            let ip = address.ip;
            let place = match by_ip.binary_search_by_key(&ip, |(ip, _)| *ip) {
                Ok(place) => {
                    pools[usize::from(by_ip[place].1)].address = address;
                    continue;
                }
                Err(place) => place,
            };
            let ports = || Ports::new(*range);
            let pool = PortPool { address, held: 0, tcp: ports(), udp: ports() };
            let is_known = |ip| by_ip.binary_search_by_key(&ip, |(ip, _)| *ip).is_ok();
            let given_up = pools.iter().position(|pool| !is_known(pool.address.ip));
            let number = given_up.unwrap_or(pools.len());
            match pools.get_mut(number) {
                Some(place) => *place = pool,
                None => pools.push(pool),
            }
            by_ip.insert(place, (ip, number as u16));
        }
        self.numbers = Index::new(self.by_ip.len());
        for (ip, number) in &self.by_ip {
            self.numbers.insert(hash_address(*ip), u32::from(*number) + 1);
        }
    }

    /// The number of an address.
    pub(crate) fn number(&self, ip: IpAddr) -> Option<u16> {
        let is_it = |number| self.pools[number as usize - 1].address.ip == ip;
        Some((self.numbers.find(hash_address(ip), is_it)? - 1) as u16)
    }

    /// Whether there is no address at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_ip.is_empty()
    }

    /// All of them.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = &SnatAddress> {
        self.by_ip.iter().map(|(_, number)| &self.pools[usize::from(*number)].address)
    }

    pub(crate) fn address(&self, ip: IpAddr) -> Option<&SnatAddress> {
        Some(&self.pools[usize::from(self.number(ip)?)].address)
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
    pub(crate) fn allocate(
        &mut self,
        addresses: impl Iterator<Item = u16>,
        client_port: u16,
        to: SocketAddr,
        transport: u8,
    ) -> Option<SnatBinding> {
        for number in addresses {
            let kept = self.take_exact(number, client_port, to, transport);
            let taken = if kept {
                Some(client_port)
            } else {
                self.pools[usize::from(number)].ports(transport).take()
            };
            if let Some(port) = taken.and_then(NonZeroU16::new) {
                let counter = if kept {
                    &mut self.counters.ports_kept
                } else {
                    &mut self.counters.ports_changed
                };
                *counter += 1;
                return Some(SnatBinding { address: number, port });
            }
        }
        self.counters.exhausted += 1;
        None
    }

    /// That address and port for a flow that has had them, if they are free.
    pub(crate) fn claim(
        &mut self,
        address: u16,
        port: u16,
        to: SocketAddr,
        transport: u8,
    ) -> Option<SnatBinding> {
        let is_free = self.take_exact(address, port, to, transport);
        let port = NonZeroU16::new(port).filter(|_| is_free)?;
        Some(SnatBinding { address, port })
    }

    /// Takes that port of an address; `false` if it is in use, or not the forwarder's to use.
    fn take_exact(&mut self, address: u16, port: u16, to: SocketAddr, transport: u8) -> bool {
        let pool = &mut self.pools[usize::from(address)];
        let SnatAddress { ip, shared, .. } = pool.address;
        if self.range.contains(port) {
            return pool.ports(transport).take_exact(port);
        }
        let snat_endpoint = SocketAddr::new(ip, port);
        !shared && port != 0 && !self.is_bound(&Key::between(to, snat_endpoint, transport))
    }

    /// The flow stands in as that from here on; its member answers from `from`.
    pub(crate) fn bind(
        &mut self,
        flow: FlowId,
        binding: SnatBinding,
        from: SocketAddr,
        transport: u8,
    ) {
        let reply = Key::between(from, self.snat_endpoint(binding), transport);
        let bound = BoundFlow { reply, binding, held: true };
        let place = flow.number() as usize - 1;
        // Room for all was reserved at the start.
        while self.bound_flows.len() <= place {
            self.bound_flows.push(BoundFlow { held: false, ..bound });
        }
        self.bound_flows[place] = bound;
        self.index.insert(self.hasher.hash(&reply), flow.number());
        self.pools[usize::from(binding.address)].held += 1;
        self.counters.ports += 1;
    }

    /// The flow is forgotten: what it held is free.
    pub(crate) fn release(&mut self, flow: FlowId) {
        let Some(bound) = self.bound_flows.get_mut(flow.number() as usize - 1) else { return };
        if !std::mem::take(&mut bound.held) {
            return;
        }
        let BoundFlow { reply, binding, .. } = *bound;
        self.index.remove(self.hasher.hash(&reply), flow.number());
        let pool = &mut self.pools[usize::from(binding.address)];
        pool.held -= 1;
        pool.ports(reply.protocol()).release(binding.port.get());
        self.counters.ports -= 1;
    }

    /// The address and port that stand in for a client's.
    #[inline]
    pub(crate) fn snat_endpoint(&self, binding: SnatBinding) -> SocketAddr {
        let ip = self.pools[usize::from(binding.address)].address.ip;
        SocketAddr::new(ip, binding.port.get())
    }

    /// What the packets that answer the flow's are recognised by; `None` if its source is not translated.
    pub(crate) fn reply_key(&self, flow: FlowId) -> Option<Key> {
        let bound = self.bound_flows.get(flow.number() as usize - 1)?;
        bound.held.then_some(bound.reply)
    }

    /// The flow that a member's packet answers.
    pub(crate) fn find(&self, reply: &Key) -> Option<FlowId> {
        let number = self.index.find(self.hasher.hash(reply), |number| {
            self.bound_flows[number as usize - 1].reply == *reply
        });
        number.map(FlowId::of)
    }

    /// Touches the memory where the search for a reply of `hash` begins.
    pub(crate) fn prefetch(&self, hash: u32) -> u64 {
        self.index.prefetch(hash)
    }

    /// The flow that the search for a reply of `hash` most likely ends at.
    pub(crate) fn likely(&self, hash: u32) -> Option<FlowId> {
        self.index.likely(hash).map(FlowId::of)
    }

    /// Touches the memory of the flow's binding.
    pub(crate) fn prefetch_entry(&self, flow: FlowId) -> u64 {
        let bound = self.bound_flows.get(flow.number() as usize - 1);
        bound.map_or(0, |bound| u64::from(bound.binding.address))
    }

    fn is_bound(&self, reply: &Key) -> bool {
        self.find(reply).is_some()
    }
}

/// Spreads neighbouring addresses over the index. It needs no secret: clients do not choose
/// the addresses that are in the index.
fn hash_address(ip: IpAddr) -> u32 {
    let spread = |bits: u32| bits.wrapping_mul(0x9e37_79b1).rotate_left(16);
    match ip {
        IpAddr::V4(ip) => spread(ip.to_bits()),
        IpAddr::V6(ip) => {
            let bits = ip.to_bits();
            let words = [bits >> 96, bits >> 64, bits >> 32, bits].map(|word| word as u32);
            words.into_iter().fold(0, |hash, word| spread(hash ^ word))
        }
    }
}

impl PortPool {
    fn ports(&mut self, transport: u8) -> &mut Ports {
        if transport == protocol::TCP { &mut self.tcp } else { &mut self.udp }
    }
}
