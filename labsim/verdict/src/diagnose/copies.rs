//! Tells the sendings of one packet apart, and the rounds that one of them made.
//!
//! Each copy has an IP identification of its own where the sender gives it one; Linux gives a
//! SYN-ACK and an unconnected UDP socket's datagrams 0 (RFC 6864 allows it as they have DF). So
//! the way tells more: a packet passes a place once. One that is seen there again with the same
//! TTL was sent again; with a lower TTL it came round. In a tunnel the inner TTL decreases from round
//! to round, and only if the tunnel packet itself goes round, the outer one.

use crate::frames::{Frame, Frames};
use crate::messages::{list, times};
use crate::observe::PointId;
use labsim_scenario::model::{Direction, NodeName};
use std::collections::BTreeMap;
use std::fmt;

/// Nodes of a loop that are named at most.
const NAMED: usize = 6;

/// The TTL or hop limit of the innermost header, and that of the outermost.
type Ttls = (u8, u8);

/// Where a packet was seen.
pub(crate) type Place = (PointId, bool);

/// One sending of a packet.
#[derive(Debug, Default)]
pub(crate) struct Copy {
    /// Its frames, in time's order.
    pub(crate) frames: Vec<usize>,
    /// By place and number of IP headers: how often it was seen there, and its last TTL.
    visits: BTreeMap<(Place, usize), (u64, Ttls)>,
    /// How many frames there are before the first that came round.
    pub(crate) before_rounds: Option<usize>,
    /// The TTL at the place that it came round to first, before and in the end.
    ttl: Option<((Place, usize), Ttls, Ttls)>,
}

/// How often a packet went round, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rounds {
    /// The nodes that it passed more than once.
    pub nodes: Vec<NodeName>,
    /// How often it came back to the place where it first did.
    pub times: u64,
    /// Its TTL there the first time.
    pub first_ttl: u8,
    /// Its TTL there the last time.
    pub last_ttl: u8,
}

impl fmt::Display for Rounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes: Vec<&str> = self.nodes.iter().take(NAMED).map(NodeName::as_str).collect();
        let (nodes, more) = match self.nodes.len() > NAMED {
            true => (nodes.join(", "), " and others"),
            false => (list(&nodes), ""),
        };
        write!(
            f,
            "looped {} between {}{more}, its TTL decreasing from {} to {}",
            times(self.times),
            nodes,
            self.first_ttl,
            self.last_ttl
        )
    }
}

impl Copy {
    /// Whether the frame is this sending's.
    fn fits(&self, at: (Place, usize), ttl: Ttls) -> bool {
        self.visits.get(&at).is_none_or(|(_, before)| ttl < *before)
    }

    fn add(&mut self, index: usize, at: (Place, usize), ttl: Ttls) {
        if let Some((_, before)) = self.visits.get(&at) {
            self.before_rounds.get_or_insert(self.frames.len());
            self.ttl.get_or_insert((at, *before, ttl));
        }
        if let Some((round, _, last)) = &mut self.ttl
            && *round == at
        {
            *last = ttl;
        }
        let visits = self.visits.entry(at).or_default();
        *visits = (visits.0 + 1, ttl);
        self.frames.push(index);
    }

    /// How many places it was seen at, however often.
    pub(crate) fn places(&self) -> usize {
        self.visits.len()
    }

    pub(crate) fn was_at(&self, place: Place) -> bool {
        self.visits.keys().any(|(visited, _)| *visited == place)
    }

    /// The rounds that it made, if it did.
    pub(crate) fn rounds(&self, frames: &Frames<'_>) -> Option<Rounds> {
        let (place, first, last) = self.ttl?;
        let (first_ttl, last_ttl) =
            if first.0 == last.0 { (first.1, last.1) } else { (first.0, last.0) };
        let times = self.visits.get(&place).map_or(0, |(visits, _)| visits.saturating_sub(1));
        let mut nodes: Vec<NodeName> = Vec::new();
        for frame in self.frames.iter().filter_map(|index| frames.get(*index)) {
            let often = self.visits.get(&at(&frame)).is_some_and(|(visits, _)| *visits > 1);
            if let Some(node) = frames.node(&frame)
                && often
                && !nodes.contains(node)
            {
                nodes.push(node.clone());
            }
        }
        Some(Rounds { nodes, times, first_ttl, last_ttl })
    }
}

/// Where a frame was seen.
pub(crate) fn place(frame: &Frame<'_>) -> Place {
    (frame.record.point, frame.record.direction == Direction::Out)
}

fn at(frame: &Frame<'_>) -> (Place, usize) {
    let headers = frame.decoded.packet().map_or(0, |packet| packet.headers().count());
    (place(frame), headers)
}

/// The sendings that frames of one packet with one IP identification are of, in time's order.
pub(crate) fn split(all: &Frames<'_>, frames: &[usize]) -> Vec<Copy> {
    let mut copies: Vec<Copy> = Vec::new();
    for frame in frames.iter().filter_map(|index| all.get(*index)) {
        let ttls = frame.decoded.packet().map(|it| (it.innermost().ttl, it.outermost.ttl));
        let (at, ttl) = (at(&frame), ttls.unwrap_or_default());
        match copies.last_mut() {
            Some(copy) if copy.fits(at, ttl) => copy.add(frame.index, at, ttl),
            _ => {
                let mut copy = Copy::default();
                copy.add(frame.index, at, ttl);
                copies.push(copy);
            }
        }
    }
    copies
}
