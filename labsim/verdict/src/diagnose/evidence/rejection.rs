//! Packets that a filter refuses with an ICMP error or a reset in the destination's name.

use super::tunnel::protocol_name;
use super::{Found, at_first_place, filter};
use crate::diagnose::{Cause, Subject, Trace, fix};
use crate::messages::times;
use labsim_codes::cause;
use labsim_scenario::model::{Direction, NodeName};
use labsim_wire::protocol;

/// ICMP errors that only a filter sends: prohibited ones; port unreachable from a node that does not
/// have the destination, about TCP, or where a socket takes the packet.
pub(super) fn by_icmp(found: &Found<'_, '_>) -> Vec<Cause> {
    let subject = found.subject;
    let rejected = found.errors.iter().filter_map(|error| {
        let node = error.sender?;
        let asked = error.quoted.flow()?;
        let state = subject.state(node);
        let is_end = subject.holds(node, asked.destination.ip());
        // The socket may have come later than the packet: only where a filter is, too.
        let takes = state.is_some_and(|it| {
            let mut chains =
                ["prerouting", "input"].into_iter().flat_map(|it_at| it.filters_at(it_at));
            it.sockets_for(asked.protocol, asked.destination).next().is_some()
                && chains.any(|chain| chain.may_drop())
        });
        let is_tcp = asked.protocol == protocol::TCP;
        let by_filter = error.is_prohibited()
            || error.is_port_unreachable()
                && error.quoted.outer().is_none()
                && asked.protocol == subject.flow.protocol
                && (!is_end || is_tcp || takes);
        if !by_filter || subject.has_forwarder(node) {
            return None;
        }
        let number = at_first_place(subject, &error.frames);
        let (name, carried) = (error.name(), protocol_name(error.quoted.outermost.protocol));
        let (from, to) = (asked.source, asked.destination);
        let sentence = format!(
            "{node} refused {carried} packets from {from} to {to} by {name} ({}): a filter there \
             rejects them",
            times(number)
        );
        let fix = fix::protocol(subject, node, error.quoted.outermost.protocol);
        let cause = Cause::new(cause::PROTOCOL_FILTERED, sentence, fix).at(node);
        Some(subject.shown(cause.packets(number), &error.frames))
    });
    rejected.collect()
}

/// A reset for a SYN at a node where a socket takes the connection and whose kernel did not deliver
/// the packet: a filter sent it (`reject with tcp reset`).
pub(super) fn by_reset(subject: &Subject<'_>, trace: &Trace) -> Option<Cause> {
    let node = &trace.last_node;
    let resets = own_resets(subject, node);
    let first = subject.frame(*resets.first()?)?;
    let asked = first.flow()?.source;
    let listens = subject.state(node)?.sockets_for(subject.flow.protocol, asked).next().is_some();
    let (missing, counters) = filter::unexplained(subject, node, asked.is_ipv4())?;
    if !listens || missing == 0 {
        return None;
    }
    let number = at_first_place(subject, &resets);
    let sentence = format!(
        "{node} reset the connection to {asked} ({number} RST), and its kernel did not deliver the \
         packets to the socket that listens there: a filter rejects them"
    );
    let fix = fix::protocol(subject, node, subject.flow.protocol);
    let mut cause = Cause::new(cause::PROTOCOL_FILTERED, sentence, fix).at(node).packets(number);
    cause.counters = counters;
    Some(subject.shown(cause, &resets))
}

/// The resets that a node sent to the client; none if some came in there, which it sent on.
pub(super) fn own_resets(subject: &Subject<'_>, node: &NodeName) -> Vec<usize> {
    let resets = |direction| {
        let mut resets = subject.seen_at(&subject.back, node, direction);
        resets.retain(|index| subject.is_reset(*index));
        resets
    };
    if resets(Direction::In).is_empty() { resets(Direction::Out) } else { Vec::new() }
}
