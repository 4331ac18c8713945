//! The requests that a lab is built of.

use crate::plan::{AddressPlan, BridgePlan, InterfacePlan, RoutePlan};
use ipnet::IpNet;
use labsim_scenario::model::{Route, RouteMetrics, Scope};
use labsim_sys::netlink::Request;
use labsim_sys::netns::Namespace;
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage, AddressScope, CacheInfo,
};
use netlink_packet_route::link::{
    AfSpecInet6, AfSpecUnspec, BridgeStpState, In6AddrGenMode, InfoBridge, InfoData, InfoKind,
    InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteMetric, RouteNextHop,
    RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd};

/// Sets an existing link up, with an MTU if one is given.
pub(crate) fn set_up(index: u32, mtu: Option<u32>) -> Request {
    let mut link = LinkMessage::default();
    link.header.index = index;
    link.header.flags = LinkFlags::Up;
    link.header.change_mask = LinkFlags::Up;
    link.attributes.extend(mtu.map(LinkAttribute::Mtu));
    Request::new(RouteNetlinkMessage::SetLink(link))
}

/// Sets an existing link down, with an MTU.
pub(crate) fn set_down(index: u32, mtu: u32) -> Request {
    let mut link = LinkMessage::default();
    link.header.index = index;
    link.header.change_mask = LinkFlags::Up;
    link.attributes.push(LinkAttribute::Mtu(mtu));
    Request::new(RouteNetlinkMessage::SetLink(link))
}

/// Has a link resolve no neighbours.
pub(crate) fn no_arp(index: u32) -> Request {
    let mut link = LinkMessage::default();
    link.header.index = index;
    link.header.flags = LinkFlags::Noarp;
    link.header.change_mask = LinkFlags::Noarp;
    Request::new(RouteNetlinkMessage::SetLink(link))
}

/// Has a device make no IPv6 address by itself (`IFLA_INET6_ADDR_GEN_MODE`). The same by
/// sysctl costs more the more namespaces there are: their files share one cache of names.
pub(crate) fn disable_autoconf(index: u32) -> Request {
    let mut link = LinkMessage::default();
    link.header.index = index;
    let mode = AfSpecInet6::AddrGenMode(In6AddrGenMode::None);
    link.attributes = vec![LinkAttribute::AfSpecUnspec(vec![AfSpecUnspec::Inet6(vec![mode])])];
    Request::new(RouteNetlinkMessage::SetLink(link))
}

/// A bridge that forwards from its first moment: no spanning tree, no forward delay; and that
/// says nothing itself: no multicast snooping, so no queries.
pub(crate) fn bridge(plan: &BridgePlan) -> Request {
    let mut link = LinkMessage::default();
    link.header.index = plan.index;
    link.attributes = vec![
        LinkAttribute::IfName(plan.name.as_str().to_owned()),
        LinkAttribute::Mtu(plan.mtu),
        LinkAttribute::Address(plan.mac.to_vec()),
        LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Bridge),
            LinkInfo::Data(InfoData::Bridge(vec![
                InfoBridge::StpState(BridgeStpState::Disabled),
                InfoBridge::ForwardDelay(0),
                InfoBridge::MulticastSnooping(false),
            ])),
        ]),
    ];
    Request::create(RouteNetlinkMessage::NewLink(link))
}

/// A veth pair: `near` in the namespace of the socket, `far` in its own; both down. `bridge`
/// is the number of the bridge that `near` is a port of.
pub(crate) fn veth(
    near: &InterfacePlan,
    bridge: Option<u32>,
    far: &InterfacePlan,
    far_namespace: &Namespace,
) -> Request {
    let mut peer = veth_end(far);
    peer.attributes.push(LinkAttribute::NetNsFd(far_namespace.as_fd().as_raw_fd()));
    let mut link = veth_end(near);
    link.attributes.extend(bridge.map(LinkAttribute::Controller));
    link.attributes.push(LinkAttribute::LinkInfo(vec![
        LinkInfo::Kind(InfoKind::Veth),
        LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
    ]));
    Request::create(RouteNetlinkMessage::NewLink(link))
}

/// A device of a kind that needs no settings, such as `ipip`; down.
pub(crate) fn device(kind: InfoKind, name: &str, index: u32) -> Request {
    let mut link = LinkMessage::default();
    link.header.index = index;
    link.attributes = vec![
        LinkAttribute::IfName(name.to_owned()),
        LinkAttribute::LinkInfo(vec![LinkInfo::Kind(kind)]),
    ];
    Request::create(RouteNetlinkMessage::NewLink(link))
}

/// An address; an IPv6 one is usable at once, without duplicate address detection.
pub(crate) fn address(plan: &AddressPlan, index: u32) -> Request {
    Request::create(RouteNetlinkMessage::NewAddress(address_message(plan, index)))
}

/// The removal of an address.
pub(crate) fn no_address(plan: &AddressPlan, index: u32) -> Request {
    Request::new(RouteNetlinkMessage::DelAddress(address_message(plan, index)))
}

fn address_message(plan: &AddressPlan, index: u32) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = family(&plan.address);
    message.header.prefix_len = plan.address.prefix_len();
    message.header.index = index;
    message.header.scope = match plan.scope {
        Scope::Global => AddressScope::Universe,
        Scope::Link => AddressScope::Link,
        Scope::Host => AddressScope::Host,
    };
    let address = plan.address.addr();
    message.attributes.push(AddressAttribute::Local(address));
    message.attributes.push(AddressAttribute::Address(address));
    if address.is_ipv6() {
        message.header.flags = AddressHeaderFlags::Nodad;
        message.attributes.push(AddressAttribute::Flags(AddressFlags::Nodad));
        if !plan.preferred {
            let mut times = CacheInfo::default();
            (times.ifa_preferred, times.ifa_valid) = (0, u32::MAX);
            message.attributes.push(AddressAttribute::CacheInfo(times));
        }
    }
    message.attributes.extend(plan.label.clone().map(AddressAttribute::Label));
    message
}

/// A route through its next hops.
pub(crate) fn route(plan: &RoutePlan, index: u32) -> Request {
    Request::create(RouteNetlinkMessage::NewRoute(route_message(plan, index)))
}

/// The same, in place of any other to its destination.
pub(crate) fn only_route(plan: &RoutePlan, index: u32) -> Request {
    Request::replace(RouteNetlinkMessage::NewRoute(route_message(plan, index)))
}

/// A route, in place of any other, whose packets go nowhere: [`RouteType::BlackHole`] or
/// [`RouteType::Unreachable`].
pub(crate) fn dead_route(destination: &IpNet, kind: RouteType) -> Request {
    Request::replace(RouteNetlinkMessage::NewRoute(route_to(destination, kind)))
}

/// The removal of the route to a destination, of whatever kind and by whomever it was made.
pub(crate) fn no_route(destination: &IpNet) -> Request {
    let mut message = route_to(destination, RouteType::Unspec);
    message.header.protocol = RouteProtocol::Unspec;
    message.header.scope = RouteScope::NoWhere;
    Request::new(RouteNetlinkMessage::DelRoute(message))
}

fn route_to(destination: &IpNet, kind: RouteType) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = family(destination);
    message.header.destination_prefix_length = destination.prefix_len();
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    message.header.protocol = RouteProtocol::Static;
    message.header.scope = RouteScope::Universe;
    message.header.kind = kind;
    message.attributes = vec![RouteAttribute::Destination(route_address(destination.network()))];
    message
}

fn route_message(plan: &RoutePlan, index: u32) -> RouteMessage {
    let Route { destination, via, .. } = &plan.route;
    let mut message = route_to(destination, RouteType::Unicast);
    let gateway = |via: &IpAddr| RouteAttribute::Gateway(route_address(*via));
    match via.as_slice() {
        [only] => message.attributes.extend([gateway(only), RouteAttribute::Oif(index)]),
        several => {
            let hops = several.iter().map(|via| {
                let mut hop = RouteNextHop::default();
                hop.interface_index = index;
                hop.attributes = vec![gateway(via)];
                hop
            });
            message.attributes.push(RouteAttribute::MultiPath(hops.collect()));
        }
    }
    let RouteMetrics { mtu, advmss } = plan.metrics;
    let metrics: Vec<RouteMetric> =
        mtu.map(RouteMetric::Mtu).into_iter().chain(advmss.map(RouteMetric::Advmss)).collect();
    if !metrics.is_empty() {
        message.attributes.push(RouteAttribute::Metrics(metrics));
    }
    message
}

fn veth_end(plan: &InterfacePlan) -> LinkMessage {
    let mut link = LinkMessage::default();
    link.header.index = plan.index;
    link.attributes = vec![
        LinkAttribute::IfName(plan.name.as_str().to_owned()),
        LinkAttribute::Mtu(plan.mtu),
        LinkAttribute::Address(plan.mac.to_vec()),
    ];
    link
}

fn family(net: &IpNet) -> AddressFamily {
    match net {
        IpNet::V4(_) => AddressFamily::Inet,
        IpNet::V6(_) => AddressFamily::Inet6,
    }
}

fn route_address(address: IpAddr) -> RouteAddress {
    match address {
        IpAddr::V4(address) => RouteAddress::Inet(address),
        IpAddr::V6(address) => RouteAddress::Inet6(address),
    }
}
