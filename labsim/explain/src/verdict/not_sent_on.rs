//! Answers that come in at the host that sent the client's packets on, and do not leave it.

use super::Verdict;
use crate::known::Known;
use crate::story::{first_rows, tries};
use crate::way::Passed;
use labsim_codes::{Code, cause};
use labsim_wire::pcapng::Direction;
use labsim_wire::tcp::Flags;

/// Why a host does not send on an answer whose source is a VIP.
const CAUSES: [Code; 7] = [
    cause::REPLY_SOURCE_FILTERED,
    cause::FORWARDING_OFF,
    cause::HALF_FLOW_FILTERED,
    cause::NO_ROUTE,
    cause::RP_FILTER,
    cause::NEIGHBOUR_SILENT,
    cause::REPLIES_LOST,
];

/// A SYN with ACK that came in at the host that had sent on the SYN, again and again, and did not leave it.
pub(super) fn not_sent_on(known: &Known<'_>, syn_ack: &Passed) -> Option<Verdict> {
    let syn = known.ways.requests.find(Flags::SYN)?;
    let row = stopped_at(known, syn, syn_ack)?;
    if tries(known, syn_ack).max(tries(known, syn)) < 2 {
        return None;
    }
    let name = known.row(row).map_or("?", |row| known.name(row.point));
    let text = format!(
        "The answer came in at {name} and was seen on no way out of this host, which had sent on the client's SYN"
    );
    let because = known.sentence(text, first_rows(syn_ack));
    let next = "on this host: `ip addr`, `sysctl -a` and `ip route`, given as `--linux NODE=FILE` (a source that is \
                its own address needs accept_local 1, and rp_filter a route back), `nstat -az IPReversePathFilter` \
                before and after, and the kernel's log (martian source)";
    // Linux filters by the reverse path of IPv4 alone.
    let is_possible = |it: &Code| *it != cause::RP_FILTER || known.connection.server.is_ipv4();
    let causes: Vec<Code> = CAUSES.into_iter().filter(is_possible).collect();
    Some(Verdict::absent(because, next).possible(&causes))
}

/// The row where the answer came in at such a host.
pub(crate) fn stopped_at(known: &Known<'_>, syn: &Passed, syn_ack: &Passed) -> Option<usize> {
    let mut answers = syn_ack.at.values().flatten().copied();
    answers.find(|came| {
        let host = known.row(*came).and_then(|row| known.host(row.point));
        let has = |passed: &Passed, direction: Direction| {
            let is_there = |row: &usize| host.is_some_and(|it| known.is_at(*row, it, direction));
            passed.at.values().flatten().any(is_there)
        };
        has(syn, Direction::In)
            && has(syn, Direction::Out)
            && host.is_some_and(|it| known.is_at(*came, it, Direction::In))
            && !has(syn_ack, Direction::Out)
    })
}
