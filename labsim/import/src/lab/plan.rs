//! Who is where: a client, a router, the load balancer on one interface, and the servers.

use super::{addresses::Addresses, names};
use crate::design::{Design, Encapsulation, Mode, Snat, Virtual};
use crate::place::Place;
use crate::report::Report;
use crate::settle::on_one_segment;
use ipnet::Ipv4Net;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// The prefix length of a subnet that nothing is known of.
const USUAL: u8 = 24;

/// The lab.
pub(super) struct Plan {
    pub(super) client: Port,
    pub(super) lb: Port,
    /// The place of the load balancer among the segments, if it shares one with servers.
    pub(super) lb_segment: Option<usize>,
    pub(super) segments: Vec<Segment>,
    /// In the order of their first appearance.
    pub(super) servers: Vec<Server>,
    by_address: BTreeMap<Ipv4Addr, usize>,
    /// Addresses that the router sends to the load balancer: VIPs, then SNAT addresses.
    pub(super) routed: Vec<Ipv4Addr>,
}

/// An address, and the router's in the same subnet.
pub(super) struct Port {
    /// Host bits kept.
    pub(super) net: Ipv4Net,
    pub(super) router: Ipv4Addr,
}

pub(super) struct Segment {
    pub(super) net: Ipv4Net,
    pub(super) router: Ipv4Addr,
}

pub(super) struct Server {
    pub(super) name: String,
    pub(super) address: Ipv4Addr,
    pub(super) segment: usize,
}

impl Plan {
    /// The place of the server with this address.
    pub(super) fn server(&self, address: Ipv4Addr) -> Option<usize> {
        self.by_address.get(&address).copied()
    }

    /// The virtual servers that have a member in the lab.
    pub(super) fn virtuals<'d>(&self, design: &'d Design) -> Vec<&'d Virtual> {
        let has_server = |one: &&Virtual| !self.servers_of(one, design).is_empty();
        design.virtuals.iter().filter(has_server).collect()
    }

    /// The servers of a virtual server, each once.
    pub(super) fn servers_of(&self, one: &Virtual, design: &Design) -> Vec<usize> {
        let mut servers: Vec<usize> = Vec::new();
        for member in &design.pools[one.pool].members {
            if let Some(index) = self.server(member.address)
                && !servers.contains(&index)
            {
                servers.push(index);
            }
        }
        servers
    }
}

/// A server before it has a name.
struct Draft<'d> {
    name: Option<&'d str>,
    address: Ipv4Addr,
    place: Place,
    segment: usize,
}

/// Finds a place for everybody.
pub(super) fn plan(design: &Design, report: &mut Report<'_>) -> Plan {
    let mut drafts = drafts(design);
    let mut addresses = Addresses::new(used(design, &drafts));
    let mut nets = segments(&mut drafts, design, &mut addresses, report);
    let gateways = || design.gateways.iter().copied();
    // The router comes first: a subnet without it is no use.
    let mut routers: Vec<Option<Ipv4Addr>> =
        nets.iter().map(|net| addresses.take(*net, gateways())).collect();
    let direct = design.virtuals.iter().find(|one| {
        let pool = &design.pools[one.pool];
        one.mode(pool.encapsulation) == Mode::Direct
            && pool.encapsulation == Encapsulation::None
            && on_one_segment(pool, design)
    });
    let wanted = direct
        .and_then(|one| design.pools[one.pool].members.first())
        .and_then(|member| nets.iter().position(|net| net.contains(&member.address)));
    let own = own(wanted, &nets, design, report);
    let shared = match own {
        Some(own) => nets.iter().position(|net| net.contains(&own.addr())),
        None => wanted,
    };
    let lb = match (own, shared) {
        (Some(own), Some(segment)) => routers[segment].and_then(|router| {
            let net = with_length(own.addr(), nets[segment])?;
            Some(Port { net, router })
        }),
        (None, Some(segment)) => routers[segment].and_then(|router| {
            let net = nets[segment];
            let address = addresses.take(net, host(net, 10).into_iter())?;
            Some(Port { net: with_length(address, net)?, router })
        }),
        (Some(own), None) => addresses.subnet(own.addr(), own.prefix_len()).and_then(|net| {
            let router = addresses.take(net, gateways())?;
            Some(Port { net: with_length(own.addr(), net)?, router })
        }),
        (None, None) => None,
    };
    let shared = shared.filter(|_| lb.is_some());
    let lb = lb.or_else(|| new_port(&mut addresses, lb_nets(), 10));
    let client = new_port(&mut addresses, client_nets(), 201);
    let (Some(lb), Some(client)) = (lb, client) else {
        // Only if the configuration fills all private subnets.
        drafts.clear();
        nets.clear();
        routers.clear();
        return finish(drafts, nets, routers, (unplaced(), unplaced(), None), design);
    };
    finish(drafts, nets, routers, (client, lb, shared), design)
}

fn finish(
    drafts: Vec<Draft<'_>>,
    nets: Vec<Ipv4Net>,
    routers: Vec<Option<Ipv4Addr>>,
    (client, lb, lb_segment): (Port, Port, Option<usize>),
    design: &Design,
) -> Plan {
    let names = names::nodes(drafts.iter().map(|draft| draft.name));
    let servers: Vec<Server> = drafts
        .iter()
        .zip(names)
        .map(|(draft, name)| Server { name, address: draft.address, segment: draft.segment })
        .collect();
    let by_address = servers.iter().enumerate().map(|(at, one)| (one.address, at)).collect();
    let routed = routed(design, lb.net.addr());
    let segments = nets
        .into_iter()
        .zip(routers)
        .map(|(net, router)| Segment { net, router: router.unwrap_or(net.network()) })
        .collect();
    Plan { client, lb, lb_segment, segments, servers, by_address, routed }
}

fn unplaced() -> Port {
    Port { net: Ipv4Net::default(), router: Ipv4Addr::UNSPECIFIED }
}

/// The servers, each once.
fn drafts(design: &Design) -> Vec<Draft<'_>> {
    let (mut drafts, mut seen) = (Vec::new(), BTreeSet::new());
    for member in design.virtuals.iter().flat_map(|one| &design.pools[one.pool].members) {
        if seen.insert(member.address) {
            drafts.push(Draft {
                name: member.name.as_deref(),
                address: member.address,
                place: member.place,
                segment: 0,
            });
        }
    }
    drafts
}

/// Addresses that nobody else may get.
fn used(design: &Design, drafts: &[Draft<'_>]) -> BTreeSet<Ipv4Addr> {
    let own = design.own.iter().map(|own| own.net.addr());
    let servers = drafts.iter().map(|draft| draft.address);
    own.chain(servers).chain(routed(design, Ipv4Addr::UNSPECIFIED)).collect()
}

/// What the router sends to the load balancer, whose own address is none of it.
fn routed(design: &Design, own: Ipv4Addr) -> Vec<Ipv4Addr> {
    let snats = design.virtuals.iter().flat_map(|one| match &one.snat {
        Snat::Pool(addresses) => addresses.as_slice(),
        Snat::None | Snat::Automap => &[],
    });
    let all = design.virtuals.iter().map(|one| one.address).chain(snats.copied());
    let mut seen = BTreeSet::from([own]);
    all.filter(|address| seen.insert(*address)).collect()
}

/// A subnet for every server: the load balancer's where it has an address there. Servers without
/// one are left out.
fn segments(
    drafts: &mut Vec<Draft<'_>>,
    design: &Design,
    addresses: &mut Addresses,
    report: &mut Report<'_>,
) -> Vec<Ipv4Net> {
    let length = |address: Ipv4Addr| {
        let own = design.own.iter().filter(|own| own.net.contains(&address));
        own.map(|own| own.net.prefix_len()).max()
    };
    // Those whose mask is known choose first.
    for draft in drafts.iter() {
        if let Some(length) = length(draft.address) {
            addresses.subnet(draft.address, length);
        }
    }
    let vips: BTreeSet<Ipv4Addr> = routed(design, Ipv4Addr::UNSPECIFIED).into_iter().collect();
    let mut nets: Vec<Ipv4Net> = Vec::new();
    drafts.retain_mut(|draft| {
        let what = format!("server {}", draft.address);
        if vips.contains(&draft.address) {
            let why = "a virtual server or SNAT pool has the same address, so that no lab can \
                       route to both";
            report.leave(draft.place, what, why);
            return false;
        }
        let Some(net) = addresses.subnet(draft.address, USUAL) else {
            report.leave(draft.place, what, "no subnet has room for it beside the others");
            return false;
        };
        draft.segment = nets.iter().position(|known| *known == net).unwrap_or_else(|| {
            nets.push(net);
            nets.len() - 1
        });
        true
    });
    nets
}

/// The load balancer's one address: on the segment where it has to be, or else away from the
/// servers, as in the document's lab. The others are listed.
fn own(
    wanted: Option<usize>,
    nets: &[Ipv4Net],
    design: &Design,
    report: &mut Report<'_>,
) -> Option<Ipv4Net> {
    let taken: BTreeSet<Ipv4Addr> = design
        .virtuals
        .iter()
        .flat_map(|one| {
            let members = design.pools[one.pool].members.iter().map(|member| member.address);
            members.chain([one.address])
        })
        .collect();
    let usable = || design.own.iter().filter(|own| !taken.contains(&own.net.addr()));
    let segment =
        |own: &crate::design::OwnAddress| nets.iter().position(|net| net.contains(&own.net.addr()));
    let chosen = match wanted {
        Some(wanted) => usable().find(|own| segment(own) == Some(wanted)),
        None => usable().find(|own| segment(own).is_none()).or_else(|| usable().next()),
    };
    for own in &design.own {
        if chosen.is_none_or(|chosen| chosen.place != own.place) {
            let why = "the lab's load balancer has one interface and one address";
            report.leave(own.place, format!("own address {}", own.net), why);
        }
    }
    chosen.map(|own| own.net)
}

fn with_length(address: Ipv4Addr, net: Ipv4Net) -> Option<Ipv4Net> {
    Ipv4Net::new(address, net.prefix_len()).ok()
}

/// The host with this number in a subnet.
fn host(net: Ipv4Net, number: u32) -> Option<Ipv4Addr> {
    u32::from(net.network()).checked_add(number).map(Ipv4Addr::from)
}

/// A port in a subnet of its own.
fn new_port(
    addresses: &mut Addresses,
    candidates: impl Iterator<Item = Ipv4Net>,
    number: u32,
) -> Option<Port> {
    let net = addresses.empty(candidates)?;
    let router = addresses.take(net, std::iter::empty())?;
    let address = addresses.take(net, host(net, number).into_iter())?;
    Some(Port { net: with_length(address, net)?, router })
}

/// The document's own subnets first, then other private ones.
fn lb_nets() -> impl Iterator<Item = Ipv4Net> {
    let nets = (0..=255).map(|third| Ipv4Addr::new(172, 16, third, 0));
    nets.chain((0..=255).map(|third| Ipv4Addr::new(10, 255, third, 0))).filter_map(usual)
}

fn client_nets() -> impl Iterator<Item = Ipv4Net> {
    let nets = (11..=255).map(|third| Ipv4Addr::new(192, 168, third, 0));
    nets.chain((0..=255).map(|third| Ipv4Addr::new(10, 254, third, 0))).filter_map(usual)
}

fn usual(address: Ipv4Addr) -> Option<Ipv4Net> {
    Ipv4Net::new(address, USUAL).ok()
}
