//! TCP segments that say nothing new at a point, since a timer had them sent again.
//!
//! A segment that is sent again need not be the one that it repeats: TCP may send two together, or
//! a FIN with the data before it (RFC 9293, section 3.8.1).

use crate::frames::Frame;
use labsim_scenario::model::Direction;
use labsim_wire::decode::Flow;
use labsim_wire::tcp::Flags;
use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;

/// The least time after which a timer sends a packet again: Linux's least retransmission timeout
/// is 200 ms, and labs hold tail loss probes back. A copy that comes sooner is a copy.
const AGAIN_NS: u64 = 100_000_000;

/// The ways of a run's flows in which a timer had something sent again, wherever that was seen:
/// with Direct Server Return, no point of a load balancer sees what an answer is about.
#[derive(Debug, Default)]
pub(super) struct Repeated {
    flows: HashSet<Flow>,
    senders: HashSet<SocketAddr>,
}

impl Repeated {
    /// Whether it is sent to who sent something again.
    fn has_answer(&self, flow: Flow) -> bool {
        self.senders.contains(&flow.destination)
    }

    /// How long after a packet its like is a timer's. Where a timer is known to have sent again,
    /// copies may come together: a machine that stands still holds the first one up. What is of
    /// no flow, such as an ICMP error, may be about any of them.
    pub(super) fn least_wait_ns(&self, flow: Option<Flow>) -> u64 {
        let may_be = match flow {
            Some(flow) => self.flows.contains(&flow) || self.has_answer(flow),
            None => !self.flows.is_empty(),
        };
        if may_be { 0 } else { AGAIN_NS }
    }
}

impl FromIterator<Flow> for Repeated {
    fn from_iter<I: IntoIterator<Item = Flow>>(flows: I) -> Self {
        let flows: HashSet<Flow> = flows.into_iter().collect();
        Self { senders: flows.iter().map(|flow| flow.source).collect(), flows }
    }
}

/// What was sent at a point so far.
#[derive(Debug, Default)]
pub(super) struct Retransmissions {
    sent: HashMap<Way, Sent>,
    /// What was reset.
    reset: HashSet<Way>,
}

/// One way of a flow, out of a point or into it: a packet in a tunnel passes a load balancer's
/// interface twice.
type Way = (Direction, Flow);

/// What one way of a flow has sent.
#[derive(Debug, Default)]
struct Sent {
    ranges: Vec<Range>,
    /// The greatest end of a range.
    end: u32,
}

/// Sequence numbers from `start` to before `end`, relative to the flow's first.
#[derive(Debug, Clone, Copy)]
struct Range {
    start: u32,
    end: u32,
    time_ns: u64,
}

impl Retransmissions {
    /// Takes the next frame of the point, and tells whether a timer is why it was sent: all that
    /// it carries was seen before, or it is one more reset that answers such a segment.
    pub(super) fn is_one(&mut self, frame: &Frame<'_>, repeated: &Repeated) -> bool {
        let Some(flow) = frame.flow() else { return false };
        if frame.decoded.tcp().is_some_and(|tcp| tcp.flags.contains(Flags::RST)) {
            let is_first = self.reset.insert((frame.record.direction, flow));
            return !is_first && repeated.has_answer(flow);
        }
        let (Some(tcp), Some(start)) = (frame.decoded.tcp(), frame.relative.sequence) else {
            return false;
        };
        let control = [Flags::SYN, Flags::FIN].map(|flag| u32::from(tcp.flags.contains(flag)));
        let length = tcp.payload.saturating_add(control[0] + control[1]);
        if length == 0 {
            return false;
        }
        let time_ns = frame.record.time_ns;
        let range = Range { start, end: start.saturating_add(length), time_ns };
        let sent = self.sent.entry((frame.record.direction, flow)).or_default();
        let is_one = sent.has(range, repeated.least_wait_ns(Some(flow)));
        sent.ranges.push(range);
        sent.end = sent.end.max(range.end);
        is_one
    }
}

impl Sent {
    /// Whether everything in a range was sent, each part so long ago.
    fn has(&self, range: Range, wait_ns: u64) -> bool {
        if range.end > self.end {
            return false;
        }
        let is_old = |it: &&Range| range.time_ns.saturating_sub(it.time_ns) >= wait_ns;
        let mut end = range.end;
        while end > range.start {
            let ends_there = |it: &&Range| it.start < end && it.end >= end;
            let starts = self.ranges.iter().filter(is_old).filter(ends_there).map(|it| it.start);
            let Some(start) = starts.min() else { return false };
            end = start;
        }
        true
    }
}
