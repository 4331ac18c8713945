//! Where the load balancer stands: on one interface, with an address of each family that it needs.

use super::nets::{For, Port};
use super::{Draft, Segment, has_snat};
use crate::address::{ByFamily, Family, is_host};
use crate::lab::addresses::Addresses;
use crate::lb_model::{LbModel, Mode, OwnAddress, VirtualServer};
use crate::place::Place;
use crate::report::Report;
use crate::validate::share_segment;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// The load balancer's ports, and the segment that it is on if it shares one with servers; the segments
/// that its addresses are on become one.
pub(super) fn place(
    segments: &mut Vec<Segment>,
    drafts: &mut [Draft<'_>],
    model: &LbModel,
    addresses: &mut Addresses<'_>,
    report: &mut Report<'_>,
) -> Option<(ByFamily<Port>, Option<usize>)> {
    let vips = model.virtuals.iter().map(VirtualServer::family);
    let needed: BTreeSet<Family> =
        vips.chain(drafts.iter().map(|draft| Family::of(draft.address))).collect();
    let (mut ports, mut shared, mut chosen) = (ByFamily::default(), None, Vec::new());
    for family in &needed {
        let found = of_family(*family, segments, model, addresses)?;
        ports.set(*family, found.port);
        chosen.extend(found.own);
        shared = match (shared, found.segment) {
            (Some(into), Some(from)) if from != into => Some(merge(segments, drafts, into, from)),
            (shared, segment) => shared.or(segment),
        };
    }
    if let Some(segment) = shared.and_then(|at| segments.get_mut(at)) {
        let mut own = ByFamily::default();
        ports.iter().for_each(|port| own.set(Family::of(port.router), port.subnet()));
        segment.add(own);
    }
    for own in model.own.iter().filter(|own| !chosen.contains(&own.place)) {
        let why = if needed.contains(&Family::of(own.net.addr())) {
            "the lab's load balancer has one interface and one address of each family"
        } else {
            "nothing else in the lab is of its address family"
        };
        report.not_imported(own.place, format!("own address {}", own.net), why);
    }
    Some((ports, shared))
}

/// Makes one segment of two, and returns its number.
fn merge(segments: &mut Vec<Segment>, drafts: &mut [Draft<'_>], into: usize, from: usize) -> usize {
    let moved = segments.remove(from);
    let new = into - usize::from(from < into);
    if let Some(segment) = segments.get_mut(new) {
        segment.add(moved);
    }
    for draft in drafts {
        if draft.segment == from {
            draft.segment = new;
        } else if draft.segment > from {
            draft.segment -= 1;
        }
    }
    new
}

/// The load balancer as far as one family goes.
struct Found {
    port: Port,
    segment: Option<usize>,
    /// Where its address is written, if it is the configuration's.
    own: Option<Place>,
}

fn of_family(
    family: Family,
    segments: &[Segment],
    model: &LbModel,
    addresses: &mut Addresses<'_>,
) -> Option<Found> {
    let on = |address: IpAddr| {
        let holds = |one: &Segment| one.get(family).is_some_and(|it| it.net.contains(&address));
        segments.iter().position(holds)
    };
    let of_family = || model.virtuals.iter().filter(|one| one.family() == family);
    let direct = of_family().find(|one| needs_segment(one, model));
    let wanted = direct
        .and_then(|one| {
            let pool = &model.pools[one.pool];
            let plain = pool.members.iter().filter(|member| pool.tunnel(member).is_none());
            plain.map(|member| member.address).find_map(on)
        })
        .or_else(|| of_family().find_map(|one| snat_segment(one, segments, model)));
    let own = choose_own(wanted, (family, segments), model);
    let segment = own.map_or(wanted, |own| on(own.net.addr()));
    let subnet = segment.and_then(|at| segments.get(at)?.get(family)).copied();
    let found = match (own, subnet) {
        (Some(own), Some(subnet)) => Port::new(own.net.addr(), subnet),
        (None, Some(subnet)) => {
            let address = For::LoadBalancer.address(subnet, addresses);
            address.and_then(|address| Port::new(address, subnet))
        }
        (Some(own), None) => {
            let subnet = addresses.subnet(own.net.addr(), own.net.prefix_len());
            subnet.and_then(|subnet| Port::new(own.net.addr(), subnet))
        }
        (None, None) => None,
    };
    match found {
        Some(port) => Some(Found { port, segment, own: own.map(|own| own.place) }),
        None => {
            let port = For::LoadBalancer.port(family, addresses)?;
            Some(Found { port, segment: None, own: None })
        }
    }
}

/// Whether packets reach the members under their MAC addresses only, and can.
pub(super) fn needs_segment(one: &VirtualServer, model: &LbModel) -> bool {
    let pool = &model.pools[one.pool];
    !one.settings.translate_address && pool.has_plain_member() && share_segment(pool, model)
}

/// The segment whose servers look for a SNAT address on it, by ARP or neighbour discovery.
fn snat_segment(one: &VirtualServer, segments: &[Segment], model: &LbModel) -> Option<usize> {
    if one.mode() != Mode::Snat {
        return None;
    }
    let holds = |segment: &Segment, address| {
        segment.get(one.family()).is_some_and(|it| it.net.contains(&address))
    };
    let mut members = model.pools[one.pool].members.iter().map(|member| member.address);
    members.find_map(|member| {
        let at = segments.iter().position(|segment| holds(segment, member))?;
        has_snat(one, segments.get(at)?).then_some(at)
    })
}

/// The load balancer's address of a family: on the segment where it has to be, or else away from the
/// servers, as in the document's lab.
fn choose_own<'m>(
    wanted: Option<usize>,
    (family, segments): (Family, &[Segment]),
    model: &'m LbModel,
) -> Option<&'m OwnAddress> {
    let taken: BTreeSet<IpAddr> = model
        .virtuals
        .iter()
        .flat_map(|one| {
            let members = model.pools[one.pool].members.iter().map(|member| member.address);
            members.chain([one.address])
        })
        .collect();
    let segment = |own: &OwnAddress| {
        let holds =
            |one: &Segment| one.get(family).is_some_and(|it| it.net.contains(&own.net.addr()));
        segments.iter().position(holds)
    };
    let subnet = |own: &OwnAddress| segments.get(segment(own)?)?.get(family).copied();
    let fits = |own: &OwnAddress| subnet(own).is_none_or(|it| is_host(it.net, own.net.addr()));
    let is_usable = |own: &&OwnAddress| {
        Family::of(own.net.addr()) == family && !taken.contains(&own.net.addr()) && fits(own)
    };
    let usable = || model.own.iter().filter(is_usable);
    match wanted {
        Some(wanted) => usable().find(|own| segment(own) == Some(wanted)),
        None => usable().find(|own| segment(own).is_none()).or_else(|| usable().next()),
    }
}
