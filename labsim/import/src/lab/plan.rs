//! Who is where: a client, a router, the load balancer on one interface, and the servers.

mod balancer;
mod nets;

use super::addresses::{Addresses, Subnet};
use super::names;
use crate::address::{ByFamily, Family};
use crate::lb_model::{LbModel, Member, Mode, VirtualServer};
use crate::place::Place;
use crate::report::Report;
use nets::{For, usual};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

pub(super) use nets::Port;

/// A segment's subnets.
pub(super) type Segment = ByFamily<Subnet>;

/// The lab.
pub(super) struct AddressPlan {
    pub(super) client: ByFamily<Port>,
    pub(super) lb: ByFamily<Port>,
    /// The place of the load balancer among the segments, if it shares one with servers.
    pub(super) lb_segment: Option<usize>,
    pub(super) segments: Vec<Segment>,
    /// In the order of their first appearance.
    pub(super) servers: Vec<Server>,
    by_address: BTreeMap<IpAddr, usize>,
    /// Addresses that the router sends to the load balancer: VIPs, then SNAT addresses.
    pub(super) routed: Vec<IpAddr>,
}

pub(super) struct Server {
    pub(super) name: String,
    pub(super) address: IpAddr,
    /// Its address of the other family, where it serves a virtual server of that one.
    pub(super) other: Option<IpAddr>,
    pub(super) segment: usize,
}

impl AddressPlan {
    /// The client's address that a virtual server sees.
    pub(super) fn client_address(&self, one: &VirtualServer) -> Option<IpAddr> {
        self.client.get(one.family()).map(|port| port.net.addr())
    }

    /// The place of the server with this address.
    pub(super) fn server(&self, address: IpAddr) -> Option<usize> {
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
            if balancer::needs_segment(one, model) && !plain.iter().all(is_beside) {
                let why = "without a tunnel and translation its members have to be on the load \
                           balancer's segment; the lab's load balancer has one interface, and it \
                           is on another";
                report.warn(one.place, one.what.clone(), why);
            }
            let is_far = |at: &usize| {
                let segment = self.servers[*at].segment;
                Some(segment) != self.lb_segment && has_snat(one, &self.segments[segment])
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
    address: IpAddr,
    place: Place,
    segment: usize,
    /// The families of the virtual servers that it serves.
    serves: BTreeSet<Family>,
}

/// Places all nodes; `None` if the configuration leaves no subnet for a client.
pub(super) fn plan(model: &LbModel, report: &mut Report<'_>) -> Option<AddressPlan> {
    let mut drafts = drafts(model);
    let mut addresses = Addresses::new(used(model, &drafts), &model.gateways);
    let mut segments = segments(&mut drafts, model, &mut addresses, report);
    let (lb, lb_segment) =
        balancer::place(&mut segments, &mut drafts, model, &mut addresses, report)?;
    let mut client = ByFamily::default();
    for family in Family::ALL {
        if model.virtuals.iter().any(|one| one.family() == family) {
            client.set(family, For::Client.port(family, &mut addresses)?);
        }
    }
    let names = names::nodes(drafts.iter().map(|draft| draft.name));
    let mut servers = Vec::new();
    for (draft, name) in drafts.iter().zip(names) {
        let other = other_address(draft, &mut segments, &mut addresses)?;
        let (address, segment) = (draft.address, draft.segment);
        servers.push(Server { name, address, other, segment });
    }
    let by_address = servers.iter().enumerate().map(|(at, one)| (one.address, at)).collect();
    let own: BTreeSet<IpAddr> = lb.iter().map(|port| port.net.addr()).collect();
    let routed = routed(model).into_iter().filter(|address| !own.contains(address)).collect();
    Some(AddressPlan { client, lb, lb_segment, segments, servers, by_address, routed })
}

/// An address of the other family, if a server needs one; the outer `None` is that there is none left.
fn other_address(
    draft: &Draft<'_>,
    segments: &mut [Segment],
    addresses: &mut Addresses<'_>,
) -> Option<Option<IpAddr>> {
    let other = Family::of(draft.address).other();
    if !draft.serves.contains(&other) {
        return Some(None);
    }
    let segment = segments.get_mut(draft.segment)?;
    let subnet = match segment.get(other) {
        Some(subnet) => *subnet,
        None => {
            let subnet = For::Servers.subnet(other, addresses)?;
            segment.set(other, subnet);
            subnet
        }
    };
    For::Servers.address(subnet, addresses).map(Some)
}

/// Whether a segment holds a SNAT address of a virtual server.
fn has_snat(one: &VirtualServer, segment: &Segment) -> bool {
    let holds = |address: &IpAddr| segment.iter().any(|it| it.net.contains(address));
    one.snat_addresses().any(|address| holds(&address))
}

/// The servers, each once.
fn drafts(model: &LbModel) -> Vec<Draft<'_>> {
    let mut drafts: Vec<Draft<'_>> = Vec::new();
    let mut known: BTreeMap<IpAddr, usize> = BTreeMap::new();
    for one in &model.virtuals {
        for member in &model.pools[one.pool].members {
            let at = *known.entry(member.address).or_insert_with(|| {
                drafts.push(Draft {
                    name: member.name.as_deref(),
                    address: member.address,
                    place: member.place,
                    segment: 0,
                    serves: BTreeSet::new(),
                });
                drafts.len() - 1
            });
            drafts[at].serves.insert(one.family());
        }
    }
    drafts
}

/// Addresses that are already assigned.
fn used(model: &LbModel, drafts: &[Draft<'_>]) -> BTreeSet<IpAddr> {
    let own = model.own.iter().map(|own| own.net.addr());
    let servers = drafts.iter().map(|draft| draft.address);
    own.chain(servers).chain(routed(model)).collect()
}

/// What is sent to the load balancer, each once.
fn routed(model: &LbModel) -> Vec<IpAddr> {
    let snats = model.virtuals.iter().flat_map(VirtualServer::snat_addresses);
    let all = model.virtuals.iter().map(|one| one.address).chain(snats);
    let mut seen = BTreeSet::new();
    all.filter(|address| seen.insert(*address)).collect()
}

/// A subnet for every server: the load balancer's where it has an address there. Servers without
/// one are left out.
fn segments(
    drafts: &mut Vec<Draft<'_>>,
    model: &LbModel,
    addresses: &mut Addresses<'_>,
    report: &mut Report<'_>,
) -> Vec<Segment> {
    let length = |address: IpAddr| {
        let own = model.own.iter().filter(|own| own.net.contains(&address));
        own.map(|own| own.net.prefix_len()).max()
    };
    // Those whose mask is known choose first.
    for draft in drafts.iter() {
        if let Some(length) = length(draft.address) {
            addresses.subnet(draft.address, length);
        }
    }
    let vips: BTreeSet<IpAddr> = routed(model).into_iter().collect();
    let mut subnets: Vec<Subnet> = Vec::new();
    drafts.retain_mut(|draft| {
        let what = format!("server {}", draft.address);
        if vips.contains(&draft.address) {
            let why = "a virtual server or SNAT pool has the same address, so that no lab can \
                       route to both";
            report.not_imported(draft.place, what, why);
            return false;
        }
        let wanted = usual(Family::of(draft.address));
        let Some(subnet) = addresses.subnet(draft.address, wanted) else {
            report.not_imported(draft.place, what, "no subnet has room for it beside the others");
            return false;
        };
        draft.segment = subnets.iter().position(|known| *known == subnet).unwrap_or_else(|| {
            subnets.push(subnet);
            subnets.len() - 1
        });
        true
    });
    let segment = |subnet: Subnet| {
        let mut segment = Segment::default();
        segment.set(Family::of(subnet.router), subnet);
        segment
    };
    subnets.into_iter().map(segment).collect()
}
