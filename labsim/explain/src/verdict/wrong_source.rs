//! Answers from another address than the client had asked.

use super::{Verdict, other_source};
use crate::connection::{self, Connection};
use crate::known::Known;
use crate::story::has;
use crate::trace::Role;
use crate::tunnel;
use labsim_codes::cause;
use labsim_wire::tcp::Flags;

/// The answer came from another address than the client had asked, and the client could not take it.
pub(super) fn wrong_source(known: &Known<'_>) -> Option<Verdict> {
    let connection = known.connection;
    let syn = known.ways.requests.find(Flags::SYN)?;
    if known.ways.replies.find(Flags::SYN.with(Flags::ACK)).is_some() {
        return None;
    }
    if known.got_answer() {
        // The client took an answer, though the captures lack it.
        return None;
    }
    let other = known.siblings.iter().find(|it| it.client == connection.client)?;
    let is_syn_ack =
        |index: &&usize| has(known, **index, Flags::SYN) && has(known, **index, Flags::ACK);
    let answers: Vec<usize> = other.replies.iter().filter(is_syn_ack).copied().collect();
    let refused = answers.iter().find_map(|answer| {
        let point = known.row(*answer)?.point;
        let syn_row = *syn.at.get(&point)?.first()?;
        let given = known.trace.points.get(point)?.given == Some(Role::ClientSide);
        let reset = reset_by_client(known, other, point, syn_row);
        // A load balancer would have translated the answer before the client got it.
        (given || reset.is_some()).then_some((*answer, syn_row, reset))
    });
    let (answer, syn_row, reset) = refused?;
    let is_translated = tunnel::is_translated(known.trace, connection, other);
    let is_port = other.server.ip() == connection.server.ip();
    let translated = if is_port { cause::PORT_DIFFERS } else { cause::DESTINATION_TRANSLATED };
    let (code, possible) = if is_translated {
        (translated, Vec::new())
    } else {
        (cause::WRONG_REPLY_SOURCE, vec![translated])
    };
    let after = if reset.is_some() { ", and the client reset it" } else { "" };
    let text = other_source(connection.server, other.server, after);
    let mut because = vec![known.sentence(text, [syn_row, answer].into_iter().chain(reset))];
    if is_translated {
        let row = other.requests.iter().copied().find(|index| has(known, *index, Flags::SYN));
        because.push(known.sentence(
            format!(
                "The same SYN was seen on its way to {}: its destination was translated",
                other.server
            ),
            row,
        ));
    }
    Some(Verdict::shown(code, possible, because))
}

/// The client's RST to who answered in place of the server, from as far away as another of its packets.
pub(super) fn reset_by_client(
    known: &Known<'_>,
    other: &Connection,
    point: usize,
    own: usize,
) -> Option<usize> {
    let distance = known.row(own).and_then(tunnel::ttl)?;
    other.requests.iter().copied().find(|index| {
        known.row(*index).is_some_and(|row| {
            row.point == point
                && connection::has(row, Flags::RST)
                && tunnel::ttl(row) == Some(distance)
                && row.packet.inner.is_empty()
        })
    })
}
