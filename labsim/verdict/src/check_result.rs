//! What a check found, before the expectation's own sentences are put to it.

use crate::frames::{Conversation, Frames};
use crate::observe::{Attempt, Point, PointId};
use crate::servers::{self, Log};
use crate::{Observations, frames::FrameList};
use labsim_scenario::model::{CapturePoint, PointNode, Scenario, Step, StepAction, StepName};

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CheckResult {
    pub(crate) passed: bool,
    pub(crate) expected: Vec<String>,
    pub(crate) seen: Vec<String>,
    pub(crate) frames: FrameList,
    /// The attempt that a failure is about, by its place among its step's.
    pub(crate) about: Option<usize>,
}

impl CheckResult {
    /// Holds; `seen` are the figures that prove it.
    pub(crate) fn pass(seen: impl Into<String>) -> Self {
        Self { passed: true, seen: vec![seen.into()], ..Self::default() }
    }

    /// Holds; `seen` are the figures that prove it.
    pub(crate) fn passed(seen: Vec<String>) -> Self {
        Self { passed: true, seen, ..Self::default() }
    }

    /// Does not hold.
    pub(crate) fn failed(expected: Vec<String>, seen: Vec<String>) -> Self {
        Self { expected, seen, ..Self::default() }
    }

    /// Does not hold.
    pub(crate) fn fail(expected: impl Into<String>, seen: impl Into<String>) -> Self {
        Self { expected: vec![expected.into()], seen: vec![seen.into()], ..Self::default() }
    }

    /// Says which of a step's attempts a failure is about.
    pub(crate) fn about(mut self, attempt: Option<usize>) -> Self {
        self.about = attempt;
        self
    }

    /// Adds frames to be shown.
    pub(crate) fn with_frames(mut self, frames: FrameList) -> Self {
        self.frames = frames;
        self
    }
}

/// What every check looks at.
#[derive(Debug)]
pub(crate) struct CheckContext<'a> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) observations: &'a Observations,
    pub(crate) frames: &'a Frames<'a>,
    pub(crate) log: Log<'a>,
}

impl<'a> CheckContext<'a> {
    pub(crate) fn new(
        scenario: &'a Scenario,
        observations: &'a Observations,
        frames: &'a Frames<'a>,
    ) -> Self {
        Self { scenario, observations, frames, log: Log::new(observations) }
    }

    /// What the step of that name does; of one that ends a login, that login.
    pub(crate) fn step(&self, name: &StepName) -> Option<&'a Step> {
        let step = self.scenario.steps.iter().find(|step| step.name == *name)?;
        match &step.action {
            StepAction::Resume { login } | StepAction::Finish { login } => {
                self.scenario.steps.iter().find(|step| step.name == *login)
            }
            _ => Some(step),
        }
    }

    /// A step's logins or requests; of one that ends a login, that login.
    ///
    /// # Errors
    /// A sentence: the step was not done.
    pub(crate) fn attempts(&self, name: &StepName) -> Result<&'a [Attempt], String> {
        let observed = self.observations.step(name);
        let own = observed.map_or(&[][..], |step| step.attempts.as_slice());
        let resumed = self.step(name).filter(|step| step.name != *name);
        let attempts = match resumed {
            Some(login) if own.is_empty() && observed.is_some() => {
                self.observations.step(&login.name).map_or(own, |step| step.attempts.as_slice())
            }
            _ => own,
        };
        if attempts.is_empty() {
            return Err(match observed {
                None => "the step was not done".to_owned(),
                Some(_) => "the step made no login and no request".to_owned(),
            });
        }
        Ok(attempts)
    }

    /// The frames of an attempt, behind translations too; `None` if its client had no address and port.
    pub(crate) fn conversation(&self, attempt: &Attempt) -> Option<Conversation> {
        let Conversation { mut forward, mut back } = self.frames.conversation(attempt.flow()?);
        self.retain_own(attempt, &mut forward);
        self.retain_own(attempt, &mut back);
        Some(Conversation { forward, back })
    }

    /// Keeps the frames of an attempt's address and port that are its own, where others had the same.
    pub(crate) fn retain_own(&self, attempt: &Attempt, frames: &mut Vec<usize>) {
        let interval = self.log.interval(attempt);
        frames.retain(|index| {
            self.frames.get(*index).is_some_and(|frame| interval.contains(&frame.record.time_ns))
        });
    }

    /// How many logins or requests a step has to make.
    pub(crate) fn planned(&self, name: &StepName) -> usize {
        match self.step(name).map(|step| &step.action) {
            Some(StepAction::Exchange(exchange)) => {
                usize::try_from(exchange.number()).unwrap_or(usize::MAX)
            }
            _ => 1,
        }
    }

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
pub(crate) fn unverified(point: &Point) -> Option<String> {
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
        "this capture point is not verified: {}:{}, {missing}",
        point.node, point.interface
    ))
}
