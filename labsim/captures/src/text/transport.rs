//! TCP and ICMP as tcpdump words them (`print-tcp.c`, `print-icmp.c`, `print-icmp6.c`).

use super::cursor::Cursor;
use super::udp;
use crate::packet::{Header, Icmp, Number, Port, Tcp, Transport};
use labsim_wire::protocol;
use labsim_wire::tcp::Flags;

/// Reads what follows the addresses. `is_part`: the packet may go on in other fragments. Text behind the length is left in
/// the cursor.
pub(super) fn transport(
    header: &Header,
    ports: Option<(Port, Port)>,
    is_part: bool,
    cursor: &mut Cursor<'_>,
) -> Option<Transport> {
    if header.fragment.is_some_and(|(offset, _)| offset != 0) {
        return Some(Transport::Other);
    }
    match ports {
        Some(ports) => with_ports(header, ports, is_part, cursor),
        None if cursor.eat("ICMP ") => icmp_with_length(cursor, icmp),
        None if cursor.eat("ICMP6, ") || cursor.rest.starts_with("[icmp6 sum ok] ICMP6, ") => {
            let _ = cursor.eat("[icmp6 sum ok] ICMP6, ");
            // In a fragment `-v` leaves the length out.
            icmp_with_length(cursor, icmp6).or_else(|| is_part.then_some(Transport::Other))
        }
        // Fragments and protocols without a printer.
        None => {
            let is_known = [
                "ip-proto-",
                "tcp",
                "udp",
                "ESP(",
                "AH(",
                "OSPFv",
                "IGMP",
                "igmp",
                "VRRPv",
                "GREv",
                "[|",
                "frag ",
            ]
            .iter()
            .any(|word| cursor.rest.starts_with(word));
            is_known.then_some(Transport::Other)
        }
    }
}

fn with_ports(
    header: &Header,
    ports: (Port, Port),
    is_part: bool,
    cursor: &mut Cursor<'_>,
) -> Option<Transport> {
    if cursor.rest.starts_with("[|tcp]") || cursor.rest.starts_with("[|udp]") {
        return Some(Transport::Ports(ports.0, ports.1));
    }
    let may_be = |number| header.protocol.is_none_or(|protocol| protocol == number);
    if may_be(protocol::TCP) {
        let mut ahead = *cursor;
        let read = tcp(ports, &mut ahead).or_else(|| {
            ahead = *cursor;
            old_tcp(ports, &mut ahead)
        });
        let read = read.or_else(|| {
            ahead = *cursor;
            quiet_tcp(ports, &mut ahead)
        });
        if let Some(tcp) = read.filter(|tcp| fits(header, tcp)) {
            *cursor = ahead;
            return Some(Transport::Tcp(tcp));
        }
    }
    if may_be(protocol::UDP) { udp::udp(header, ports, is_part, cursor) } else { None }
}

/// Whether the segment has room in its packet: a line that was wrapped in the midst of a number has not.
fn fits(header: &Header, tcp: &Tcp) -> bool {
    match (header.length, tcp.payload) {
        (Some(length), Some(payload)) => length >= payload.saturating_add(40),
        _ => true,
    }
}

/// `Flags [P.], cksum 0x6a0c (correct), seq 1:27, ack 1, win 513, options [nop], length 26`
fn tcp(ports: (Port, Port), cursor: &mut Cursor<'_>) -> Option<Tcp> {
    cursor.need("Flags [")?;
    let mut tcp = empty(ports);
    tcp.flags = Some(flags(cursor.before("], ")?)?);
    let mut range = None;
    loop {
        if cursor.eat("length ") {
            let length: u32 = cursor.number()?;
            is_end(cursor)?;
            tcp.payload = Some(length);
            let is_right = range.is_none_or(|range: u32| range == length);
            return is_right.then_some(tcp);
        }
        if cursor.eat("cksum ") {
            cursor.hex()?;
            cursor.need(" ")?;
            cursor.parentheses()?;
        } else if cursor.eat("bad hdr length ") {
            return None;
        } else if cursor.eat("seq ") {
            let first: u32 = cursor.number()?;
            tcp.sequence = Some(Number::Absolute(first));
            if cursor.eat(":") {
                range = Some(cursor.number::<u32>()?.wrapping_sub(first));
            }
        } else if cursor.eat("ack ") {
            tcp.acknowledgement = Some(Number::Absolute(cursor.number()?));
        } else if cursor.eat("win ") {
            tcp.window = Some(cursor.number()?);
        } else if cursor.eat("urg ") {
            cursor.number::<u32>()?;
        } else if cursor.eat("options [") {
            tcp.mss = mss(cursor.before("]")?)?;
        } else {
            return None;
        }
        cursor.need(", ")?;
    }
}

/// What tcpdump wrote before 4.0: `P 1:27(26) ack 1 win 513 <mss 1460,nop>`.
fn old_tcp(ports: (Port, Port), cursor: &mut Cursor<'_>) -> Option<Tcp> {
    let mut tcp = empty(ports);
    tcp.flags = Some(flags(cursor.word()?)?);
    tcp.payload = Some(0);
    cursor.need(" ")?;
    if cursor.rest.starts_with('[') {
        // `[tcp sum ok] `, `[bad tcp cksum 1 (->2)!] `.
        cursor.before("] ")?;
    }
    let mut ahead = *cursor;
    if let Some(first) = ahead.number::<u32>() {
        ahead.need(":")?;
        let last: u32 = ahead.number()?;
        ahead.need("(")?;
        let length = ahead.number()?;
        ahead.need(") ")?;
        if last.wrapping_sub(first) != length {
            return None;
        }
        tcp.sequence = Some(Number::Absolute(first));
        tcp.payload = Some(length);
        *cursor = ahead;
    }
    if cursor.eat("ack ") {
        tcp.acknowledgement = Some(Number::Absolute(cursor.number()?));
        cursor.need(" ")?;
        // Old versions write ACK as a number, and as a dot only where no other flag is set.
        tcp.flags = tcp.flags.map(|flags| flags.with(Flags::ACK));
    }
    cursor.need("win ")?;
    tcp.window = Some(cursor.number()?);
    if cursor.eat(" <") {
        tcp.mss = mss(cursor.before(">")?)?;
    }
    Some(tcp)
}

/// `-q`: `tcp 26`.
fn quiet_tcp(ports: (Port, Port), cursor: &mut Cursor<'_>) -> Option<Tcp> {
    cursor.need("tcp ")?;
    let payload = cursor.number()?;
    is_end(cursor)?;
    Some(Tcp { payload: Some(payload), ..empty(ports) })
}

pub(super) fn empty(ports: (Port, Port)) -> Tcp {
    Tcp {
        ports,
        flags: None,
        sequence: None,
        acknowledgement: None,
        window: None,
        mss: None,
        payload: None,
        session: None,
    }
}

/// `S.`, `P.`, `none`.
fn flags(text: &str) -> Option<Flags> {
    let mut flags = Flags::default();
    if text == "none" {
        return Some(flags);
    }
    for character in text.chars() {
        flags = flags.with(match character {
            'F' => Flags::FIN,
            'S' => Flags::SYN,
            'R' => Flags::RST,
            'P' => Flags::PSH,
            '.' => Flags::ACK,
            'U' => Flags::URG,
            'E' => Flags::ECE,
            'W' => Flags::CWR,
            _ => return None,
        });
    }
    (!text.is_empty()).then_some(flags)
}

/// A flag as Wireshark names it.
pub(super) fn flag_of_name(name: &str) -> Option<Flags> {
    Some(match name {
        "FIN" => Flags::FIN,
        "SYN" => Flags::SYN,
        "RST" => Flags::RST,
        "PSH" => Flags::PSH,
        "ACK" => Flags::ACK,
        "URG" => Flags::URG,
        "ECE" | "ECN" => Flags::ECE,
        "CWR" => Flags::CWR,
        "<None>" => Flags::default(),
        _ => return None,
    })
}

/// The MSS among a segment's options; `None` if it is not a number.
fn mss(options: &str) -> Option<Option<u16>> {
    let found = options.split(',').find_map(|option| option.trim().strip_prefix("mss "));
    found.map_or(Some(None), |number| number.parse().ok().map(Some))
}

/// A number ends where its word does: with a colon before what the payload is, with a comma, a space or the
/// text.
pub(super) fn is_end(cursor: &Cursor<'_>) -> Option<()> {
    cursor
        .rest
        .chars()
        .next()
        .is_none_or(|next| matches!(next, ' ' | ':' | ',' | '['))
        .then_some(())
}

/// Every message has its length in its line: one without it is not all there.
fn icmp_with_length(
    cursor: &mut Cursor<'_>,
    read: impl Fn(&mut Cursor<'_>) -> Icmp,
) -> Option<Transport> {
    let mut ahead = *cursor;
    ahead.before(", length ")?;
    ahead.number::<u32>()?;
    is_end(&ahead)?;
    Some(Transport::Icmp(read(cursor)))
}

fn icmp(cursor: &mut Cursor<'_>) -> Icmp {
    if let Some(icmp) = echo(cursor, 8, 0) {
        return icmp;
    }
    let text = cursor.rest.split(", length ").next().unwrap_or_default();
    let (kind, code) = if text.starts_with("time exceeded in-transit") {
        (11, Some(0))
    } else if text.starts_with("ip reassembly time exceeded") {
        (11, Some(1))
    } else if text.starts_with("parameter problem") {
        (12, None)
    } else if text.starts_with("redirect ") {
        (5, None)
    } else if let Some((what, behind)) = text.split_once("unreachable") {
        let words: Vec<_> = what.split_whitespace().collect();
        let code = match (words.as_slice(), behind) {
            (_, behind) if behind.contains("need to frag") => Some(4),
            (_, behind) if behind.contains("admin prohibited filter") => Some(13),
            (["host", ..], behind) if behind.contains("admin prohibited") => Some(10),
            (["net", ..], behind) if behind.contains("admin prohibited") => Some(9),
            (["net", _], "") => Some(0),
            (["host", _], "") => Some(1),
            ([_, "protocol", _], "") => Some(2),
            ([_, "tcp" | "udp", "port", _], "") => Some(3),
            _ => None,
        };
        let mtu =
            behind.split_once("(mtu ").and_then(|(_, mtu)| mtu.trim_end_matches(')').parse().ok());
        return Icmp { kind: Some(3), code, mtu, ..Icmp::default() };
    } else {
        return Icmp::default();
    };
    Icmp { kind: Some(kind), code, ..Icmp::default() }
}

fn icmp6(cursor: &mut Cursor<'_>) -> Icmp {
    if let Some(icmp) = echo(cursor, 128, 129) {
        return icmp;
    }
    let text = cursor.rest;
    let mtu = text
        .strip_prefix("packet too big, mtu ")
        .and_then(|mtu| mtu.split(',').next()?.parse().ok());
    let starts = [
        ("neighbor solicitation", 135, Some(0)),
        ("neighbor advertisement", 136, Some(0)),
        ("router solicitation", 133, Some(0)),
        ("router advertisement", 134, Some(0)),
        ("redirect", 137, Some(0)),
        ("packet too big", 2, Some(0)),
        ("time exceeded in-transit", 3, Some(0)),
        ("time exceeded", 3, None),
        ("parameter problem", 4, None),
        ("destination unreachable, unreachable route", 1, Some(0)),
        ("destination unreachable, unreachable prohibited", 1, Some(1)),
        ("destination unreachable, unreachable address", 1, Some(3)),
        ("destination unreachable, unreachable port", 1, Some(4)),
        ("destination unreachable", 1, None),
    ];
    let found = starts.iter().find(|(start, ..)| text.starts_with(start));
    let Some((_, kind, code)) = found else { return Icmp::default() };
    let target = ["who has ", "tgt is "].iter().find_map(|words| {
        let (_, behind) = text.split_once(words)?;
        behind.split([',', ' ']).next()?.parse().ok()
    });
    Icmp { kind: Some(*kind), code: *code, mtu, target, ..Icmp::default() }
}

/// `echo request, id 1, seq 2, length 64`, or the reply: with the family's types of both.
fn echo(cursor: &mut Cursor<'_>, request: u8, reply: u8) -> Option<Icmp> {
    let kind = if cursor.eat("echo request, ") {
        request
    } else if cursor.eat("echo reply, ") {
        reply
    } else {
        return None;
    };
    let echo = identifiers(cursor);
    Some(Icmp { kind: Some(kind), code: Some(0), echo, ..Icmp::default() })
}

/// `id 1, seq 2`
fn identifiers(cursor: &mut Cursor<'_>) -> Option<(u16, u16)> {
    cursor.need("id ")?;
    let id = cursor.number()?;
    cursor.need(", seq ")?;
    Some((id, cursor.number()?))
}
