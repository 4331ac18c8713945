//! All frames decoded once, with what the checks ask of them.

use crate::isn::Isns;
use crate::mac_table::MacTable;
use crate::observe::{
    Capture, FrameRecord, FrameView, Observations, Point, PointId, decode_stored, is_marker,
    is_probe,
};
use crate::translate::Translations;
use labsim_scenario::model::{Direction, NodeName};
use labsim_wire::decode::{Decoded, Flow, Relative};
use labsim_wire::frame_store::StoredFrame;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;

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
    /// What the frames of the capture's store are.
    decoded: Vec<Decoded>,
    /// In time's order; `None` in the place of a marker or a probe.
    shown: Vec<Option<Shown>>,
    by_point: Vec<Vec<u32>>,
    by_flow: HashMap<Flow, Vec<usize>>,
    /// The flows that lead to an address and port, by protocol.
    to: HashMap<(u8, SocketAddr), Vec<Flow>>,
    translations: Translations,
    mac_table: MacTable,
    first_ns: u64,
}

/// What becomes of a frame of the store wherever it was captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Shown,
    Marker,
    LeftOut,
}

#[derive(Debug, Clone, Copy)]
struct Shown {
    number: NonZeroU32,
    relative: Relative,
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
    /// Decodes everything, and leaves monitors' probes out. `balancers` are the nodes whose
    /// translations are followed.
    pub(crate) fn new<'b>(
        observations: &'a Observations,
        balancers: impl IntoIterator<Item = &'b NodeName>,
    ) -> Self {
        let probes = &observations.probes;
        Self::decode(&observations.capture, balancers, |decoded| {
            probes.values().any(|sources| is_probe(sources, decoded))
        })
    }

    /// The same with monitors' probes.
    pub(crate) fn with_probes<'b>(
        observations: &'a Observations,
        balancers: impl IntoIterator<Item = &'b NodeName>,
    ) -> Self {
        Self::decode(&observations.capture, balancers, |_| false)
    }

    /// All frames of a capture.
    pub(crate) fn of_capture<'b>(
        capture: &'a Capture,
        balancers: impl IntoIterator<Item = &'b NodeName>,
    ) -> Self {
        Self::decode(capture, balancers, |_| false)
    }

    fn decode<'b>(
        capture: &'a Capture,
        balancers: impl IntoIterator<Item = &'b NodeName>,
        is_left_out: impl Fn(&Decoded) -> bool,
    ) -> Self {
        let balancers: Vec<&NodeName> = balancers.into_iter().collect();
        let balancer_at: Vec<Option<usize>> = capture
            .points()
            .iter()
            .map(|point| balancers.iter().position(|node| **node == point.node))
            .collect();
        let decoded: Vec<Decoded> = capture.store().iter().map(decode_stored).collect();
        let kinds: Vec<Kind> = decoded
            .iter()
            .map(|decoded| match (is_marker(decoded), is_left_out(decoded)) {
                (true, _) => Kind::Marker,
                (false, true) => Kind::LeftOut,
                (false, false) => Kind::Shown,
            })
            .collect();
        let mut isns = Isns::default();
        let mut frames = Self {
            capture,
            decoded: Vec::new(),
            shown: Vec::with_capacity(capture.len()),
            by_point: vec![Vec::new(); capture.points().len()],
            by_flow: HashMap::new(),
            to: HashMap::new(),
            translations: Translations::default(),
            mac_table: MacTable::new(capture.points().len()),
            first_ns: u64::MAX,
        };
        let mut number = 0;
        for (index, (record, frame)) in capture.records().enumerate() {
            let kind = kinds.get(frame.index()).copied().unwrap_or(Kind::LeftOut);
            number += u32::from(kind != Kind::Marker);
            let decoded = decoded.get(frame.index()).filter(|_| kind == Kind::Shown);
            let (Some(decoded), Some(number)) = (decoded, NonZeroU32::new(number)) else {
                frames.shown.push(None);
                continue;
            };
            if let Some(flow) = decoded.flow() {
                if let Some(tcp) = decoded.tcp() {
                    isns.learn(index, flow, tcp);
                }
                let of_flow = frames.by_flow.entry(flow).or_default();
                if of_flow.is_empty() {
                    let to = (flow.protocol, flow.destination);
                    frames.to.entry(to).or_default().push(flow);
                }
                of_flow.push(index);
                if let Some(balancer) = balancer_at.get(record.point.0).copied().flatten()
                    && let Some(StoredFrame { link, bytes, .. }) = capture.store().get(frame)
                {
                    let direction = record.direction;
                    frames.translations.learn(index, balancer, direction, decoded, link, bytes);
                }
            }
            if let Some(at_point) = frames.by_point.get_mut(record.point.0) {
                at_point.push(index as u32);
            }
            frames.mac_table.learn(record.point, record.direction, decoded);
            frames.first_ns = frames.first_ns.min(record.time_ns);
            frames.shown.push(Some(Shown { number, relative: Relative::default() }));
        }
        // Only now every handshake is known, those included that came later elsewhere.
        for (index, (shown, (_, frame))) in
            frames.shown.iter_mut().zip(capture.records()).enumerate()
        {
            let (Some(shown), Some(decoded)) = (shown, decoded.get(frame.index())) else {
                continue;
            };
            if let (Some(flow), Some(tcp)) = (decoded.flow(), decoded.tcp()) {
                shown.relative = isns.relative(index, flow, tcp, &frames.translations);
            }
        }
        frames.decoded = decoded;
        frames
    }

    /// All frames of a flow that its client knows by these addresses and ports, followed through
    /// every translation that was seen.
    pub(crate) fn conversation(&self, flow: Flow) -> Conversation {
        let mut found = Conversation::default();
        for carrier in self.translations.carriers(flow) {
            // A translated port may have served another flow before or after.
            let own = |index: &&usize| self.translations.origin(carrier, **index) == flow;
            found.forward.extend(self.of_flow(carrier).iter().filter(own));
            found.back.extend(self.of_flow(carrier.reversed()).iter().filter(own));
        }
        for way in [&mut found.forward, &mut found.back] {
            way.sort_unstable();
            way.dedup();
        }
        found
    }

    /// What a flow became on its way, itself first.
    pub(crate) fn carriers(&self, flow: Flow) -> Vec<Flow> {
        self.translations.carriers(flow)
    }

    /// The flow as the one who began it knows it, at the time of that frame.
    pub(crate) fn origin(&self, flow: Flow, index: usize) -> Flow {
        self.translations.origin(flow, index)
    }

    /// The frames of one direction of a flow as it stands in them, in time's order.
    pub(crate) fn of_flow(&self, flow: Flow) -> &[usize] {
        self.by_flow.get(&flow).map_or(&[], Vec::as_slice)
    }

    /// All flows, one for each direction, in no order.
    pub(crate) fn flows(&self) -> impl Iterator<Item = Flow> {
        self.by_flow.keys().copied()
    }

    /// Everything that was sent to this address and port, by flow.
    pub(crate) fn flows_to(&self, protocol: u8, to: SocketAddr) -> &[Flow] {
        self.to.get(&(protocol, to)).map_or(&[], Vec::as_slice)
    }

    /// Who sends with which link-layer address.
    pub(crate) fn mac_table(&self) -> &MacTable {
        &self.mac_table
    }

    pub(crate) fn get(&self, index: usize) -> Option<Frame<'_>> {
        let Shown { number, relative } = *self.shown.get(index)?.as_ref()?;
        let (record, frame) = self.capture.record(index)?;
        let decoded = self.decoded.get(frame.index())?;
        Some(Frame { index, number: number.get() as usize, record, decoded, relative })
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
        (0..self.shown.len()).filter_map(|index| self.get(index))
    }

    pub(crate) fn at(&self, point: PointId) -> impl Iterator<Item = Frame<'_>> {
        let at_point = self.by_point.get(point.0).into_iter().flatten();
        at_point.filter_map(|index| self.get(*index as usize))
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
