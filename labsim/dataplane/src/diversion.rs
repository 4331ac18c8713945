//! Packets of the namespace's own sockets that are for the forwarder instead of the network: what
//! monitors send to a VIP, which has to go through the tunnel to a given member.
//!
//! Whoever wants a packet diverted marks its socket ([`Diversion::mark`], `SO_MARK`). A rule sends
//! marked packets to a routing table of their own (ip-rule(8)), whose one route leads to `lo`, where a
//! packet socket hands them over. So nothing has to be made that a machine may not allow or have (a
//! TUN device, a veth pair), and nothing changes for any other packet: not its route, and not what
//! reverse path filters think of the answers, which come to the interface's own address as ever.
//!
//! The kernel takes each such packet in again, and counts it (`UdpNoPorts`, `TcpInSegs`). It answers
//! none: an answer would have the VIP as its source, which is no address of its own, and without that
//! there is no route for it (`ip_route_output_key_hash_rcu`). Only a UDP socket that is bound to every
//! address of the namespace and to the same port gets a copy. A VIP that the namespace has itself
//! cannot be probed: its packets never leave.
//!
//! It is for IPv4: of IPv6 a kernel makes a route to `lo` one that refuses, and of a local one it answers
//! by itself (`ip6_route_info_create`, `tcp_v6_send_response`).
//!
//! It needs CAP_NET_ADMIN and CAP_NET_RAW in the namespace, `lo` up, and the kernel's
//! IP_MULTIPLE_TABLES. Mark, table and rule are this interface's alone; those that a killed forwarder
//! left are taken over by the next. The route's MTU is the interface's, so that packets are no longer
//! than the interface's own.

use crate::kernel::Arm;
use crate::netlink::{Messages, Requests};
use crate::packet::filter;
use crate::{Error, packet, socket};
use labsim_wire::ethernet::{self, ethertype};
use labsim_wire::{ipv4, protocol, tcp, udp};
use nix::errno::Errno;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::{MsgFlags, recv};
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// Our marks and tables: this, and the interface's number.
const OURS: u32 = 0x6c61_0000;
/// The rule's place: before that of the main table (32766).
const PREFERENCE: u32 = 0x6c61;
/// `FR_ACT_TO_TBL`, `FRA_PRIORITY`, `FRA_FWMARK`, `FRA_TABLE` (linux/fib_rules.h).
const TO_TABLE: u8 = 1;
const RULE_PRIORITY: u16 = 6;
const RULE_MARK: u16 = 10;
const RULE_TABLE: u16 = 15;
/// `RTA_OIF`, `RTA_METRICS`, `RTA_TABLE`, `RTAX_MTU`, `RTAX_ADVMSS` (linux/rtnetlink.h).
const ROUTE_OUT: u16 = 4;
const ROUTE_METRICS: u16 = 8;
const ROUTE_TABLE: u16 = 15;
const METRIC_MTU: u16 = 2;
const METRIC_MSS: u16 = 8;
/// The rules of a killed forwarder and of whatever else are looked for so often.
const MOST_LEFT: usize = 64;

/// A diversion that is in force; dropping it ends it.
#[derive(Debug)]
pub struct Diversion {
    kernel: Requests,
    socket: OwnedFd,
    mark: u32,
}

impl Diversion {
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
        let own = Arm::read(interface)?.own;
        match vips.into_iter().find(|vip| own.contains(vip)) {
            Some(vip) => Err(Error::VipIsOwn(vip)),
            None => Ok(()),
        }
    }

    /// Diverts marked IPv4 packets of the calling thread's namespace from here on, for the forwarder
    /// of that interface.
    ///
    /// # Errors
    /// What is missing, and the remedy.
    pub fn open(interface: &str) -> Result<Self, Error> {
        let arm = Arm::read(interface)?;
        let mark = OURS | arm.index & 0xffff;
        let lo = if_nametoindex("lo").map_err(|_| Error::NoInterface("lo".to_owned()))?;
        let kernel = Requests::open()?;
        let socket = packet::open()?;
        socket::ignore_outgoing(socket.as_fd())?;
        packet::ring::attach(socket.as_fd(), &filter::only_marked(mark))?;
        packet::bind(socket.as_fd(), lo, ethertype::IPV4)?;
        let diversion = Self { kernel, socket, mark };
        diversion.forget_left();
        diversion.kernel.send(&diversion.rule(libc::RTM_NEWRULE)).map_err(|errno| {
            refused(
                errno,
                "a rule for monitors' packets (ip-rule(8)), which needs CAP_NET_ADMIN in \
                     this network namespace and the kernel's IP_MULTIPLE_TABLES",
            )
        })?;
        let route = diversion.route(libc::RTM_NEWROUTE, Some((lo, arm.port.mtu)));
        diversion.kernel.send(&route).map_err(|errno| match errno {
            Errno::ENETDOWN => Error::Interface {
                interface: "lo".to_owned(),
                reason: "it is down, and monitors' packets to VIPs come by it; set it up first"
                    .to_owned(),
            },
            errno => refused(errno, "a route for monitors' packets, which needs CAP_NET_ADMIN"),
        })?;
        Ok(diversion)
    }

    /// The mark of packets that are diverted (`SO_MARK`, socket(7)).
    #[must_use]
    pub const fn mark(&self) -> u32 {
        self.mark
    }

    /// The next packet that was diverted, from its IP header on and with its checksums; `None` if
    /// none is there. Never waits. `room` is for [`Self::ROOM`] bytes.
    pub fn receive<'a>(&self, room: &'a mut [u8]) -> Option<&'a [u8]> {
        let length = recv(self.socket.as_raw_fd(), room, MsgFlags::MSG_DONTWAIT).ok()?;
        let packet = room.get_mut(ethernet::HEADER_LEN..length)?;
        complete(packet);
        Some(packet)
    }

    /// Takes away what a forwarder of this interface left that was killed.
    fn forget_left(&self) {
        for _ in 0..MOST_LEFT {
            if self.kernel.send(&self.rule(libc::RTM_DELRULE)).is_err() {
                break;
            }
        }
    }

    fn rule(&self, kind: u16) -> Messages {
        let mut messages = Messages::default();
        let make = if kind == libc::RTM_NEWRULE { libc::NLM_F_CREATE } else { 0 };
        messages.message(kind, libc::NLM_F_REQUEST | libc::NLM_F_ACK | make, |it| {
            // `struct fib_rule_hdr`: any source and destination.
            it.raw(&[libc::AF_INET as u8, 0, 0, 0, 0, 0, 0, TO_TABLE, 0, 0, 0, 0]);
            it.attribute(RULE_PRIORITY, &PREFERENCE.to_ne_bytes());
            it.attribute(RULE_MARK, &self.mark.to_ne_bytes());
            it.attribute(RULE_TABLE, &self.mark.to_ne_bytes());
        });
        messages
    }

    /// The default route of our table; `to` is the interface's number and MTU.
    fn route(&self, kind: u16, to: Option<(u32, usize)>) -> Messages {
        let make =
            if kind == libc::RTM_NEWROUTE { libc::NLM_F_CREATE | libc::NLM_F_REPLACE } else { 0 };
        let (protocol, scope) = (libc::RTPROT_STATIC, libc::RT_SCOPE_LINK);
        let mut messages = Messages::default();
        messages.message(kind, libc::NLM_F_REQUEST | libc::NLM_F_ACK | make, |it| {
            // `struct rtmsg`: the default route.
            it.raw(&[libc::AF_INET as u8, 0, 0, 0, 0, protocol, scope, libc::RTN_UNICAST]);
            it.raw(&[0; 4]);
            it.attribute(ROUTE_TABLE, &self.mark.to_ne_bytes());
            let Some((out, mtu)) = to else { return };
            let mss = mtu.saturating_sub(ipv4::MIN_HEADER_LEN + tcp::MIN_HEADER_LEN) as u32;
            it.attribute(ROUTE_OUT, &out.to_ne_bytes());
            it.nested(ROUTE_METRICS, |it| {
                it.attribute(METRIC_MTU, &(mtu as u32).to_ne_bytes());
                it.attribute(METRIC_MSS, &mss.to_ne_bytes());
            });
        });
        messages
    }
}

impl Drop for Diversion {
    fn drop(&mut self) {
        // The namespace may be on its way out; then both go with it.
        let _ = self.kernel.send(&self.rule(libc::RTM_DELRULE));
        let _ = self.kernel.send(&self.route(libc::RTM_DELROUTE, None));
    }
}

impl AsFd for Diversion {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for Diversion {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

fn refused(errno: Errno, what: &str) -> Error {
    Error::system(what)(errno.into())
}

/// Computes the transport checksum: `lo` leaves it to whoever receives.
fn complete(packet: &mut [u8]) {
    let Ok(view) = ipv4::View::new(packet) else { return };
    let (addresses, transport, start) = (view.addresses(), view.protocol(), view.header_length());
    let end = view.total_length();
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
