//! A point's frames, parted into streams whose order is no matter of timing.
//!
//! One way of one flow is a stream, at each point and in each direction. What belongs to no flow,
//! such as ICMP, is a stream of its own each. Streams of one name differ in what is not
//! compared, such as ports that were picked for them, and may come in any order.

use super::canonical::{Fields, Reading};
use crate::frames::Frame;
use crate::neighbourhood;
use crate::observe::PointId;
use crate::words::way;
use labsim_wire::arp;
use labsim_wire::decode::{Content, Flow, payload};
use labsim_wire::tcp::Flags;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::Ipv4Addr;

/// A timer sends a packet again no sooner: Linux's least retransmission timeout is 200 ms, and
/// labs hold tail loss probes back. A copy that comes sooner is a copy.
const AGAIN_NS: u64 = 100_000_000;

/// A frame in a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    /// Its place among the run's frames.
    pub(super) index: usize,
    pub(super) fields: Fields,
    /// Of a TCP segment what it acknowledges, and whether that is all that it does.
    acknowledges: Option<(u32, bool)>,
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
            if before.is_some_and(|it| is_arp || time_ns.saturating_sub(it) >= AGAIN_NS) {
                streams.repeats += usize::from(!is_arp);
                streams.upkeep += usize::from(is_arp);
                continue;
            }
            let seen = Seen { index: frame.index, fields, acknowledges: acknowledges(&frame) };
            let own = streams.named.entry(name).or_default();
            match in_flow.and_then(|place| own.get_mut(place)) {
                Some(stream) => stream.push(seen),
                None => own.push(vec![seen]),
            }
        }
        for stream in streams.named.values_mut().flatten() {
            streams.spare += drop_spare_acknowledgements(stream);
        }
        streams
    }

    /// How many are not compared, because a timer decides them.
    pub(super) fn aside(&self) -> usize {
        self.repeats + self.upkeep + self.spare
    }
}

/// Leaves out acknowledgements of data that another segment, or a later one, makes as well.
fn drop_spare_acknowledgements(stream: &mut Vec<Seen>) -> usize {
    let with_more = stream.iter().filter_map(|seen| seen.acknowledges.filter(|(_, alone)| !alone));
    let mut made = with_more.map(|(number, _)| number).max().unwrap_or(0);
    let before = stream.len();
    stream.reverse();
    stream.retain(|seen| {
        let Some((number, true)) = seen.acknowledges else { return true };
        // 1 acknowledges the SYN alone, and a handshake's end is no matter of timing.
        let spare = number > 1 && number <= made;
        made = made.max(number);
        !spare
    });
    stream.reverse();
    before - stream.len()
}

fn acknowledges(frame: &Frame<'_>) -> Option<(u32, bool)> {
    let tcp = frame.decoded.tcp()?;
    let number = frame.relative.acknowledgement?;
    Some((number, tcp.flags == Flags::ACK && tcp.payload == 0))
}

/// The stream's name, which others may have that differ in what is not compared.
fn name(reading: &Reading<'_>, frame: &Frame<'_>) -> String {
    let way = way(frame.record.direction);
    let Some(flow) = frame.flow() else { return format!("~{way}") };
    let [source, destination] = [flow.source, flow.destination].map(|end| {
        let port = reading.services.shown(flow.protocol, end.port());
        format!("{} {port}", reading.address(end.ip()))
    });
    format!("{way} {} {source} > {destination}", flow.protocol)
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
        _ => neighbourhood::message(frame.decoded).is_some(),
    }
}
