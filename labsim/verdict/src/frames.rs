//! All frames decoded once, with what the checks ask of them.

use crate::isn::Isns;
use crate::observe::{Capture, FrameRecord, FrameView, Observations, Point, PointId, is_marker};
use crate::stations::Stations;
use crate::translate::Translations;
use labsim_scenario::model::{Direction, NodeName};
use labsim_wire::decode::{Decoded, Flow, Relative};
use std::collections::HashMap;
use std::net::SocketAddr;

/// Frames that a judgement shows at most; the rest is counted.
pub(crate) const SHOWN: usize = 40;

/// One frame, decoded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame<'a> {
    /// Its place in time.
    pub(crate) index: usize,
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

/// The frames of a capture, its markers and monitors' probes left out.
#[derive(Debug)]
pub(crate) struct Frames<'a> {
    capture: &'a Capture,
    /// In time's order; `None` in the place of a marker or a probe.
    stored: Vec<Option<Stored>>,
    by_point: Vec<Vec<usize>>,
    by_flow: HashMap<Flow, Vec<usize>>,
    /// The flows that lead to an address and port, by protocol.
    to: HashMap<(u8, SocketAddr), Vec<Flow>>,
    translations: Translations,
    stations: Stations,
    first_ns: u64,
}

#[derive(Debug)]
struct Stored {
    record: FrameRecord,
    decoded: Decoded,
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
    /// Decodes everything. `balancers` are the nodes whose translations are followed.
    pub(crate) fn new<'b>(
        observations: &'a Observations,
        balancers: impl IntoIterator<Item = &'b NodeName>,
    ) -> Self {
        let Observations { capture, probes, .. } = observations;
        let balancers: Vec<&NodeName> = balancers.into_iter().collect();
        let balancer_at: Vec<Option<usize>> = capture
            .points()
            .iter()
            .map(|point| balancers.iter().position(|node| **node == point.node))
            .collect();
        let mut isns = Isns::default();
        let mut frames = Self {
            capture,
            stored: Vec::with_capacity(capture.len()),
            by_point: vec![Vec::new(); capture.points().len()],
            by_flow: HashMap::new(),
            to: HashMap::new(),
            translations: Translations::default(),
            stations: Stations::new(capture.points().len()),
            first_ns: u64::MAX,
        };
        for frame in capture.frames() {
            let decoded = frame.decode();
            if is_marker(&decoded) || probes.values().any(|probes| probes.has(&decoded)) {
                frames.stored.push(None);
                continue;
            }
            let record = frame.record;
            if let Some(flow) = decoded.flow() {
                if let Some(tcp) = decoded.tcp() {
                    isns.learn(frame.index, flow, tcp);
                }
                let of_flow = frames.by_flow.entry(flow).or_default();
                if of_flow.is_empty() {
                    let to = (flow.protocol, flow.destination);
                    frames.to.entry(to).or_default().push(flow);
                }
                of_flow.push(frame.index);
                if let Some(balancer) = balancer_at.get(record.point.0).copied().flatten() {
                    let here = (balancer, record.direction);
                    let bytes = (frame.link, frame.bytes);
                    frames.translations.learn(frame.index, here, &decoded, bytes);
                }
            }
            if let Some(at_point) = frames.by_point.get_mut(record.point.0) {
                at_point.push(frame.index);
            }
            frames.stations.learn(record.point, record.direction, &decoded);
            frames.first_ns = frames.first_ns.min(record.time_ns);
            let relative = Relative::default();
            frames.stored.push(Some(Stored { record, decoded, relative }));
        }
        // Only now every handshake is known, those included that came later elsewhere.
        for (index, frame) in frames.stored.iter_mut().enumerate() {
            let Some(frame) = frame else { continue };
            if let (Some(flow), Some(tcp)) = (frame.decoded.flow(), frame.decoded.tcp()) {
                frame.relative = isns.relative(index, flow, tcp, &frames.translations);
            }
        }
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

    /// The frames of one direction of a flow as it stands in them, in time's order.
    pub(crate) fn of_flow(&self, flow: Flow) -> &[usize] {
        self.by_flow.get(&flow).map_or(&[], Vec::as_slice)
    }

    /// Everything that was sent to this address and port, by flow.
    pub(crate) fn flows_to(&self, protocol: u8, to: SocketAddr) -> &[Flow] {
        self.to.get(&(protocol, to)).map_or(&[], Vec::as_slice)
    }

    /// Who sends with which link-layer address.
    pub(crate) fn stations(&self) -> &Stations {
        &self.stations
    }

    pub(crate) fn get(&self, index: usize) -> Option<Frame<'_>> {
        let Stored { record, decoded, relative } = self.stored.get(index)?.as_ref()?;
        Some(Frame { index, record: *record, decoded, relative: *relative })
    }

    /// What was captured of a frame.
    pub(crate) fn view(&self, frame: &Frame<'_>) -> Option<FrameView<'a>> {
        self.capture.frame(frame.index)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = Frame<'_>> {
        (0..self.stored.len()).filter_map(|index| self.get(index))
    }

    pub(crate) fn at(&self, point: PointId) -> impl Iterator<Item = Frame<'_>> {
        self.by_point.get(point.0).into_iter().flatten().filter_map(|index| self.get(*index))
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
        let way = match frame.record.direction {
            Direction::In => "in ",
            Direction::Out => "out",
        };
        let point = self.point_name(frame.record.point);
        let text = frame.decoded.line(Some(frame.relative));
        format!("+{ms}.{rest:03} ms {point} {way} {text}")
    }

    /// The frames of these indices, the first [`SHOWN`] as lines.
    pub(crate) fn list(&self, indices: &[usize]) -> FrameList {
        let lines = indices
            .iter()
            .take(SHOWN)
            .filter_map(|index| self.get(*index))
            .map(|frame| FrameLine { index: frame.index, text: self.line(&frame) })
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

/// One frame in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameLine {
    /// Its place among the capture's frames.
    pub index: usize,
    /// When, where, which way and what.
    pub text: String,
}
