//! What happened to a connection, in sentences.

use crate::connection::{self, KnownBy, Protocol};
use crate::known::Known;
use crate::sentence::{Sentence, number, seconds};
use crate::sessions::Shared;
use crate::trace::Role;
use crate::tunnel;
use crate::way::{Missing, Passed, Way, is_tunnelled, rows_at};
use labsim_wire::pcapng::Direction;
use labsim_wire::tcp::Flags;
use std::collections::BTreeMap;

/// The story of a connection.
pub(crate) fn of(known: &Known<'_>) -> Vec<Sentence> {
    let mut story = Vec::new();
    let is_tcp = known.connection.protocol == Protocol::Tcp;
    story.push(if is_tcp { beginning(known) } else { asked(known) });
    story.extend(traced(
        known,
        &known.ways.requests,
        ["The one packet of the client", "packets of the client"],
    ));
    story.extend(tunnels(known));
    story.extend(crate::verdict::announced(known));
    story.extend(internal_rows(known));
    story.extend(translations(known));
    story.extend(proxies(known));
    story.extend(routers(known));
    story.extend(answers(known));
    story.extend(traced(known, &known.ways.replies, ["The one answer", "answers"]));
    story.extend(missing(known));
    if is_tcp {
        story.extend(data(known));
        story.extend(end(known));
    }
    story
}

/// The first row of a segment at each point.
pub(crate) fn first_rows(passed: &Passed) -> impl Iterator<Item = usize> {
    passed.at.values().filter_map(|rows| rows.first().copied())
}

fn beginning(known: &Known<'_>) -> Sentence {
    let (client, server) = (known.connection.client, known.connection.server);
    let syn = known.ways.requests.find(Flags::SYN);
    if let Some(syn) = syn {
        let points = in_order(&known.ways.requests, syn);
        let times = tries(known, syn);
        let again = if times > 1 { format!(", sent {times} times") } else { String::new() };
        let text = format!(
            "{client} asked {server} for a connection (SYN{again}), seen at {}",
            known.names(&points)
        );
        return known.sentence(text, first_rows(syn));
    }
    let why = match known.connection.known_by {
        KnownBy::Syn | KnownBy::SynAck => "its SYN with ACK tells who asked",
        KnownBy::Tunnel => "the client is who sends into the tunnel",
        KnownBy::Given => "who asks is known by the VIP that was given",
        KnownBy::Ports | KnownBy::First | KnownBy::Message => {
            "who is the client is a guess by the ports"
        }
    };
    let text = format!("{client} talks to {server}; the captures do not show its SYN, and {why}");
    let first = known.connection.requests.first().or(known.connection.replies.first());
    known.sentence(text, first.copied())
}

/// The beginning of a UDP exchange.
fn asked(known: &Known<'_>) -> Sentence {
    let (client, server) = (known.connection.client, known.connection.server);
    let guess = match known.connection.known_by {
        KnownBy::Ports => "; who asks is a guess by the ports",
        KnownBy::First => "; who asks is a guess: it sent the first packet",
        _ => "",
    };
    let requests = &known.ways.requests;
    let all = requests.segments.len();
    let what = if all == 0 { String::new() } else { format!(" ({})", number(all, "request")) };
    let names = known.names(&requests.points);
    let seen =
        if requests.points.is_empty() { "not seen".to_owned() } else { format!("seen at {names}") };
    let text = format!("{client} asked {server} by UDP{what}, {seen}{guess}");
    known.sentence(text, requests.segments.first().into_iter().flat_map(first_rows))
}

/// How often a segment was sent, as the point tells that saw it most often.
pub(crate) fn tries(known: &Known<'_>, passed: &Passed) -> usize {
    passed.at.keys().map(|point| tries_at(known, passed, *point)).max().unwrap_or(0)
}

/// How often a point saw a segment in one form. What is captured twice has the same identification.
pub(crate) fn tries_at(known: &Known<'_>, passed: &Passed, point: usize) -> usize {
    type Form = (usize, Option<u8>, Option<Direction>);
    let mut forms: BTreeMap<Form, Vec<Option<u16>>> = BTreeMap::new();
    for row in rows_at(known.trace, passed, point) {
        let form = (row.packet.inner.len(), tunnel::ttl(row), row.direction);
        let id = row.packet.innermost().id.filter(|id| *id != 0);
        let ids = forms.entry(form).or_default();
        if id.is_none() || !ids.contains(&id) {
            ids.push(id);
        }
    }
    forms.into_values().map(|ids| ids.len()).max().unwrap_or(0)
}

/// The points that saw a segment, in the order of the way.
pub(crate) fn in_order(way: &Way, passed: &Passed) -> Vec<usize> {
    way.points.iter().copied().filter(|point| passed.at.contains_key(point)).collect()
}

/// How far what was sent came. `one` and `several` of it have these names.
fn traced(known: &Known<'_>, way: &Way, [one, several]: [&str; 2]) -> Option<Sentence> {
    if way.points.len() < 2 || way.segments.is_empty() {
        return None;
    }
    let all = way.segments.len();
    let counts: Vec<usize> = way.points.iter().map(|point| way.count(*point)).collect();
    let text = if counts.iter().all(|count| *count == all) {
        let names = known.names(&way.points);
        let all = if all == 1 { format!("{one} was") } else { format!("All {all} {several} were") };
        format!("{all} seen at all {} points: {names}", counts.len())
    } else {
        let each: Vec<String> = way
            .points
            .iter()
            .zip(&counts)
            .map(|(point, count)| format!("{} saw {count}", known.name(*point)))
            .collect();
        format!("Of {all} different {several} {}", each.join(", "))
    };
    Some(known.sentence(text, []))
}

fn tunnels(known: &Known<'_>) -> Vec<Sentence> {
    let sentence = |it: &tunnel::Tunnel| {
        let whose = if it.source_is_client {
            "the outer source is the client's own address"
        } else {
            "the outer source is not the client's address"
        };
        let (kind, source, destination) = (it.kind, it.source, it.destination);
        let kind = if kind == "tunnel" { "a tunnel".to_owned() } else { kind.to_owned() };
        let place = if it.begins_at.is_empty() {
            format!("At {} the client's packets are in", known.names(&it.points))
        } else {
            let names = known.names(&it.begins_at);
            format!("At {names} the client's packets came in plain and went out in")
        };
        let text = format!("{place} {kind} from {source} to {destination}; {whose}");
        known.sentence(text, it.rows.iter().copied())
    };
    known.tunnels.iter().map(sentence).collect()
}

/// The rows that an F5 shows between its virtual server and its tunnel.
fn internal_rows(known: &Known<'_>) -> Option<Sentence> {
    let is_internal = |passed: &&Passed| {
        passed.at.values().any(|rows| {
            let mut rows = rows.iter().filter_map(|index| known.row(*index));
            let internal = rows.position(|row| row.is_f5_out && !is_tunnelled(row));
            internal.is_some() && rows.any(is_tunnelled)
        })
    };
    let passed = known.ways.requests.segments.iter().find(is_internal)?;
    let row =
        passed.at.values().flatten().copied().find(|index| {
            known.row(*index).is_some_and(|row| row.is_f5_out && !is_tunnelled(row))
        })?;
    let name = known.row(row).map_or("?", |row| known.name(row.point));
    let text = format!(
        "{name} is an F5: between a packet that comes in and the one in the tunnel it shows a row of its own, \
         which was on no wire"
    );
    Some(known.sentence(text, [row]))
}

fn translations(known: &Known<'_>) -> Vec<Sentence> {
    let sentence = |other: &&crate::connection::Connection| {
        if !tunnel::is_translated(known.trace, known.connection, other) {
            return None;
        }
        let what = match (
            other.client == known.connection.client,
            other.server == known.connection.server,
        ) {
            (true, _) => "another destination",
            (_, true) => "another source",
            _ => "other addresses",
        };
        let text = format!(
            "The same SYN (sequence number, window, MSS) was seen with {what}: {} to {}",
            other.client, other.server
        );
        Some(known.sentence(text, other.requests.first().copied()))
    };
    known.siblings.iter().filter_map(sentence).collect()
}

fn proxies(known: &Known<'_>) -> Vec<Sentence> {
    let sentence = |shared: &Shared<'_>| {
        let (session, other) = (shared.session, shared.other);
        let text = format!(
            "The TACACS+ session {session:#010x} of this connection was seen from {} to {} as well, with other numbers of \
             TCP: a proxy is between them, or a device that changes these numbers",
            other.client, other.server
        );
        known.sentence(text, [shared.row])
    };
    known.shared.iter().map(sentence).collect()
}

fn routers(known: &Known<'_>) -> Vec<Sentence> {
    let sentence = |step: &tunnel::Step| {
        let (before, after) = step.ttl;
        let count = before.checked_sub(after)?;
        let (first, second) = (known.name(step.first), known.name(step.second));
        let is_outer = known.row(step.rows.0).is_some_and(is_tunnelled);
        let which = if is_outer { "outer TTL" } else { "TTL" };
        let text = if count == 0 {
            // In a lab there may be many points on one wire.
            return None;
        } else {
            let routers = number(usize::from(count), "router");
            format!(
                "Between {first} and {second} the {which} fell from {before} to {after}: {routers}"
            )
        };
        Some(known.sentence(text, [step.rows.0, step.rows.1]))
    };
    known.steps.iter().filter_map(sentence).collect()
}

fn answers(known: &Known<'_>) -> Option<Sentence> {
    let (way, server) = (&known.ways.replies, known.connection.server);
    if known.connection.replies.is_empty() {
        return Some(known.sentence(
            format!("No answer from {server} was seen at any point; not seen is not the same as not sent"),
            [],
        ));
    }
    let first = way.segments.first();
    let points: Vec<usize> = way.points.clone();
    let past: Vec<usize> = known
        .ways
        .requests
        .points
        .iter()
        .copied()
        .filter(|point| !points.contains(point) && known.has_role(*point, Role::LoadBalancer))
        .collect();
    let by = if past.is_empty() {
        String::new()
    } else {
        let return_way = if known.tunnels.is_empty() { "" } else { ", as in direct server return" };
        format!("; none was seen at {}{return_way}", known.names(&past))
    };
    let text = format!("Answers come from {server}, seen at {}{by}", known.names(&points));
    Some(known.sentence(text, first.into_iter().flat_map(first_rows)))
}

/// Tells of a segment whether what it asks for was acknowledged; `None` if it asks for nothing, or that is not
/// known. Both ways are looked through once.
pub(crate) fn is_acknowledged(way: &Way, back: &Way) -> impl Fn(&Passed) -> Option<bool> + Copy {
    let first = way.segments.iter().find_map(|it| it.segment.sequence);
    let known = first.and_then(|first| Some((first, back.acknowledged(first)?)));
    move |passed| {
        let (first, acknowledged) = known?;
        Some(acknowledged >= crate::way::count(passed.segment.end()?, first))
    }
}

fn missing(known: &Known<'_>) -> Vec<Sentence> {
    let mut sentences = Vec::new();
    let (requests, replies) = (&known.ways.requests, &known.ways.replies);
    for (way, back) in [(requests, replies), (replies, requests)] {
        let mut pairs: BTreeMap<(usize, usize), Vec<Missing>> = BTreeMap::new();
        let is_acknowledged = is_acknowledged(way, back);
        for missing in way.missing() {
            pairs.entry((missing.seen_at, missing.not_at)).or_default().push(missing);
        }
        for ((seen_at, not_at), missing) in pairs {
            let segments = || missing.iter().filter_map(|it| way.segments.get(it.segment));
            let arrived = segments().filter(|it| is_acknowledged(it) == Some(true)).count();
            let rows: Vec<usize> =
                segments().filter_map(|it| it.at.get(&seen_at)?.first().copied()).collect();
            let fate = if arrived == missing.len() {
                "; all of them were acknowledged, so the capture lacks them".to_owned()
            } else if arrived > 0 {
                format!("; {arrived} of them were acknowledged")
            } else {
                String::new()
            };
            let text = format!(
                "{} that {} saw {} not seen at {} between others{fate}",
                number(missing.len(), "packet"),
                known.name(seen_at),
                if missing.len() == 1 { "was" } else { "were" },
                known.name(not_at),
            );
            sentences.push(known.sentence(text, rows));
        }
    }
    sentences
}

fn data(known: &Known<'_>) -> Option<Sentence> {
    let (requests, replies) = (known.ways.requests.bytes(), known.ways.replies.bytes());
    if requests + replies == 0 {
        return None;
    }
    Some(known.sentence(
        format!("The client sent {requests} bytes of data, and was sent {replies} bytes"),
        [],
    ))
}

fn end(known: &Known<'_>) -> Vec<Sentence> {
    let mut sentences = Vec::new();
    let sides = [("The client", &known.ways.requests), ("The server", &known.ways.replies)];
    let fins = sides.map(|(_, way)| way.find_with(Flags::FIN));
    for ((who, _), fin) in sides.iter().zip(&fins) {
        if let Some(fin) = fin {
            sentences.push(known.sentence(format!("{who} closed (FIN)"), first_rows(fin)));
        }
    }
    for (who, way) in &sides {
        let Some(reset) = way.find_with(Flags::RST) else { continue };
        let first = fins.iter().flatten().filter_map(|fin| later(known, fin, reset)).max();
        let when = match first {
            Some(after) => format!(" {} s after a FIN, which is no fault", seconds(after)),
            None => String::new(),
        };
        let cause = first_rows(reset)
            .filter_map(|index| known.row(index)?.reset_cause.as_deref())
            .next()
            .map(|cause| format!("; the F5 says why: {cause}"))
            .unwrap_or_default();
        let sender = if *who == "The client" { "the client's" } else { "the server's" };
        let text = format!("A reset (RST) with {sender} address followed{when}{cause}");
        sentences.push(known.sentence(text, first_rows(reset)));
    }
    sentences
}

/// How long after a segment another one was seen, at a point that saw both in this order.
pub(crate) fn later(known: &Known<'_>, one: &Passed, other: &Passed) -> Option<i64> {
    one.at.iter().find_map(|(point, rows)| {
        let first = rows.first()?;
        let second = other.at.get(point)?.first()?;
        let before = known.row(*first)?.time_ns?;
        let after = known.row(*second)?.time_ns?;
        (first < second).then(|| after.saturating_sub(before))
    })
}

/// Whether a row has a flag.
pub(crate) fn has(known: &Known<'_>, index: usize, flag: Flags) -> bool {
    known.row(index).is_some_and(|row| connection::has(row, flag))
}
