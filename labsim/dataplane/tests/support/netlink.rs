//! The few requests that a small lab needs, one at a time.

use super::namespace::Namespace;
use ipnet::IpNet;
use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage,
    NetlinkPayload,
};
use netlink_packet_route::address::{AddressAttribute, AddressMessage, AddressScope};
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use nix::sys::socket::{
    AddressFamily as Family, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket,
};
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd};

impl Namespace {
    fn request(&self, message: RouteNetlinkMessage, flags: u16) {
        self.run(|| {
            let protocol = SockProtocol::NetlinkRoute;
            let socket =
                socket(Family::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol).unwrap();
            let mut header = NetlinkHeader::default();
            header.flags = NLM_F_REQUEST | NLM_F_ACK | flags;
            let what = format!("{message:?}");
            let mut message = NetlinkMessage::new(header, NetlinkPayload::from(message));
            message.finalize();
            let mut bytes = vec![0; message.buffer_len()];
            message.serialize(&mut bytes);
            send(socket.as_raw_fd(), &bytes, MsgFlags::empty()).unwrap();
            let mut answer = vec![0; 32 * 1024];
            let length = recv(socket.as_raw_fd(), &mut answer, MsgFlags::empty()).unwrap();
            let answer = NetlinkMessage::<RouteNetlinkMessage>::deserialize(&answer[..length]);
            match answer.unwrap().payload {
                NetlinkPayload::Error(error) if error.raw_code() != 0 => {
                    panic!("{}: {what}", error.to_io())
                }
                _ => {}
            }
        });
    }

    /// A veth pair between this namespace and another.
    pub fn veth(&self, name: &str, other: &Self, other_name: &str) {
        let mut peer = LinkMessage::default();
        peer.attributes = vec![
            LinkAttribute::IfName(other_name.to_owned()),
            LinkAttribute::NetNsFd(other.as_fd().as_raw_fd()),
        ];
        let mut link = LinkMessage::default();
        link.attributes = vec![
            LinkAttribute::IfName(name.to_owned()),
            LinkAttribute::LinkInfo(vec![
                LinkInfo::Kind(InfoKind::Veth),
                LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
            ]),
        ];
        self.request(RouteNetlinkMessage::NewLink(link), NLM_F_CREATE | NLM_F_EXCL);
    }

    pub fn index(&self, name: &str) -> u32 {
        self.run(|| nix::net::if_::if_nametoindex(name).unwrap())
    }

    pub fn mac(&self, name: &str) -> [u8; 6] {
        let mut link = LinkMessage::default();
        link.header.index = self.index(name);
        self.run(|| {
            let protocol = SockProtocol::NetlinkRoute;
            let socket =
                socket(Family::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol).unwrap();
            let mut header = NetlinkHeader::default();
            header.flags = NLM_F_REQUEST;
            let request = NetlinkPayload::from(RouteNetlinkMessage::GetLink(link));
            let mut message = NetlinkMessage::new(header, request);
            message.finalize();
            let mut bytes = vec![0; message.buffer_len()];
            message.serialize(&mut bytes);
            send(socket.as_raw_fd(), &bytes, MsgFlags::empty()).unwrap();
            let mut answer = vec![0; 32 * 1024];
            let length = recv(socket.as_raw_fd(), &mut answer, MsgFlags::empty()).unwrap();
            let answer = NetlinkMessage::<RouteNetlinkMessage>::deserialize(&answer[..length]);
            let NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link)) =
                answer.unwrap().payload
            else {
                panic!("no link")
            };
            let mac = link.attributes.iter().find_map(|attribute| match attribute {
                LinkAttribute::Address(bytes) => bytes.as_slice().try_into().ok(),
                _ => None,
            });
            mac.unwrap()
        })
    }

    pub fn delete(&self, name: &str) {
        let mut link = LinkMessage::default();
        link.header.index = self.index(name);
        self.request(RouteNetlinkMessage::DelLink(link), 0);
    }

    pub fn up(&self, name: &str) {
        self.flags(name, LinkFlags::Up, LinkFlags::Up);
    }

    pub fn down(&self, name: &str) {
        self.flags(name, LinkFlags::empty(), LinkFlags::Up);
    }

    fn flags(&self, name: &str, flags: LinkFlags, mask: LinkFlags) {
        let mut link = LinkMessage::default();
        link.header.index = self.index(name);
        link.header.flags = flags;
        link.header.change_mask = mask;
        self.request(RouteNetlinkMessage::SetLink(link), 0);
    }

    pub fn address(&self, name: &str, address: &str) {
        let network: IpNet = address.parse().unwrap();
        let mut message = AddressMessage::default();
        message.header.family = family(&network);
        message.header.prefix_len = network.prefix_len();
        message.header.index = self.index(name);
        let host = network.prefix_len() == network.max_prefix_len();
        message.header.scope = if host { AddressScope::Host } else { AddressScope::Universe };
        message.attributes = vec![
            AddressAttribute::Local(network.addr()),
            AddressAttribute::Address(network.addr()),
        ];
        self.request(RouteNetlinkMessage::NewAddress(message), NLM_F_CREATE | NLM_F_EXCL);
    }

    pub fn route(&self, destination: &str, via: &str) {
        let network: IpNet = destination.parse().unwrap();
        let address = |address: IpAddr| RouteAddress::from(address);
        let mut message = RouteMessage::default();
        message.header.address_family = family(&network);
        message.header.destination_prefix_length = network.prefix_len();
        message.header.table = RouteHeader::RT_TABLE_MAIN;
        message.header.protocol = RouteProtocol::Static;
        message.header.scope = RouteScope::Universe;
        message.header.kind = RouteType::Unicast;
        message.attributes = vec![
            RouteAttribute::Destination(address(network.network())),
            RouteAttribute::Gateway(address(via.parse().unwrap())),
        ];
        self.request(RouteNetlinkMessage::NewRoute(message), NLM_F_CREATE | NLM_F_EXCL);
    }
}

fn family(network: &IpNet) -> AddressFamily {
    match network {
        IpNet::V4(_) => AddressFamily::Inet,
        IpNet::V6(_) => AddressFamily::Inet6,
    }
}
