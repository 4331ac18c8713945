//! The engine beside the fast path: each frame goes through both.

use super::arm::Arm;
use super::bench::{Bench, ROUTER, US};
use labsim_fast_path::Owned;
use labsim_forwarder::{
    Config, Engine, Instant, OffloadDirection, OffloadKey, OffloadPath, OffloadTunnel,
    OffloadedFlow, Outcome, OuterSource, Profile, TunnelHeader, TunnelProtocol,
};
use labsim_wire::ethernet::{HEADER_LEN, ethertype};
use labsim_wire::{ipv4, ipv6};
use std::net::{IpAddr, SocketAddr};

/// The number of the first flow's path; those of others follow.
pub const PATH: u16 = 3;
/// The numbers of every flow's virtual server and member.
pub const SERVER: u16 = 2;
pub const MEMBER: u16 = 5;
pub const MTU: u16 = 1500;

/// Who handled a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    Program,
    Engine,
    /// Nobody but the namespace's kernel, if at all.
    Kernel,
}

/// An engine, and the interface where the fast path has its flows.
pub struct Pair<'a> {
    pub arm: &'a mut Arm,
    pub bench: Bench,
    profile: Profile,
    /// What the next flow's path gets.
    path: u16,
}

impl<'a> Pair<'a> {
    /// `None` if the configuration contradicts itself.
    pub fn new(arm: &'a mut Arm, config: &Config) -> Option<Self> {
        Engine::new(config, super::bench::port(), &super::bench::routes()).ok()?;
        let bench = Bench::resolved(config);
        arm.fast_path.remove_all().unwrap();
        arm.fast_path.set_owned(&Owned::of_filter(&bench.engine.rx_filter())).unwrap();
        let profile = config.balancer.pools.values().next()?.profile;
        Some(Self { arm, bench, profile, path: PATH })
    }

    /// Opens a flow by its first frame, which the engine gets, and hands it over.
    pub fn open(&mut self, first: &[u8]) -> OffloadKey {
        self.try_open(first).unwrap()
    }

    /// The same; or what else the engine makes of the frame.
    pub fn try_open(&mut self, first: &[u8]) -> Result<OffloadKey, Outcome> {
        match self.bench.feed(first) {
            Outcome::Forwarded => {
                let left = self.bench.take_one();
                Ok(self.hand_over(first, &left, OffloadDirection::ToMember))
            }
            outcome => {
                self.bench.take();
                Err(outcome)
            }
        }
    }

    /// Hands over the way back, by a member's first frame.
    pub fn open_reply(&mut self, first: &[u8]) -> OffloadKey {
        assert_eq!(self.bench.feed(first), Outcome::ForwardedToClient);
        let left = self.bench.take_one();
        self.hand_over(first, &left, OffloadDirection::ToClient)
    }

    fn hand_over(&mut self, came: &[u8], left: &[u8], direction: OffloadDirection) -> OffloadKey {
        let balancer = &self.bench.engine.config().balancer;
        let profile = match direction {
            OffloadDirection::ToMember => self.profile,
            OffloadDirection::ToClient => Profile::None,
        };
        let number = self.path;
        self.path += 1;
        let constant = balancer.outer_source == OuterSource::Egress;
        let (key, flow, path) = handed_over(came, left, profile, constant, balancer.outer_tos);
        let flow = OffloadedFlow { direction, path: number, ..flow };
        self.arm.fast_path.set_path(number, Some(path)).unwrap();
        assert!(self.arm.fast_path.insert(&key, &flow, Instant::ZERO).unwrap());
        key
    }

    /// Sends a frame to both. What the program sends is what the engine sends; what it does not take
    /// reaches the engine as it came.
    pub fn pass(&mut self, frame: &[u8]) -> By {
        let outcome = self.bench.feed(frame);
        let expected = self.bench.take();
        let seen = self.arm.pass(frame);
        if seen.sent.is_empty() {
            if seen.to_engine.is_empty() {
                return By::Kernel;
            }
            assert_eq!(seen.to_engine, [frame], "{outcome:?}");
            return By::Engine;
        }
        assert!(seen.to_engine.is_empty(), "handled twice: {seen:02x?}");
        assert!(matches!(outcome, Outcome::Forwarded | Outcome::ForwardedToClient), "{outcome:?}");
        let [sent, expected] =
            [&seen.sent, &expected].map(|all| all.iter().map(|frame| without_outer_id(frame)));
        let [sent, expected]: [Vec<_>; 2] = [sent.collect(), expected.collect()];
        assert_eq!(sent, expected, "came as {frame:02x?}");
        By::Program
    }
}

/// Addresses and ports of an IP packet without extension headers, its protocol, and what it carries.
pub fn ends(packet: &[u8]) -> (SocketAddr, SocketAddr, u8, &[u8]) {
    let (source, destination, protocol, payload): (IpAddr, IpAddr, u8, &[u8]) =
        match ipv4::View::new(packet) {
            Ok(ip) => (ip.source().into(), ip.destination().into(), ip.protocol(), ip.payload()),
            Err(_) => {
                let ip = ipv6::View::new(packet).unwrap();
                (ip.source().into(), ip.destination().into(), ip.next_header(), ip.payload())
            }
        };
    let port = |at: usize| u16::from_be_bytes([payload[at], payload[at + 1]]);
    let (source, destination) =
        (SocketAddr::new(source, port(0)), SocketAddr::new(destination, port(2)));
    (source, destination, protocol, payload)
}

/// The flow and the path of a frame that came so and left so. `constant` is whether the outer source is
/// the same for all clients.
fn handed_over(
    came: &[u8],
    left: &[u8],
    profile: Profile,
    constant: bool,
    tos: Option<u8>,
) -> (OffloadKey, OffloadedFlow, OffloadPath) {
    let (source, destination, protocol, _) = ends(&came[HEADER_LEN..]);
    let (outer_source, outer_destination, outer_protocol, carried) = ends(&left[HEADER_LEN..]);
    let (after, tunnel) = match profile.tunnel() {
        None => ((outer_source, outer_destination), None),
        Some(kind) => {
            let inner = TunnelProtocol::inner(&kind, outer_protocol, carried).unwrap().1;
            let (inner_source, inner_destination, ..) = ends(inner);
            let tunnel = OffloadTunnel {
                source: constant.then_some(outer_source.ip()),
                destination: outer_destination.ip(),
                protocol: kind,
                tos,
            };
            ((inner_source, inner_destination), Some(tunnel))
        }
    };
    let key = OffloadKey { source, destination, protocol };
    let flow = OffloadedFlow {
        direction: OffloadDirection::ToMember,
        path: PATH,
        server: SERVER,
        member: MEMBER,
        new_source: Some(after.0).filter(|after| *after != source),
        new_destination: Some(after.1).filter(|after| *after != destination),
    };
    (key, flow, OffloadPath { own: US, next_hop: ROUTER, mtu: MTU, tunnel })
}

/// A frame without what differs between two of the same contents: the identification of an IPv4 header,
/// and the checksum over it, which has to be right.
pub fn without_outer_id(frame: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    if frame[12..14] == ethertype::IPV4.to_be_bytes() {
        assert!(ipv4::View::new(&frame[HEADER_LEN..]).unwrap().checksum_ok(), "{frame:02x?}");
        frame[HEADER_LEN + 4..][..2].fill(0);
        frame[HEADER_LEN + 10..][..2].fill(0);
    }
    frame
}
