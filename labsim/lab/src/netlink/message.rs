//! The requests that a lab is built of.

use crate::enter::Namespace;
use crate::plan::{AddressPlan, BridgePlan, InterfacePlan, RoutePlan, Scope};
use ipnet::IpNet;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage, AddressScope,
};
use netlink_packet_route::link::{
    AfSpecInet6, AfSpecUnspec, BridgeStpState, In6AddrGenMode, InfoBridge, InfoData, InfoKind,
    InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
};
use netlink_packet_route::nsid::{NsidAttribute, NsidMessage};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// A request and its flags beyond `NLM_F_REQUEST` and `NLM_F_ACK`.
#[derive(Debug)]
pub(crate) struct Request {
    pub(super) message: RouteNetlinkMessage,
    pub(super) flags: u16,
}

impl Request {
    pub(super) fn create(message: RouteNetlinkMessage) -> Self {
        Self { message, flags: NLM_F_CREATE | NLM_F_EXCL }
    }

    /// Sets an existing link up, with an MTU if one is given.
    pub(crate) fn set_up(index: u32, mtu: Option<u32>) -> Self {
        let mut link = LinkMessage::default();
        link.header.index = index;
        link.header.flags = LinkFlags::Up;
        link.header.change_mask = LinkFlags::Up;
        link.attributes.extend(mtu.map(LinkAttribute::Mtu));
        Self { message: RouteNetlinkMessage::SetLink(link), flags: 0 }
    }

    /// Sets an existing link down, with an MTU.
    pub(crate) fn set_down(index: u32, mtu: u32) -> Self {
        let mut link = LinkMessage::default();
        link.header.index = index;
        link.header.change_mask = LinkFlags::Up;
        link.attributes.push(LinkAttribute::Mtu(mtu));
        Self { message: RouteNetlinkMessage::SetLink(link), flags: 0 }
    }

    /// Has a link resolve no neighbours.
    pub(crate) fn no_arp(index: u32) -> Self {
        let mut link = LinkMessage::default();
        link.header.index = index;
        link.header.flags = LinkFlags::Noarp;
        link.header.change_mask = LinkFlags::Noarp;
        Self { message: RouteNetlinkMessage::SetLink(link), flags: 0 }
    }

    /// Gives a namespace a number in the socket's own.
    pub(crate) fn number_namespace(namespace: BorrowedFd<'_>, number: i32) -> Self {
        let mut message = NsidMessage::default();
        message.attributes = vec![
            NsidAttribute::Fd(namespace.as_raw_fd().cast_unsigned()),
            NsidAttribute::Id(number),
        ];
        Self { message: RouteNetlinkMessage::NewNsId(message), flags: 0 }
    }

    /// Has a device make no IPv6 address by itself (`IFLA_INET6_ADDR_GEN_MODE`). The same by
    /// sysctl costs more the more namespaces there are: their files share one cache of names.
    pub(crate) fn no_own_ipv6(index: u32) -> Self {
        let mut link = LinkMessage::default();
        link.header.index = index;
        let mode = AfSpecInet6::AddrGenMode(In6AddrGenMode::None);
        link.attributes = vec![LinkAttribute::AfSpecUnspec(vec![AfSpecUnspec::Inet6(vec![mode])])];
        Self { message: RouteNetlinkMessage::SetLink(link), flags: 0 }
    }

    /// A bridge that forwards from its first moment: no spanning tree, no forward delay; and that
    /// says nothing itself: no multicast snooping, so no queries.
    pub(crate) fn bridge(plan: &BridgePlan) -> Self {
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
        Self::create(RouteNetlinkMessage::NewLink(link))
    }

    /// A veth pair: `near` in the namespace of the socket, `far` in its own; both down. `bridge`
    /// is the number of the bridge that `near` is a port of.
    pub(crate) fn veth(
        near: &InterfacePlan,
        bridge: Option<u32>,
        far: &InterfacePlan,
        far_namespace: &Namespace,
    ) -> Self {
        let mut peer = veth_end(far);
        peer.attributes.push(LinkAttribute::NetNsFd(far_namespace.as_fd().as_raw_fd()));
        let mut link = veth_end(near);
        link.attributes.extend(bridge.map(LinkAttribute::Controller));
        link.attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
        ]));
        Self::create(RouteNetlinkMessage::NewLink(link))
    }

    /// A device of a kind that needs no settings, such as `ipip`; down.
    pub(crate) fn device(kind: InfoKind, name: &str, index: u32) -> Self {
        let mut link = LinkMessage::default();
        link.header.index = index;
        link.attributes = vec![
            LinkAttribute::IfName(name.to_owned()),
            LinkAttribute::LinkInfo(vec![LinkInfo::Kind(kind)]),
        ];
        Self::create(RouteNetlinkMessage::NewLink(link))
    }

    /// An address; an IPv6 one is usable at once, without duplicate address detection.
    pub(crate) fn address(plan: &AddressPlan, index: u32) -> Self {
        let mut message = AddressMessage::default();
        message.header.family = family(&plan.address);
        message.header.prefix_len = plan.address.prefix_len();
        message.header.index = index;
        message.header.scope = match plan.scope {
            Scope::Global => AddressScope::Universe,
            Scope::Host => AddressScope::Host,
        };
        let address = plan.address.addr();
        message.attributes.push(AddressAttribute::Local(address));
        message.attributes.push(AddressAttribute::Address(address));
        if address.is_ipv6() {
            message.header.flags = AddressHeaderFlags::Nodad;
            message.attributes.push(AddressAttribute::Flags(AddressFlags::Nodad));
        }
        message.attributes.extend(plan.label.clone().map(AddressAttribute::Label));
        Self::create(RouteNetlinkMessage::NewAddress(message))
    }

    /// A route through a next hop.
    pub(crate) fn route(plan: &RoutePlan, index: u32) -> Self {
        let mut message = RouteMessage::default();
        message.header.address_family = family(&plan.destination);
        message.header.destination_prefix_length = plan.destination.prefix_len();
        message.header.table = RouteHeader::RT_TABLE_MAIN;
        message.header.protocol = RouteProtocol::Static;
        message.header.scope = RouteScope::Universe;
        message.header.kind = RouteType::Unicast;
        message.attributes = vec![
            RouteAttribute::Destination(route_address(plan.destination.network())),
            RouteAttribute::Gateway(route_address(plan.via)),
            RouteAttribute::Oif(index),
        ];
        Self::create(RouteNetlinkMessage::NewRoute(message))
    }
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
