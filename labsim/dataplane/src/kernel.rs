//! What the kernel of this namespace knows about the forwarder's interface: read once, at start,
//! over rtnetlink(7).

use crate::Error;
use ipnet::IpNet;
use labsim_forwarder::{HostRoute, Port, Route};
use labsim_sys::Errno;
use labsim_sys::netlink::{Notices, Socket};
use labsim_wire::ethernet::Mac;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkLayerType, LinkMessage};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteMetric, RouteType,
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An interface that frames can be moved on.
#[derive(Debug)]
pub(crate) struct Interface {
    pub(crate) name: String,
    pub(crate) index: u32,
    pub(crate) port: Port,
    pub(crate) routes: Vec<Route>,
    /// The addresses of all interfaces of the namespace.
    pub(crate) own: Vec<IpAddr>,
    /// The others that packets are taken from.
    pub(crate) routed: Vec<RoutedInterface>,
}

/// Another interface, where the kernel has the neighbours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RoutedInterface {
    pub(crate) name: String,
    pub(crate) index: u32,
}

impl Interface {
    /// Reads the interface `name` of the calling thread's namespace, without others.
    pub(crate) fn read(name: &str) -> Result<Self, Error> {
        Self::read_with(name, &[])
    }

    /// Reads the interface `name`, and the others that packets are taken from. No packet is longer than
    /// the least MTU of them all.
    pub(crate) fn read_with(name: &str, routed: &[String]) -> Result<Self, Error> {
        let system = |what: &'static str| {
            move |errno: Errno| Error::System { what: what.to_owned(), source: errno.into() }
        };
        let mut socket = routing_socket()?;
        let links = socket
            .dump(RouteNetlinkMessage::GetLink(LinkMessage::default()))
            .map_err(system("the list of interfaces"))?;
        let find = |name: &str| {
            let link = links.iter().find_map(|message| match message {
                RouteNetlinkMessage::NewLink(link) if name_of(link) == Some(name) => Some(link),
                _ => None,
            });
            link.ok_or_else(|| Error::NoInterface(name.to_owned()))
        };
        let link = find(name)?;
        let index = link.header.index;
        let (mac, mut mtu) = usable(name, link)?;
        let mut others = Vec::new();
        for name in routed {
            let link = find(name)?;
            let (_, other_mtu) = usable(name, link)?;
            mtu = mtu.min(other_mtu);
            others.push(RoutedInterface { name: name.clone(), index: link.header.index });
        }
        let routed = others;
        let addresses = socket
            .dump(RouteNetlinkMessage::GetAddress(AddressMessage::default()))
            .map_err(system("the list of addresses"))?;
        let routes = socket
            .dump(RouteNetlinkMessage::GetRoute(RouteMessage::default()))
            .map_err(system("the list of routes"))?;
        let own: Vec<IpAddr> =
            addresses.iter().filter_map(own_address).map(|address| address.addr()).collect();
        let on_port = addresses.iter().filter_map(|message| address_on(index, message));
        let on_port: Vec<IpNet> = on_port.collect();
        let is_elsewhere = |address: &&IpAddr| !on_port.iter().any(|net| net.addr() == **address);
        let elsewhere = own.iter().filter(is_elsewhere).copied().collect();
        let mut host_routes = Vec::new();
        for RoutedInterface { index, .. } in &routed {
            let on_it = addresses.iter().filter_map(|message| address_on(*index, message));
            let on_it: Vec<IpNet> = on_it.collect();
            let through = routes.iter().filter_map(|message| route_through(*index, message));
            host_routes.extend(through.map(|route| host_route(&route, &on_it)));
        }
        let port = Port { mac, mtu, addresses: on_port, elsewhere, host_routes };
        let routes = routes.iter().filter_map(|message| route_through(index, message));
        Ok(Self { name: name.to_owned(), index, port, routes: routes.collect(), own, routed })
    }
}

/// A route through another interface that has these addresses.
fn host_route(route: &Route, addresses: &[IpNet]) -> HostRoute {
    let destination = route.destination;
    let via = route.via.unwrap_or(destination.addr());
    let is_fit = |own: &&IpNet| own.addr().is_ipv4() == destination.addr().is_ipv4();
    let near = addresses.iter().find(|own| own.contains(&via));
    let source = near.or_else(|| addresses.iter().find(is_fit)).map(|own| own.addr());
    HostRoute { destination, source }
}

/// The setting that has the kernel forward what comes in on the interface, as a dotted key; `None` if
/// it forwards nothing.
pub(crate) fn kernel_forwarding(interface: &str, ipv6: bool) -> Result<Option<String>, Error> {
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
            Ok(_) => return Ok(Some(setting)),
            // The list of interfaces reports the interface's absence better, and a kernel
            // without IPv6 forwards none of it.
            Err(error)
                if error.kind() == std::io::ErrorKind::NotFound
                    && (place != "all" || family == "ipv6") => {}
            Err(error) => {
                return Err(Error::system(format!(
                    "{path}, which shows whether the kernel forwards by itself"
                ))(error));
            }
        }
    }
    Ok(None)
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
        return Err(refuse("it is not an Ethernet interface"));
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
        _ => Err(refuse("the kernel does not report its link-layer address and MTU")),
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
    let (mut via, mut through, mut mtu) = (None, None, None);
    for attribute in &route.attributes {
        match attribute {
            RouteAttribute::Destination(address) => destination = plain(address)?,
            RouteAttribute::Gateway(address) => via = plain(address),
            RouteAttribute::Oif(interface) => through = Some(*interface),
            RouteAttribute::Metrics(metrics) => {
                mtu = metrics.iter().find_map(|metric| match metric {
                    RouteMetric::Mtu(mtu) => Some(*mtu),
                    _ => None,
                });
            }
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
    (through == Some(index)).then_some(Route { destination, via, mtu })
}

fn plain(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(address) => Some((*address).into()),
        RouteAddress::Inet6(address) => Some((*address).into()),
        _ => None,
    }
}

/// A routing socket in the calling thread's namespace.
pub(crate) fn routing_socket() -> Result<Socket, Error> {
    Socket::open().map_err(|errno| Error::system("a routing socket (rtnetlink(7))")(errno.into()))
}

/// Notices of the namespace's interfaces. A packet socket reports that its interface went down, but
/// not that it was deleted after that.
pub(crate) fn link_notices() -> Result<Notices, Error> {
    Notices::open(Notices::LINKS).map_err(|errno| {
        Error::system("a socket for changes of interfaces (rtnetlink(7))")(errno.into())
    })
}

#[cfg(test)]
mod tests {
    use super::{Interface, route_through};
    use crate::Error;
    use netlink_packet_route::route::{
        RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteMetric, RouteType,
    };
    use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

    #[test]
    fn an_interface_that_is_not_there_and_one_that_is_no_ethernet_are_refused() {
        let name = |result: Result<Interface, Error>| match result {
            Err(Error::NoInterface(_)) => "absent",
            Err(Error::Interface { .. }) => "unusable",
            _ => "taken",
        };
        assert_eq!(name(Interface::read("no-such-thing")), "absent");
        assert_eq!(name(Interface::read("lo")), "unusable");
    }

    #[test]
    fn a_route_has_its_gateway_and_its_own_mtu() {
        let mut route = RouteMessage::default();
        route.header.address_family = AddressFamily::Inet;
        route.header.destination_prefix_length = 8;
        (route.header.table, route.header.kind) = (RouteHeader::RT_TABLE_MAIN, RouteType::Unicast);
        route.attributes = vec![
            RouteAttribute::Destination(RouteAddress::Inet([10, 0, 0, 0].into())),
            RouteAttribute::Gateway(RouteAddress::Inet([10, 9, 0, 1].into())),
            RouteAttribute::Oif(7),
            RouteAttribute::Metrics(vec![RouteMetric::Advmss(160), RouteMetric::Mtu(200)]),
        ];
        let read = route_through(7, &RouteNetlinkMessage::NewRoute(route)).unwrap();
        assert_eq!(read.destination.to_string(), "10.0.0.0/8");
        assert_eq!((read.via, read.mtu), (Some([10, 9, 0, 1].into()), Some(200)));
    }
}
