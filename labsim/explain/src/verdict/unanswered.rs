//! Connections that were not established, as far as the captures go.

use super::icmp::{add_errors, keep_refused};
use super::{Verdict, silent_server};
use crate::known::{Known, tunnel_ends};
use crate::segment::Segment;
use crate::story::{first_rows, in_order};
use crate::trace::Role;
use crate::way::{Passed, is_tunnelled, rows_at};
use labsim_codes::{Code, cause};
use labsim_wire::tcp::Flags;

/// Further causes of a server that is silent to segments.
const DAMAGED: [Code; 2] = [cause::CHECKSUM_UNFINISHED, cause::BAD_CHECKSUM];

/// How many of the causes below change addresses or ports.
const TRANSLATED: usize = 3;
/// Causes of answers that do not come to the client.
const ANSWER_LOST: [Code; 7] = [
    cause::DESTINATION_TRANSLATED,
    cause::SOURCE_TRANSLATED,
    cause::PORT_DIFFERS,
    cause::REPLIES_LOST,
    cause::REPLY_SOURCE_FILTERED,
    cause::HALF_FLOW_FILTERED,
    cause::NO_ROUTE,
];

/// A SYN with ACK that the client did not acknowledge.
pub(super) fn unconfirmed(known: &Known<'_>, syn_ack: &Passed) -> Verdict {
    let points = in_order(&known.ways.replies, syn_ack);
    let last = points.last().copied();
    let name = last.map_or("?", |point| known.name(point));
    let at_client = last.is_some_and(|point| known.has_role(point, Role::ClientSide));
    let text = format!(
        "The server answered the SYN, and no packet shows that the client got the answer; it was last seen at \
         {name}"
    );
    let because = known.sentence(text, first_rows(syn_ack));
    if at_client {
        let next = "on the client: `nstat -az` before and after (TcpInCsumErrors, IPReversePathFilter), and the \
                    rules of its packet filter";
        Verdict::absent(because, next)
    } else {
        let next = format!(
            "a capture on the client itself over the same time, and one at the next device after {name} on the \
             way to the client"
        );
        let points = &known.ways.requests.points;
        let is_as_sent = points.iter().any(|it| known.has_role(*it, Role::ClientSide));
        // Where the client's own packets are not seen, the server may have been asked by other addresses.
        let past = if is_as_sent { TRANSLATED } else { 0 };
        Verdict::absent(because, next).possible(ANSWER_LOST.get(past..).unwrap_or_default())
    }
}

pub(super) fn refused(known: &Known<'_>, reset: &Passed) -> Verdict {
    let points = in_order(&known.ways.replies, reset);
    let first = points.first().map_or("?", |point| known.name(*point));
    let text = format!(
        "The SYN was refused by a RST with the address {}, seen first at {first}",
        known.connection.server
    );
    let because = known.sentence(text, first_rows(reset));
    let next = "who sent it: a capture on the server over the same time; there, `ss -ltn` tells whether a program \
                listens at the VIP and port";
    Verdict::open(because, next).possible(&[
        cause::CONNECTION_RESET,
        cause::NOT_LISTENING_AT_VIP,
        cause::PORT_DIFFERS,
        cause::FORWARDER_DROPPED,
    ])
}

/// Whether the last point that saw a segment saw it plain, and the one before it in a tunnel.
fn came_out(known: &Known<'_>, passed: &Passed, points: &[usize], last: usize) -> bool {
    let all_at = |point: usize, tunnelled: bool| {
        rows_at(known.trace, passed, point).all(|row| is_tunnelled(row) == tunnelled)
    };
    let before = points.iter().rev().nth(1).copied();
    known.ways.requests.is_last(last)
        && all_at(last, false)
        && before.is_some_and(|before| all_at(before, true))
}

/// A SYN without any answer.
pub(super) fn silent(known: &Known<'_>, syn: &Passed) -> Verdict {
    let points = in_order(&known.ways.requests, syn);
    let last = points.last().copied();
    let name = last.map_or("?", |point| known.name(point));
    let text = format!(
        "The SYN was last seen at {name}, and no answer at any point; not seen is not the same as not sent"
    );
    let because = known.sentence(text, first_rows(syn));
    let client = known.connection.client.ip();
    let is_out = last.is_some_and(|point| came_out(known, syn, &points, point));
    if is_out || last.is_some_and(|point| known.has_role(point, Role::ServerSide)) {
        let next = "on the server: `nstat -az | grep -E \
                    'IpInAddrErrors|IPReversePathFilter|IpInUnknownProtos|TcpInCsumErrors'` before and after an \
                    attempt, given as `--counters NODE=BEFORE,AFTER`; `ip addr` and `sysctl -a`, given as `--linux \
                    NODE=FILE`; and `tcpdump -ni any` (whether the packet comes out of the tunnel device)";
        let mut verdict =
            Verdict::absent(because, next).possible(&silent_server(known, is_out, &DAMAGED));
        if is_out {
            let text = format!("At {name} it had come out of the tunnel, and it was not answered");
            verdict.because.push(known.sentence(text, []));
        }
        add_errors(known, &mut verdict);
        if !is_out {
            keep_refused(known, &mut verdict);
        }
        return verdict;
    }
    let ends = tunnel_ends(known.tunnels);
    let empty = (0..known.trace.points.len())
        .find(|it| known.is_empty(*it) && known.has_role(*it, Role::ServerSide));
    let next = if let Some(empty) = empty {
        let server = known.name(empty);
        format!(
            "a capture at the next device after {name} on the way to {server}, where nothing was captured: if that ran \
             at this time, the packets did not come so far"
        )
    } else if ends.is_empty() {
        format!(
            "a capture at the next device after {name}; on the load balancer without a filter of ports, which \
             cannot match inside a tunnel: `tcpdump -nn -w FILE 'host {client} or ip proto 4 or ip proto 47'`"
        )
    } else {
        let servers: Vec<String> = ends.iter().map(ToString::to_string).collect();
        format!(
            "a capture on the server {}, with what is in the tunnel and its answers: `tcpdump -ni any -w FILE \
             'host {client} or ip proto 4 or ip proto 47'`, given as `server=FILE`",
            servers.join(" or ")
        )
    };
    let mut verdict = Verdict::absent(because, next);
    add_errors(known, &mut verdict);
    verdict
}

/// Packets whose numbers are relative, or not shown.
pub(super) fn unmatchable(known: &Known<'_>, point: usize) -> Verdict {
    let name = known.name(point);
    let rows = known.connection.requests.iter().chain(&known.connection.replies).copied();
    let is_of_point = |index: &usize| {
        known
            .row(*index)
            .is_some_and(|row| row.point == point && Segment::of_packet(&row.packet).is_none())
    };
    Verdict::open(
        known.sentence(
            format!(
                "{name} has packets of the connection that cannot be matched with others: their numbers are \
                 relative, or not shown"
            ),
            rows.filter(is_of_point),
        ),
        format!("the file of {name}, or its text from tcpdump's first line on, by `tcpdump -nn -S -vvv -r FILE`"),
    )
}

/// Captures that do not show the beginning, or the answer to it.
pub(super) fn gap(known: &Known<'_>, unmatched: Option<usize>) -> Verdict {
    if let Some(point) = unmatched {
        return unmatchable(known, point);
    }
    let (requests, replies) = (&known.ways.requests, &known.ways.replies);
    let has_syn = requests.find(Flags::SYN).is_some();
    let text = match (has_syn, known.got_answer()) {
        (true, true) => {
            "The captures do not show the answer to the SYN, which the client acknowledged, and so not what the \
             server sent"
        }
        (true, false) => {
            "The captures do not show the answer to the SYN, and so not whether the connection was established"
        }
        (false, _) => {
            "The captures do not show how the connection began, and so not whether the connection was established"
        }
    };
    let first = known.connection.requests.first().or(known.connection.replies.first());
    let mut verdict = Verdict::absent(
        known.sentence(text, first.copied()),
        "captures without drops that begin before the client connects",
    );
    for (whose, way) in [("client", requests), ("server", replies)] {
        if let Some(reset) = way.find_with(Flags::RST) {
            let text = format!("A RST with the {whose}'s address was sent");
            verdict.because.push(known.sentence(text, first_rows(reset)));
        }
    }
    verdict
}
