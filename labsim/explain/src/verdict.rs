//! What became of a connection: never more than its captures show.

mod fragments;
mod icmp;
mod moved;
mod not_sent_on;
mod own_source;
mod stuck;
mod udp;
mod unanswered;
mod wrong_source;

use crate::connection::Protocol;
use crate::devices::FULL_TTLS;
use crate::known::Known;
use crate::sentence::{Sentence, number};
use crate::story::{first_rows, in_order, is_acknowledged, later, tries, tries_at};
use crate::trace::Role;
use crate::tunnel;
use crate::way::{Passed, Way, is_reset, rows_at};
use labsim_codes::{Code, cause};
use labsim_wire::tcp::Flags;
pub(crate) use moved::goes_on;
use moved::moved;
use not_sent_on::not_sent_on;
pub(crate) use not_sent_on::stopped_at;
use own_source::own_source;
use serde::Serialize;
use std::net::SocketAddr;
pub(crate) use stuck::announced;
use stuck::{outstanding, stuck};
use unanswered::{gap, refused, silent, unconfirmed, unmatchable};
use wrong_source::wrong_source;

/// What became of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It was established, and all that was sent arrived.
    Healthy,
    /// It failed, and the captures show why, or files of the devices with them.
    Cause,
    /// The captures do not tell.
    NotDecidable,
}

/// The verdict of a connection.
#[derive(Debug, Clone, Serialize)]
pub struct Verdict {
    /// Which it is.
    pub kind: Kind,
    /// The cause that the captures show.
    pub cause: Option<Code>,
    /// Causes that are possible; others are as well.
    pub possible: Vec<Code>,
    /// What it rests on.
    pub because: Vec<Sentence>,
    /// What decides: what to capture, or which command to run.
    pub next: Vec<String>,
    /// Whether it rests on packets that were not seen.
    #[serde(skip)]
    pub(crate) is_by_absence: bool,
}

impl Verdict {
    fn open(because: Sentence, next: impl Into<String>) -> Self {
        Self {
            kind: Kind::NotDecidable,
            cause: None,
            possible: Vec::new(),
            because: vec![because],
            next: vec![next.into()],
            is_by_absence: false,
        }
    }

    /// A cause that packets show, and its remedy. `possible`: causes that it may be a case of.
    pub(crate) fn shown(cause: Code, possible: Vec<Code>, because: Vec<Sentence>) -> Self {
        Self {
            kind: Kind::Cause,
            cause: Some(cause),
            possible,
            because,
            next: vec![cause.remedy().to_owned()],
            is_by_absence: false,
        }
    }

    /// All arrived.
    fn healthy(because: Sentence) -> Self {
        Self {
            kind: Kind::Healthy,
            cause: None,
            possible: Vec::new(),
            because: vec![because],
            next: Vec::new(),
            is_by_absence: false,
        }
    }

    /// A verdict that rests on packets that were not seen.
    fn absent(because: Sentence, next: impl Into<String>) -> Self {
        Self { is_by_absence: true, ..Self::open(because, next) }
    }

    /// Adds causes that are more likely than those that are there.
    pub(crate) fn put_first(&mut self, codes: &[Code]) {
        self.possible.retain(|code| !codes.contains(code));
        self.possible.splice(0..0, codes.iter().copied());
    }

    fn possible(mut self, codes: &[Code]) -> Self {
        self.possible = codes.to_vec();
        self
    }
}

/// Causes of a server that gets what the client sends, and is silent, by TCP as by UDP.
const SILENT_SERVER: [Code; 8] = [
    cause::TUNNEL_MISSING,
    cause::TUNNEL_DOWN,
    cause::ENCAPSULATION_MISMATCH,
    cause::VIP_MISSING,
    cause::RP_FILTER,
    cause::PROTOCOL_FILTERED,
    cause::NO_ROUTE,
    cause::NEIGHBOUR_SILENT,
];
/// How many of these are about the tunnel's end: what came out of the tunnel is past them.
const TUNNEL_END: usize = 3;

/// The causes of a silent server: all, or those behind the tunnel's end, and then others.
fn silent_server(known: &Known<'_>, is_out_of_tunnel: bool, others: &[Code]) -> Vec<Code> {
    let past = if is_out_of_tunnel { TUNNEL_END } else { 0 };
    let filters = passes_reverse_path_filter(known, is_out_of_tunnel);
    let all = SILENT_SERVER.iter().skip(past).chain(others).copied();
    all.filter(|it| filters || *it != cause::RP_FILTER).collect()
}

/// Whether a reverse path filter decides about the client's packets at the server: Linux has one for IPv4 alone
/// (ip-sysctl). A tunnel's outer packets are filtered too, before what is in them.
pub(crate) fn passes_reverse_path_filter(known: &Known<'_>, is_out_of_tunnel: bool) -> bool {
    known.connection.server.is_ipv4()
        || !is_out_of_tunnel && known.tunnels.iter().any(|it| it.destination.is_ipv4())
}

/// An answer that the client cannot take. `asked` and `answered`: whom.
fn other_source(asked: SocketAddr, answered: SocketAddr, but: &str) -> String {
    let what = if asked.ip() == answered.ip() { "port" } else { "address" };
    format!(
        "The client asked {asked}, and {answered} answered{but}: it can take no answer from another {what}"
    )
}

/// The verdict of a connection.
pub(crate) fn of(known: &Known<'_>) -> Verdict {
    if known.connection.protocol == Protocol::Udp {
        return udp::of(known);
    }
    let by_addresses = wrong_source(known).or_else(|| moved(known)).or_else(|| own_source(known));
    if let Some(verdict) = by_addresses {
        return verdict;
    }
    let (requests, replies) = (&known.ways.requests, &known.ways.replies);
    let unmatched = requests.unmatched.iter().chain(&replies.unmatched).next();
    let syn = requests.find(Flags::SYN);
    let syn_ack = replies.find(Flags::SYN.with(Flags::ACK));
    match (syn, syn_ack) {
        (Some(_), Some(syn_ack)) if is_confirmed(requests, syn_ack) => {
            established(known, syn_ack, unmatched.copied())
        }
        (_, Some(syn_ack)) if !is_confirmed(requests, syn_ack) => {
            not_sent_on(known, syn_ack).unwrap_or_else(|| unconfirmed(known, syn_ack))
        }
        // The client took an answer that is not in the captures: what is in them is not the answer to the SYN.
        (Some(_), None) if known.got_answer() => gap(known, unmatched.copied()),
        (Some(syn), None) => match replies.find_with(Flags::RST) {
            Some(reset) => refused(known, reset),
            None if known.connection.replies.is_empty() => silent(known, syn),
            None => gap(known, unmatched.copied()),
        },
        _ => gap(known, unmatched.copied()),
    }
}

/// Whether the client acknowledged the SYN with ACK: then it got it, from the address that it had asked.
fn is_confirmed(requests: &Way, syn_ack: &Passed) -> bool {
    let first = syn_ack.segment.sequence;
    first.and_then(|first| requests.acknowledged(first)).is_some_and(|number| number >= 1)
}

fn established(known: &Known<'_>, syn_ack: &Passed, unmatched: Option<usize>) -> Verdict {
    let (requests, replies) = (&known.ways.requests, &known.ways.replies);
    let reset = requests.find_with(Flags::RST).or_else(|| replies.find_with(Flags::RST));
    let fin = requests.find_with(Flags::FIN).or_else(|| replies.find_with(Flags::FIN));
    if let Some(point) = unmatched {
        return unmatchable(known, point);
    }
    for (who, way, back) in [("client", requests, replies), ("server", replies, requests)] {
        if let Some(passed) = outstanding(way, back) {
            return stuck(known, who, (way, back), passed, reset);
        }
    }
    let lost: Vec<&Passed> = [(requests, replies), (replies, requests)]
        .into_iter()
        .flat_map(|(way, back)| {
            let segments = way.missing().into_iter().filter_map(|it| way.segments.get(it.segment));
            let is_acknowledged = is_acknowledged(way, back);
            segments.filter(move |it| is_acknowledged(it) != Some(true))
        })
        .collect();
    if !lost.is_empty() {
        let text = format!(
            "The connection was established, and all data was acknowledged; {} that nobody has to acknowledge \
             may be lost, or was not captured",
            number(lost.len(), "packet")
        );
        let next = "nothing, if the connection did its work; else captures without drops";
        return Verdict::absent(known.sentence(text, lost.into_iter().flat_map(first_rows)), next);
    }
    if let Some(verdict) = repeated(known) {
        return verdict;
    }
    let is_after_fin = |reset: &Passed| fin.is_some_and(|fin| later(known, fin, reset).is_some());
    if let Some(reset) = reset.filter(|reset| !is_after_fin(reset)) {
        return reset_before_fin(known, reset);
    }
    unanswered(known, fin).unwrap_or_else(|| healthy(known, syn_ack, fin))
}

/// What was sent more than once, though all arrived in the end.
fn repeated(known: &Known<'_>) -> Option<Verdict> {
    let ways = [&known.ways.requests, &known.ways.replies];
    let repeated: Vec<(&Way, &Passed)> = ways
        .into_iter()
        .flat_map(|way| way.segments.iter().map(move |passed| (way, passed)))
        .filter(|(_, passed)| passed.segment.end().is_some() && tries(known, passed) > 1)
        .collect();
    let (way, first) = repeated.first()?;
    let counts: Vec<String> = in_order(way, first)
        .into_iter()
        .map(|point| {
            format!("{} saw it {} times", known.name(point), tries_at(known, first, point))
        })
        .collect();
    let text = format!(
        "The connection was established, and all data was acknowledged in the end; {} sent more than once, so \
         packets or acknowledgements were lost or late. Of the first of them {}",
        if repeated.len() == 1 {
            "1 packet was".to_owned()
        } else {
            format!("{} packets were", repeated.len())
        },
        counts.join(", ")
    );
    let next = "captures without drops between the last point that saw it most often and the first that saw it \
                less often";
    Some(Verdict::open(known.sentence(text, first_rows(first)), next).possible(&[
        cause::LINK_LOSSY,
        cause::REPLIES_LOST,
        cause::REPLY_LATE,
    ]))
}

/// Whether a reset came from as far away as other packets of its way, by their TTL at one point.
fn is_as_far(known: &Known<'_>, way: &Way, reset: &Passed) -> bool {
    let ttl_of = |passed: &Passed, point: usize| {
        let mut rows = rows_at(known.trace, passed, point);
        rows.find(|row| row.packet.inner.is_empty()).and_then(tunnel::ttl)
    };
    let is_alike = |point: &usize| {
        let ttl = ttl_of(reset, *point);
        let mut others = way.segments.iter().filter(|it| !is_reset(&it.segment));
        ttl.is_some() && others.any(|it| ttl_of(it, *point) == ttl)
    };
    reset.at.keys().any(is_alike)
}

fn reset_before_fin(known: &Known<'_>, reset: &Passed) -> Verdict {
    let is_client = reset.segment.source == known.connection.client;
    let way = if is_client { &known.ways.requests } else { &known.ways.replies };
    let points = in_order(way, reset);
    let first = points.first().map_or("?", |point| known.name(*point));
    let whose = if is_client { "client" } else { "server" };
    let is_seen_first = points.first() == way.points.first();
    if is_client && (is_seen_first || is_as_far(known, way, reset)) {
        let as_all = if is_seen_first {
            format!("it was seen first at {first}, as all of the client's packets")
        } else {
            format!("its TTL at {first} is that of the client's other packets")
        };
        let text = format!(
            "The connection was established, all data was acknowledged, and a RST with the client's address ended it \
             before any FIN, as monitors and some programs do; {as_all}"
        );
        return Verdict::open(
            known.sentence(text, first_rows(reset)),
            "nothing, if the client is such a program; else the client's own log",
        );
    }
    let text = format!(
        "The connection was established, all data was acknowledged, and a RST with the {whose}'s address ended it \
         before any FIN; it was seen first at {first}"
    );
    Verdict::open(
        known.sentence(text, first_rows(reset)),
        format!(
            "whether the {whose} itself sent it: a capture on the {whose} over the same time, and the idle \
             timeouts of what is between"
        ),
    )
    .possible(&[cause::CONNECTION_RESET, cause::FLOW_EXPIRED, cause::RESET_TO_SERVER])
}

/// A service that took the connection and said nothing.
fn unanswered(known: &Known<'_>, fin: Option<&Passed>) -> Option<Verdict> {
    let (requests, replies) = (&known.ways.requests, &known.ways.replies);
    let is_closed_by_server = replies.find_with(Flags::FIN).is_some();
    let has_asked = requests.bytes() > 0;
    if replies.bytes() > 0 || !(has_asked || is_closed_by_server) {
        return None;
    }
    let is_client_first = requests.find_with(Flags::FIN).is_some_and(|own| {
        replies.find_with(Flags::FIN).is_none_or(|other| later(known, own, other).is_some())
    });
    if !has_asked && is_client_first {
        return None;
    }
    let how = if fin.is_some() { "closed" } else { "open until the captures end" };
    let text = format!(
        "The network carried all packets; the service sent no data, and the connection is {how}"
    );
    Some(
        Verdict::open(known.sentence(text, []), "the log of the service at this time").possible(&[
            cause::CLIENT_UNKNOWN,
            cause::SECRET_MISMATCH,
            cause::SOURCE_TRANSLATED,
        ]),
    )
}

/// Whether a point saw all that the client sent: it is the client's own, or no router was between.
fn is_at_client(known: &Known<'_>, point: usize) -> bool {
    let way = &known.ways.requests;
    let has_full_ttl = || {
        let mut rows = way.segments.iter().flat_map(|it| rows_at(known.trace, it, point));
        rows.any(|row| {
            row.packet.inner.is_empty()
                && tunnel::ttl(row).is_some_and(|it| FULL_TTLS.contains(&it))
        })
    };
    known.has_role(point, Role::ClientSide) || has_full_ttl()
}

fn healthy(known: &Known<'_>, syn_ack: &Passed, fin: Option<&Passed>) -> Verdict {
    if fin.is_none() && !known.ways.requests.points.iter().any(|it| is_at_client(known, *it)) {
        let text = "The connection was established, and nothing is missing of it at these points; it is open when \
                    the captures end, and none of them is at the client: what it sent later and did not come this \
                    far is not in them";
        let next = "a capture on the client over the same time";
        return Verdict::absent(known.sentence(text, first_rows(syn_ack)), next);
    }
    let end = if fin.is_some() { "" } else { "; it is open when the captures end" };
    let text = format!(
        "The client acknowledged the answers of {} and so got them, and all data of both sides was acknowledged; \
         nothing was lost between points that saw it{end}",
        known.connection.server
    );
    Verdict::healthy(known.sentence(text, first_rows(syn_ack)))
}
