//! Looks for what shows why packets did not arrive: counters, ICMP errors, RSTs, answers, state.
//!
//! Causes are in the order in which the packets met them. What is only how another cause shows
//! itself, an ICMP error, a RST, a reply that is lost, is a cause only where nothing shows
//! more.

mod answers;
mod balancer;
mod bypass;
mod delivery;
mod failover;
mod filter;
mod flow_moves;
mod fragments;
mod icmp;
mod late;
mod links;
mod marks;
mod mtu;
mod neighbours;
mod one_port;
mod rejection;
pub(super) mod sending;
mod server;
mod ttl;
mod tunnel;

pub use filter::named_drops;

pub(super) use balancer::lingering_flows;
pub(super) use one_port::one_flow;

use super::{Cause, Fix, Subject, Trace, fix};
use crate::frames::Frame;
use icmp::IcmpError;
use labsim_codes::cause;
use labsim_scenario::model::{Direction, LoginResult, NodeName};

/// What several rules look at.
struct Found<'s, 'a> {
    subject: &'s Subject<'a>,
    /// ICMP errors about the packets.
    errors: Vec<IcmpError<'a>>,
}

/// Everything that shows something, in the order in which the packets met it.
pub(super) fn collect(
    subject: &Subject<'_>,
    forward: Option<&Trace>,
    back: Option<&Trace>,
) -> Vec<Cause> {
    let found = Found { subject, errors: icmp::errors(subject) };
    let mut causes = Vec::new();
    causes.extend(neighbours::server_answers_for_vip(subject));
    if causes.is_empty() {
        causes.extend(bypass::balancer_bypassed(subject));
    }
    causes.extend(answers::other_sources(subject));
    causes.extend(server::source_translated(subject, None));
    if subject.attempt.result == LoginResult::Pass {
        causes.extend(sent_again(subject, forward, back));
    } else {
        lost_packets(&found, forward, back, &mut causes);
        causes.extend(answers::untranslated_ports(subject));
        causes.extend(server::logged(subject));
        causes.extend(marks::changed(subject));
        causes.extend(balancer::reset_on_timeout(subject));
        causes.extend(flow_moves::moved(subject));
        if causes.is_empty() {
            causes.extend(answers::unreachable_ports(&found));
            causes.extend(sending::nothing_sent(subject, forward, back));
            causes.extend(late::reply(subject));
        }
        if causes.is_empty() {
            consequences(&found, back, &mut causes);
        }
    }
    let looped = forward.is_some_and(|trace| trace.rounds.is_some());
    drop_consequences(&mut causes, looped);
    // By the first frame that shows each: a cause that no frame shows comes last.
    causes.sort_by_key(|cause| cause.frames.lines.first().map_or(usize::MAX, |line| line.index));
    let mut distinct: Vec<Cause> = Vec::new();
    for cause in causes {
        let by_source = cause.code == cause::WRONG_REPLY_SOURCE;
        if by_source || !distinct.iter().any(|known| known.is_like(&cause)) {
            distinct.push(cause);
        }
    }
    for cause in &mut distinct {
        if let Some(node) = &cause.node {
            let fix = std::mem::take(&mut cause.fix);
            cause.fix = fix::or_without_changes(fix, subject, cause.code, node);
        }
    }
    distinct.extend(balancer::monitor_blind(subject, &distinct));
    distinct
}

/// Why packets of either way did not get further.
fn lost_packets(
    found: &Found<'_, '_>,
    forward: Option<&Trace>,
    back: Option<&Trace>,
    causes: &mut Vec<Cause>,
) {
    let subject = found.subject;
    let refused = rejection::by_icmp(found);
    let fragments = fragments::later_lost(found).or_else(|| fragments::all_lost(found));
    let (rejected, by_fragments) = (!refused.is_empty(), fragments.is_some());
    causes.extend(refused);
    causes.extend(fragments);
    for (trace, is_back) in [(forward, false), (back, true)] {
        let Some(trace) = trace else { continue };
        let sent_on = delivery::sent_on(subject, trace).filter(|_| !is_back);
        let mut here: Vec<Cause> =
            sent_on.or_else(|| routing_loop(subject, trace)).into_iter().collect();
        here.extend(links::lost(subject, trace));
        here.extend(links::down(subject, trace));
        if !here.is_empty() {
            here.extend(balancer::member_removed(subject, trace));
        }
        let not_serving = match trace.last_direction {
            Direction::In => failover::not_serving(subject, trace),
            Direction::Out => None,
        };
        if let Some(not_serving) = not_serving {
            here.push(not_serving);
        } else if rejected {
            // What was refused is not lost.
        } else if trace.last_direction == Direction::In && !arrived(subject, trace, is_back) {
            here.extend(tunnel::not_decapsulated(found, trace));
            here.extend(mtu::too_long(found, trace, is_back));
            here.extend(delivery::at_last_node(found, trace));
            match ttl::expired(found, trace) {
                Some(expired) => here.push(expired),
                None => here.extend(balancer::dropped(subject, trace)),
            }
            here.extend(neighbours::silent(found, &trace.last_node));
            if here.is_empty() && !by_fragments {
                let reset = rejection::by_reset(subject, trace).filter(|_| !is_back);
                here.extend(reset.or_else(|| filter::dropped(found, trace, is_back)));
            }
        }
        if here.is_empty() && arrived(subject, trace, is_back) {
            here.extend(filter::dropped(found, trace, is_back));
        }
        causes.extend(here);
    }
    if causes.is_empty() && subject.attempt.result == LoginResult::Timeout {
        causes.extend(sent_again(subject, forward, back));
    }
}

/// The links that lost packets of either way which got through when they were sent again.
fn sent_again(subject: &Subject<'_>, forward: Option<&Trace>, back: Option<&Trace>) -> Vec<Cause> {
    let traces = [forward, back].into_iter().flatten();
    traces.filter_map(|trace| links::lost_before_retransmission(subject, trace)).collect()
}

/// Whether the way ends at the client, or at a node that answered the packet.
fn arrived(subject: &Subject<'_>, trace: &Trace, is_back: bool) -> bool {
    is_back && trace.last_node == *subject.client && !trace.others_got_further
}

/// What tells that something went wrong, and not what did.
fn consequences(found: &Found<'_, '_>, back: Option<&Trace>, causes: &mut Vec<Cause>) {
    let subject = found.subject;
    causes.extend(found.errors.iter().filter_map(|error| error.cause(subject)));
    causes.extend(answers::resets(subject));
    causes.extend(answers::foreign_resets(subject));
    causes.extend(back.and_then(|trace| answers::answers_lost(subject, trace)));
}

/// Takes out what follows from another of the causes.
fn drop_consequences(causes: &mut Vec<Cause>, looped: bool) {
    let has = |code| causes.iter().any(|cause: &Cause| cause.code == code);
    // The client's RSTs for replies from another port meet no virtual server.
    let of_replies = has(cause::PORT_DIFFERS)
        || has(cause::DESTINATION_TRANSLATED)
        || has(cause::WRONG_REPLY_SOURCE)
        || has(cause::REPLY_FROM_OTHER_ADDRESS);
    let of_marks = has(cause::MARK_CHANGED);
    let translated = has(cause::SOURCE_TRANSLATED);
    causes.retain(|cause| {
        !(of_replies && cause.code == cause::FORWARDER_DROPPED
            || of_marks
                && [cause::WRONG_REPLY_SOURCE, cause::REPLY_FROM_OTHER_ADDRESS]
                    .contains(&cause.code)
            || translated && cause.code == cause::CLIENT_UNKNOWN
            // That is how a loop ends.
            || looped && cause.counters.contains_key("ttl_exceeded"))
    });
}

/// A packet that came back to where it had been, with a lower TTL.
fn routing_loop(subject: &Subject<'_>, trace: &Trace) -> Option<Cause> {
    let rounds = trace.rounds.as_ref()?;
    let destination = subject.packet(trace.last)?.outermost.destination;
    let sentence = format!("a packet for {destination} {rounds}: none of them delivers it");
    let fix = fix::tunnel_profile(Fix::new(cause::ROUTING_LOOP.remedy()), subject);
    let mut cause = Cause::new(cause::ROUTING_LOOP, sentence, fix).packets(rounds.times);
    // Who should have delivered it: the load balancer, or the last one in the loop.
    let balancers = &subject.context.scenario.load_balancers;
    let nodes = &rounds.nodes;
    let by = nodes.iter().find(|node| balancers.contains_key(*node)).or(nodes.last());
    cause.node = by.cloned();
    Some(cause.shown_by(trace.frames.clone()))
}

/// The node that sent a frame, if this is where it did.
fn sender<'a>(subject: &Subject<'a>, frame: &Frame<'_>) -> Option<&'a NodeName> {
    let node = subject.at(frame)?;
    (frame.record.direction == Direction::Out).then_some(node)
}

fn came_in_at_client(subject: &Subject<'_>, index: usize) -> bool {
    subject.frame(index).is_some_and(|frame| {
        frame.record.direction == Direction::In && subject.at(&frame) == Some(subject.client)
    })
}

/// How many of `frames` were seen where the first was seen first: how many packets were sent.
fn at_first_place(subject: &Subject<'_>, frames: &[usize]) -> u64 {
    let all: Vec<Frame<'_>> = frames.iter().filter_map(|index| subject.frame(*index)).collect();
    let Some(first) = all.first() else { return 0 };
    all.iter()
        .filter(|frame| {
            frame.record.point == first.record.point
                && frame.record.direction == first.record.direction
        })
        .count() as u64
}

/// `rs2:eth0 out`
fn place(subject: &Subject<'_>, frame: &Frame<'_>) -> String {
    let point = subject.context.frames.point_name(frame.record.point);
    format!("{point} {}", frame.record.direction)
}
