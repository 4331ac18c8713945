//! A point's frames, parted into streams whose order is no matter of timing.
//!
//! One way of one flow is a stream, at each point and in each direction. What belongs to no flow,
//! such as ICMP, is a stream of its own each. Streams of one name differ in what is not
//! compared, such as ports that were picked for them, and may come in any order.

use super::canonical::{Fields, Reading};
use super::retransmissions::Retransmissions;
use crate::arp_nd;
use crate::frames::Frame;
use crate::observe::PointId;
use crate::overtaking::{self, Segment};
use labsim_wire::arp;
use labsim_wire::decode::{Content, Flow, payload};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::Ipv4Addr;

/// A frame in a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    /// Its place among the run's frames.
    pub(super) index: usize,
    pub(super) fields: Fields,
    segment: Option<Segment>,
    /// Whether a timer decides that it is there.
    pub(super) is_aside: bool,
}

/// The frames of one point.
#[derive(Debug, Default)]
pub(super) struct Streams {
    /// By name; the streams of one name in the order in which they began.
    pub(super) named: BTreeMap<String, Vec<Vec<Seen>>>,
    /// How many frames there are.
    pub(super) frames: usize,
    /// How many were sent again by a timer.
    pub(super) repeats: usize,
    /// The ways of flows that these belong to.
    pub(super) repeated: HashSet<Flow>,
    /// How many keep neighbours up.
    pub(super) upkeep: usize,
    /// How many acknowledge what is acknowledged anyway.
    pub(super) spare: usize,
}

impl Streams {
    /// Parts the frames of a point.
    pub(super) fn at(reading: &Reading<'_>, point: PointId) -> Self {
        let mut streams = Self::default();
        let mut places: HashMap<(String, Flow), usize> = HashMap::new();
        let mut last: HashMap<(String, Option<usize>, Fields), u64> = HashMap::new();
        let mut asked = HashSet::new();
        let mut retransmissions = Retransmissions::default();
        for frame in reading.frames.at(point) {
            streams.frames += 1;
            if upkeep(&frame, &mut asked) {
                streams.upkeep += 1;
                continue;
            }
            let view = reading.frames.view(&frame);
            let bytes = view.and_then(|view| payload(view.link, view.bytes));
            let fields = reading.fields(&frame, bytes);
            let name = name(reading, &frame);
            let in_flow = frame.flow().map(|flow| {
                let own = streams.named.entry(name.clone()).or_default();
                *places.entry((name.clone(), flow)).or_insert_with(|| {
                    own.push(Vec::new());
                    own.len() - 1
                })
            });
            let time_ns = frame.record.time_ns;
            let before = last.insert((name.clone(), in_flow, fields.clone()), time_ns);
            let is_arp = matches!(frame.decoded.content, Content::Arp(_));
            if is_arp && before.is_some() {
                streams.upkeep += 1;
                continue;
            }
            let flow = frame.flow();
            let wait_ns = reading.repeated.least_wait_ns(flow);
            let is_again = before.is_some_and(|it| time_ns.saturating_sub(it) >= wait_ns);
            let is_aside = retransmissions.is_one(&frame, reading.repeated) || is_again;
            if is_aside {
                streams.repeats += 1;
                streams.repeated.extend(flow);
            }
            let seen = Seen { index: frame.index, fields, segment: Segment::of(&frame), is_aside };
            let own = streams.named.entry(name).or_default();
            match in_flow.and_then(|place| own.get_mut(place)) {
                Some(stream) => stream.push(seen),
                None => own.push(vec![seen]),
            }
        }
        for stream in streams.named.values_mut().flatten() {
            overtaking::undo(stream, |seen| seen.segment);
            streams.spare += set_spare_acknowledgements_aside(stream);
        }
        streams
    }

    /// How many a timer decides.
    pub(super) fn aside(&self) -> usize {
        self.repeats + self.upkeep + self.spare
    }
}

/// Sets acknowledgements aside of data that another segment, or a later one, makes as well; tells
/// how many.
fn set_spare_acknowledgements_aside(stream: &mut [Seen]) -> usize {
    let firm = stream.iter().filter(|seen| !seen.is_aside).filter_map(|seen| seen.segment);
    let with_more = firm.filter(|segment| !segment.is_acknowledgement);
    let mut made = with_more.map(|segment| segment.acknowledges).max().unwrap_or(0);
    let mut count = 0;
    for seen in stream.iter_mut().rev().filter(|seen| !seen.is_aside) {
        let Some(segment) = seen.segment.filter(|it| it.is_acknowledgement) else { continue };
        let number = segment.acknowledges;
        // 1 acknowledges the SYN alone, and a handshake's end is no matter of timing.
        seen.is_aside = number > 1 && number <= made;
        made = made.max(number);
        count += usize::from(seen.is_aside);
    }
    count
}

/// The stream's name, which others may have that differ in what is not compared.
fn name(reading: &Reading<'_>, frame: &Frame<'_>) -> String {
    let direction = frame.record.direction;
    let Some(flow) = frame.flow() else { return format!("~{direction}") };
    let [source, destination] = [flow.source, flow.destination].map(|end| {
        let port = reading.services.shown(flow.protocol, end.port());
        format!("{} {port}", reading.address(end.ip()))
    });
    format!("{direction} {} {source} > {destination}", flow.protocol)
}

/// Whether it keeps a neighbour up: a timer's work. `asked` are the addresses that somebody asked
/// everybody for, with who asked.
fn upkeep(frame: &Frame<'_>, asked: &mut HashSet<[Ipv4Addr; 2]>) -> bool {
    match &frame.decoded.content {
        Content::Arp(packet) if packet.operation == arp::operation::REQUEST => {
            let to_all = frame.decoded.link.is_some_and(|link| link.destination.is_multicast());
            if to_all {
                asked.insert([packet.sender_ip, packet.target_ip]);
            }
            !to_all
        }
        Content::Arp(packet) if packet.operation == arp::operation::REPLY => {
            !asked.contains(&[packet.target_ip, packet.sender_ip])
        }
        _ => arp_nd::message(frame.decoded).is_some(),
    }
}
