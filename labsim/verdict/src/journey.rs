//! The way of one packet, from capture point to capture point, through tunnels and translations.
//!
//! Which frames are one packet is what [`ways`] says; what a segment flooded is left out.

use crate::arp_nd;
use crate::compare::ports::Services;
use crate::diagnose::copies::{Copy, Rounds, split};
use crate::diagnose::trace::{key, name};
use crate::diagnose::{TopicWays, Way, ways};
use crate::frames::{Frame, Frames};
use crate::observe::Observations;
use labsim_scenario::model::{Direction, InterfaceName, NodeName};
use labsim_wire::decode::{Decoded, Flow, Relative};
use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;

/// Places of a journey at most: a packet that goes round, TTL 255, passes a dozen in each round.
const SIGHTINGS: usize = 4096;

/// Where a packet was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// Its frame's place among the capture's, markers among them.
    pub index: usize,
    /// Its frame's number in `capture.pcapng` without markers, from 1, as Wireshark shows it.
    pub number: usize,
    /// Nanoseconds since 1970.
    pub time_ns: u64,
    /// Whose interface it is.
    pub node: NodeName,
    /// The interface.
    pub interface: InterfaceName,
    /// Seen from the node.
    pub direction: Direction,
    /// Its headers there.
    pub decoded: Decoded,
    /// Its TCP numbers, counted from the flow's first ones.
    pub relative: Relative,
    /// Its source and destination port, each if it is a service's and was not picked for one
    /// connection.
    pub ports: [Option<u16>; 2],
}

/// One sending of a packet, from where it was sent to where it was last seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Journey {
    /// Which packet this is: `S seq 0 len 0`, `UDP len 57`.
    pub packet: String,
    /// In time's order, at least one.
    pub sightings: Vec<Sighting>,
    /// The loop that it made, if it came round.
    pub rounds: Option<Rounds>,
}

/// The packets of a run, to be followed.
pub struct Journeys<'a> {
    frames: Frames<'a>,
    services: Services,
    topics: Vec<TopicWays>,
    /// The topic and the way of each frame, by their places.
    ways_of: HashMap<usize, (usize, usize)>,
}

impl<'a> Journeys<'a> {
    /// Reads a run's frames, monitors' probes among them. `balancers` are the nodes whose
    /// translations are followed.
    pub fn new<'b>(
        observations: &'a Observations,
        balancers: impl IntoIterator<Item = &'b NodeName>,
    ) -> Self {
        let balancers: Vec<NodeName> = balancers.into_iter().cloned().collect();
        let frames = Frames::with_probes(&observations.capture, &balancers);
        Self::of(observations, &balancers, frames)
    }

    /// The same without monitors' probes.
    pub fn without_probes<'b>(
        observations: &'a Observations,
        balancers: impl IntoIterator<Item = &'b NodeName>,
    ) -> Self {
        let balancers: Vec<NodeName> = balancers.into_iter().cloned().collect();
        let frames = Frames::new(&observations.capture, &observations.probes, &balancers);
        Self::of(observations, &balancers, frames)
    }

    fn of(observations: &'a Observations, balancers: &[NodeName], frames: Frames<'a>) -> Self {
        let services = Services::of(&frames);
        let topics = ways(&observations.capture, balancers);
        let mut ways_of = HashMap::new();
        for (topic, place) in topics.iter().zip(0..) {
            for (way, number) in topic.ways.iter().zip(0..) {
                ways_of.extend(way.frames.iter().map(|index| (*index, (place, number))));
            }
        }
        Self { frames, services, topics, ways_of }
    }

    /// The journey of the packet that a frame is of; `None` if there is no such frame, or it is a marker.
    /// `index` is its place among the capture's frames.
    #[must_use]
    pub fn of_frame(&self, index: usize) -> Option<Journey> {
        let copy = self.copy(index)?;
        let sightings: Vec<Sighting> =
            copy.frames.iter().take(SIGHTINGS).filter_map(|index| self.sighting(*index)).collect();
        let packet = self.frames.get(index)?;
        let packet = match key(&packet) {
            Some(_) => name(&packet),
            None => packet.decoded.line(None).to_string(),
        };
        Some(Journey { packet, sightings, rounds: copy.rounds(&self.frames) })
    }

    /// The first packet that was sent in a time, as the place of its frame: by the client that had this
    /// address and port, or else the first of a flow that was not there before. What keeps neighbours up
    /// does not count. Times are nanoseconds since 1970.
    #[must_use]
    pub fn first_sent(
        &self,
        client: Option<SocketAddr>,
        from_ns: u64,
        to_ns: u64,
    ) -> Option<usize> {
        let mut before: HashSet<Flow> = HashSet::new();
        let mut first = None;
        for frame in self.frames.all() {
            let Some(flow) = frame.flow() else {
                let is_ip = frame.decoded.packet().is_some()
                    && arp_nd::message(frame.decoded).is_none()
                    && frame.record.direction == Direction::Out;
                let is_then = (from_ns..=to_ns).contains(&frame.record.time_ns);
                if is_ip && is_then && client.is_none() {
                    first.get_or_insert(frame.index);
                }
                continue;
            };
            if frame.record.time_ns < from_ns {
                before.insert(flow);
                before.insert(flow.reversed());
                continue;
            }
            if frame.record.time_ns > to_ns {
                break;
            }
            let fits = match client {
                Some(client) => flow.source == client,
                None => !before.contains(&flow),
            };
            if fits && frame.record.direction == Direction::Out {
                return Some(first.unwrap_or(frame.index));
            }
        }
        first
    }

    /// The first packet that came back to the sender of a frame after it, as the place of its frame: of the
    /// same conversation, an ICMP error about it among them, or else from whomever to the sender's address
    /// and port.
    #[must_use]
    pub fn answer_to(&self, index: usize) -> Option<usize> {
        let flow = self.frames.get(index)?.flow()?;
        let (topic, own) = self.way(index)?;
        let of_topic = topic.ways.iter().filter(|way| way.is_reply != own.is_reply);
        let mut back: Vec<usize> = of_topic.flat_map(|way| way.frames.iter().copied()).collect();
        for to_sender in self.frames.flows_to(flow.protocol, flow.source) {
            back.extend(self.frames.of_flow(to_sender));
        }
        let is_answer = |at: &usize| {
            let sent = self.frames.get(*at).map(|frame| frame.record.direction);
            *at > index && sent == Some(Direction::Out)
        };
        back.into_iter().filter(is_answer).min()
    }

    /// The first sending of each packet of the conversation that a frame is of, by their first frames: of the
    /// frame's direction, and of the other.
    pub(crate) fn first_sendings(&self, index: usize) -> (Vec<usize>, Vec<usize>) {
        let Some((topic, own)) = self.way(index) else { return (vec![index], Vec::new()) };
        let of = |is_reply: bool| {
            let ways = topic.ways.iter().filter(|way| way.is_reply == is_reply && way.sending == 1);
            ways.filter_map(|way| way.frames.first().copied()).collect()
        };
        (of(own.is_reply), of(!own.is_reply))
    }

    /// The frames, and which ports are services.
    pub(crate) fn read(&self) -> (&Frames<'a>, &Services) {
        (&self.frames, &self.services)
    }

    /// The sending that a frame is of, without what a segment flooded.
    fn copy(&self, index: usize) -> Option<Copy> {
        let (_, way) = self.way(index)?;
        let is_own = |at: &usize| {
            *at == index || self.frames.get(*at).is_some_and(|frame| self.frames.is_meant(&frame))
        };
        let own: Vec<usize> = way.frames.iter().copied().filter(is_own).collect();
        split(&self.frames, &own).into_iter().find(|copy| copy.frames.contains(&index))
    }

    /// The way that a frame is on, among those of its topic.
    fn way(&self, index: usize) -> Option<(&TopicWays, &Way)> {
        let (topic, way) = *self.ways_of.get(&index)?;
        let topic = self.topics.get(topic)?;
        Some((topic, topic.ways.get(way)?))
    }

    fn ports(&self, frame: &Frame<'_>) -> [Option<u16>; 2] {
        let Some(flow) = frame.flow() else { return [None; 2] };
        [flow.source, flow.destination]
            .map(|end| Some(end.port()).filter(|port| self.services.has(flow.protocol, *port)))
    }

    fn sighting(&self, index: usize) -> Option<Sighting> {
        let frame = self.frames.get(index)?;
        let point = self.frames.point(frame.record.point)?;
        Some(Sighting {
            index,
            number: frame.number,
            time_ns: frame.record.time_ns,
            node: point.node.clone(),
            interface: point.interface.clone(),
            direction: frame.record.direction,
            decoded: frame.decoded.clone(),
            relative: frame.relative,
            ports: self.ports(&frame),
        })
    }
}
