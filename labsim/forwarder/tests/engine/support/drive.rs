//! Bytes as a course of events: an engine, frames that are nearly right, and time that passes.
//! Whatever the bytes say, the engine keeps its promises, and an independent decoder (etherparse)
//! takes what it sends.
//!
//! The first byte says how the engine works, the second of which families its VIPs and members are;
//! then comes event after event.

use super::ipv6::{self, router_advertises};
use super::judge::judge;
use super::shapes6;
use super::{
    ACK, Bench, CLIENT, FIN, NEAR_VIP, OUR_IP, ROUTER_IP, RST, SYN, Tcp, US, VIP, address,
    arp_reply, arp_request, config, frame, header_of, resum, routes, tcp, udp,
};
use labsim_forwarder::{
    ActionOnDown, Config, DeliberateFault, GreOptions, Monitor, MonitorKind, Outcome, OuterSource,
    Profile, SnatPorts, SourceTranslation,
};
use labsim_wire::{icmpv4, ipv4, protocol};
use std::net::Ipv4Addr;
use std::time::Duration;

/// Takes values from the front; zeros when they are used up.
pub struct Bytes<'a>(pub &'a [u8]);

impl<'a> Bytes<'a> {
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    pub fn word(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// The next event; `None` at the end.
    pub fn event(&mut self) -> Option<Event> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(match *first {
            0 => Event::Wait(Duration::from_millis(u64::from(self.word()) * 20)),
            1 => {
                let length = usize::from(self.word()) % 2048;
                Event::Frame { frame: self.take(length).to_vec(), right: false }
            }
            255 => Event::Monitor(self.byte()),
            what => {
                let (frame, right) = template(what, self);
                Event::Frame { frame, right }
            }
        })
    }
}

/// What happens next.
pub enum Event {
    /// Time passes.
    Wait(Duration),
    /// A frame comes, which is right or not.
    Frame { frame: Vec<u8>, right: bool },
    /// A member goes down or comes up, and a monitor's packet may be for it.
    Monitor(u8),
}

/// Lets the events happen that `bytes` tell of.
///
/// # Panics
/// If the engine breaks a promise.
pub fn drive(bytes: &[u8]) {
    drive_faulty(bytes, &[]);
}

/// The same with an engine that is faulty on purpose, as far as its configuration allows it.
///
/// # Panics
/// If the engine breaks a promise.
pub fn drive_faulty(bytes: &[u8], faults: &[DeliberateFault]) {
    let mut bytes = Bytes(bytes);
    let (kind, families) = (bytes.byte(), bytes.byte());
    let mut config = config_of(kind, families);
    for fault in faults {
        config.balancer.faults.push(*fault);
        if !config.check().is_empty() {
            config.balancer.faults.pop();
        }
    }
    let mut bench = Bench::unresolved(&config, &routes());
    let mut fed = 0;
    bench.tick();
    if kind & 1 == 0 {
        bench.feed(&arp_reply());
        bench.feed(&router_advertises());
        fed += 2;
    }
    bench.take();
    loop {
        let waited = bench.counters().neighbours.waiting + bench.counters().fragments.waiting > 0;
        let Some(event) = bytes.event() else { break };
        let (came, right) = match event {
            Event::Wait(time) => {
                bench.pass(time);
                bench.take().iter().for_each(|frame| judge(frame, false));
                continue;
            }
            Event::Monitor(what) => {
                monitor(&mut bench, what);
                bench.take().iter().for_each(|frame| judge(frame, false));
                continue;
            }
            Event::Frame { frame, right } => (frame, right),
        };
        let outcome = bench.feed(&came);
        fed += 1;
        let right = match outcome {
            _ if waited => false,
            // A right packet that goes on uncut is right when it goes out.
            Outcome::Forwarded | Outcome::ForwardedToClient | Outcome::IcmpErrorForwarded => right,
            Outcome::ForwardedInFragments => false,
            // What the forwarder says in its own name is always right.
            _ => true,
        };
        let sent = bench.take();
        sent.iter().for_each(|frame| judge(frame, right));
    }
    bench.pass(Duration::from_secs(10));
    bench.take().iter().for_each(|frame| judge(frame, false));
    let counters = bench.counters();
    let total: u64 = counters.outcomes.values().map(|tally| tally.packets).sum();
    assert_eq!(total, fed, "every frame is counted once");
    assert_eq!(counters.fragments.waiting, 0);
    let open: u64 = counters.members.values().flatten().map(|(_, member)| member.flows).sum();
    assert_eq!(open, counters.flows.open);
    assert!(counters.flows.open <= 8 && counters.snat.ports <= 8);
    // What flows' ends are told may still wait for a neighbour, until the last flow is over.
    for time in [310, 10] {
        bench.pass(Duration::from_secs(time));
        bench.take().iter().for_each(|frame| judge(frame, false));
    }
    let counters = bench.counters();
    assert_eq!((counters.neighbours.waiting, counters.flows.open), (0, 0));
}

/// A member goes down or comes up, and a monitor's packet is for it.
fn monitor(bench: &mut Bench, what: u8) {
    let members = &bench.engine.config().balancer.pools["pool"].members;
    let member = members.get(usize::from(what & 3));
    let member = member.map_or(address("10.1.1.59:49"), |member| member.address);
    let known = bench.engine.set_down(bench.now, "pool", member, what & 4 == 0);
    assert_eq!(known, what & 3 != 3);
    let data = if what & 16 == 0 { 0 } else { 1460 };
    let probe = Tcp { source: OUR_IP, ttl: 64, dont_fragment: what & 32 == 0, data, ..tcp(SYN) };
    if what & 8 == 0 {
        let packet = &probe.frame()[14..];
        bench.engine.probe(bench.now, "pool", member, packet, &mut bench.sent);
    }
}

/// A monitor that a member is up for after one answer, and down after three that do not come.
pub fn tcp_monitor() -> Monitor {
    Monitor {
        kind: MonitorKind::Tcp,
        interval: Duration::from_secs(5),
        timeout: Duration::from_secs(1),
        rise: 1,
        fall: 3,
        transparent: false,
        port: None,
        secret: None,
    }
}

/// Families: the lowest bit makes the VIPs IPv6's, the next the members; the next adds IPv4's VIPs.
pub fn config_of(kind: u8, families: u8) -> Config {
    let mut config = if families & 3 == 0 {
        translating(kind, config())
    } else {
        ipv6::config_of(families & 1 != 0, families & 2 != 0)
    };
    let profile = match kind >> 1 & 3 {
        0 => Profile::Ipip,
        1 => Profile::None,
        2 => Profile::Gre(GreOptions::default()),
        _ => Profile::Gre(GreOptions { key: Some(7), checksum: true }),
    };
    for pool in config.balancer.pools.values_mut() {
        pool.profile = profile;
        pool.monitor = Some(tcp_monitor());
        pool.action_on_down = [ActionOnDown::None, ActionOnDown::Reset, ActionOnDown::Reselect]
            [usize::from(kind % 3)];
    }
    if families & 5 == 5 {
        let v4 = config_of(0, 0).balancer.virtual_servers.into_iter();
        config.balancer.virtual_servers.extend(v4.map(|(name, server)| (name + "4", server)));
    }
    let one_family = matches!(families & 7, 0 | 3 | 4);
    if !one_family && profile == Profile::None {
        config.balancer.pools.values_mut().for_each(|pool| pool.profile = Profile::Ipip);
    }
    if kind & 8 != 0 && one_family {
        config.balancer.outer_source = OuterSource::Client;
    }
    for server in config.balancer.virtual_servers.values_mut() {
        server.fastl4.loose_initiation = kind & 128 == 0;
        server.fastl4.reset_on_timeout = families & 8 != 0;
    }
    config
}

fn translating(kind: u8, mut config: Config) -> Config {
    config.snat_ports = SnatPorts { first: 61_000, last: 61_003 };
    for server in config.balancer.virtual_servers.values_mut() {
        server.translate_address = kind & 16 != 0;
        server.source_address_translation = match kind >> 5 & 3 {
            0 | 1 => SourceTranslation::None,
            2 => SourceTranslation::Automap,
            _ => SourceTranslation::Snat(vec![VIP.into(), [10, 9, 9, 77].into()]),
        };
    }
    config
}

/// A right frame of some kind with changes, and whether it is right still.
pub fn template(what: u8, bytes: &mut Bytes<'_>) -> (Vec<u8>, bool) {
    let (shape, length) = (bytes.byte(), usize::from(bytes.word()) % 1473);
    let source_port = 40_000 + u16::from(shape & 3);
    let flags = [SYN, ACK, FIN, RST][usize::from(shape >> 2 & 3)];
    let segment = Tcp {
        source_port,
        dont_fragment: shape & 16 == 0,
        data: length.min(1460),
        ttl: if shape & 32 == 0 { 127 } else { 1 },
        ..tcp(flags)
    };
    let member = Ipv4Addr::new(10, 1, 1, 51 + (shape & 1));
    let answer = Tcp {
        source: member,
        destination: OUR_IP,
        source_port: 49,
        destination_port: 61_000 + u16::from(shape & 3),
        ..segment.clone()
    };
    let mut came = match what % 8 {
        _ if what & 64 != 0 => shapes6::template(what, shape, length, &segment),
        0 => segment.frame(),
        1 => udp(source_port, 49 + u16::from(shape >> 7), &vec![7; length]),
        2 => answer.frame(),
        3 => fragment(shape, length),
        4 => error(&reversed(&segment).frame()[14..], VIP, shape),
        5 => {
            let ip = ipv4::Header {
                payload_length: segment.frame().len() - 14,
                ..header_of(OUR_IP, member, protocol::IPIP)
            };
            let mut quoted = vec![0; 20];
            ip.emit(&mut quoted).unwrap();
            quoted.extend_from_slice(&segment.frame()[14..]);
            error(&quoted, OUR_IP, shape)
        }
        6 => arp_request(NEAR_VIP),
        _ => arp_reply(),
    };
    let changes = bytes.byte();
    for _ in 0..changes & 3 {
        let (at, value) = (usize::from(bytes.byte()), bytes.byte());
        if let Some(byte) = came.get_mut(at) {
            *byte = value;
        }
    }
    if changes & 4 != 0 && came.len() >= 34 && came[14] == 0x45 {
        resum(&mut came);
    }
    if changes & 8 != 0 {
        came.truncate(came.len().saturating_sub(usize::from(bytes.byte())));
    }
    (came, changes & 15 == 0)
}

/// A piece of one of few datagrams, in any order.
fn fragment(shape: u8, length: usize) -> Vec<u8> {
    let whole = udp(40_000 + u16::from(shape & 1), 49, &[7; 1472]);
    let payload = &whole[34..];
    let begin = usize::from(shape >> 4) * 96;
    let end = (begin + length.max(1)).min(payload.len());
    let ip = ipv4::Header {
        id: u16::from(shape >> 1 & 1),
        dont_fragment: false,
        more_fragments: shape & 4 == 0,
        fragment_offset: begin as u16,
        ..header_of(CLIENT, VIP, protocol::UDP)
    };
    frame(US, ip, &payload[begin..end])
}

fn reversed(segment: &Tcp) -> Tcp {
    Tcp {
        source: segment.destination,
        destination: segment.source,
        source_port: segment.destination_port,
        destination_port: segment.source_port,
        ..segment.clone()
    }
}

fn error(about: &[u8], to: Ipv4Addr, shape: u8) -> Vec<u8> {
    let mut message = vec![0; 8];
    message.extend_from_slice(&about[..about.len().min(usize::from(shape >> 3) * 20)]);
    let kind = match shape & 7 {
        0..=3 => icmpv4::Message::FragmentationNeeded { mtu: 400 * (1 + u16::from(shape & 3)) },
        4 => icmpv4::Message::TimeExceeded { code: 0 },
        code => icmpv4::Message::Unreachable { code: code - 5 },
    };
    kind.emit(&mut message).unwrap();
    frame(US, header_of(ROUTER_IP, to, protocol::ICMP), &message)
}
