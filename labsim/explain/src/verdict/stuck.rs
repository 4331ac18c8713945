//! Data of an established connection that was not acknowledged.

use super::fragments::add_incomplete;
use super::{Verdict, icmp};
use crate::known::Known;
use crate::sentence::Sentence;
use crate::story::{first_rows, in_order, tries, tries_at};
use crate::way::{Passed, Way, count, is_reset, is_tunnelled};
use labsim_codes::{Code, cause};

/// Packets of this length or more may be longer than a path takes: IPv6 guarantees 1280 bytes (RFC 8200, 5), and
/// tunnels take some of them.
const LONG: u32 = 1200;
/// Paths of IPv4 take as many bytes as every host has to (RFC 791, 3.2), as a rule: what is longer with its tunnel may be
/// too long, if only shorter packets arrive.
const SMALLEST_USUAL_MTU: u32 = 576;
/// How often a packet is sent at least that is called too long by its length.
const OFTEN: usize = 3;
/// The MTU of Ethernet without jumbo frames (RFC 894).
const ETHERNET_MTU: u32 = 1500;
/// Causes of long packets that do not arrive while short ones do, and of packets that do not arrive at all.
const TOO_LONG: [Code; 7] = [
    cause::MTU_BLACK_HOLE,
    cause::PMTU_ERROR_IGNORED,
    cause::FRAGMENTS_DROPPED,
    cause::LINK_LOSSY,
    cause::REPLIES_LOST,
    cause::REPLY_LATE,
    cause::FLOW_EXPIRED,
];

/// Data that nobody acknowledged.
pub(super) fn outstanding<'a>(way: &'a Way, back: &Way) -> Option<&'a Passed> {
    let first = way.segments.iter().find_map(|it| it.segment.sequence)?;
    let acknowledged = back.acknowledged(first).unwrap_or(0);
    way.segments.iter().find(|it| {
        let end = it.segment.sequence.map(|from| from.wrapping_add(it.segment.payload));
        !is_reset(&it.segment)
            && it.segment.payload > 0
            && end.is_some_and(|end| count(end, first) > acknowledged)
    })
}

pub(super) fn stuck(
    known: &Known<'_>,
    who: &str,
    (way, back): (&Way, &Way),
    passed: &Passed,
    reset: Option<&Passed>,
) -> Verdict {
    let points = in_order(way, passed);
    let last = points.last().map_or("?", |point| known.name(*point));
    let tries = tries(known, passed);
    let (payload, rows) = (passed.segment.payload, first_rows(passed).collect::<Vec<_>>());
    let again = if tries > 1 { format!(", sent {tries} times,") } else { String::new() };
    let text = format!(
        "The connection was established; {payload} bytes of the {who}{again} were not acknowledged as far as \
         the captures go, and were last seen at {last}"
    );
    let mut verdict = Verdict::absent(
        known.sentence(text, rows),
        format!(
            "a capture at the next device after {last}, and of what answers come back, over the same time"
        ),
    );
    let is_request = passed.segment.source == known.connection.client;
    if let Some(sentence) =
        too_long(known, way, passed).filter(|_| is_request && !icmp::has_errors(known))
    {
        let because = verdict.because.into_iter().chain([sentence]).chain(announced(known));
        return Verdict::shown(cause::MTU_BLACK_HOLE, Vec::new(), because.collect());
    }
    if let Some(reset) = reset {
        verdict.because.push(known.sentence("The connection was then reset", first_rows(reset)));
    }
    if tries > 1 {
        let length =
            first_rows(passed).filter_map(|index| known.row(index)?.packet.outermost.length).max();
        if let Some(length) = length {
            let is_longest = is_longest(way, back, passed);
            let shorter = shorter_arrived(known, way, passed, who)
                .filter(|_| is_longest && tries >= OFTEN && may_be_too_long(known, length));
            let is_long = length >= LONG && is_longest || shorter.is_some();
            let others = if is_long { "; no packet as long was acknowledged" } else { "" };
            let text =
                format!("The packet is up to {length} bytes long, the IP header included{others}");
            verdict.because.push(known.sentence(text, []));
            verdict.because.extend(shorter);
            if is_long {
                verdict.possible = TOO_LONG.to_vec();
            }
        }
        verdict.next.push(
            "`ping -M do -s SIZE` from load balancer to server with the length of the packet in its tunnel: it \
             tells whether the path is too narrow"
                .to_owned(),
        );
    }
    icmp::add_errors(known, &mut verdict);
    add_incomplete(known, way, passed, &mut verdict);
    verdict
}

/// Whether no data of this length or more was acknowledged.
fn is_longest(way: &Way, back: &Way, passed: &Passed) -> bool {
    let Some(first) = way.segments.iter().find_map(|it| it.segment.sequence) else { return false };
    let acknowledged = back.acknowledged(first).unwrap_or(0);
    let arrived = way.segments.iter().filter(|it| {
        let end = it.segment.sequence.map(|from| from.wrapping_add(it.segment.payload));
        it.segment.payload > 0 && end.is_some_and(|end| count(end, first) <= acknowledged)
    });
    arrived.map(|it| it.segment.payload).max().is_none_or(|most| most < passed.segment.payload)
}

/// Whether a packet of IPv4 of this length may be longer with its tunnel than its path takes.
fn may_be_too_long(known: &Known<'_>, length: u32) -> bool {
    let added = added_by_tunnel(known).unwrap_or(0);
    known.connection.server.is_ipv4() && length + added > SMALLEST_USUAL_MTU
}

/// That a point saw shorter packets of the same way before and after this one, and never this one.
fn shorter_arrived(known: &Known<'_>, way: &Way, passed: &Passed, who: &str) -> Option<Sentence> {
    let place = way.segments.iter().position(|it| std::ptr::eq(it, passed))?;
    way.missing().into_iter().filter(|it| it.segment == place).find_map(|missing| {
        let at = |it: &Passed| it.at.get(&missing.not_at)?.first().copied();
        let is_shorter = |it: &Passed| it.segment.payload < passed.segment.payload;
        if !way.segments.iter().all(|it| at(it).is_none() || is_shorter(it)) {
            return None;
        }
        let (earlier, later) = way.segments.split_at_checked(place)?;
        let before = earlier.iter().rev().find_map(at)?;
        let after = later.iter().find_map(at)?;
        let text = format!(
            "Shorter packets of the {who} came to {}, before and after it, and this one did not",
            known.name(missing.not_at)
        );
        Some(known.sentence(text, [before, after]))
    })
}

/// That a packet came in where shorter ones went on in a tunnel, before and after it, and it did not, as often as it
/// was sent.
fn too_long(known: &Known<'_>, way: &Way, passed: &Passed) -> Option<Sentence> {
    let is_in_tunnel = |index: &usize| known.row(*index).is_some_and(is_tunnelled);
    let shorter = || way.segments.iter().filter(|it| it.segment.payload < passed.segment.payload);
    passed.at.iter().find_map(|(point, rows)| {
        let first = *rows.first()?;
        let begins = known.tunnels.iter().any(|it| it.begins_at.contains(point));
        if !begins || rows.iter().any(is_in_tunnel) || tries_at(known, passed, *point) < 3 {
            return None;
        }
        let through: Vec<usize> = shorter()
            .filter_map(|it| it.at.get(point))
            .flatten()
            .copied()
            .filter(is_in_tunnel)
            .collect();
        let before = through.iter().copied().find(|row| *row < first)?;
        let after = through.iter().copied().find(|row| *row > first)?;
        let text = format!(
            "At {} shorter packets of the connection went on in the tunnel, before and after it, and this one did not",
            known.name(*point)
        );
        Some(known.sentence(text, [before, first, after]))
    })
}

/// How many bytes the tunnel's headers have.
fn added_by_tunnel(known: &Known<'_>) -> Option<u32> {
    let in_tunnel = known.tunnels.iter().flat_map(|it| &it.rows);
    let added = in_tunnel.filter_map(|index| {
        let packet = &known.row(*index)?.packet;
        packet.outermost.length?.checked_sub(packet.innermost().length?)
    });
    added.max()
}

/// The MSS that the server announced, if packets of that size are longer than Ethernet's MTU in the tunnel.
pub(crate) fn announced(known: &Known<'_>) -> Option<Sentence> {
    let answers = known.connection.replies.iter().copied();
    let (row, mss) =
        answers.filter_map(|index| Some((index, known.row(index)?.packet.tcp()?.mss?))).next()?;
    let added = added_by_tunnel(known)?;
    let headers = if known.connection.server.is_ipv4() { 40 } else { 60 };
    let length = u32::from(mss) + headers;
    let text = format!(
        "The server announced an MSS of {mss} (SYN with ACK): packets of the client may be {length} bytes long, and \
         {} in the tunnel, more than the {ETHERNET_MTU} that Ethernet takes as a rule",
        length + added
    );
    (length + added > ETHERNET_MTU).then(|| known.sentence(text, [row]))
}
