//! Captures of many TACACS+ logins by direct server return through IPIP, and some RADIUS exchanges.
//!
//! The same number of connections makes the same files. Each thousandth connection asks a server that is silent.

use labsim_wire::decode::LinkType;
use labsim_wire::ethernet::{self, Mac, ethertype};
use labsim_wire::pcap::Writer;
use labsim_wire::tcp::Flags;
use labsim_wire::{checksum, ipv4, protocol, tcp, udp};
use std::fs::File;
use std::io::{self, BufWriter};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

const VIP: Ipv4Addr = Ipv4Addr::new(172, 16, 4, 99);
const MEMBERS: u32 = 3;
/// Clients, each with as many ports as it needs.
const CLIENTS: u32 = 50_000;
/// Connections that run at the same time.
const TOGETHER: u32 = 64;
/// Times of the first packets, in nanoseconds since 1970.
const START_NS: u64 = 1_763_860_449_000_000_000;
/// How far the clocks of load balancer and server are ahead of the client's.
const AHEAD_NS: [i64; 3] = [0, 5_780_000_000, -600_000_000];
/// Between two packets of a connection, and between those of two.
const STEP_NS: u64 = 1_000_000;
const NEXT_NS: u64 = 10_000;
/// On the way from point to point.
const DELAY_NS: u64 = 100_000;

/// A packet of a login: whether the client sends it, its flags, and its payload's length.
type Step = (bool, Flags, usize);

const ACK: Flags = Flags::ACK;
const LOGIN: [Step; 11] = [
    (true, Flags::SYN, 0),
    (false, Flags::SYN.with(ACK), 0),
    (true, ACK, 0),
    (true, Flags::PSH.with(ACK), 38),
    (false, Flags::PSH.with(ACK), 28),
    (true, Flags::PSH.with(ACK), 23),
    (false, Flags::PSH.with(ACK), 18),
    (false, Flags::FIN.with(ACK), 0),
    (true, ACK, 0),
    (true, Flags::FIN.with(ACK), 0),
    (false, ACK, 0),
];
/// What a client sends to a server that is silent.
const SILENT: [Step; 3] = [(true, Flags::SYN, 0); 3];

/// A connection's numbers.
struct Login {
    client: Ipv4Addr,
    port: u16,
    member: Ipv4Addr,
    number: u32,
    is_silent: bool,
    is_udp: bool,
    /// Bytes that client and server have sent.
    sent: [u32; 2],
}

/// Writes the captures of client, load balancer and server.
pub(crate) fn write(folder: &Path, connections: u32) -> io::Result<[PathBuf; 3]> {
    let files = ["client", "lb", "server"].map(|name| folder.join(format!("{name}.pcap")));
    let mut points = Vec::new();
    for file in &files {
        let out = BufWriter::with_capacity(1 << 20, File::create(file)?);
        points.push(Writer::new(out, LinkType::Ethernet, 65_535)?);
    }
    for first in (0..connections).step_by(TOGETHER as usize) {
        let last = connections.min(first + TOGETHER);
        let mut logins: Vec<Login> = (first..last).map(Login::new).collect();
        let start = START_NS + u64::from(first / TOGETHER) * STEP_NS * LOGIN.len() as u64;
        for step in 0..LOGIN.len() {
            for (place, login) in logins.iter_mut().enumerate() {
                let time = start + step as u64 * STEP_NS + place as u64 * NEXT_NS;
                login.step(step, time, &mut points)?;
            }
        }
    }
    for point in points {
        point.finish()?.into_inner()?.sync_all()?;
    }
    Ok(files)
}

impl Login {
    fn new(number: u32) -> Self {
        let port = 1024 + number / CLIENTS;
        Self {
            client: Ipv4Addr::from_bits(0x0a80_0001 + number % CLIENTS),
            port: u16::try_from(port).expect("a port"),
            member: Ipv4Addr::from_bits(0x0a01_0133 + number % MEMBERS),
            number,
            is_silent: number % 1000 == 7,
            is_udp: number % 50 == 9,
            sent: [number.wrapping_mul(2_654_435_761), number.wrapping_mul(40_503) ^ 0x5a5a_5a5a],
        }
    }

    /// A packet, at all points that it passes.
    fn step(&mut self, step: usize, time: u64, points: &mut [Points]) -> io::Result<()> {
        let steps: &[Step] = match (self.is_udp, self.is_silent) {
            (true, _) => &[(true, Flags(0), 80), (false, Flags(0), 60)],
            (false, true) => &SILENT,
            (false, false) => &LOGIN,
        };
        let Some((is_request, flags, payload)) = steps.get(step).copied() else { return Ok(()) };
        let id = self.number.wrapping_mul(16).wrapping_add(step as u32) as u16;
        if is_request {
            let plain = |ttl| self.packet((true, flags, payload), ttl, id);
            let tunnelled =
                |ttl| internet(self.client, self.member, protocol::IPIP, ttl, id, &plain(62));
            record(points, 0, time, &plain(64))?;
            record(points, 1, time + DELAY_NS, &plain(63))?;
            record(points, 1, time + DELAY_NS + 5_000, &tunnelled(64))?;
            record(points, 2, time + 2 * DELAY_NS, &tunnelled(63))?;
        } else {
            record(points, 2, time, &self.packet((false, flags, payload), 64, id))?;
            record(points, 0, time + DELAY_NS, &self.packet((false, flags, payload), 62, id))?;
        }
        let controls =
            u32::from(flags.contains(Flags::SYN)) + u32::from(flags.contains(Flags::FIN));
        if !self.is_silent {
            self.sent[usize::from(!is_request)] =
                self.sent[usize::from(!is_request)].wrapping_add(payload as u32 + controls);
        }
        Ok(())
    }

    /// The packet as client and server send it, without a link layer.
    fn packet(&self, (is_request, flags, payload): Step, ttl: u8, id: u16) -> Vec<u8> {
        let (source, destination) =
            if is_request { (self.client, VIP) } else { (VIP, self.client) };
        let service = if self.is_udp { 1812 } else { 49 };
        let (from, to) = if is_request { (self.port, service) } else { (service, self.port) };
        let pair = checksum::AddressPair::V4(source, destination);
        let header = if self.is_udp { udp::HEADER_LEN } else { 20 };
        let mut inside = vec![0; header + payload];
        self.message(is_request, &mut inside[header..]);
        if self.is_udp {
            let length = u16::try_from(inside.len()).expect("a short datagram");
            inside[..2].copy_from_slice(&from.to_be_bytes());
            inside[2..4].copy_from_slice(&to.to_be_bytes());
            inside[4..6].copy_from_slice(&length.to_be_bytes());
        } else {
            let (own, other) = (usize::from(!is_request), usize::from(is_request));
            let has_ack = flags.contains(ACK);
            let segment = tcp::Header {
                source_port: from,
                destination_port: to,
                sequence: self.sent[own],
                acknowledgement: if has_ack { self.sent[other] } else { 0 },
                flags,
                window: 64_240,
                urgent: 0,
                options: &[],
            };
            segment.emit(&mut inside).expect("room for TCP");
            tcp::ViewMut::new(&mut inside).expect("a segment").fill_checksum(&pair);
        }
        let protocol = if self.is_udp { protocol::UDP } else { protocol::TCP };
        internet(source, destination, protocol, ttl, id, &inside)
    }

    /// A message's header: of TACACS+ (RFC 8907, 4.1), or of RADIUS (RFC 2865, 3).
    fn message(&self, is_request: bool, payload: &mut [u8]) {
        let number = self.number.to_be_bytes();
        match payload {
            [] => {}
            [code, identifier, _, length, rest @ ..] if self.is_udp => {
                (*code, *identifier) = (if is_request { 1 } else { 2 }, number[3]);
                *length = u8::try_from(rest.len() + 4).expect("a short message");
                rest[..4].copy_from_slice(&number);
            }
            [version, kind, place, _, rest @ ..] => {
                (*version, *kind, *place) = (0xc0, 1, 1);
                rest[..4].copy_from_slice(&number);
                rest[7] = u8::try_from(rest.len() - 8).expect("a short message");
            }
            _ => {}
        }
    }
}

type Points = Writer<BufWriter<File>>;

fn record(points: &mut [Points], point: usize, time: u64, packet: &[u8]) -> io::Result<()> {
    let mut frame = vec![0; 14];
    let link = ethernet::Header {
        destination: Mac([2, 0, 0, 0, 0, 2]),
        source: Mac([2, 0, 0, 0, 0, 1]),
        ethertype: ethertype::IPV4,
    };
    link.emit(&mut frame).expect("room for Ethernet");
    frame.extend(packet);
    let length = u32::try_from(frame.len()).expect("a short frame");
    points[point].packet(time.wrapping_add_signed(AHEAD_NS[point]), length, &frame)
}

fn internet(
    source: Ipv4Addr,
    destination: Ipv4Addr,
    protocol: u8,
    ttl: u8,
    id: u16,
    inside: &[u8],
) -> Vec<u8> {
    let header = ipv4::Header {
        source,
        destination,
        protocol,
        ttl,
        tos: 0,
        id,
        dont_fragment: true,
        more_fragments: false,
        fragment_offset: 0,
        options: &[],
        payload_length: inside.len(),
    };
    let mut packet = vec![0; 20];
    header.emit(&mut packet).expect("room for IPv4");
    packet.extend(inside);
    packet
}
