//! A load balancer on a virtual clock, and frames for it.
#![allow(dead_code, unreachable_pub, missing_docs)]

pub mod drive;
pub mod ipv6;
pub mod judge;
pub mod offload;
pub mod shapes6;

use labsim_forwarder::{
    Announcements, CheckedConfig, Config, Counters, DeliberateFault, Engine, FailoverState, FastL4,
    Instant, IpProtocol, Limits, LoadBalancer, Member, Outcome, OuterSource, Persistence, Pool,
    Port, Profile, PvaAcceleration, Route, SnatPorts, SourceTranslation, Transmit, VirtualServer,
};
use labsim_wire::EmitError;
use labsim_wire::checksum::AddressPair;
use labsim_wire::ethernet::{self, Mac, ethertype};
use labsim_wire::tcp::Flags;
use labsim_wire::{arp, ipv4, protocol, tcp, udp};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

pub const US: Mac = Mac([2, 0, 0, 0, 0, 0x0b]);
pub const ROUTER: Mac = Mac([2, 0, 0, 0, 0, 1]);
pub const OUR_IP: Ipv4Addr = Ipv4Addr::new(10, 9, 9, 2);
pub const ROUTER_IP: Ipv4Addr = Ipv4Addr::new(10, 9, 9, 1);
pub const CLIENT: Ipv4Addr = Ipv4Addr::new(192, 168, 11, 201);
pub const VIP: Ipv4Addr = Ipv4Addr::new(172, 16, 4, 99);
/// A VIP on the load balancer's own subnet.
pub const NEAR_VIP: Ipv4Addr = Ipv4Addr::new(10, 9, 9, 99);

pub fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// A member with the ratio 1.
pub fn member(text: &str) -> Member {
    address(text).into()
}

/// Three members behind the router; TCP and UDP at the VIP's port 49, and TCP at the near VIP's.
pub fn config() -> Config {
    let server = |destination: &str, ip_protocol| VirtualServer {
        destination: destination.parse().unwrap(),
        ip_protocol,
        pool: "pool".to_owned(),
        translate_address: false,
        translate_port: true,
        source_address_translation: SourceTranslation::None,
        fastl4: FastL4 {
            loose_initiation: true,
            loose_close: true,
            idle_timeout: 300,
            reset_on_timeout: false,
            pva_acceleration: PvaAcceleration::None,
        },
        persistence: Persistence::None,
        mirror: false,
        datagram_load_balancing: false,
    };
    Config {
        interface: "eth0".to_owned(),
        routed_interfaces: Vec::new(),
        balancer: LoadBalancer {
            outer_source: OuterSource::Egress,
            outer_tos: None,
            virtual_servers: BTreeMap::from([
                ("tcp".to_owned(), server("172.16.4.99:49", IpProtocol::Tcp)),
                ("udp".to_owned(), server("172.16.4.99:49", IpProtocol::Udp)),
                ("near".to_owned(), server("10.9.9.99:49", IpProtocol::Tcp)),
            ]),
            pools: BTreeMap::from([(
                "pool".to_owned(),
                Pool {
                    profile: Profile::Ipip,
                    members: ["10.1.1.51:49", "10.1.1.52:49", "10.1.1.53:49"].map(member).to_vec(),
                    ..Pool::default()
                },
            )]),
            announcements: Announcements::default(),
            failover_state: FailoverState::Active,
            // Other tests are about other frames; those of `announce` are without it.
            faults: vec![DeliberateFault::NoGratuitousArp],
            ..LoadBalancer::default()
        },
        snat_ports: SnatPorts::default(),
        limits: Limits { flows: 8, neighbours: 4, waiting_packets: 8, persistence_entries: 4 },
    }
}

/// With the client's address as the source of tunnel packets.
pub fn with_client_source(mut config: Config) -> Config {
    config.balancer.outer_source = OuterSource::Client;
    config
}

/// Changes every virtual server's fastL4 profile.
pub fn with_fastl4(mut config: Config, change: impl Fn(&mut FastL4)) -> Config {
    config.balancer.virtual_servers.values_mut().for_each(|server| change(&mut server.fastl4));
    config
}

pub fn port() -> Port {
    let addresses = ["10.9.9.2/24", "2001:db8:9::2/64", "fe80::b/64"];
    let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
    Port { mac: US, mtu: 1500, addresses, elsewhere: Vec::new(), host_routes: Vec::new() }
}

/// The default routes through the router.
pub fn routes() -> Vec<Route> {
    let through = |destination: &str, router: &str| Route {
        destination: destination.parse().unwrap(),
        via: Some(router.parse().unwrap()),
        mtu: None,
    };
    vec![through("0.0.0.0/0", "10.9.9.1"), through("::/0", "2001:db8:9::1")]
}

/// An engine, the time, and the frames that it sent.
pub struct Bench {
    pub engine: Engine,
    pub now: Instant,
    pub sent: Vec<Vec<u8>>,
}

impl Bench {
    /// Its router is known.
    pub fn new(config: &Config) -> Self {
        Self::unresolved(config, &routes()).with_router()
    }

    /// Likewise, with another MTU of its interface.
    pub fn with_mtu(config: &Config, mtu: usize) -> Self {
        let addresses = vec!["10.9.9.2/24".parse().unwrap()];
        let routes = &routes()[..1];
        Self::of(config, Port { mtu, addresses, ..port() }, routes).with_router()
    }

    /// Nothing happened yet.
    pub fn unresolved(config: &Config, routes: &[Route]) -> Self {
        Self::of(config, port(), routes)
    }

    fn of(config: &Config, port: Port, routes: &[Route]) -> Self {
        let engine = Engine::new(config, port, routes).unwrap();
        Self { engine, now: Instant::from_nanos(1_000_000_000_000), sent: Vec::new() }
    }

    pub fn with_router(mut self) -> Self {
        self.tick();
        assert_eq!(self.feed(&arp_reply()), Outcome::ArpLearned);
        self.sent.clear();
        self
    }

    pub fn feed(&mut self, frame: &[u8]) -> Outcome {
        self.engine.process(self.now, frame, &mut self.sent)
    }

    /// Lets time pass, with everything that falls due in it, in order and at its time.
    pub fn pass(&mut self, duration: Duration) {
        let end = self.now.after(duration);
        while let Some(due) = self.engine.next_deadline().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.engine.tick(self.now, &mut self.sent);
        }
        self.now = end;
    }

    pub fn tick(&mut self) {
        self.engine.tick(self.now, &mut self.sent);
    }

    /// What was sent since the last call.
    pub fn take(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.sent)
    }

    /// The one frame that was sent since the last call.
    pub fn take_one(&mut self) -> Vec<u8> {
        let mut sent = self.take();
        assert_eq!(sent.len(), 1, "{sent:02x?}");
        sent.remove(0)
    }

    /// Changes members of the pool `pool`, each named by its address's last octet, while packets flow.
    pub fn change_member(&mut self, last: u8, change: impl Fn(&mut Member)) {
        let mut config = self.engine.config().clone();
        let members = &mut config.balancer.pools.get_mut("pool").unwrap().members;
        let is_it = |member: &&mut Member| member.address == address(&format!("10.1.1.{last}:49"));
        change(members.iter_mut().find(is_it).unwrap());
        self.engine.reconfigure(self.now, CheckedConfig::new(config).unwrap()).unwrap();
    }

    pub fn counters(&self) -> Counters {
        self.engine.counters()
    }
}

/// A TCP packet from the client, in a frame from the router.
#[derive(Debug, Clone)]
pub struct Tcp {
    pub source: Ipv4Addr,
    pub destination: Ipv4Addr,
    pub source_port: u16,
    pub destination_port: u16,
    pub flags: Flags,
    pub ttl: u8,
    pub dont_fragment: bool,
    pub data: usize,
    pub options: &'static [u8],
}

pub const SYN: Flags = Flags::SYN;
pub const ACK: Flags = Flags::ACK;
pub const FIN: Flags = Flags::FIN.with(Flags::ACK);
pub const RST: Flags = Flags::RST.with(Flags::ACK);

pub fn tcp(flags: Flags) -> Tcp {
    Tcp {
        source: CLIENT,
        destination: VIP,
        source_port: 61067,
        destination_port: 49,
        flags,
        ttl: 127,
        dont_fragment: true,
        data: 0,
        options: &[],
    }
}

impl Tcp {
    pub fn frame(&self) -> Vec<u8> {
        let header = tcp::Header {
            source_port: self.source_port,
            destination_port: self.destination_port,
            sequence: 1000,
            acknowledgement: 2000,
            flags: self.flags,
            window: 513,
            urgent: 0,
            options: &[],
        };
        let mut segment = vec![0; 20 + self.data];
        for (index, byte) in segment.iter_mut().enumerate() {
            *byte = index as u8;
        }
        header.emit(&mut segment).unwrap();
        let pair = AddressPair::V4(self.source, self.destination);
        tcp::ViewMut::new(&mut segment).unwrap().fill_checksum(&pair);
        let ip = ipv4::Header {
            ttl: self.ttl,
            dont_fragment: self.dont_fragment,
            options: self.options,
            ..header_of(self.source, self.destination, protocol::TCP)
        };
        frame(US, ip, &segment)
    }
}

pub fn udp(source_port: u16, destination_port: u16, data: &[u8]) -> Vec<u8> {
    let header = udp::Header { source_port, destination_port, payload_length: data.len() };
    let mut datagram = vec![0; 8 + data.len()];
    datagram[8..].copy_from_slice(data);
    header.emit(&mut datagram).unwrap();
    let pair = AddressPair::V4(CLIENT, VIP);
    udp::ViewMut::new(&mut datagram).unwrap().fill_checksum(&pair);
    frame(US, header_of(CLIENT, VIP, protocol::UDP), &datagram)
}

pub fn header_of(source: Ipv4Addr, destination: Ipv4Addr, protocol: u8) -> ipv4::Header<'static> {
    ipv4::Header {
        source,
        destination,
        protocol,
        ttl: 127,
        tos: 0,
        id: 7056,
        dont_fragment: true,
        more_fragments: false,
        fragment_offset: 0,
        options: &[],
        payload_length: 0,
    }
}

/// A frame from the router.
pub fn frame(to: Mac, ip: ipv4::Header<'_>, payload: &[u8]) -> Vec<u8> {
    let ip = ipv4::Header { payload_length: payload.len(), ..ip };
    let mut bytes = vec![0; 14 + ip.length()];
    let link = ethernet::Header { destination: to, source: ROUTER, ethertype: ethertype::IPV4 };
    link.emit(&mut bytes).unwrap();
    ip.emit(&mut bytes[14..]).unwrap();
    bytes.extend_from_slice(payload);
    bytes
}

/// Sums the IPv4 header of a changed frame anew.
pub fn resum(frame: &mut [u8]) {
    let length = usize::from(frame[14] & 0xf) * 4;
    frame[24..26].fill(0);
    let sum = labsim_wire::checksum::of(&frame[14..14 + length]);
    frame[24..26].copy_from_slice(&sum.to_be_bytes());
}

pub fn arp_frame(to: Mac, message: &arp::Packet) -> Vec<u8> {
    let mut bytes = vec![0; 42];
    let source = message.sender_mac;
    let link = ethernet::Header { destination: to, source, ethertype: ethertype::ARP };
    link.emit(&mut bytes).unwrap();
    message.emit(&mut bytes[14..]).unwrap();
    bytes
}

/// The router's answer to a request of the engine's.
pub fn arp_reply() -> Vec<u8> {
    let message = arp::Packet {
        operation: arp::operation::REPLY,
        sender_mac: ROUTER,
        sender_ip: ROUTER_IP,
        target_mac: US,
        target_ip: OUR_IP,
    };
    arp_frame(US, &message)
}

/// A request of the router's.
pub fn arp_request(target_ip: Ipv4Addr) -> Vec<u8> {
    let message = arp::Packet {
        operation: arp::operation::REQUEST,
        sender_mac: ROUTER,
        sender_ip: ROUTER_IP,
        target_mac: Mac::default(),
        target_ip,
    };
    arp_frame(Mac::BROADCAST, &message)
}

/// The request that the engine sends for its router.
pub fn our_request(to: Mac) -> Vec<u8> {
    let message = arp::Packet {
        operation: arp::operation::REQUEST,
        sender_mac: US,
        sender_ip: OUR_IP,
        target_mac: Mac::default(),
        target_ip: ROUTER_IP,
    };
    arp_frame(to, &message)
}

/// A tunnel packet taken apart: outer header's member, and the inner packet.
pub fn tunnelled(frame: &[u8]) -> (Ipv4Addr, ipv4::View<'_>) {
    let outer = ipv4::View::new(&frame[14..]).unwrap();
    assert!(outer.checksum_ok());
    assert_eq!((outer.protocol(), outer.ttl()), (protocol::IPIP, 255));
    assert!(outer.dont_fragment());
    let inner = ipv4::View::new(outer.payload()).unwrap();
    assert!(inner.checksum_ok());
    assert_eq!(outer.tos(), inner.tos());
    assert_eq!(outer.total_length(), inner.total_length() + 20);
    assert_eq!(frame.len(), 14 + outer.total_length());
    (outer.destination(), inner)
}

pub fn hex(text: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).unwrap() as u8;
    text.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

/// A data plane that takes no frame.
pub struct Full;

impl Transmit for Full {
    fn transmit(&mut self, _: usize, _: impl FnOnce(&mut [u8]) -> Result<(), EmitError>) -> bool {
        false
    }
}
