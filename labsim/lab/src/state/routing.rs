//! Addresses, routes, rules and neighbours, as the kernel lists them (rtnetlink(7)).

use super::devices::mac;
use super::{Names, Reader};
use ipnet::IpNet;
use labsim_model::StatePart;
use labsim_model::node_state::{
    Address, AddressScope, Neighbour, NeighbourState, NextHop, Route, RouteKind, Rule, RuleAction,
};
use netlink_packet_route::address::{self, AddressAttribute, AddressFlags, AddressMessage};
use netlink_packet_route::neighbour::{
    self, NeighbourAddress, NeighbourAttribute, NeighbourMessage,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteMessage, RouteMetric, RouteNextHop,
    RouteNextHopFlags, RouteType,
};
use netlink_packet_route::rule::{self, RuleAttribute, RuleFlags, RuleMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// `FRA_SUPPRESS_PREFIXLEN` of a rule that suppresses nothing.
const NO_PREFIX: u32 = u32::MAX;

pub(super) fn addresses(reader: &mut Reader, names: &Names) -> Vec<Address> {
    let request = RouteNetlinkMessage::GetAddress(AddressMessage::default());
    let list = reader.dump(StatePart::Addresses, request).into_iter();
    list.filter_map(|message| match message {
        RouteNetlinkMessage::NewAddress(message) => to_address(&message, names),
        _ => None,
    })
    .collect()
}

fn to_address(message: &AddressMessage, names: &Names) -> Option<Address> {
    let (mut local, mut any, mut flags) = (None, None, AddressFlags::empty());
    for attribute in &message.attributes {
        match attribute {
            // Of a point-to-point device, `Address` is the other end's.
            AddressAttribute::Local(address) => local = Some(*address),
            AddressAttribute::Address(address) => any = Some(*address),
            AddressAttribute::Flags(all) => flags = *all,
            _ => {}
        }
    }
    Some(Address {
        device: name(names, message.header.index),
        address: IpNet::new(local.or(any)?, message.header.prefix_len).ok()?,
        scope: match message.header.scope {
            address::AddressScope::Universe => AddressScope::Global,
            address::AddressScope::Site => AddressScope::Site,
            address::AddressScope::Link => AddressScope::Link,
            address::AddressScope::Host => AddressScope::Host,
            other => AddressScope::Other(other.into()),
        },
        tentative: flags.contains(AddressFlags::Tentative),
        dad_failed: flags.contains(AddressFlags::Dadfailed),
        deprecated: flags.contains(AddressFlags::Deprecated),
    })
}

pub(super) fn routes(reader: &mut Reader, names: &Names) -> Vec<Route> {
    let request = RouteNetlinkMessage::GetRoute(RouteMessage::default());
    let list = reader.dump(StatePart::Routes, request).into_iter();
    list.filter_map(|message| match message {
        RouteNetlinkMessage::NewRoute(message) => to_route(&message, names),
        _ => None,
    })
    .collect()
}

fn to_route(message: &RouteMessage, names: &Names) -> Option<Route> {
    let header = &message.header;
    // Routes of groups and of other protocols are listed too.
    let any = unspecified(header.address_family)?;
    let mut route = Route {
        table: u32::from(header.table),
        destination: IpNet::new(any, header.destination_prefix_length).ok()?,
        kind: kind(header.kind),
        next_hops: Vec::new(),
        source: None,
        metric: 0,
        mtu: None,
        advertised_mss: None,
    };
    let mut hop = NextHop { dead: header.flags.contains(RouteFlags::Dead), ..NextHop::default() };
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(address) => {
                let address = ip(address)?;
                route.destination = IpNet::new(address, header.destination_prefix_length).ok()?;
            }
            RouteAttribute::Table(table) => route.table = *table,
            RouteAttribute::PrefSource(address) => route.source = ip(address),
            RouteAttribute::Priority(metric) => route.metric = *metric,
            RouteAttribute::Metrics(all) => set_metrics(&mut route, all),
            RouteAttribute::MultiPath(all) => {
                route.next_hops = all.iter().map(|one| to_next_hop(one, names)).collect();
            }
            other => set_hop(&mut hop, other, names),
        }
    }
    if route.next_hops.is_empty() && (hop.gateway.is_some() || hop.device.is_some()) {
        route.next_hops.push(hop);
    }
    Some(route)
}

fn set_metrics(route: &mut Route, all: &[RouteMetric]) {
    for metric in all {
        match metric {
            RouteMetric::Mtu(mtu) => route.mtu = Some(*mtu),
            RouteMetric::Advmss(mss) => route.advertised_mss = Some(*mss),
            _ => {}
        }
    }
}

fn set_hop(hop: &mut NextHop, attribute: &RouteAttribute, names: &Names) {
    match attribute {
        RouteAttribute::Gateway(address) => hop.gateway = ip(address),
        RouteAttribute::Via(via) => {
            hop.gateway = match via {
                netlink_packet_route::route::RouteVia::Inet(address) => Some((*address).into()),
                netlink_packet_route::route::RouteVia::Inet6(address) => Some((*address).into()),
                _ => None,
            }
        }
        RouteAttribute::Oif(index) => hop.device = Some(name(names, *index)),
        _ => {}
    }
}

fn to_next_hop(one: &RouteNextHop, names: &Names) -> NextHop {
    let mut hop = NextHop {
        gateway: None,
        device: Some(name(names, one.interface_index)),
        dead: one.flags.contains(RouteNextHopFlags::Dead),
    };
    one.attributes.iter().for_each(|attribute| set_hop(&mut hop, attribute, names));
    hop
}

fn kind(kind: RouteType) -> RouteKind {
    match kind {
        RouteType::Unicast => RouteKind::Unicast,
        RouteType::Local => RouteKind::Local,
        RouteType::Broadcast => RouteKind::Broadcast,
        RouteType::Anycast => RouteKind::Anycast,
        RouteType::Multicast => RouteKind::Multicast,
        RouteType::BlackHole => RouteKind::Blackhole,
        RouteType::Unreachable => RouteKind::Unreachable,
        RouteType::Prohibit => RouteKind::Prohibit,
        RouteType::Throw => RouteKind::Throw,
        _ => RouteKind::Other,
    }
}

pub(super) fn rules(reader: &mut Reader) -> Vec<Rule> {
    let request = RouteNetlinkMessage::GetRule(RuleMessage::default());
    let list = reader.dump(StatePart::Rules, request).into_iter();
    list.filter_map(|message| match message {
        RouteNetlinkMessage::NewRule(message) => to_rule(&message),
        _ => None,
    })
    .collect()
}

fn to_rule(message: &RuleMessage) -> Option<Rule> {
    let header = &message.header;
    let ipv4 = unspecified(header.family)?.is_ipv4();
    let mut table = u32::from(header.table);
    let (mut mark, mut mask) = (None, u32::MAX);
    let mut found = Rule {
        ipv4,
        priority: 0,
        from: None,
        to: None,
        input: None,
        mark: None,
        inverted: header.flags.contains(RuleFlags::Invert),
        further: header.tos != 0,
        action: RuleAction::Other,
    };
    for attribute in &message.attributes {
        match attribute {
            RuleAttribute::Priority(priority) => found.priority = *priority,
            RuleAttribute::Source(from) => found.from = IpNet::new(*from, header.src_len).ok(),
            RuleAttribute::Destination(to) => found.to = IpNet::new(*to, header.dst_len).ok(),
            RuleAttribute::Iifname(input) => found.input = Some(input.clone()),
            RuleAttribute::FwMark(it) => mark = Some(*it),
            RuleAttribute::FwMask(it) => mask = *it,
            RuleAttribute::Table(it) => table = *it,
            RuleAttribute::Protocol(_) | RuleAttribute::Realm(_) => {}
            RuleAttribute::SuppressPrefixLen(NO_PREFIX) | RuleAttribute::L3MDev(false) => {}
            _ => found.further = true,
        }
    }
    found.mark = mark.map(|mark| (mark, mask));
    found.action = match header.action {
        rule::RuleAction::ToTable => RuleAction::Table(table),
        rule::RuleAction::Blackhole => RuleAction::Blackhole,
        rule::RuleAction::Unreachable => RuleAction::Unreachable,
        rule::RuleAction::Prohibit => RuleAction::Prohibit,
        _ => RuleAction::Other,
    };
    Some(found)
}

pub(super) fn neighbours(reader: &mut Reader, names: &Names) -> Vec<Neighbour> {
    let request = RouteNetlinkMessage::GetNeighbour(NeighbourMessage::default());
    let list = reader.dump(StatePart::Neighbours, request).into_iter();
    list.filter_map(|message| match message {
        RouteNetlinkMessage::NewNeighbour(message) => to_neighbour(&message, names),
        _ => None,
    })
    // Groups, and what devices that resolve nothing send to: no neighbour was asked for.
    .filter(|neighbour| neighbour.state != NeighbourState::Noarp)
    .collect()
}

fn to_neighbour(message: &NeighbourMessage, names: &Names) -> Option<Neighbour> {
    let (mut address, mut link_layer) = (None, None);
    for attribute in &message.attributes {
        match attribute {
            NeighbourAttribute::Destination(NeighbourAddress::Inet(it)) => {
                address = Some(IpAddr::from(*it));
            }
            NeighbourAttribute::Destination(NeighbourAddress::Inet6(it)) => {
                address = Some(IpAddr::from(*it));
            }
            NeighbourAttribute::LinkLayerAddress(it) => link_layer = mac(it),
            _ => {}
        }
    }
    let state = match message.header.state {
        neighbour::NeighbourState::Incomplete => NeighbourState::Incomplete,
        neighbour::NeighbourState::Reachable => NeighbourState::Reachable,
        neighbour::NeighbourState::Stale => NeighbourState::Stale,
        neighbour::NeighbourState::Delay => NeighbourState::Delay,
        neighbour::NeighbourState::Probe => NeighbourState::Probe,
        neighbour::NeighbourState::Failed => NeighbourState::Failed,
        neighbour::NeighbourState::Noarp => NeighbourState::Noarp,
        neighbour::NeighbourState::Permanent => NeighbourState::Permanent,
        _ => NeighbourState::Other,
    };
    let device = name(names, message.header.ifindex);
    Some(Neighbour { address: address?, device, mac: link_layer, state })
}

/// A device's name; its number in the way of ip(8) if it was not listed.
fn name(names: &Names, index: u32) -> String {
    names.get(&index).cloned().unwrap_or_else(|| format!("if{index}"))
}

fn unspecified(family: AddressFamily) -> Option<IpAddr> {
    match family {
        AddressFamily::Inet => Some(Ipv4Addr::UNSPECIFIED.into()),
        AddressFamily::Inet6 => Some(Ipv6Addr::UNSPECIFIED.into()),
        _ => None,
    }
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(address) => Some((*address).into()),
        RouteAddress::Inet6(address) => Some((*address).into()),
        _ => None,
    }
}
