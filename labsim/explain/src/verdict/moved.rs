//! Answers that come from another address in the middle of a connection.

use super::wrong_source::reset_by_client;
use super::{Verdict, other_source};
use crate::connection::{self, Connection};
use crate::known::Known;
use crate::way::{count, is_tunnelled};
use labsim_codes::cause;
use labsim_wire::tcp::Flags;

/// Answers whose number is this far behind the first one at most go on with it, in bytes.
const MOST_BYTES: i64 = 1 << 24;

/// Answers went on from another address than the one that the client had connected to, and it reset them.
pub(super) fn moved(known: &Known<'_>) -> Option<Verdict> {
    let server = known.connection.server;
    let (other, [answer, reset]) =
        known.strays.iter().find_map(|other| Some((other, goes_on(known, other)?)))?;
    let text = other_source(server, other.server, ", and the client reset it");
    let numbers = format!(
        "The answer of {} goes on with the numbers of the connection to {server}, which was established",
        other.server
    );
    let asked = known.connection.requests.first().copied();
    let because = vec![
        known.sentence(text, asked.into_iter().chain([answer, reset])),
        known.sentence(numbers, [answer]),
    ];
    Some(Verdict::shown(cause::WRONG_REPLY_SOURCE, Vec::new(), because))
}

/// An answer of another address with the numbers of this connection, and the client's reset of it.
pub(crate) fn goes_on(known: &Known<'_>, other: &Connection) -> Option<[usize; 2]> {
    let (requests, replies) = (&known.ways.requests, &known.ways.replies);
    let answer = replies.find(Flags::SYN.with(Flags::ACK))?;
    let (first, isn) = (answer.segment.sequence?, known.connection.isn?);
    let sent = requests.segments.iter().filter_map(|it| it.segment.end());
    let sent = sent.map(|end| count(end, isn)).max()?;
    // Who talks on with the other address has a connection with it.
    let is_reset =
        |index: &usize| known.row(*index).is_some_and(|it| connection::has(it, Flags::RST));
    if !other.requests.iter().all(is_reset) {
        return None;
    }
    other.replies.iter().copied().find_map(|index| {
        let row = known.row(index)?;
        if connection::has(row, Flags::SYN) || connection::has(row, Flags::RST) {
            return None;
        }
        let (number, acknowledged) =
            (count(connection::sequence(row)?, first), connection::acknowledgement(row)?);
        if !(1..=MOST_BYTES).contains(&number) || !(1..=sent).contains(&count(acknowledged, isn)) {
            return None;
        }
        let asked = known.connection.requests.iter().copied().find(|it| {
            known.row(*it).is_some_and(|it| it.point == row.point && !is_tunnelled(it))
        })?;
        let reset = reset_by_client(known, other, row.point, asked)?;
        // A reset has the number that the answer acknowledged (RFC 9293, 3.10.7.1).
        let is_of_answer = known.row(reset).and_then(connection::sequence) == Some(acknowledged);
        is_of_answer.then_some([index, reset])
    })
}
