//! The same load balancer with IPv6.

use super::{Bench, ROUTER, SYN, Tcp, US, config, member, port, routes, tcp};
use labsim_forwarder::{Config, Engine, Instant, Outcome};
use labsim_wire::checksum::AddressPair;
use labsim_wire::ethernet::{self, Mac, ethertype};
use labsim_wire::icmpv6::Message;
use labsim_wire::tcp::Flags;
use labsim_wire::{ipv6, protocol, tcp as wire_tcp, udp as wire_udp};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

const fn ip(subnet: u16, host: u16) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, subnet, 0, 0, 0, 0, host)
}

pub const OUR_IP6: Ipv6Addr = ip(9, 2);
pub const ROUTER_IP6: Ipv6Addr = ip(9, 1);
pub const CLIENT6: Ipv6Addr = ip(0x11, 0x201);
pub const VIP6: Ipv6Addr = ip(4, 0x99);
/// On the load balancer's own subnet.
pub const NEAR_VIP6: Ipv6Addr = ip(9, 0x99);

/// Virtual servers and members of these families.
pub fn config_of(vips_v6: bool, members_v6: bool) -> Config {
    let mut config = config();
    if vips_v6 {
        for server in config.balancer.virtual_servers.values_mut() {
            let near = server.destination.ip() != IpAddr::V4(super::VIP);
            let vip = if near { NEAR_VIP6 } else { VIP6 };
            server.destination = SocketAddr::from((vip, 49)).into();
        }
    }
    if members_v6 {
        let members = [51, 52, 53].map(|host| member(&format!("[2001:db8:1::{host}]:49")));
        config.balancer.pools.values_mut().for_each(|pool| pool.members = members.to_vec());
    }
    config
}

/// IPv6 and nothing else.
pub fn config6() -> Config {
    config_of(true, true)
}

impl Bench {
    /// Its router is known by both families, as far as it is asked for.
    pub fn resolved(config: &Config) -> Self {
        let engine = Engine::new(config, port(), &routes()).unwrap();
        let now = Instant::from_nanos(1_000_000_000_000);
        let mut bench = Self { engine, now, sent: Vec::new() };
        bench.tick();
        let learned = [bench.feed(&super::arp_reply()), bench.feed(&router_advertises())];
        let (v4, v6) = (learned[0] == Outcome::ArpLearned, learned[1] == Outcome::NdpLearned);
        assert!(v4 || v6, "{learned:?}");
        bench.sent.clear();
        bench
    }
}

pub fn header6(source: Ipv6Addr, destination: Ipv6Addr, next_header: u8) -> ipv6::Header {
    ipv6::Header {
        source,
        destination,
        next_header,
        hop_limit: 127,
        traffic_class: 0,
        flow_label: 0x1_2345,
        payload_length: 0,
    }
}

/// A frame from the router.
pub fn frame6(to: Mac, ip: ipv6::Header, payload: &[u8]) -> Vec<u8> {
    let ip = ipv6::Header { payload_length: payload.len(), ..ip };
    let mut bytes = vec![0; 14 + 40];
    let link = ethernet::Header { destination: to, source: ROUTER, ethertype: ethertype::IPV6 };
    link.emit(&mut bytes).unwrap();
    ip.emit(&mut bytes[14..]).unwrap();
    bytes.extend_from_slice(payload);
    bytes
}

/// A TCP packet from the client, in a frame from the router.
#[derive(Debug, Clone)]
pub struct Tcp6 {
    pub source: Ipv6Addr,
    pub destination: Ipv6Addr,
    pub hop_limit: u8,
    /// Its ports, flags and data; the rest is IPv4's.
    pub like: Tcp,
}

pub fn tcp6(flags: Flags) -> Tcp6 {
    Tcp6 { source: CLIENT6, destination: VIP6, hop_limit: 127, like: tcp(flags) }
}

pub fn syn6(source_port: u16) -> Vec<u8> {
    Tcp6 { like: Tcp { source_port, ..tcp(SYN) }, ..tcp6(SYN) }.frame()
}

impl Tcp6 {
    pub fn frame(&self) -> Vec<u8> {
        let like = self.like.frame();
        let mut segment = like[14 + 20 + self.like.options.len()..].to_vec();
        let pair = AddressPair::V6(self.source, self.destination);
        wire_tcp::ViewMut::new(&mut segment).unwrap().fill_checksum(&pair);
        let header = header6(self.source, self.destination, protocol::TCP);
        frame6(US, ipv6::Header { hop_limit: self.hop_limit, ..header }, &segment)
    }
}

pub fn udp6(source_port: u16, destination_port: u16, data: &[u8]) -> Vec<u8> {
    let header = wire_udp::Header { source_port, destination_port, payload_length: data.len() };
    let mut datagram = vec![0; 8 + data.len()];
    datagram[8..].copy_from_slice(data);
    header.emit(&mut datagram).unwrap();
    let pair = AddressPair::V6(CLIENT6, VIP6);
    wire_udp::ViewMut::new(&mut datagram).unwrap().fill_checksum(&pair);
    frame6(US, header6(CLIENT6, VIP6, protocol::UDP), &datagram)
}

/// An ICMPv6 message with that data.
pub fn icmp6(source: Ipv6Addr, destination: Ipv6Addr, kind: Message, data: &[u8]) -> Vec<u8> {
    let mut message = vec![0; kind.length()];
    message.extend_from_slice(data);
    kind.emit(source, destination, &mut message).unwrap();
    frame6(US, header6(source, destination, protocol::ICMPV6), &message)
}

/// A neighbour message, as it comes over the segment.
pub fn neighbour(to: Mac, source: Ipv6Addr, destination: Ipv6Addr, kind: Message) -> Vec<u8> {
    let mut message = vec![0; kind.length()];
    kind.emit(source, destination, &mut message).unwrap();
    let header = header6(source, destination, protocol::ICMPV6);
    frame6(to, ipv6::Header { hop_limit: 255, flow_label: 0, ..header }, &message)
}

/// The router's answer to a solicitation of the engine's.
pub fn router_advertises() -> Vec<u8> {
    let answer = Message::NeighbourAdvertisement {
        target: ROUTER_IP6,
        link: Some(ROUTER),
        router: true,
        solicited: true,
        override_known: true,
    };
    neighbour(US, ROUTER_IP6, OUR_IP6, answer)
}

/// The router asks for an address.
pub fn router_solicits(target: Ipv6Addr) -> Vec<u8> {
    let [.., a, b, c] = target.octets();
    let group = Ipv6Addr::from_bits(
        0xff02_0000_0000_0000_0000_0001_ff00_0000 | target.to_bits() & 0x00ff_ffff,
    );
    let question = Message::NeighbourSolicitation { target, source: Some(ROUTER) };
    neighbour(Mac([0x33, 0x33, 0xff, a, b, c]), ROUTER_IP6, group, question)
}

/// The solicitation that the engine sends for its router; by name if `to` is given.
pub fn our_solicitation(to: Option<Mac>) -> Vec<u8> {
    let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00, 1);
    let everybody = (Mac([0x33, 0x33, 0xff, 0, 0, 1]), group);
    let (mac, destination) = to.map_or(everybody, |mac| (mac, ROUTER_IP6));
    let question = Message::NeighbourSolicitation { target: ROUTER_IP6, source: Some(US) };
    let mut frame = neighbour(mac, OUR_IP6, destination, question);
    frame[6..12].copy_from_slice(&US.0);
    frame
}
