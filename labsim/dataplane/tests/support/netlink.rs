//! The few requests that a small lab needs, one at a time.

use super::namespace::Namespace;
use ipnet::IpNet;
use labsim_sys::device;
use labsim_sys::netlink::{Request, Socket};
use netlink_packet_route::address::{AddressAttribute, AddressFlags, AddressMessage, AddressScope};
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd};

impl Namespace {
    fn request(&self, request: Request) {
        let what = format!("{:?}", request.message());
        let done = self.run(|| Socket::open().unwrap().execute(request));
        done.unwrap_or_else(|refusal| panic!("{refusal}: {what}"));
    }

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
        self.request(Request::create(RouteNetlinkMessage::NewLink(link)));
    }

    pub fn index(&self, name: &str) -> u32 {
        self.run(|| nix::net::if_::if_nametoindex(name).unwrap())
    }

    pub fn mac(&self, name: &str) -> [u8; 6] {
        let index = self.index(name);
        let links = RouteNetlinkMessage::GetLink(LinkMessage::default());
        let links = self.run(|| Socket::open().unwrap().dump(links)).unwrap();
        let mac = links.into_iter().find_map(|link| match link {
            RouteNetlinkMessage::NewLink(link) if link.header.index == index => {
                link.attributes.iter().find_map(|attribute| match attribute {
                    LinkAttribute::Address(bytes) => bytes.as_slice().try_into().ok(),
                    _ => None,
                })
            }
            _ => None,
        });
        mac.unwrap()
    }

    pub fn delete(&self, name: &str) {
        let mut link = LinkMessage::default();
        link.header.index = self.index(name);
        self.request(Request::new(RouteNetlinkMessage::DelLink(link)));
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
        self.request(Request::new(RouteNetlinkMessage::SetLink(link)));
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
            // Usable at once: otherwise an IPv6 address is tentative until a kernel thread has run.
            AddressAttribute::Flags(AddressFlags::Nodad),
        ];
        self.request(Request::create(RouteNetlinkMessage::NewAddress(message)));
        if let IpAddr::V6(address) = network.addr() {
            self.await_local_route(name, address);
        }
    }

    /// A worker of the kernel's gives an IPv6 address of a device that is up its local route, and
    /// packets that come before are dropped (`addrconf_dad_work` of net/ipv6/addrconf.c).
    fn await_local_route(&self, name: &str, address: Ipv6Addr) {
        let route = format!("{:032x} 80 ", address.to_bits());
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        let is_there = || {
            let socket = Socket::open().unwrap();
            let is_up = device::flags_of(&socket, name).unwrap() & libc::IFF_UP != 0;
            let routes = std::fs::read_to_string("/proc/thread-self/net/ipv6_route").unwrap();
            // `RTF_LOCAL` is the highest bit of the flags, the last field but one.
            let is_local = |line: &str| {
                let flags = line.split_whitespace().nth_back(1).unwrap_or_default();
                line.starts_with(&route) && flags.starts_with('8')
            };
            !is_up || routes.lines().any(is_local)
        };
        while !self.run(is_there) {
            assert!(std::time::Instant::now() < deadline, "no local route to {address}");
            std::thread::yield_now();
        }
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
        self.request(Request::create(RouteNetlinkMessage::NewRoute(message)));
    }
}

fn family(network: &IpNet) -> AddressFamily {
    match network {
        IpNet::V4(_) => AddressFamily::Inet,
        IpNet::V6(_) => AddressFamily::Inet6,
    }
}
