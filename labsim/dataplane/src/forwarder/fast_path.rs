//! The fast path as what forwards established flows in the engine's place ([`Offload`]), and which
//! packets it leaves to the kernel.

use crate::Error;
use crate::kernel::Interface;
use labsim_fast_path::{
    Capacity, FastPath, Flow, FlowKey, Owned, Path, Service, Share, Towards, Traffic, Tunnel,
};
use labsim_forwarder::{
    Engine, FlowUse, Instant, Offload, OffloadCounters, OffloadDirection, OffloadKey, OffloadPath,
    OffloadedFlow, PortRange, RxFilter, Tally,
};
use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;
use tracing::warn;

/// The program at the interface: the engine hands flows to it, and the data plane says whose packets
/// are whose.
#[derive(Debug, Clone)]
pub(super) struct KernelPath(Rc<RefCell<FastPath>>);

impl KernelPath {
    /// Attaches it to the interface.
    pub(super) fn attach(
        interface: &Interface,
        engine: &Engine,
        rx_filter: &RxFilter,
    ) -> Result<Self, Error> {
        let limits = engine.config().limits;
        // A flow whose source is translated has an entry for each direction.
        let capacity = Capacity { flows: limits.flows.saturating_mul(2), ..Capacity::default() };
        let program = FastPath::attach(&interface.name, interface.port.mac, capacity)?;
        let mut path = Self(Rc::new(RefCell::new(program)));
        path.set_filter(rx_filter)?;
        Ok(path)
    }

    /// The interface where the engine's packet ring listens.
    pub(super) fn engine_interface(&self) -> u32 {
        self.0.borrow().engine_interface()
    }

    /// Leaves these packets to the engine from here on.
    pub(super) fn set_filter(&mut self, rx_filter: &RxFilter) -> Result<(), Error> {
        Ok(self.0.borrow_mut().set_owned(&owned(rx_filter))?)
    }
}

impl Offload for KernelPath {
    fn set_path(&mut self, number: u16, path: Option<OffloadPath>) {
        let path = path.map(|OffloadPath { own, next_hop, mtu, tunnel }| Path {
            own,
            next_hop,
            mtu,
            tunnel: tunnel.map(|tunnel| Tunnel {
                source: tunnel.source,
                destination: tunnel.destination,
                protocol: tunnel.protocol,
                tos: tunnel.tos,
            }),
        });
        let mut program = self.0.borrow_mut();
        if let Err(error) = program.set_path(number, path) {
            warn!(%error, number, "the fast path does not take a path; its flows are the engine's");
            // What has an old path must not go on by it.
            if let Err(error) = program.remove_all() {
                warn!(%error, "the fast path does not give its flows back");
            }
        }
    }

    fn insert(&mut self, key: &OffloadKey, flow: &OffloadedFlow, last_seen: Instant) -> bool {
        let OffloadedFlow { path, server, member, direction, new_source, new_destination } = *flow;
        let towards = match direction {
            OffloadDirection::ToMember => Towards::Member,
            OffloadDirection::ToClient => Towards::Client,
        };
        let flow = Flow { towards, path, server, member, new_source, new_destination };
        let last_seen = Duration::from_nanos(last_seen.as_nanos());
        match self.0.borrow_mut().insert(&flow_key(key), &flow, last_seen) {
            Ok(inserted) => inserted,
            Err(error) => {
                warn!(%error, "the fast path does not take a flow");
                false
            }
        }
    }

    fn remove(&mut self, key: &OffloadKey) -> Option<FlowUse> {
        self.0.borrow_mut().remove(&flow_key(key)).map(flow_use)
    }

    fn flow_use(&mut self, key: &OffloadKey) -> Option<FlowUse> {
        self.0.borrow().flow_use(&flow_key(key)).map(flow_use)
    }

    fn remove_all(&mut self) {
        if let Err(error) = self.0.borrow_mut().remove_all() {
            warn!(%error, "the fast path does not give its flows back");
        }
    }

    fn counters(&self, servers: u16, members: u16) -> OffloadCounters {
        let counters = match self.0.borrow().counters(servers, members) {
            Ok(counters) => counters,
            Err(error) => {
                warn!(%error, "the fast path's counters cannot be read");
                return OffloadCounters::default();
            }
        };
        let tallies = |traffic: &[Traffic], of: fn(&Traffic) -> labsim_fast_path::Tally| {
            traffic.iter().map(|one| tally(of(one))).collect()
        };
        OffloadCounters {
            received: tallies(&counters.servers, |one| one.requests),
            sent: tallies(&counters.members, |one| one.requests),
            server_replies: tallies(&counters.servers, |one| one.replies),
            member_replies: tallies(&counters.members, |one| one.replies),
            forwarded: tally(counters.forwarded),
            forwarded_to_client: tally(counters.forwarded_to_client),
        }
    }
}

fn flow_key(key: &OffloadKey) -> FlowKey {
    FlowKey {
        source: key.source.ip(),
        destination: key.destination.ip(),
        source_port: key.source.port(),
        destination_port: key.destination.port(),
        protocol: key.protocol,
    }
}

fn flow_use(used: labsim_fast_path::FlowUse) -> FlowUse {
    FlowUse {
        last_seen: Instant::ZERO.after(used.last_seen),
        packets: used.packets,
        client_next: used.client_next,
        server_next: used.server_next,
        acknowledged: used.acknowledged,
    }
}

const fn tally(tally: labsim_fast_path::Tally) -> Tally {
    Tally { packets: tally.packets, bytes: tally.bytes }
}

/// Whose packets are whose, as the program has it.
fn owned(rx_filter: &RxFilter) -> Vec<Owned> {
    let RxFilter { owned, kept_from_host, shared, tunnel_sources, ports } = rx_filter;
    let of = |address: IpAddr| kept_from_host.iter().filter(move |kept| kept.address == address);
    let own = owned.iter().map(|address| {
        let is_all = of(*address).any(|kept| kept.service.is_none());
        let services = of(*address).filter_map(|kept| kept.service);
        let services =
            services.map(|one| Service { protocol: one.protocol, ports: one.ports }).collect();
        let share = if is_all { Share::All } else { Share::Services(services) };
        Owned { address: *address, share }
    });
    let range = PortRange { first: ports.first, last: ports.last };
    let shared =
        shared.iter().map(|address| Owned { address: *address, share: Share::Ports(range) });
    let sources =
        tunnel_sources.iter().map(|address| Owned { address: *address, share: Share::Errors });
    own.chain(shared).chain(sources).collect()
}

#[cfg(test)]
mod tests {
    use super::owned;
    use labsim_fast_path::{Owned, Service, Share};
    use labsim_forwarder::{Kept, PortRange, RxFilter, SnatPorts};
    use std::net::IpAddr;

    #[test]
    fn the_program_leaves_to_each_what_the_filter_says() {
        let address = |last: u8| IpAddr::from([10, 0, 0, last]);
        let service = labsim_forwarder::Service {
            protocol: 6,
            ports: Some(PortRange { first: 49, last: 50 }),
        };
        let rx_filter = RxFilter {
            owned: vec![address(1), address(2)],
            kept_from_host: vec![
                Kept { address: address(1), service: None },
                Kept { address: address(2), service: Some(service) },
            ],
            shared: vec![address(3)],
            tunnel_sources: vec![address(3), address(4)],
            ports: SnatPorts { first: 61_000, last: 61_003 },
        };
        let ports = PortRange { first: 61_000, last: 61_003 };
        let services = vec![Service { protocol: 6, ports: service.ports }];
        let expected = [
            (1, Share::All),
            (2, Share::Services(services)),
            (3, Share::Ports(ports)),
            (3, Share::Errors),
            (4, Share::Errors),
        ];
        let expected = expected.map(|(last, share)| Owned { address: address(last), share });
        assert_eq!(owned(&rx_filter), expected);
    }
}
