//! All frames decoded once, with what the checks ask of them.

use crate::isn::Isns;
use crate::observe::{Capture, FrameRecord, Point, PointId, is_marker};
use labsim_scenario::model::{Direction, NodeName};
use labsim_wire::decode::{Decoded, Flow, Relative};

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

/// The frames of a capture, its markers left out.
#[derive(Debug)]
pub(crate) struct Frames<'a> {
    capture: &'a Capture,
    /// In time's order; `None` in a marker's place.
    stored: Vec<Option<Stored>>,
    by_point: Vec<Vec<usize>>,
    first_ns: u64,
}

#[derive(Debug)]
struct Stored {
    record: FrameRecord,
    decoded: Decoded,
    relative: Relative,
}

impl<'a> Frames<'a> {
    pub(crate) fn new(capture: &'a Capture) -> Self {
        let mut isns = Isns::default();
        let mut by_point = vec![Vec::new(); capture.points().len()];
        let mut stored = Vec::with_capacity(capture.len());
        for frame in capture.frames() {
            let decoded = frame.decode();
            if is_marker(&decoded) {
                stored.push(None);
                continue;
            }
            if let (Some(flow), Some(tcp)) = (decoded.flow(), decoded.tcp()) {
                isns.learn(frame.index, flow, tcp);
            }
            if let Some(at_point) = by_point.get_mut(frame.record.point.0) {
                at_point.push(frame.index);
            }
            let (record, relative) = (frame.record, Relative::default());
            stored.push(Some(Stored { record, decoded, relative }));
        }
        // Only now every handshake is known, those included that came later elsewhere.
        for (index, frame) in stored.iter_mut().enumerate() {
            let Some(frame) = frame else { continue };
            if let (Some(flow), Some(tcp)) = (frame.decoded.flow(), frame.decoded.tcp()) {
                frame.relative = isns.relative(index, flow, tcp);
            }
        }
        let first_ns = stored.iter().flatten().map(|frame| frame.record.time_ns).min();
        Self { capture, stored, by_point, first_ns: first_ns.unwrap_or(0) }
    }

    pub(crate) fn get(&self, index: usize) -> Option<Frame<'_>> {
        let Stored { record, decoded, relative } = self.stored.get(index)?.as_ref()?;
        Some(Frame { index, record: *record, decoded, relative: *relative })
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
