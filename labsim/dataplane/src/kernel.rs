//! What the kernel of this namespace knows about the forwarder's interface: read once, at start,
//! over rtnetlink(7).

use crate::Error;
use ipnet::IpNet;
use labsim_forwarder::{Port, Route};
use labsim_wire::ethernet::Mac;
use netlink_packet_core::{
    NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkLayerType, LinkMessage};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteType,
};
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, send,
    socket,
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// More than the kernel puts into one datagram of a dump.
const RECEIVE_BYTES: usize = 64 * 1024;

/// An interface that frames can be moved on.
#[derive(Debug)]
pub(crate) struct Arm {
    pub(crate) name: String,
    pub(crate) index: u32,
    pub(crate) port: Port,
    pub(crate) routes: Vec<Route>,
    /// The addresses of all interfaces of the namespace.
    pub(crate) own: Vec<IpAddr>,
}

impl Arm {
    /// Reads the interface `name` of the calling thread's namespace.
    pub(crate) fn read(name: &str) -> Result<Self, Error> {
        let system = |what: &'static str| {
            move |errno: Errno| Error::System { what: what.to_owned(), source: errno.into() }
        };
        let kernel = Kernel::open().map_err(system("a routing socket (rtnetlink(7))"))?;
        let links = kernel
            .dump(RouteNetlinkMessage::GetLink(LinkMessage::default()))
            .map_err(system("the list of interfaces"))?;
        let link = links.into_iter().find_map(|message| match message {
            RouteNetlinkMessage::NewLink(link) if name_of(&link) == Some(name) => Some(link),
            _ => None,
        });
        let link = link.ok_or_else(|| Error::NoInterface(name.to_owned()))?;
        let index = link.header.index;
        let (mac, mtu) = usable(name, &link)?;
        let addresses = kernel
            .dump(RouteNetlinkMessage::GetAddress(AddressMessage::default()))
            .map_err(system("the list of addresses"))?;
        let routes = kernel
            .dump(RouteNetlinkMessage::GetRoute(RouteMessage::default()))
            .map_err(system("the list of routes"))?;
        let own = addresses.iter().filter_map(own_address).map(|address| address.addr()).collect();
        let addresses = addresses.iter().filter_map(|message| address_on(index, message));
        let port = Port { mac, mtu, addresses: addresses.collect() };
        let routes = routes.iter().filter_map(|message| route_through(index, message));
        Ok(Self { name: name.to_owned(), index, port, routes: routes.collect(), own })
    }
}

/// A kernel that forwards sends every packet to a VIP on, beside the forwarder.
pub(crate) fn refuse_kernel_forwarding(interface: &str, ipv6: bool) -> Result<(), Error> {
    let places = [
        ("ipv4", "all", "net.ipv4.ip_forward".to_owned()),
        ("ipv4", interface, format!("net.ipv4.conf.{interface}.forwarding")),
        ("ipv6", "all", "net.ipv6.conf.all.forwarding".to_owned()),
        ("ipv6", interface, format!("net.ipv6.conf.{interface}.forwarding")),
    ];
    for (family, place, setting) in places {
        if family == "ipv6" && !ipv6 {
            continue;
        }
        let path = format!("/proc/sys/net/{family}/conf/{place}/forwarding");
        match std::fs::read_to_string(&path) {
            Ok(value) if value.trim() == "0" => {}
            Ok(_) => return Err(Error::KernelForwards { setting }),
            // The interface's absence is told better by the list of interfaces, and a kernel
            // without IPv6 forwards none of it.
            Err(error)
                if error.kind() == std::io::ErrorKind::NotFound
                    && (place != "all" || family == "ipv6") => {}
            Err(error) => {
                return Err(Error::system(format!(
                    "{path}, which tells whether the kernel forwards by itself"
                ))(error));
            }
        }
    }
    Ok(())
}

fn name_of(link: &LinkMessage) -> Option<&str> {
    link.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::IfName(name) => Some(name.as_str()),
        _ => None,
    })
}

fn usable(name: &str, link: &LinkMessage) -> Result<(Mac, usize), Error> {
    let refuse =
        |reason: &str| Error::Interface { interface: name.to_owned(), reason: reason.to_owned() };
    if link.header.link_layer_type != LinkLayerType::Ether {
        return Err(refuse("it is no Ethernet interface"));
    }
    if !link.header.flags.contains(LinkFlags::Up) {
        return Err(refuse("it is down; set it up first"));
    }
    let mac = link.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::Address(bytes) => <[u8; 6]>::try_from(bytes.as_slice()).ok().map(Mac),
        _ => None,
    });
    let mtu = link.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::Mtu(mtu) => usize::try_from(*mtu).ok(),
        _ => None,
    });
    match (mac, mtu) {
        (Some(mac), Some(mtu)) => Ok((mac, mtu.min(65_535))),
        _ => Err(refuse("the kernel does not tell its link-layer address and MTU")),
    }
}

fn address_on(index: u32, message: &RouteNetlinkMessage) -> Option<IpNet> {
    let RouteNetlinkMessage::NewAddress(address) = message else { return None };
    if address.header.index == index { own_address(message) } else { None }
}

fn own_address(message: &RouteNetlinkMessage) -> Option<IpNet> {
    let RouteNetlinkMessage::NewAddress(address) = message else { return None };
    // On a point-to-point link `Address` is the other end's, and `Local` the interface's own.
    let local = address.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Local(address) => Some(*address),
        _ => None,
    });
    let any = address.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Address(address) => Some(*address),
        _ => None,
    });
    IpNet::new(local.or(any)?, address.header.prefix_len).ok()
}

fn route_through(index: u32, message: &RouteNetlinkMessage) -> Option<Route> {
    let RouteNetlinkMessage::NewRoute(route) = message else { return None };
    let header = &route.header;
    if header.table != RouteHeader::RT_TABLE_MAIN || header.kind != RouteType::Unicast {
        return None;
    }
    let mut destination = match header.address_family {
        netlink_packet_route::AddressFamily::Inet => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        netlink_packet_route::AddressFamily::Inet6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        _ => return None,
    };
    let (mut via, mut through) = (None, None);
    for attribute in &route.attributes {
        match attribute {
            RouteAttribute::Destination(address) => destination = plain(address)?,
            RouteAttribute::Gateway(address) => via = plain(address),
            RouteAttribute::Oif(interface) => through = Some(*interface),
            // Of several next hops the first through this interface is taken.
            RouteAttribute::MultiPath(hops) => {
                let hop = hops.iter().find(|hop| hop.interface_index == index)?;
                through = Some(hop.interface_index);
                via = hop.attributes.iter().find_map(|attribute| match attribute {
                    RouteAttribute::Gateway(address) => plain(address),
                    _ => None,
                });
            }
            _ => {}
        }
    }
    let destination = IpNet::new(destination, header.destination_prefix_length).ok()?;
    (through == Some(index)).then_some(Route { destination, via })
}

fn plain(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(address) => Some((*address).into()),
        RouteAddress::Inet6(address) => Some((*address).into()),
        _ => None,
    }
}

/// Tells that something happened to an interface of the namespace. A packet socket tells that its
/// interface went down, and not that it was deleted after that.
#[derive(Debug)]
pub(crate) struct LinkEvents(OwnedFd);

impl LinkEvents {
    /// Listens from here on.
    pub(crate) fn open() -> Result<Self, Error> {
        let open = || -> Result<OwnedFd, Errno> {
            let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
            let protocol = SockProtocol::NetlinkRoute;
            let socket = socket(AddressFamily::Netlink, SockType::Raw, flags, protocol)?;
            bind(socket.as_raw_fd(), &NetlinkAddr::new(0, libc::RTMGRP_LINK as u32))?;
            Ok(socket)
        };
        open().map(Self).map_err(|errno| {
            Error::system("a socket for changes of interfaces (rtnetlink(7))")(errno.into())
        })
    }

    /// Takes what was told; nothing is lost if it was too much, because only that it was told
    /// matters.
    pub(crate) fn clear(&self) {
        let mut buffer = [0; 4096];
        while !matches!(
            recv(self.0.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_TRUNC),
            Err(Errno::EAGAIN | Errno::EBADF)
        ) {}
    }
}

impl AsFd for LinkEvents {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A routing socket of one namespace.
struct Kernel(OwnedFd);

impl Kernel {
    fn open() -> Result<Self, Errno> {
        let flags = SockFlag::SOCK_CLOEXEC;
        socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkRoute).map(Self)
    }

    /// Asks for a whole list.
    fn dump(&self, request: RouteNetlinkMessage) -> Result<Vec<RouteNetlinkMessage>, Errno> {
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | NLM_F_DUMP;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::from(request));
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        send(self.0.as_raw_fd(), &bytes, MsgFlags::empty())?;
        let mut list = Vec::new();
        let mut buffer = vec![0; RECEIVE_BYTES];
        loop {
            let length = recv(self.0.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
            let mut rest = buffer.get(..length).unwrap_or_default();
            while !rest.is_empty() {
                let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest)
                    .map_err(|_| Errno::EBADMSG)?;
                // Messages begin at multiples of four (netlink(7)).
                let length = (message.header.length as usize).next_multiple_of(4);
                rest = rest.get(length..).unwrap_or_default();
                match message.payload {
                    NetlinkPayload::InnerMessage(inner) => list.push(inner),
                    NetlinkPayload::Done(_) => return Ok(list),
                    NetlinkPayload::Error(error) => {
                        return Err(Errno::from_raw(-error.raw_code()));
                    }
                    _ => {}
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Arm;
    use crate::Error;

    #[test]
    fn an_interface_that_is_not_there_and_one_that_is_no_ethernet_are_refused() {
        let name = |result: Result<Arm, Error>| match result {
            Err(Error::NoInterface(_)) => "absent",
            Err(Error::Interface { .. }) => "unusable",
            _ => "taken",
        };
        assert_eq!(name(Arm::read("no-such-thing")), "absent");
        assert_eq!(name(Arm::read("lo")), "unusable");
    }
}
