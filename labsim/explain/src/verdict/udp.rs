//! What became of a UDP exchange: which requests were answered, as far as captures show it.

use super::fragments::add_incomplete;
use super::icmp::add_errors;
use super::{Verdict, is_at_client, other_source, silent_server};
use crate::connection::Connection;
use crate::exchange::datagram;
use crate::known::{Known, tunnel_ends};
use crate::sentence::number;
use crate::story::{first_rows, in_order, tries};
use crate::trace::Role;
use crate::way::{Passed, is_tunnelled, rows_at};
use labsim_codes::{Code, cause};
use std::collections::BTreeMap;

/// Further causes of a server that is silent to datagrams.
const SILENT_SERVICE: [Code; 3] =
    [cause::NOT_LISTENING_AT_VIP, cause::CLIENT_UNKNOWN, cause::SECRET_MISMATCH];
/// Requests without an answer, and other exchanges of their client, that are compared at most.
const MAX_OTHERS: usize = 16;

pub(super) fn of(known: &Known<'_>) -> Verdict {
    let (requests, replies) = (&known.ways.requests, &known.ways.replies);
    let unmatched = requests.unmatched.iter().chain(&replies.unmatched).next();
    if known.connection.requests.is_empty() {
        let text = "The captures show answers only, and not what was asked";
        let rows = known.connection.replies.first().copied();
        return Verdict::open(
            known.sentence(text, rows),
            "captures that begin before the client asks, at the client as well",
        );
    }
    if let Some(point) = unmatched.filter(|_| !known.connection.replies.is_empty()) {
        return unmatchable(known, *point);
    }
    let answers = Answers::new(known, known.connection);
    let (answered, open): (Vec<&Passed>, Vec<&Passed>) =
        requests.segments.iter().partition(|it| !answers.to(known, it).is_empty());
    if let Some(verdict) = wrong_source(known, &open) {
        return verdict;
    }
    if open.is_empty() && !answered.is_empty() {
        return all_answered(known, &answers, &answered);
    }
    unanswered(known, &open, answered.len())
}

/// A connection's replies, by the identifiers of what they answer.
struct Answers<'a> {
    by_identifier: BTreeMap<Option<u16>, Vec<usize>>,
    all: &'a [usize],
}

impl<'a> Answers<'a> {
    fn new(known: &Known<'_>, connection: &'a Connection) -> Self {
        let mut by_identifier: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for index in &connection.replies {
            by_identifier.entry(identifier(known, *index)).or_default().push(*index);
        }
        Self { by_identifier, all: &connection.replies }
    }

    /// The rows that answer a request: by its identifier, else any.
    fn to(&self, known: &Known<'_>, request: &Passed) -> &[usize] {
        match first_rows(request).next().and_then(|index| identifier(known, index)) {
            None => self.all,
            wanted => self.by_identifier.get(&wanted).map(Vec::as_slice).unwrap_or_default(),
        }
    }
}

fn identifier(known: &Known<'_>, index: usize) -> Option<u16> {
    Some(known.row(index).and_then(datagram)?.message?.identifier)
}

fn all_answered(known: &Known<'_>, answers: &Answers<'_>, answered: &[&Passed]) -> Verdict {
    let server = known.connection.server;
    let rows = |request: &Passed| answers.to(known, request);
    let is_back = |request: &&&Passed| {
        rows(request)
            .iter()
            .any(|it| known.row(*it).is_some_and(|it| is_at_client(known, it.point)))
    };
    let evidence: Vec<usize> = answered
        .iter()
        .flat_map(|request| {
            first_rows(request).take(1).chain(rows(request).iter().copied().take(1))
        })
        .collect();
    let repeated = answered.iter().find(|request| tries(known, request) > 1);
    let seen = number(answered.len(), "request");
    if answered.iter().filter(is_back).count() < answered.len() {
        let points = &known.ways.replies.points;
        let last = points.last().map_or("?", |point| known.name(*point));
        let again = repeated.map_or("", |_| ", though it asked again");
        let text = format!(
            "{server} answered ({seen}), and no packet shows that the client got the answer{again}; answers were last \
             seen at {last}"
        );
        let next = "a capture on the client itself over the same time";
        let verdict = Verdict::absent(known.sentence(text, evidence), next);
        return if repeated.is_some() {
            verdict.possible(&[
                cause::DESTINATION_TRANSLATED,
                cause::SOURCE_TRANSLATED,
                cause::PORT_DIFFERS,
                cause::REPLIES_LOST,
                cause::REPLY_SOURCE_FILTERED,
                cause::NO_ROUTE,
                cause::REPLY_LATE,
                cause::FRAGMENTS_DROPPED,
            ])
        } else {
            verdict
        };
    }
    if let Some(request) = repeated {
        let text = format!(
            "{server} answered ({seen}) in the end; a request was sent {} times, so packets or answers were lost or late",
            tries(known, request)
        );
        let next = "captures without drops between client and server, and the service's own log";
        return Verdict::open(known.sentence(text, evidence), next).possible(&[
            cause::LINK_LOSSY,
            cause::REPLIES_LOST,
            cause::REPLY_LATE,
        ]);
    }
    let text = format!("{server} answered, and the answers came back to the client ({seen})");
    Verdict::healthy(known.sentence(text, evidence))
}

fn unmatchable(known: &Known<'_>, point: usize) -> Verdict {
    let name = known.name(point);
    let rows = known.connection.requests.iter().chain(&known.connection.replies).copied();
    let is_of_point = |index: &usize| {
        known.row(*index).is_some_and(|row| {
            row.point == point && datagram(row).and_then(|it| it.fingerprint).is_none()
        })
    };
    Verdict::open(
        known.sentence(
            format!(
                "{name} has datagrams of the exchange whose payload is not shown, so that they cannot be matched with \
                 others, and answers not with requests"
            ),
            rows.filter(is_of_point),
        ),
        format!("the file of {name}, whole; or its text by `tcpdump -nn -x -r FILE`"),
    )
}

/// An answer that came from another address or port than was asked.
fn wrong_source(known: &Known<'_>, open: &[&Passed]) -> Option<Verdict> {
    let others = known.siblings.iter().filter(|it| it.client == known.connection.client);
    others.take(MAX_OTHERS).find_map(|other| {
        let answers = Answers::new(known, other);
        open.iter()
            .take(MAX_OTHERS)
            .find_map(|request| answered_by(known, request, other, answers.to(known, request)))
    })
}

/// The verdict of a request, if these rows of another exchange answer it.
fn answered_by(
    known: &Known<'_>,
    request: &Passed,
    other: &Connection,
    rows: &[usize],
) -> Option<Verdict> {
    if rows.is_empty() || !may_answer(known, other, request) {
        return None;
    }
    let is_translated = has_request(known, other, request);
    let is_port = other.server.ip() == known.connection.server.ip();
    let translated = if is_port { cause::PORT_DIFFERS } else { cause::DESTINATION_TRANSLATED };
    let point_of = |index: &usize| known.row(*index).map(|row| row.point);
    let at_client = rows.iter().find(|it| point_of(it).is_some_and(|at| is_at_client(known, at)));
    let at_server = rows.iter().find(|it| {
        point_of(it).is_some_and(|point| {
            known.has_role(point, Role::ServerSide)
                || rows_at(known.trace, request, point).any(is_tunnelled)
        })
    });
    let (code, possible, row) = match (is_translated, at_client, at_server) {
        (true, Some(row), _) => (translated, Vec::new(), row),
        (false, _, Some(row)) => (cause::REPLY_FROM_OTHER_ADDRESS, Vec::new(), row),
        (false, Some(row), None) => {
            let possible = vec![cause::REPLY_FROM_OTHER_ADDRESS, translated];
            (cause::WRONG_REPLY_SOURCE, possible, row)
        }
        _ => return None,
    };
    if is_port && code == cause::REPLY_FROM_OTHER_ADDRESS {
        return None;
    }
    let asked = first_rows(request).next();
    let text = other_source(known.connection.server, other.server, "");
    let mut because = vec![known.sentence(text, asked.into_iter().chain([*row]))];
    if is_translated {
        let text = format!("The same request was seen on its way to {}", other.server);
        because.push(known.sentence(text, other.requests.first().copied()));
    }
    Some(Verdict::shown(code, possible, because))
}

/// Whether the other exchange has this request.
fn has_request(known: &Known<'_>, other: &Connection, request: &Passed) -> bool {
    let fingerprint = |index: &usize| known.row(*index).and_then(datagram)?.fingerprint;
    let wanted = request.segment.sequence;
    other.requests.iter().any(|index| wanted.is_some() && fingerprint(index) == wanted)
}

/// Whether answers of another exchange may be those to this request: that is its own, or there is none.
fn may_answer(known: &Known<'_>, other: &Connection, request: &Passed) -> bool {
    other.requests.is_empty() || has_request(known, other, request)
}

fn unanswered(known: &Known<'_>, open: &[&Passed], answered: usize) -> Verdict {
    let (server, way) = (known.connection.server, &known.ways.requests);
    let request = open.first().copied();
    let points = request.map_or_else(|| way.points.clone(), |it| in_order(way, it));
    let last = points.last().copied();
    let name = last.map_or("?", |point| known.name(point));
    let again = request.map(|it| tries(known, it)).filter(|times| *times > 1);
    let again = again.map_or(String::new(), |times| format!(", sent {times} times,"));
    let count = match (open.len(), answered) {
        (0 | 1, 0) => format!("The request{again} was"),
        (count, 0) => format!("{count} requests were"),
        (count, some) => format!("Of {} requests {count} were", count + some),
    };
    let text = format!(
        "{count} not answered by {server} at any point, and last seen at {name}; not seen is not the same as not sent, \
         and some services never answer"
    );
    let rows: Vec<usize> = match request {
        Some(request) => first_rows(request).collect(),
        None => known.connection.requests.iter().copied().take(1).collect(),
    };
    let is_fragment = |row: &usize| {
        known.row(*row).is_some_and(|row| row.packet.headers().any(|it| it.fragment.is_some()))
    };
    let fragments: Vec<usize> = rows.iter().copied().filter(is_fragment).collect();
    let is_plain = last.is_some_and(|point| {
        request.is_some_and(|it| !rows_at(known.trace, it, point).any(is_tunnelled))
    });
    let is_out = is_plain && way.points.len() > 1 && last.is_some_and(|it| way.is_last(it));
    let is_out = is_out && !known.tunnels.is_empty();
    let at_server = last.is_some_and(|point| known.has_role(point, Role::ServerSide));
    let mut verdict =
        Verdict::absent(known.sentence(text, rows), next(known, name, at_server || is_out));
    if at_server || is_out {
        verdict.possible = silent_server(known, is_out, &SILENT_SERVICE);
    }
    add_errors(known, &mut verdict);
    if !fragments.is_empty() {
        let text = "The request is in fragments, which filters and NAT drop more easily than whole packets";
        verdict.because.push(known.sentence(text, fragments));
        verdict.put_first(&[cause::FRAGMENTS_DROPPED, cause::MTU_BLACK_HOLE]);
    }
    if let Some(request) = request {
        add_incomplete(known, way, request, &mut verdict);
    }
    verdict
}

fn next(known: &Known<'_>, name: &str, is_at_server: bool) -> String {
    if is_at_server {
        return "on the server: `nstat -az | grep -E \
                'IpInAddrErrors|IPReversePathFilter|IpInUnknownProtos|UdpNoPorts'` before and after an attempt, \
                given as `--counters NODE=BEFORE,AFTER`; `ip addr`, `sysctl -a` and `ss -lun`, given as `--linux \
                NODE=FILE`; and the service's log (an unknown client or another secret is not answered)"
            .to_owned();
    }
    let (client, ends) = (known.connection.client.ip(), tunnel_ends(known.tunnels));
    let servers: Vec<String> = ends.iter().map(ToString::to_string).collect();
    let place = if servers.is_empty() {
        format!("the next device after {name}")
    } else {
        format!("the server {}", servers.join(" or "))
    };
    format!(
        "a capture at {place} without a filter of ports, which cannot match inside a tunnel: `tcpdump -ni any -w FILE \
         'host {client} or ip proto 4 or ip proto 47'`"
    )
}
