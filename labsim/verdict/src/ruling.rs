//! What a check found, before the expectation's own sentences are put to it.

use crate::frames::Frames;
use crate::observe::{Point, PointId};
use crate::servers;
use crate::{Observations, frames::FrameList};
use labsim_scenario::model::{CapturePoint, PointNode, Scenario};

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ruling {
    pub(crate) passed: bool,
    pub(crate) expected: Vec<String>,
    pub(crate) seen: Vec<String>,
    pub(crate) frames: FrameList,
}

impl Ruling {
    /// Holds; `seen` are the figures that prove it.
    pub(crate) fn pass(seen: impl Into<String>) -> Self {
        Self { passed: true, seen: vec![seen.into()], ..Self::default() }
    }

    /// Does not hold.
    pub(crate) fn fail(expected: impl Into<String>, seen: impl Into<String>) -> Self {
        Self { expected: vec![expected.into()], seen: vec![seen.into()], ..Self::default() }
    }

    /// Adds frames to be shown.
    pub(crate) fn with_frames(mut self, frames: FrameList) -> Self {
        self.frames = frames;
        self
    }
}

/// What every check looks at.
#[derive(Debug)]
pub(crate) struct Case<'a> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) observations: &'a Observations,
    pub(crate) frames: &'a Frames<'a>,
}

impl<'a> Case<'a> {
    /// The capture point that an expectation means.
    ///
    /// # Errors
    /// A sentence: no server answered the step, or the interface was not captured.
    pub(crate) fn point(&self, at: &CapturePoint) -> Result<(PointId, &'a Point), String> {
        let node = match &at.node {
            PointNode::Named(node) => node,
            PointNode::RealServerOf(step) => servers::answering_node(self, step)?,
        };
        self.observations
            .capture
            .find_point(node, &at.interface)
            .and_then(|id| Some((id, self.frames.point(id)?)))
            .ok_or_else(|| format!("{node}:{} was not captured", at.interface))
    }
}

/// Why a claim that something was not seen at this point cannot be believed, if it cannot.
pub(crate) fn not_proven(point: &Point) -> Option<String> {
    if point.liveness.proven() {
        return None;
    }
    let missing = match (point.liveness.started_ns, point.liveness.ended_ns) {
        (None, None) => "neither its first nor its last marker was captured",
        (None, Some(_)) => "its first marker was not captured",
        (Some(_), None) => "its last marker was not captured",
        (Some(_), Some(_)) => "its last marker was captured before its first",
    };
    Some(format!(
        "this capture point was not proven alive: {}:{}, {missing}",
        point.node, point.interface
    ))
}

/// `1 frame`, `2 frames`.
pub(crate) fn count(number: impl TryInto<u64>, what: &str) -> String {
    let number = number.try_into().unwrap_or(u64::MAX);
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}
