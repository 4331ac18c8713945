//! Who is where: a client, a router, the load balancer on one interface, and the servers.

use super::addresses::{Addresses, Subnet};
use super::names;
use crate::address::is_host;
use crate::design::{Design, Encapsulation, Mode, OwnAddress, Snat, Virtual};
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
    pub(super) segments: Vec<Subnet>,
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

impl Port {
    fn new(address: Ipv4Addr, Subnet { net, router }: Subnet) -> Option<Self> {
        Some(Self { net: Ipv4Net::new(address, net.prefix_len()).ok()?, router })
    }
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

    /// The virtual servers that have a member in the lab; the others are listed.
    pub(super) fn virtuals<'d>(
        &self,
        design: &'d Design,
        report: &mut Report<'_>,
    ) -> Vec<&'d Virtual> {
        let mut all = Vec::new();
        for one in &design.virtuals {
            let servers = self.servers_of(one, design);
            if servers.is_empty() {
                let why = "none of its members has a place in the lab";
                report.leave(one.place, one.what.clone(), why);
                continue;
            }
            let is_beside = |at: &usize| Some(self.servers[*at].segment) == self.lb_segment;
            if needs_segment(one, design) && !servers.iter().all(is_beside) {
                let why = "without a tunnel and translation its members have to be on the load \
                           balancer's segment; the lab's load balancer has one interface, and it \
                           is on another";
                report.warn(one.place, one.what.clone(), why);
            }
            all.push(one);
        }
        all
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

/// Finds a place for everybody; `None` if the configuration leaves no subnet for a client.
pub(super) fn plan(design: &Design, report: &mut Report<'_>) -> Option<Plan> {
    let mut drafts = drafts(design);
    let mut addresses = Addresses::new(used(design, &drafts), &design.gateways);
    let segments = segments(&mut drafts, design, &mut addresses, report);
    let (lb, lb_segment) = load_balancer(&segments, design, &mut addresses, report)?;
    let client = new_port(&mut addresses, client_nets(), 201)?;
    let names = names::nodes(drafts.iter().map(|draft| draft.name));
    let servers: Vec<Server> = drafts
        .iter()
        .zip(names)
        .map(|(draft, name)| Server { name, address: draft.address, segment: draft.segment })
        .collect();
    let by_address = servers.iter().enumerate().map(|(at, one)| (one.address, at)).collect();
    let routed = routed(design, lb.net.addr());
    Some(Plan { client, lb, lb_segment, segments, servers, by_address, routed })
}

/// The load balancer's port, and the segment that it is on if it shares one with servers.
fn load_balancer(
    segments: &[Subnet],
    design: &Design,
    addresses: &mut Addresses<'_>,
    report: &mut Report<'_>,
) -> Option<(Port, Option<usize>)> {
    let direct = design.virtuals.iter().find(|one| needs_segment(one, design));
    let on = |address: Ipv4Addr| segments.iter().position(|one| one.net.contains(&address));
    let wanted = direct
        .and_then(|one| design.pools[one.pool].members.iter().find_map(|one| on(one.address)));
    let own = own(wanted, segments, design, report);
    let shared = own.map_or(wanted, |own| on(own.addr()));
    let found = match (own, shared) {
        (Some(own), Some(segment)) => Port::new(own.addr(), segments[segment]),
        (None, Some(segment)) => {
            let subnet = segments[segment];
            let address = addresses.take(subnet.net, host(subnet.net, 10).into_iter());
            address.and_then(|address| Port::new(address, subnet))
        }
        (Some(own), None) => {
            let subnet = addresses.subnet(own.addr(), own.prefix_len());
            subnet.and_then(|subnet| Port::new(own.addr(), subnet))
        }
        (None, None) => None,
    };
    match found {
        Some(port) => Some((port, shared)),
        None => Some((new_port(addresses, lb_nets(), 10)?, None)),
    }
}

/// Whether packets reach the members under their MAC addresses only, and can.
fn needs_segment(one: &Virtual, design: &Design) -> bool {
    let pool = &design.pools[one.pool];
    one.mode(pool.encapsulation) == Mode::Direct
        && pool.encapsulation == Encapsulation::None
        && on_one_segment(pool, design)
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
    addresses: &mut Addresses<'_>,
    report: &mut Report<'_>,
) -> Vec<Subnet> {
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
    let mut subnets: Vec<Subnet> = Vec::new();
    drafts.retain_mut(|draft| {
        let what = format!("server {}", draft.address);
        if vips.contains(&draft.address) {
            let why = "a virtual server or SNAT pool has the same address, so that no lab can \
                       route to both";
            report.leave(draft.place, what, why);
            return false;
        }
        let Some(subnet) = addresses.subnet(draft.address, USUAL) else {
            report.leave(draft.place, what, "no subnet has room for it beside the others");
            return false;
        };
        draft.segment = subnets.iter().position(|known| *known == subnet).unwrap_or_else(|| {
            subnets.push(subnet);
            subnets.len() - 1
        });
        true
    });
    subnets
}

/// The load balancer's one address: on the segment where it has to be, or else away from the
/// servers, as in the document's lab. The others are listed.
fn own(
    wanted: Option<usize>,
    segments: &[Subnet],
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
    let segment =
        |own: &OwnAddress| segments.iter().position(|subnet| subnet.net.contains(&own.net.addr()));
    let fits =
        |own: &OwnAddress| segment(own).is_none_or(|at| is_host(segments[at].net, own.net.addr()));
    let usable = || design.own.iter().filter(|own| !taken.contains(&own.net.addr()) && fits(own));
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

/// The host with this number in a subnet.
fn host(net: Ipv4Net, number: u32) -> Option<Ipv4Addr> {
    u32::from(net.network()).checked_add(number).map(Ipv4Addr::from)
}

/// A port in a subnet of its own.
fn new_port(
    addresses: &mut Addresses<'_>,
    candidates: impl Iterator<Item = Ipv4Net>,
    number: u32,
) -> Option<Port> {
    let subnet = addresses.empty(candidates)?;
    let address = addresses.take(subnet.net, host(subnet.net, number).into_iter())?;
    Port::new(address, subnet)
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
