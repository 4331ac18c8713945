//! The lines of tshark's default columns: number, time, source, destination, protocol, length and a summary.
//!
//! They show less than tcpdump's words: of several IP headers the addresses of the innermost one, numbers that are
//! relative to what is not shown, and no ports where a protocol above TCP or UDP was decoded.

use super::cursor::Cursor;
use super::network::{mac, named_port};
use super::record::Parsed;
use super::time::{Origin, TextTime, date_and_time, time_of_day};
use super::transport::{empty, flag_of_name};
use crate::packet::{Arp, Header, Icmp, Known, Number, Packet, Port, Transport};
use std::net::IpAddr;

/// What stands between source and destination: `?` where a terminal could not show the arrow.
const ARROWS: [&str; 4] = ["\u{2192}", "->", "?", "\u{fffd}"];

/// Whether a line begins as a row of tshark's does: a number, a time, and an arrow behind an address.
pub(super) fn begins(line: &str) -> bool {
    row(line).is_some()
}

/// The columns of a row.
struct Columns<'a> {
    time: TextTime,
    source: &'a str,
    destination: &'a str,
    protocol: &'a str,
    length: u32,
    summary: &'a str,
}

fn row(line: &str) -> Option<Columns<'_>> {
    let mut cursor = Cursor::new(line);
    cursor.spaces();
    cursor.number::<u64>()?;
    cursor.need(" ")?;
    cursor.spaces();
    let time = time(&mut cursor)?;
    cursor.need(" ")?;
    let source = column(&mut cursor)?;
    let arrow = column(&mut cursor)?;
    if !ARROWS.contains(&arrow) {
        return None;
    }
    let (destination, protocol) = (column(&mut cursor)?, column(&mut cursor)?);
    let length = column(&mut cursor)?.parse().ok()?;
    cursor.spaces();
    Some(Columns { time, source, destination, protocol, length, summary: cursor.rest })
}

fn column<'a>(cursor: &mut Cursor<'a>) -> Option<&'a str> {
    cursor.spaces();
    cursor.word()
}

/// `-t a`, `ad`, `e`, and what counts from the first packet or the one before (`r`, `d`).
fn time(cursor: &mut Cursor<'_>) -> Option<TextTime> {
    for read in [date_and_time as fn(&mut Cursor<'_>) -> Option<TextTime>, |cursor| {
        Some(TextTime { ns: time_of_day(cursor)?, origin: Origin::Midnight })
    }] {
        let mut ahead = *cursor;
        if let Some(time) = read(&mut ahead) {
            *cursor = ahead;
            return Some(time);
        }
    }
    let seconds = cursor.run(|it| it.is_ascii_digit())?;
    cursor.need(".")?;
    let fraction = cursor.run(|it| it.is_ascii_digit())?;
    let scale = 10_u64.checked_pow(9_u32.checked_sub(u32::try_from(fraction.len()).ok()?)?)?;
    let ns = seconds.parse::<u64>().ok()?.checked_mul(1_000_000_000)?;
    let ns = ns.checked_add(fraction.parse::<u64>().ok()?.checked_mul(scale)?)?;
    // Seconds since 1970 have ten digits until 2286.
    let origin = if seconds.len() == 10 { Origin::Epoch } else { Origin::FirstPacket };
    Some(TextTime { ns, origin })
}

/// How the relative times of a command's rows are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relative {
    /// From the first packet (`-t r`, and without `-t`).
    SinceFirst,
    /// From the packet before (`-t d`, `-t dd`).
    Differences,
    /// A filter hides what they are counted from, or no command tells.
    NotKnown,
}

/// What tshark's options say of relative times (tshark(1)).
pub(super) fn relative(command: Option<&str>) -> Relative {
    let Some(command) = command else { return Relative::NotKnown };
    let words: Vec<&str> = command.split_whitespace().collect();
    let value = words.iter().enumerate().find_map(|(place, word)| match word.strip_prefix("-t") {
        Some("") => words.get(place + 1).copied(),
        value => value,
    });
    let is_filtered = words.iter().any(|word| word.starts_with("-Y") || word.starts_with("-R"));
    match value.map(|it| it.trim_matches('.')) {
        None | Some("r") => Relative::SinceFirst,
        Some("dd") => Relative::Differences,
        Some("d") if !is_filtered => Relative::Differences,
        _ => Relative::NotKnown,
    }
}

/// Reads a row. `None` if it is none, or is not understood.
pub(super) fn parse(line: &str) -> Option<Parsed> {
    let row = row(line)?;
    let known = if row.protocol == "ARP" { Known::Arp(arp(row.summary)?) } else { packet(&row)? };
    let (time, original_length) = (Some(row.time), Some(row.length));
    Some(Parsed { time, original_length, known, is_row: true, ..Parsed::default() })
}

fn packet(row: &Columns<'_>) -> Option<Known> {
    let source: IpAddr = row.source.parse().ok()?;
    let destination: IpAddr = row.destination.parse().ok()?;
    let transport = match row.protocol {
        "TCP" => tcp(row.summary)?,
        "UDP" => udp(row.summary)?,
        "ICMP" => Transport::Icmp(icmp(row.summary)),
        // Its ports are not shown.
        _ => Transport::Other,
    };
    // Whether these are those of an outer header is not shown either.
    let outermost = Header::of_addresses(source, destination);
    Some(Known::Ip(Packet { outermost, inner: Vec::new(), transport }))
}

/// `40000 \u{2192} 49`
fn ports(cursor: &mut Cursor<'_>) -> Option<(Port, Port)> {
    let from = named_port(column(cursor)?)?;
    let arrow = column(cursor)?;
    let to = named_port(column(cursor)?)?;
    cursor.spaces();
    (ARROWS.contains(&arrow) || arrow == ">").then_some((from, to))
}

/// `[TCP Retransmission] 40000 \u{2192} 49 [SYN, ACK] Seq=0 Ack=1 Win=64240 Len=0 MSS=1460`
fn tcp(text: &str) -> Option<Transport> {
    let mut cursor = Cursor::new(text);
    while cursor.rest.starts_with("[TCP ") {
        cursor.before("] ")?;
    }
    let ports = ports(&mut cursor)?;
    cursor.need("[")?;
    let mut flags = labsim_wire::tcp::Flags::default();
    for name in cursor.before("]")?.split(", ") {
        flags = flags.with(flag_of_name(name)?);
    }
    let mut tcp = empty(ports);
    tcp.flags = Some(flags);
    for word in cursor.rest.split_whitespace() {
        let Some((name, value)) = word.split_once('=') else { break };
        match name {
            "Seq" => tcp.sequence = Some(Number::Relative(value.parse().ok()?)),
            "Ack" => tcp.acknowledgement = Some(Number::Relative(value.parse().ok()?)),
            "Len" => tcp.payload = Some(value.parse().ok()?),
            "MSS" => tcp.mss = Some(value.parse().ok()?),
            // Wireshark has multiplied the window by its scale.
            _ => {}
        }
    }
    (tcp.payload.is_some() && tcp.sequence.is_some()).then_some(Transport::Tcp(tcp))
}

/// `40001 \u{2192} 9999 Len=5`
fn udp(text: &str) -> Option<Transport> {
    let mut cursor = Cursor::new(text);
    let ports = ports(&mut cursor)?;
    cursor.need("Len=")?;
    Some(Transport::Udp { ports, payload: Some(cursor.number()?), datagram: None })
}

fn icmp(text: &str) -> Icmp {
    let found = [
        ("Echo (ping) request", 8, Some(0)),
        ("Echo (ping) reply", 0, Some(0)),
        ("Destination unreachable (Network unreachable)", 3, Some(0)),
        ("Destination unreachable (Host unreachable)", 3, Some(1)),
        ("Destination unreachable (Protocol unreachable)", 3, Some(2)),
        ("Destination unreachable (Port unreachable)", 3, Some(3)),
        ("Destination unreachable (Fragmentation needed)", 3, Some(4)),
        ("Destination unreachable", 3, None),
        ("Time-to-live exceeded (Time to live exceeded in transit)", 11, Some(0)),
        ("Time-to-live exceeded", 11, None),
    ];
    let found = found.iter().find(|(start, ..)| text.starts_with(start));
    found.map_or_else(Icmp::default, |(_, kind, code)| Icmp {
        kind: Some(*kind),
        code: *code,
        ..Icmp::default()
    })
}

/// `Who has 192.0.2.1? Tell 192.0.2.7`, `192.0.2.1 is at 02:00:00:00:00:01`
fn arp(text: &str) -> Option<Arp> {
    let mut cursor = Cursor::new(text);
    if cursor.eat("Who has ") {
        let target = cursor.before("?")?.parse().ok()?;
        cursor.need(" Tell ")?;
        return Some(Arp::Request { target, sender: cursor.word()?.parse().ok()? });
    }
    let Some((sender, at)) = text.split_once(" is at ") else { return Some(Arp::Other) };
    let mac = mac(at.split(' ').next()?)?;
    Some(Arp::Reply { sender: sender.parse().ok()?, mac })
}
