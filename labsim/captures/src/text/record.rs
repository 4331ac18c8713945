//! One packet's lines: time, device, link layer, packet, and what F5 writes behind it.

use super::cursor::Cursor;
use super::network::{Family, known};
use super::time::{TextTime, time};
use super::tshark;
use crate::f5::F5Trailer;
use crate::packet::Known;
use labsim_wire::ethernet::ethertype;
use labsim_wire::pcapng::Direction;

/// What the lines of one packet say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Parsed {
    pub(super) time: Option<TextTime>,
    pub(super) device: Option<String>,
    pub(super) direction: Option<Direction>,
    pub(super) original_length: Option<u32>,
    pub(super) vlan: Option<u16>,
    pub(super) known: Known,
    pub(super) f5: Option<F5Trailer>,
    /// Whether it is a row of tshark's, whose numbers and times have other origins than tcpdump's.
    pub(super) is_row: bool,
}

/// Whether a packet's first line stands here: a time, or without times (`-t`) a packet that is not indented
/// as those inside others are.
pub(super) fn begins(line: &str) -> bool {
    if time(&mut Cursor::new(line.trim_start())).is_some() || tshark::begins(line) {
        return true;
    }
    let mut cursor = Cursor::new(line);
    let mut ignored = Parsed::default();
    device(&mut ignored, &mut cursor);
    match Family::word(&mut cursor) {
        Some(Family::Arp) => true,
        // `IP 192.0.2.1.49 > ...`, `IP (tos ...`: prose has neither.
        Some(_) => {
            ["(tos ", "(flowlabel ", "(class ", "(hlim "]
                .iter()
                .any(|it| cursor.rest.starts_with(it))
                || cursor.rest.split(' ').nth(1) == Some(">")
        }
        None => is_mac(cursor.rest) && cursor.rest.contains("ethertype "),
    }
}

/// Whether a text begins with a link-layer address.
fn is_mac(text: &str) -> bool {
    let word = text.split([' ', ',']).next().unwrap_or_default();
    let is_pair = |pair: &str| pair.len() == 2 && pair.chars().all(|it| it.is_ascii_hexdigit());
    word.split(':').count() == 6 && word.split(':').all(is_pair)
}

/// Reads the lines of one packet, joined.
pub(super) fn parse(text: &str) -> Option<Parsed> {
    if let Some(row) = tshark::parse(text) {
        return Some(row);
    }
    let mut cursor = Cursor::new(text.trim_start());
    let time = time(&mut cursor);
    let mut parsed = Parsed { time, ..Parsed::default() };
    device(&mut parsed, &mut cursor);
    let family = match Family::word(&mut cursor) {
        Some(family) => family,
        None => link(&mut parsed, &mut cursor)?,
    };
    parsed.known = known(family, &mut cursor)?;
    (parsed.f5, parsed.direction) = match f5(cursor.rest) {
        Some(trailer) => (Some(trailer.clone()), trailer.direction.or(parsed.direction)),
        None => (None, parsed.direction),
    };
    Some(parsed)
}

/// `-i any`: `eth0  In  `, or before 4.99 ` In ` alone.
fn device(parsed: &mut Parsed, cursor: &mut Cursor<'_>) {
    let mut ahead = *cursor;
    let Some(first) = ahead.word() else { return };
    ahead.spaces();
    if let Some(direction) = direction(first) {
        parsed.direction = direction;
        *cursor = ahead;
        return;
    }
    let Some(direction) = ahead.word().and_then(direction) else { return };
    ahead.spaces();
    parsed.device = Some(first.to_owned());
    parsed.direction = direction;
    *cursor = ahead;
}

/// What `print-sll.c` calls the types of packet(7).
fn direction(word: &str) -> Option<Option<Direction>> {
    match word {
        "In" | "B" | "M" => Some(Some(Direction::In)),
        "Out" => Some(Some(Direction::Out)),
        "P" => Some(None),
        _ => None,
    }
}

/// `-e`: `MAC > MAC, ethertype IPv4 (0x0800), length 66: `, with VLAN tags between.
fn link(parsed: &mut Parsed, cursor: &mut Cursor<'_>) -> Option<Family> {
    let end = cursor.rest.find("ethertype ")?;
    let (before, _) = cursor.rest.split_at_checked(end)?;
    // Nothing but addresses, `ifindex 2`, `(oui Unknown)`.
    if before.contains("IP ") || before.contains("Flags") {
        return None;
    }
    let mut kind;
    loop {
        cursor.before("ethertype ")?;
        cursor.before("(")?;
        kind = cursor.hex()?;
        cursor.need(")")?;
        if cursor.eat(", length ") {
            parsed.original_length = Some(cursor.number()?);
            cursor.need(": ")?;
        } else if !cursor.eat(", ") {
            cursor.need(" ")?;
        }
        let mut tag = *cursor;
        if !tag.eat("vlan ") {
            break;
        }
        let vlan = tag.number()?;
        parsed.vlan = parsed.vlan.or(Some(vlan));
        *cursor = tag;
    }
    match u16::try_from(kind).ok()? {
        ethertype::IPV4 => {
            cursor.eat("IP ");
            Some(Family::V4)
        }
        ethertype::IPV6 => {
            cursor.eat("IP6 ");
            Some(Family::V6)
        }
        ethertype::ARP => {
            cursor.eat("ARP, ");
            Some(Family::Arp)
        }
        _ => None,
    }
}

/// ` in slot1/tmm0 lis=/Common/vs port=1.2 trunk=`, and the cause of a reset before it.
fn f5(rest: &str) -> Option<F5Trailer> {
    let reset_cause = rest.split_once("[RST+ ").map(|(_, cause)| {
        let cause = cause.strip_prefix("BIG-IP: ").unwrap_or(cause);
        let end = cause.rfind(']').unwrap_or(cause.len());
        let cause = cause.get(..end).unwrap_or(cause);
        // Behind the place in TMM's source.
        cause.split_once("] ").map_or(cause, |(_, text)| text).to_owned()
    });
    let words: Vec<&str> = rest.split_whitespace().collect();
    let suffix = words.windows(3).find_map(|words| match words {
        [way @ ("in" | "out"), place, listener] => {
            let (slot, tmm) = place.strip_prefix("slot")?.split_once("/tmm")?;
            let listener = listener.strip_prefix("lis=")?;
            Some(F5Trailer {
                direction: Some(if *way == "in" { Direction::In } else { Direction::Out }),
                slot: Some(slot.parse().ok()?),
                tmm: Some(tmm.parse().ok()?),
                virtual_server: (!listener.is_empty()).then(|| listener.to_owned()),
                ..F5Trailer::default()
            })
        }
        _ => None,
    });
    match (suffix, reset_cause) {
        (None, None) => None,
        (suffix, reset_cause) => Some(F5Trailer { reset_cause, ..suffix.unwrap_or_default() }),
    }
}
