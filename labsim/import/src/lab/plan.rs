//! Who is where: a client, a router, the load balancer on one interface, and the servers.

use super::addresses::{Addresses, Subnet};
use super::names;
use crate::address::is_host;
use crate::lb_model::{LbModel, Member, Mode, OwnAddress, VirtualServer};
use crate::place::Place;
use crate::report::Report;
use crate::validate::share_segment;
use ipnet::Ipv4Net;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// The prefix length of a subnet that nothing is known of.
const USUAL: u8 = 24;

/// The lab.
pub(super) struct AddressPlan {
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

impl AddressPlan {
    /// The place of the server with this address.
    pub(super) fn server(&self, address: Ipv4Addr) -> Option<usize> {
        self.by_address.get(&address).copied()
    }

    /// The virtual servers that have a member in the lab; the others are listed.
    pub(super) fn virtuals<'d>(
        &self,
        model: &'d LbModel,
        report: &mut Report<'_>,
    ) -> Vec<&'d VirtualServer> {
        let mut all = Vec::new();
        for one in &model.virtuals {
            let servers = self.servers_of(one, model);
            if servers.is_empty() {
                let why = "none of its members is in the lab";
                report.not_imported(one.place, one.what.clone(), why);
                continue;
            }
            let is_beside = |at: &usize| Some(self.servers[*at].segment) == self.lb_segment;
            let pool = &model.pools[one.pool];
            let plain = self.servers_that(|member| pool.tunnel(member).is_none(), one, model);
            if needs_segment(one, model) && !plain.iter().all(is_beside) {
                let why = "without a tunnel and translation its members have to be on the load \
                           balancer's segment; the lab's load balancer has one interface, and it \
                           is on another";
                report.warn(one.place, one.what.clone(), why);
            }
            let is_far = |at: &usize| {
                let segment = self.servers[*at].segment;
                Some(segment) != self.lb_segment && has_snat(one, self.segments[segment].net)
            };
            if one.mode() == Mode::Snat && servers.iter().any(is_far) {
                let why = "its members resolve its SNAT address on their own segment; the lab's \
                           load balancer has one interface, and it is on another";
                report.warn(one.place, one.what.clone(), why);
            }
            all.push(one);
        }
        all
    }

    /// The servers of a virtual server, each once.
    pub(super) fn servers_of(&self, one: &VirtualServer, model: &LbModel) -> Vec<usize> {
        self.servers_that(|_| true, one, model)
    }

    /// The same without those that take no new clients.
    pub(super) fn serving(&self, one: &VirtualServer, model: &LbModel) -> Vec<usize> {
        self.servers_that(Member::takes_new_flows, one, model)
    }

    fn servers_that(
        &self,
        is_wanted: impl Fn(&Member) -> bool,
        one: &VirtualServer,
        model: &LbModel,
    ) -> Vec<usize> {
        let mut servers: Vec<usize> = Vec::new();
        for member in model.pools[one.pool].members.iter().filter(|one| is_wanted(one)) {
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

/// Places all nodes; `None` if the configuration leaves no subnet for a client.
pub(super) fn plan(model: &LbModel, report: &mut Report<'_>) -> Option<AddressPlan> {
    let mut drafts = drafts(model);
    let mut addresses = Addresses::new(used(model, &drafts), &model.gateways);
    let segments = segments(&mut drafts, model, &mut addresses, report);
    let (lb, lb_segment) = load_balancer(&segments, model, &mut addresses, report)?;
    let client = new_port(&mut addresses, client_nets(), 201)?;
    let names = names::nodes(drafts.iter().map(|draft| draft.name));
    let servers: Vec<Server> = drafts
        .iter()
        .zip(names)
        .map(|(draft, name)| Server { name, address: draft.address, segment: draft.segment })
        .collect();
    let by_address = servers.iter().enumerate().map(|(at, one)| (one.address, at)).collect();
    let routed = routed(model, lb.net.addr());
    Some(AddressPlan { client, lb, lb_segment, segments, servers, by_address, routed })
}

/// The load balancer's port, and the segment that it is on if it shares one with servers.
fn load_balancer(
    segments: &[Subnet],
    model: &LbModel,
    addresses: &mut Addresses<'_>,
    report: &mut Report<'_>,
) -> Option<(Port, Option<usize>)> {
    let direct = model.virtuals.iter().find(|one| needs_segment(one, model));
    let on = |address: Ipv4Addr| segments.iter().position(|one| one.net.contains(&address));
    let wanted = direct
        .and_then(|one| {
            let pool = &model.pools[one.pool];
            let plain = pool.members.iter().filter(|member| pool.tunnel(member).is_none());
            plain.map(|member| member.address).find_map(on)
        })
        .or_else(|| snat_segment(segments, model));
    let own = choose_own(wanted, segments, model, report);
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
fn needs_segment(one: &VirtualServer, model: &LbModel) -> bool {
    let pool = &model.pools[one.pool];
    !one.settings.translate_address && pool.has_plain_member() && share_segment(pool, model)
}

/// The segment whose servers look for a SNAT address on it, by ARP.
fn snat_segment(segments: &[Subnet], model: &LbModel) -> Option<usize> {
    let translates = |one: &&VirtualServer| one.mode() == Mode::Snat;
    model.virtuals.iter().filter(translates).find_map(|one| {
        let mut members = model.pools[one.pool].members.iter().map(|member| member.address);
        members.find_map(|member| {
            let at = segments.iter().position(|segment| segment.net.contains(&member))?;
            has_snat(one, segments[at].net).then_some(at)
        })
    })
}

/// Whether a subnet holds a SNAT address of a virtual server.
fn has_snat(one: &VirtualServer, net: Ipv4Net) -> bool {
    one.snat_addresses().any(|address| net.contains(&address))
}

/// The servers, each once.
fn drafts(model: &LbModel) -> Vec<Draft<'_>> {
    let (mut drafts, mut seen) = (Vec::new(), BTreeSet::new());
    for member in model.virtuals.iter().flat_map(|one| &model.pools[one.pool].members) {
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

/// Addresses that are already assigned.
fn used(model: &LbModel, drafts: &[Draft<'_>]) -> BTreeSet<Ipv4Addr> {
    let own = model.own.iter().map(|own| own.net.addr());
    let servers = drafts.iter().map(|draft| draft.address);
    own.chain(servers).chain(routed(model, Ipv4Addr::UNSPECIFIED)).collect()
}

/// What the router sends to the load balancer, without its own address.
fn routed(model: &LbModel, own: Ipv4Addr) -> Vec<Ipv4Addr> {
    let snats = model.virtuals.iter().flat_map(VirtualServer::snat_addresses);
    let all = model.virtuals.iter().map(|one| one.address).chain(snats);
    let mut seen = BTreeSet::from([own]);
    all.filter(|address| seen.insert(*address)).collect()
}

/// A subnet for every server: the load balancer's where it has an address there. Servers without
/// one are left out.
fn segments(
    drafts: &mut Vec<Draft<'_>>,
    model: &LbModel,
    addresses: &mut Addresses<'_>,
    report: &mut Report<'_>,
) -> Vec<Subnet> {
    let length = |address: Ipv4Addr| {
        let own = model.own.iter().filter(|own| own.net.contains(&address));
        own.map(|own| own.net.prefix_len()).max()
    };
    // Those whose mask is known choose first.
    for draft in drafts.iter() {
        if let Some(length) = length(draft.address) {
            addresses.subnet(draft.address, length);
        }
    }
    let vips: BTreeSet<Ipv4Addr> = routed(model, Ipv4Addr::UNSPECIFIED).into_iter().collect();
    let mut subnets: Vec<Subnet> = Vec::new();
    drafts.retain_mut(|draft| {
        let what = format!("server {}", draft.address);
        if vips.contains(&draft.address) {
            let why = "a virtual server or SNAT pool has the same address, so that no lab can \
                       route to both";
            report.not_imported(draft.place, what, why);
            return false;
        }
        let Some(subnet) = addresses.subnet(draft.address, USUAL) else {
            report.not_imported(draft.place, what, "no subnet has room for it beside the others");
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
fn choose_own(
    wanted: Option<usize>,
    segments: &[Subnet],
    model: &LbModel,
    report: &mut Report<'_>,
) -> Option<Ipv4Net> {
    let taken: BTreeSet<Ipv4Addr> = model
        .virtuals
        .iter()
        .flat_map(|one| {
            let members = model.pools[one.pool].members.iter().map(|member| member.address);
            members.chain([one.address])
        })
        .collect();
    let segment =
        |own: &OwnAddress| segments.iter().position(|subnet| subnet.net.contains(&own.net.addr()));
    let fits =
        |own: &OwnAddress| segment(own).is_none_or(|at| is_host(segments[at].net, own.net.addr()));
    let usable = || model.own.iter().filter(|own| !taken.contains(&own.net.addr()) && fits(own));
    let chosen = match wanted {
        Some(wanted) => usable().find(|own| segment(own) == Some(wanted)),
        None => usable().find(|own| segment(own).is_none()).or_else(|| usable().next()),
    };
    for own in &model.own {
        if chosen.is_none_or(|chosen| chosen.place != own.place) {
            let why = "the lab's load balancer has one interface and one address";
            report.not_imported(own.place, format!("own address {}", own.net), why);
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
