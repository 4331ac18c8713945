//! The ICMP answer to a tunnel packet whose tunnel is not there, as the kernel's `tunnel4_rcv`,
//! `tunnel6_rcv` and `gre_rcv` give it (net/ipv4/tunnel4.c, net/ipv6/tunnel6.c, net/ipv4/ip_gre.c,
//! net/ipv6/ip6_gre.c): port unreachable.

use labsim_wire::{icmpv4, icmpv6, ipv4, ipv6};
use nix::sys::socket::{
    MsgFlags, SockaddrIn, SockaddrIn6, SockaddrLike, getsockopt, sendto, sockopt,
};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

/// Answers at once at most (`XRLIM_BURST_FACTOR`), and the time after which there is one more
/// (`net.ipv4.icmp_ratelimit`, in milliseconds). The kernel counts so for each host that it
/// answers.
const BURST: u32 = 6;
const EVERY: Duration = Duration::from_secs(1);
/// What a namespace's TTL is unless it was set.
const TTL: u8 = 64;

/// Who answers.
pub(super) struct Refuser {
    /// A raw socket of the node's that takes whole packets (`IPPROTO_RAW`, raw(7)).
    socket: OwnedFd,
    /// Whether it is IPv4's.
    ipv4: bool,
    left: u32,
    since: Instant,
}

impl Refuser {
    pub(super) fn new(socket: OwnedFd, ipv4: bool) -> Self {
        Self { socket, ipv4, left: BURST, since: Instant::now() }
    }

    /// Answers a tunnel packet, outer header first. What cannot be sent is not.
    pub(super) fn refuse(&mut self, packet: &[u8]) {
        if self.ipv4 { self.refuse_ipv4(packet) } else { self.refuse_ipv6(packet) }
    }

    fn refuse_ipv4(&mut self, packet: &[u8]) {
        let Some((source, destination)) = ends(packet) else { return };
        if !self.may() {
            return;
        }
        let error = icmpv4::Error {
            source: destination,
            destination: source,
            ttl: ttl_or_default(getsockopt(&self.socket, sockopt::Ipv4Ttl)),
            // The kernel gives one.
            id: 0,
            message: icmpv4::Message::Unreachable { code: icmpv4::unreachable::PORT },
        };
        let mut answer = [0; icmpv4::MAX_ERROR_LEN];
        let Ok(length) = error.emit(packet, &mut answer) else { return };
        self.send(&answer[..length], &SockaddrIn::from(SocketAddrV4::new(source, 0)));
    }

    fn refuse_ipv6(&mut self, packet: &[u8]) {
        let Some((source, destination)) = ends_of_ipv6(packet) else { return };
        if !self.may() {
            return;
        }
        let error = icmpv6::Error {
            source: destination,
            destination: source,
            hop_limit: ttl_or_default(getsockopt(&self.socket, sockopt::Ipv6Ttl)),
            message: icmpv6::Message::Unreachable { code: icmpv6::unreachable::PORT },
        };
        let mut answer = [0; icmpv6::MAX_ERROR_LEN];
        let Ok(length) = error.emit(packet, &mut answer) else { return };
        self.send(&answer[..length], &SockaddrIn6::from(SocketAddrV6::new(source, 0, 0, 0)));
    }

    fn send(&self, answer: &[u8], to: &dyn SockaddrLike) {
        // Without a route the host cannot be answered.
        let _ = sendto(self.socket.as_raw_fd(), answer, to, MsgFlags::MSG_DONTWAIT);
    }

    /// Whether one more may be sent now.
    fn may(&mut self) -> bool {
        let passed = self.since.elapsed().as_secs() / EVERY.as_secs();
        if passed > 0 {
            self.left = BURST.min(self.left.saturating_add(u32::try_from(passed).unwrap_or(BURST)));
            self.since = Instant::now();
        }
        let may = self.left > 0;
        self.left = self.left.saturating_sub(1);
        may
    }
}

/// The TTL or hop limit of a namespace's own packets.
fn ttl_or_default(ttl: nix::Result<i32>) -> u8 {
    ttl.ok().and_then(|ttl| u8::try_from(ttl).ok()).unwrap_or(TTL)
}

/// Whom an answer is from and for, if there may be one (RFC 1812, section 4.3.2.7).
fn ends(packet: &[u8]) -> Option<(Ipv4Addr, Ipv4Addr)> {
    let view = ipv4::View::new(packet).ok()?;
    let (source, destination) = (view.source(), view.destination());
    let none = |address: Ipv4Addr| {
        address.is_unspecified() || address.is_broadcast() || address.is_multicast()
    };
    (!none(source) && !none(destination)).then_some((source, destination))
}

/// The same for IPv6 (RFC 4443, section 2.4).
fn ends_of_ipv6(packet: &[u8]) -> Option<(Ipv6Addr, Ipv6Addr)> {
    let view = ipv6::View::new(packet).ok()?;
    icmpv6::may_answer(&view).then(|| (view.source(), view.destination()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(source: [u8; 4], destination: [u8; 4]) -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 40, 0, 0, 0, 0, 9, 4, 0, 0];
        packet.extend(source);
        packet.extend(destination);
        packet.resize(40, 0);
        packet
    }

    #[test]
    fn an_answer_is_for_one_host_and_from_one() {
        let (one, other) = ([10, 1, 1, 51], [192, 168, 11, 201]);
        assert_eq!(ends(&packet(other, one)), Some((other.into(), one.into())));
        for (source, destination) in
            [([0; 4], one), (other, [255; 4]), ([224, 0, 0, 1], one), (other, [224, 0, 0, 1])]
        {
            assert_eq!(ends(&packet(source, destination)), None);
        }
        assert_eq!(ends(&packet(other, one)[..19]), None);
    }

    #[test]
    fn after_a_burst_no_more_is_sent() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut refuser = Refuser::new(socket.into(), true);
        refuser.since = Instant::now() + Duration::from_secs(3600);
        let given = (0..20).filter(|_| refuser.may()).count();
        assert_eq!(given, BURST as usize);
    }
}
