//! What each contestant makes of the same packets: the headers that it writes, and what it answers. Prints,
//! and judges nothing: the manual's page on IPVS is made of it.

use super::generator;
use super::instructions::lab::{Lab, VIPS};
use super::instructions::warm_up;
use super::socket;
use labsim_wire::decode::{Content, Decoded, IpHeader, LinkType, decode};
use labsim_wire::ethernet::{self, Mac, ethertype};
use labsim_wire::{icmpv4, ipv4, ipv6, protocol};
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::socket::{MsgFlags, recv, send};
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// How long an answer is waited for, in milliseconds.
const PATIENCE_MS: u8 = 100;
/// A class that is not 0: expedited forwarding, and ECT(0).
const TOS: u8 = 0xba;
const FLOW: u16 = 7;

/// Prints what each contestant does.
pub(crate) fn print() {
    labsim_lab::acquire_privileges().unwrap_or_else(|error| panic!("{error}"));
    let lab = Lab::build();
    for contestant in lab.contestants.iter().skip(1) {
        println!("\n{}", contestant.title);
        for vip in VIPS {
            warm_up(&lab, contestant, vip);
        }
        let wire = Wire {
            socket: socket::open(lab.ends(), contestant.index, socket::EVERY),
            to: contestant.mac,
        };
        labsim_sys::packet::ignore_outgoing(wire.socket.as_fd()).expect("Linux 4.20");
        probe_v4(&wire);
        probe_v6(&wire);
    }
}

/// The end of a contestant's link.
struct Wire {
    socket: OwnedFd,
    to: Mac,
}

impl Wire {
    /// Sends a frame, prints what comes back, and returns the first packet of it.
    fn probe(&self, what: &str, frame: &[u8]) -> Option<Vec<u8>> {
        while self.receive(0).is_some() {}
        send(self.socket.as_raw_fd(), frame, MsgFlags::empty()).expect("a frame leaves");
        println!("  {what}");
        let mut first = None;
        while let Some(came) = self.receive(PATIENCE_MS) {
            let decoded = decode(LinkType::Ethernet, &came, came.len());
            let Content::Ip(packet) = &decoded.content else { continue };
            if packet.outermost.protocol == protocol::ICMPV6 && decoded.icmp().is_some_and(is_ndp) {
                continue;
            }
            println!("    {}", line(&decoded));
            first.get_or_insert(came[ethernet::HEADER_LEN..].to_vec());
        }
        first
    }

    fn receive(&self, patience: u8) -> Option<Vec<u8>> {
        let mut readable = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        let _ = poll(&mut readable, patience);
        let mut frame = vec![0; 2048];
        let length = recv(self.socket.as_raw_fd(), &mut frame, MsgFlags::MSG_DONTWAIT).ok()?;
        frame.truncate(length);
        Some(frame)
    }
}

const fn is_ndp(icmp: &labsim_wire::decode::Icmp) -> bool {
    icmp.kind >= 133
}

fn line(decoded: &Decoded) -> String {
    let header = |ip: &IpHeader| {
        let id = ip.id.map(|id| format!(" id {id}")).unwrap_or_default();
        let flag = ip.dont_fragment.map_or("", |it| if it { " DF" } else { " no-DF" });
        let piece = if ip.is_fragment() {
            format!(" fragment at {} of more {}", ip.fragment_offset, ip.more_fragments)
        } else {
            String::new()
        };
        let IpHeader { source, destination, ttl, tos, length, .. } = ip;
        format!(
            "{source} > {destination} ttl {ttl} tos {tos:#04x}{id}{flag} length {length}{piece}"
        )
    };
    let Some(packet) = decoded.packet() else { return String::new() };
    let headers: Vec<String> = packet.headers().map(header).collect();
    let icmp = decoded.icmp().map(|icmp| {
        let mtu = icmp.mtu.map(|mtu| format!(" mtu {mtu}")).unwrap_or_default();
        let quoted = icmp.quoted.as_ref().map(|quoted| {
            let all: Vec<String> = quoted.headers().map(header).collect();
            format!(" about {}", all.join(" | "))
        });
        let quoted = quoted.unwrap_or_default();
        format!(" ICMP type {} code {}{mtu}{quoted}", icmp.kind, icmp.code)
    });
    headers.join(" | ") + &icmp.unwrap_or_default()
}

fn probe_v4(wire: &Wire) {
    let [IpAddr::V4(vip), _] = VIPS else { return };
    let client = Ipv4Addr::new(192, 168, 0, FLOW as u8);
    let of = |length: usize, change: fn(&mut ipv4::Header<'_>)| {
        let mut frame = vec![0; ethernet::HEADER_LEN + length];
        generator::write(&mut frame, wire.to, vip.into(), FLOW);
        let mut ip = ipv4::Header {
            source: client,
            destination: vip,
            protocol: protocol::UDP,
            ttl: 64,
            tos: TOS,
            id: 7000,
            dont_fragment: true,
            more_fragments: false,
            fragment_offset: 0,
            options: &[],
            payload_length: length - ipv4::MIN_HEADER_LEN,
        };
        change(&mut ip);
        ip.emit(&mut frame[ethernet::HEADER_LEN..]).expect("room for IPv4");
        frame
    };
    let outer = wire.probe("100 bytes, DF", &of(100, |_| {}));
    wire.probe("the same again", &of(100, |_| {}));
    wire.probe("without DF", &of(100, |ip| ip.dont_fragment = false));
    wire.probe("with a TTL of 1", &of(100, |ip| ip.ttl = 1));
    wire.probe("1500 bytes, DF", &of(1500, |_| {}));
    wire.probe("1500 bytes, without DF", &of(1500, |ip| ip.dont_fragment = false));
    wire.probe(
        "the first fragment of a datagram",
        &of(820, |ip| {
            (ip.dont_fragment, ip.more_fragments) = (false, true);
        }),
    );
    wire.probe(
        "its second",
        &of(220, |ip| {
            (ip.dont_fragment, ip.fragment_offset) = (false, 800);
        }),
    );
    let router = Ipv4Addr::new(10, 9, 9, 9);
    let error = |to: Ipv4Addr, about: &[u8]| {
        let mut message = vec![0; 8];
        message.extend_from_slice(&about[..about.len().min(128)]);
        icmpv4::Message::FragmentationNeeded { mtu: 1300 }.emit(&mut message).expect("room");
        let ip = ipv4::Header {
            source: router,
            destination: to,
            protocol: protocol::ICMP,
            ttl: 64,
            tos: 0,
            id: 1,
            dont_fragment: false,
            more_fragments: false,
            fragment_offset: 0,
            options: &[],
            payload_length: message.len(),
        };
        let mut frame = vec![0; ethernet::HEADER_LEN + ipv4::MIN_HEADER_LEN];
        let source = Mac([2, 0, 0, 0, 0, 0x77]);
        let link = ethernet::Header { destination: wire.to, source, ethertype: ethertype::IPV4 };
        link.emit(&mut frame).expect("room for Ethernet");
        ip.emit(&mut frame[ethernet::HEADER_LEN..]).expect("room for IPv4");
        frame.extend_from_slice(&message);
        frame
    };
    // The server answers from the VIP: addresses and ports are the other way round.
    let mut answer = of(100, |_| {})[ethernet::HEADER_LEN..].to_vec();
    answer[12..16].copy_from_slice(&vip.octets());
    answer[16..20].copy_from_slice(&client.octets());
    let ports = [[answer[22], answer[23]], [answer[20], answer[21]]].concat();
    answer[20..24].copy_from_slice(&ports);
    wire.probe("fragmentation needed (1300), about the server's answer", &error(vip, &answer));
    if let Some(outer) = outer
        && let Ok(ip) = ipv4::View::new(&outer)
        && ip.protocol() == protocol::IPIP
    {
        let about = "fragmentation needed (1300), about the tunnel packet";
        wire.probe(about, &error(ip.source(), &outer));
        wire.probe("1400 bytes, DF, after that", &of(1400, |_| {}));
    }
}

fn probe_v6(wire: &Wire) {
    let of = |length: usize, hop_limit: u8| {
        let mut frame = vec![0; ethernet::HEADER_LEN + length];
        generator::write(&mut frame, wire.to, VIPS[1], FLOW);
        let packet = &mut frame[ethernet::HEADER_LEN..];
        packet[0] = 0x60 | TOS >> 4;
        packet[1] = TOS << 4;
        packet[7] = hop_limit;
        debug_assert!(packet.len() >= ipv6::HEADER_LEN);
        frame
    };
    wire.probe("IPv6, 100 bytes", &of(100, 64));
    wire.probe("IPv6, with a hop limit of 1", &of(100, 1));
    wire.probe("IPv6, 1500 bytes", &of(1500, 64));
}
