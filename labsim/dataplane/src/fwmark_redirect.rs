//! Packets of the namespace's own sockets that are for the forwarder instead of the network: what
//! monitors send to a VIP, which has to go through the tunnel to a given member.
//!
//! A socket whose packets are to be redirected is marked ([`FwmarkRedirect::mark`], `SO_MARK`). A
//! rule sends marked packets to a routing table of their own (ip-rule(8)), whose one route leads to
//! `lo`, where a packet socket hands them over. So nothing has to be made that a machine may not
//! allow or have (a TUN device, a veth pair), and nothing changes for any other packet: not its
//! route, and not what reverse path filters think of the answers, which come to the interface's own
//! address as ever.
//!
//! The kernel takes each such packet in again, and counts it (`UdpNoPorts`, `TcpInSegs`). It
//! answers none: an answer would have the VIP as its source, which is not one of its addresses, and
//! without that there is no route for it (`ip_route_output_key_hash_rcu`). Only a UDP socket that
//! is bound to every address of the namespace and to the same port gets a copy. A VIP that the
//! namespace has itself cannot be probed: its packets never leave.
//!
//! Of IPv6 a kernel makes a route to `lo` one that refuses (`ip6_route_info_create`), so that table's route
//! is a local one there; and the kernel would take what comes by it for its own and answer it
//! (`tcp_v6_send_response`), so a filter at the ingress of `lo` drops it, behind the packet socket.
//!
//! It needs CAP_NET_ADMIN and CAP_NET_RAW in the namespace, `lo` up, and the kernel's
//! IP_MULTIPLE_TABLES and IPV6_MULTIPLE_TABLES; for IPv6 `sch_ingress` and `cls_bpf` as well. Mark, table and rule are this interface's alone; those that a killed
//! forwarder left are taken over by the next. The route's MTU is the interface's, so that packets
//! are no longer than the interface's own.

use crate::ingress_filter::{IngressFilter, Place};
use crate::kernel::{Interface, routing_socket};
use crate::packet::filter;
use crate::{Error, packet};
use labsim_sys::Errno;
use labsim_sys::netlink::{Request, Socket};
use labsim_sys::packet::{ALL_PROTOCOLS, ignore_outgoing};
use labsim_wire::ethernet::{self, ethertype};
use labsim_wire::{ipv4, ipv6, protocol, tcp, udp};
use netlink_packet_route::route::{
    RouteAttribute, RouteMessage, RouteMetric, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use nix::net::if_::if_nametoindex;
use nix::sys::socket::{MsgFlags, recv};
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use tracing::debug;

/// Our marks and tables: this, and the interface's number.
const OURS: u32 = 0x6c61_0000;
/// The rule's place: before that of the main table (32766).
const PREFERENCE: u32 = 0x6c61;
/// The rules of a killed forwarder and of whatever else are looked for so often.
const MAX_STALE_RULES: usize = 64;

/// A redirect that is in force; dropping it ends it.
#[derive(Debug)]
pub struct FwmarkRedirect {
    routing: Socket,
    socket: OwnedFd,
    mark: u32,
    family: AddressFamily,
    /// Keeps the kernel from IPv6 packets that are redirected.
    _filter: Option<IngressFilter>,
}

impl FwmarkRedirect {
    /// Room for the longest packet.
    pub const ROOM: usize = ethernet::HEADER_LEN + 65_535;

    /// Refuses VIPs that the calling thread's namespace has itself.
    ///
    /// # Errors
    /// [`Error::VipIsOwn`] of the first, or why the interface cannot be read.
    pub fn refuse_own(
        interface: &str,
        vips: impl IntoIterator<Item = IpAddr>,
    ) -> Result<(), Error> {
        let own = Interface::read(interface)?.own;
        match vips.into_iter().find(|vip| own.contains(vip)) {
            Some(vip) => Err(Error::VipIsOwn(vip)),
            None => Ok(()),
        }
    }

    /// Redirects marked IPv4 packets, or marked IPv6 packets, of the calling thread's namespace from here
    /// on, for the forwarder of that interface. Both have the same mark.
    ///
    /// # Errors
    /// What is missing, and the remedy.
    pub fn open(interface: &str, is_ipv6: bool) -> Result<Self, Error> {
        let interface = Interface::read(interface)?;
        let mark = OURS | interface.index & 0xffff;
        let lo = if_nametoindex("lo").map_err(|_| Error::NoInterface("lo".to_owned()))?;
        let routing = routing_socket()?;
        let socket = packet::open()?;
        ignore_outgoing(socket.as_fd()).map_err(Error::ignore_outgoing)?;
        let (family, ethertype) = match is_ipv6 {
            false => (AddressFamily::Inet, ethertype::IPV4),
            true => (AddressFamily::Inet6, ethertype::IPV6),
        };
        packet::receiver::attach(socket.as_fd(), &filter::only_marked(ethertype, mark))?;
        // A socket for one protocol would see packets behind the filter.
        let protocol = if is_ipv6 { ALL_PROTOCOLS } else { ethertype };
        packet::bind(socket.as_fd(), lo, protocol)?;
        let place = Place {
            interface: lo,
            ethertype,
            handle: interface.index,
            is_shared: true,
            purpose: "monitors' packets to IPv6 VIPs",
        };
        let drop = || IngressFilter::install(place, &filter::drop_marked(ethertype, mark));
        let filter = is_ipv6.then(drop).transpose()?;
        let mut redirect = Self { routing, socket, mark, family, _filter: filter };
        redirect.remove_stale_rules();
        let rule = RouteNetlinkMessage::NewRule(redirect.rule());
        redirect.routing.execute(Request::add(rule)).map_err(|refusal| {
            let what = "a rule for monitors' packets (ip-rule(8)), which needs CAP_NET_ADMIN in \
                        this network namespace and the kernel's IP_MULTIPLE_TABLES";
            Error::system(what)(refusal.errno.into())
        })?;
        let route = redirect.route_through(lo, interface.port.mtu);
        let route = Request::replace(RouteNetlinkMessage::NewRoute(route));
        redirect.routing.execute(route).map_err(|refusal| match refusal.errno {
            Errno::ENETDOWN => Error::Interface {
                interface: "lo".to_owned(),
                reason: "it is down, and monitors' packets to VIPs come by it; set it up first"
                    .to_owned(),
            },
            errno => {
                let what = "a route for monitors' packets, which needs CAP_NET_ADMIN";
                Error::system(what)(errno.into())
            }
        })?;
        debug!(interface = %interface.name, mark, "fwmark redirect opened");
        Ok(redirect)
    }

    /// The mark of packets that are redirected (`SO_MARK`, socket(7)).
    #[must_use]
    pub const fn mark(&self) -> u32 {
        self.mark
    }

    /// The next packet that was redirected, from its IP header on and with its checksums; `None` if
    /// none is there. Never waits. `room` is for [`Self::ROOM`] bytes.
    pub fn receive<'a>(&self, room: &'a mut [u8]) -> Option<&'a [u8]> {
        let length = recv(self.socket.as_raw_fd(), room, MsgFlags::MSG_DONTWAIT).ok()?;
        let packet = room.get_mut(ethernet::HEADER_LEN..length)?;
        complete(packet);
        Some(packet)
    }

    /// Takes away what a killed forwarder of this interface left.
    fn remove_stale_rules(&mut self) {
        for _ in 0..MAX_STALE_RULES {
            let delete = Request::new(RouteNetlinkMessage::DelRule(self.rule()));
            if self.routing.execute(delete).is_err() {
                break;
            }
        }
    }

    /// Marked packets go to a routing table of their own.
    fn rule(&self) -> RuleMessage {
        let mut rule = RuleMessage::default();
        rule.header.family = self.family;
        rule.header.action = RuleAction::ToTable;
        rule.attributes = vec![
            RuleAttribute::Priority(PREFERENCE),
            RuleAttribute::FwMark(self.mark),
            RuleAttribute::Table(self.mark),
        ];
        rule
    }

    /// The default route of that table.
    fn route(&self) -> RouteMessage {
        let mut route = RouteMessage::default();
        route.header.address_family = self.family;
        route.header.protocol = RouteProtocol::Static;
        match self.family {
            AddressFamily::Inet6 => route.header.kind = RouteType::Local,
            _ => {
                route.header.scope = RouteScope::Link;
                route.header.kind = RouteType::Unicast;
            }
        }
        route.attributes.push(RouteAttribute::Table(self.mark));
        route
    }

    /// The same, through an interface, with an MTU.
    fn route_through(&self, interface: u32, mtu: usize) -> RouteMessage {
        let header = match self.family {
            AddressFamily::Inet6 => ipv6::HEADER_LEN,
            _ => ipv4::MIN_HEADER_LEN,
        };
        let mss = mtu.saturating_sub(header + tcp::MIN_HEADER_LEN) as u32;
        let metrics = vec![RouteMetric::Mtu(mtu as u32), RouteMetric::Advmss(mss)];
        let mut route = self.route();
        route.attributes.extend([RouteAttribute::Oif(interface), RouteAttribute::Metrics(metrics)]);
        route
    }
}

impl Drop for FwmarkRedirect {
    fn drop(&mut self) {
        // The namespace may be on its way out; then both go with it.
        let (rule, route) = (self.rule(), self.route());
        let _ = self.routing.execute(Request::new(RouteNetlinkMessage::DelRule(rule)));
        let _ = self.routing.execute(Request::new(RouteNetlinkMessage::DelRoute(route)));
    }
}

impl AsFd for FwmarkRedirect {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for FwmarkRedirect {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

/// Computes the transport checksum: `lo` leaves it to the receiver.
fn complete(packet: &mut [u8]) {
    let (addresses, transport, start, end) = if let Ok(view) = ipv4::View::new(packet) {
        (view.addresses(), view.protocol(), view.header_length(), view.total_length())
    } else if let Ok(view) = ipv6::View::new(packet) {
        // The namespace's own sockets send no extension headers.
        (view.addresses(), view.next_header(), ipv6::HEADER_LEN, view.total_length())
    } else {
        return;
    };
    let Some(payload) = packet.get_mut(start..end) else { return };
    match transport {
        protocol::TCP => {
            if let Ok(mut segment) = tcp::ViewMut::new(payload) {
                segment.fill_checksum(&addresses);
            }
        }
        protocol::UDP => {
            if let Ok(mut datagram) = udp::ViewMut::new(payload) {
                datagram.fill_checksum(&addresses);
            }
        }
        _ => {}
    }
}
