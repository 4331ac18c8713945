//! Looks for what shows why packets did not arrive: counters, ICMP errors, RSTs, answers.

mod answers;
mod counters;
mod icmp;
mod links;
mod neighbours;

use super::{Cause, Evidence, Subject, Trace};
use crate::frames::Frame;
use crate::words::way;
use labsim_scenario::model::{Direction, NodeName};
use std::collections::BTreeSet;

/// Everything that shows something, the likeliest cause first.
pub(super) fn collect(
    subject: &Subject<'_>,
    forward: Option<&Trace>,
    back: Option<&Trace>,
) -> Vec<Evidence> {
    let mut found = Vec::new();
    let traces = || [forward, back].into_iter().flatten();
    found.extend(traces().filter_map(|trace| routing_loop(subject, trace)));
    found.extend(traces().filter_map(|trace| links::lost(subject, trace)));
    for trace in traces().filter(|trace| trace.last_direction == Direction::In) {
        found.extend(counters::at_last_node(subject, trace));
        found.extend(counters::forwarder(subject, trace));
    }
    let last: BTreeSet<_> = traces().map(|trace| trace.last_node.clone()).collect();
    for node in last {
        found.extend(neighbours::silent(subject, &node));
    }
    found.extend(neighbours::passed_by(subject));
    found.extend(answers::untranslated_ports(subject));
    found.extend(icmp::errors(subject));
    found.extend(answers::resets(subject));
    found.extend(answers::foreign_resets(subject));
    found.extend(answers::other_sources(subject));
    found.extend(back.and_then(|trace| answers::answers_lost(subject, trace)));
    found
}

/// A packet that came back to where it had been, with a lower TTL.
fn routing_loop(subject: &Subject<'_>, trace: &Trace) -> Option<Evidence> {
    let rounds = trace.rounds.clone()?;
    let last = subject.case.frames.get(trace.last)?;
    let destination = last.decoded.packet()?.outermost.destination;
    let cause = Cause::RoutingLoop { rounds, destination };
    Some(Evidence { cause, frames: trace.frames.clone() })
}

/// The node that sent a frame, if this is where it did.
fn sender<'a>(subject: &Subject<'a>, frame: &Frame<'_>) -> Option<&'a NodeName> {
    let node = subject.case.frames.node(frame)?;
    (frame.record.direction == Direction::Out).then_some(node)
}

fn came_in_at_client(subject: &Subject<'_>, index: usize) -> bool {
    subject.case.frames.get(index).is_some_and(|frame| {
        frame.record.direction == Direction::In
            && subject.case.frames.node(&frame) == Some(subject.client)
    })
}

/// How many of `frames` were seen where the first was seen first: how many packets were sent.
fn at_first_place(subject: &Subject<'_>, frames: &[usize]) -> u64 {
    let all: Vec<Frame<'_>> =
        frames.iter().filter_map(|index| subject.case.frames.get(*index)).collect();
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
    let point = subject.case.frames.point_name(frame.record.point);
    format!("{point} {}", way(frame.record.direction))
}
