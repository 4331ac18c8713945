//! All frames decoded once, with what the checks ask of them.

mod decoded;
mod groups;

pub(crate) use decoded::FlowId;

use crate::isn::Isns;
use crate::mac_table::MacTable;
use crate::observe::{Capture, FrameRecord, FrameView, Point, PointId, is_probe};
use crate::translate::Translations;
use decoded::{DecodedFrames, Kind};
use groups::Groups;
use labsim_model::ProbeSources;
use labsim_scenario::model::{Direction, NodeName};
use labsim_wire::decode::{Decoded, Flow, Relative};
use labsim_wire::frame_store::StoredFrame;
use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::sync::OnceLock;

/// Frames that a judgement shows at most; the rest is counted.
pub(crate) const SHOWN: usize = 40;

/// One frame, decoded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame<'a> {
    /// Its place in time among all that was captured.
    pub(crate) index: usize,
    /// Its number in `capture.pcapng` without markers, from 1, as Wireshark shows it.
    pub(crate) number: usize,
    /// When, where and which way.
    pub(crate) record: FrameRecord,
    /// What it is.
    pub(crate) decoded: &'a Decoded,
    /// Its TCP numbers relative to the flow's first ones; both `None` if it is no TCP.
    pub(crate) relative: Relative,
}

impl Frame<'_> {
    pub(crate) fn flow(&self) -> Option<Flow> {
        self.decoded.flow()
    }
}

/// The frames of a capture, its markers and, unless they are asked for, monitors' probes left out.
#[derive(Debug)]
pub(crate) struct Frames<'a> {
    capture: &'a Capture,
    different: DecodedFrames,
    /// The places of markers, which have no number.
    markers: Vec<u32>,
    by_point: Groups,
    by_flow: Groups,
    to: OnceLock<Destinations>,
    isns: Isns,
    translations: Translations,
    mac_table: MacTable,
    first_ns: u64,
}

/// Flows by where they lead, in the order of a hash of it; made when it is asked for first.
#[derive(Debug, Default)]
struct Destinations {
    hasher: RandomState,
    flows: Vec<(u32, FlowId)>,
}

impl Destinations {
    fn new(flows: impl Iterator<Item = (FlowId, Flow)>) -> Self {
        let mut new = Self::default();
        new.flows =
            flows.map(|(id, flow)| (new.hash(flow.protocol, flow.destination), id)).collect();
        new.flows.sort_unstable_by_key(|(hash, _)| *hash);
        new
    }

    /// Those that may lead there, and maybe others.
    fn find(&self, protocol: u8, to: SocketAddr) -> impl Iterator<Item = FlowId> {
        let hash = self.hash(protocol, to);
        let start = self.flows.partition_point(|(other, _)| *other < hash);
        let found = self.flows.iter().skip(start).take_while(move |(other, _)| *other == hash);
        found.map(|(_, id)| *id)
    }

    fn hash(&self, protocol: u8, to: SocketAddr) -> u32 {
        (self.hasher.hash_one((protocol, to)) >> 32) as u32
    }
}

/// The frames of one login or request, whatever addresses they carry on their way.
#[derive(Debug, Default)]
pub(crate) struct Conversation {
    /// The client's packets, in time's order.
    pub(crate) forward: Vec<usize>,
    /// The other way.
    pub(crate) back: Vec<usize>,
}

impl Conversation {
    /// Both ways, in time's order.
    pub(crate) fn both(mut self) -> Vec<usize> {
        self.forward.append(&mut self.back);
        self.forward.sort_unstable();
        self.forward.dedup();
        self.forward
    }
}

impl<'a> Frames<'a> {
    /// Decodes everything, and leaves out the frames of `probes`. `balancers` are the nodes whose
    /// translations are followed.
    pub(crate) fn new<'b>(
        capture: &'a Capture,
        probes: &BTreeMap<NodeName, ProbeSources>,
        balancers: impl IntoIterator<Item = &'b NodeName>,
    ) -> Self {
        let is_left_out =
            |decoded: &Decoded| probes.values().any(|sources| is_probe(sources, decoded));
        let different = DecodedFrames::new(capture.store(), is_left_out);
        let records = || (0_u32..).zip(capture.records());
        let markers = records().filter(|(_, (_, frame))| different.kind(*frame) == Kind::Marker);
        let at_points = records().filter_map(|(index, (record, frame))| {
            different.shown(frame).map(|_| (record.point.0, index))
        });
        let of_flows = records()
            .filter_map(|(index, (_, frame))| Some((different.flow_of(frame)?.index(), index)));
        let mut frames = Self {
            capture,
            markers: markers.map(|(index, _)| index).collect(),
            by_point: Groups::new(capture.points().len(), at_points),
            by_flow: Groups::new(different.count(), of_flows),
            to: OnceLock::new(),
            isns: Isns::default(),
            translations: Translations::default(),
            mac_table: MacTable::new(capture.points().len()),
            first_ns: u64::MAX,
            different,
        };
        frames.learn(balancers);
        frames
    }

    /// The same with monitors' probes.
    pub(crate) fn with_probes<'b>(
        capture: &'a Capture,
        balancers: impl IntoIterator<Item = &'b NodeName>,
    ) -> Self {
        Self::new(capture, &BTreeMap::new(), balancers)
    }

    /// Takes note of what frames tell of others.
    fn learn<'b>(&mut self, balancers: impl IntoIterator<Item = &'b NodeName>) {
        let Self { capture, different, isns, translations, mac_table, .. } = self;
        let balancers: Vec<&NodeName> = balancers.into_iter().collect();
        let place = |point: &Point| balancers.iter().position(|node| **node == point.node);
        let balancer_at: Vec<Option<usize>> = capture.points().iter().map(place).collect();
        for (index, (record, frame)) in capture.records().enumerate() {
            let Some(decoded) = different.shown(frame) else { continue };
            self.first_ns = self.first_ns.min(record.time_ns);
            mac_table.learn(record.point, record.direction, decoded);
            let Some(flow) = different.flow_of(frame) else { continue };
            if let Some(tcp) = decoded.tcp() {
                isns.learn(index, flow, tcp);
            }
            if let Some(balancer) = balancer_at.get(record.point.0).copied().flatten()
                && let Some(StoredFrame { link, bytes, .. }) = capture.store().get(frame)
            {
                let (direction, frame) = (record.direction, (flow, decoded));
                translations.learn(index, balancer, direction, frame, (link, bytes));
            }
        }
    }

    /// All frames of a flow that its client knows by these addresses and ports, followed through
    /// every translation that was seen.
    pub(crate) fn conversation(&self, flow: Flow) -> Conversation {
        let mut found = Conversation::default();
        let Some(flow) = self.different.find(flow) else { return found };
        for carrier in self.translations.carriers(flow) {
            // A translated port may have served another flow before or after.
            let own = |index: &usize| self.translations.origin(carrier, *index) == flow;
            found.forward.extend(self.of(carrier).filter(own));
            found.back.extend(self.of(carrier.reversed()).filter(own));
        }
        for way in [&mut found.forward, &mut found.back] {
            way.sort_unstable();
            way.dedup();
        }
        found
    }

    /// What a flow became on its way, itself first.
    pub(crate) fn carriers(&self, flow: Flow) -> Vec<Flow> {
        let Some(id) = self.different.find(flow) else { return vec![flow] };
        let carriers = self.translations.carriers(id);
        carriers.into_iter().filter_map(|carrier| self.different.flow(carrier)).collect()
    }

    /// The flow as the one who began it knows it, at the time of that frame.
    pub(crate) fn origin(&self, flow: Flow, index: usize) -> Flow {
        let id = self.different.find(flow);
        let origin = id.map(|id| self.translations.origin(id, index));
        origin.filter(|it| Some(*it) != id).and_then(|it| self.different.flow(it)).unwrap_or(flow)
    }

    /// The frames of one direction of a flow as it stands in them, in time's order.
    pub(crate) fn of_flow(&self, flow: Flow) -> impl Iterator<Item = usize> + Clone {
        self.different.find(flow).into_iter().flat_map(|id| self.of(id))
    }

    fn of(&self, flow: FlowId) -> impl Iterator<Item = usize> + Clone {
        self.by_flow.get(flow.index()).iter().map(|index| *index as usize)
    }

    /// All flows, one for each direction, in no order.
    pub(crate) fn flows(&self) -> impl Iterator<Item = Flow> {
        self.numbered_flows().map(|(_, flow)| flow)
    }

    fn numbered_flows(&self) -> impl Iterator<Item = (FlowId, Flow)> {
        let there = self.different.ids().filter(|id| self.of(*id).next().is_some());
        there.filter_map(|id| Some((id, self.different.flow(id)?)))
    }

    /// The flows that lead to this address and port, in the order of their first frames.
    pub(crate) fn flows_to(&self, protocol: u8, to: SocketAddr) -> Vec<Flow> {
        let known = self.to.get_or_init(|| Destinations::new(self.numbered_flows()));
        let mut found: Vec<(Option<usize>, Flow)> = known
            .find(protocol, to)
            .filter_map(|id| Some((self.of(id).next(), self.different.flow(id)?)))
            .filter(|(_, flow)| flow.protocol == protocol && flow.destination == to)
            .collect();
        found.sort_unstable_by_key(|(first, _)| *first);
        found.into_iter().map(|(_, flow)| flow).collect()
    }

    /// Who sends with which link-layer address.
    pub(crate) fn mac_table(&self) -> &MacTable {
        &self.mac_table
    }

    pub(crate) fn get(&self, index: usize) -> Option<Frame<'_>> {
        let (record, frame) = self.capture.record(index)?;
        let decoded = self.different.shown(frame)?;
        let relative = match (self.different.flow_of(frame), decoded.tcp()) {
            (Some(flow), Some(tcp)) => self.isns.relative(index, flow, tcp, &self.translations),
            _ => Relative::default(),
        };
        let markers = self.markers.partition_point(|marker| (*marker as usize) < index);
        Some(Frame { index, number: index + 1 - markers, record, decoded, relative })
    }

    /// Whether a frame is addressed to the interface that captured it, or sent by it: a segment floods
    /// what it cannot place.
    pub(crate) fn is_meant(&self, frame: &Frame<'_>) -> bool {
        if frame.record.direction == Direction::Out {
            return true;
        }
        let owner = frame.decoded.link.and_then(|link| self.mac_table.find(link.destination));
        self.mac_table.addressed(frame.record.point, frame.decoded)
            && owner.is_none_or(|point| point == frame.record.point)
    }

    /// What was captured of a frame.
    pub(crate) fn view(&self, frame: &Frame<'_>) -> Option<FrameView<'a>> {
        self.capture.frame(frame.index)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = Frame<'_>> {
        (0..self.capture.len()).filter_map(|index| self.get(index))
    }

    pub(crate) fn at(&self, point: PointId) -> impl Iterator<Item = Frame<'_>> {
        self.by_point.get(point.0).iter().filter_map(|index| self.get(*index as usize))
    }

    pub(crate) fn point(&self, id: PointId) -> Option<&'a Point> {
        self.capture.points().get(id.0)
    }

    pub(crate) fn node(&self, frame: &Frame<'_>) -> Option<&'a NodeName> {
        self.point(frame.record.point).map(|point| &point.node)
    }

    /// `lb:eth0`
    pub(crate) fn point_name(&self, id: PointId) -> String {
        self.point(id).map_or_else(
            || "an unknown point".to_owned(),
            |point| format!("{}:{}", point.node, point.interface),
        )
    }

    /// `+1.234 ms lb:eth0 in  IP ...`: the time since the run's first frame.
    pub(crate) fn line(&self, frame: &Frame<'_>) -> String {
        let since = frame.record.time_ns.saturating_sub(self.first_ns);
        let (ms, rest) = (since / 1_000_000, since % 1_000_000 / 1000);
        let direction = frame.record.direction;
        let point = self.point_name(frame.record.point);
        let text = frame.decoded.line(Some(frame.relative));
        format!("+{ms}.{rest:03} ms {point} {direction:<3} {text}")
    }

    /// The frames of these indices, the first [`SHOWN`] as lines.
    pub(crate) fn list(&self, indices: &[usize]) -> FrameList {
        let lines = indices
            .iter()
            .take(SHOWN)
            .filter_map(|index| self.get(*index))
            .map(|frame| FrameLine {
                index: frame.index,
                number: frame.number,
                text: self.line(&frame),
            })
            .collect();
        FrameList { lines, more: indices.len().saturating_sub(SHOWN) }
    }
}

/// Frames that a judgement is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FrameList {
    /// The first ones.
    pub lines: Vec<FrameLine>,
    /// How many more there are.
    pub more: usize,
}

impl FrameList {
    /// The shown frames' places among the capture's.
    #[must_use]
    pub fn indices(&self) -> Vec<usize> {
        self.lines.iter().map(|frame| frame.index).collect()
    }

    /// The shown frames' numbers in `capture.pcapng` without markers, from 1.
    #[must_use]
    pub fn numbers(&self) -> Vec<usize> {
        self.lines.iter().map(|frame| frame.number).collect()
    }

    /// The shown frames, a line each with its number in front, and how many are not shown.
    #[must_use]
    pub fn into_lines(self) -> Vec<String> {
        let line = |frame: FrameLine| format!("{} {}", frame.number, frame.text);
        let mut lines: Vec<String> = self.lines.into_iter().map(line).collect();
        if self.more > 0 {
            lines.push(format!("and {} more; --out keeps them all", self.more));
        }
        lines
    }
}

/// One frame in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameLine {
    /// Its place among the capture's frames.
    pub index: usize,
    /// Its number in `capture.pcapng` without markers, from 1, as Wireshark shows it.
    pub number: usize,
    /// When, where, which way and what.
    pub text: String,
}
