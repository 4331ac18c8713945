//! What is wrong with a run itself, whatever was expected of it.

use crate::judge::ExpectationResult;
use crate::messages::count;
use crate::observe::Observations;
use crate::step_end::StepFailure;
use labsim_codes::{Code, run};
use labsim_scenario::model::{Attachment, NodeName};
use std::fmt;

/// What fails a run, whatever was expected of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunDefect {
    /// A capture had no room for frames.
    CaptureDropped {
        /// Whose.
        node: NodeName,
        /// How many.
        frames: u64,
    },
    /// The relay of an impaired link had no room for frames: they were lost, and the file does not
    /// say so.
    RelayDropped {
        /// The interface that sent them.
        sender: Attachment,
        /// How many.
        frames: u64,
    },
    /// The machine's kernel had no room for neighbours, in a run that did not pass.
    NeighbourTableFull {
        /// How many it refused, of all labs and of the machine itself.
        refused: u64,
    },
    /// A step did not end as it has to.
    StepFailed(StepFailure),
}

impl RunDefect {
    /// Its stable code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::CaptureDropped { .. } => run::CAPTURE_DROPPED,
            Self::RelayDropped { .. } => run::RELAY_DROPPED,
            Self::NeighbourTableFull { .. } => run::NEIGHBOUR_TABLE_FULL,
            Self::StepFailed(_) => run::STEP_FAILED,
        }
    }

    /// As the result of an expectation without a name.
    #[must_use]
    pub fn to_result(&self) -> ExpectationResult {
        let result = ExpectationResult {
            sentence: self.to_string(),
            code: Some(self.code().name().to_owned()),
            ..ExpectationResult::default()
        };
        match self {
            Self::CaptureDropped { .. }
            | Self::RelayDropped { .. }
            | Self::NeighbourTableFull { .. } => result,
            Self::StepFailed(StepFailure { place, expected, seen, .. }) => ExpectationResult {
                place: place.to_string(),
                expected: expected.clone(),
                seen: seen.clone(),
                ..result
            },
        }
    }
}

impl fmt::Display for RunDefect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CaptureDropped { node, frames } => write!(
                f,
                "the capture on {node} had no room for {}: what was not seen there proves nothing",
                count(*frames, "frame")
            ),
            Self::RelayDropped { sender, frames } => write!(
                f,
                "the relay behind {}:{} did not read fast enough and lost {} that the link was not \
                 to lose: run fewer labs at a time (--jobs)",
                sender.node,
                sender.interface,
                count(*frames, "frame")
            ),
            Self::NeighbourTableFull { refused } => write!(
                f,
                "the machine's neighbour table was full, and {} ARP or IPv6 entries were refused, of \
                 this lab or of another: packets to such neighbours are dropped, and the file does not \
                 say so",
                *refused
            ),
            Self::StepFailed(StepFailure { step, how, .. }) => write!(f, "step `{step}`: {how}"),
        }
    }
}

/// What the machine did to a run that did not pass: it may be the reason, and need not be.
pub(crate) fn shortage(observations: &Observations) -> Option<RunDefect> {
    let refused = observations.refused_neighbours;
    (refused > 0).then_some(RunDefect::NeighbourTableFull { refused })
}

/// Frames that were lost where none may be.
pub(crate) fn losses(observations: &Observations) -> Vec<RunDefect> {
    let captures = observations.capture_drops.iter();
    let captures = captures.map(|(node, frames)| {
        (RunDefect::CaptureDropped { node: node.clone(), frames: *frames }, *frames)
    });
    let relays = observations.link_counters.iter().filter_map(|(sender, counters)| {
        let frames = *counters.by_name.get("receive_dropped")?;
        Some((RunDefect::RelayDropped { sender: sender.clone(), frames }, frames))
    });
    captures.chain(relays).filter(|(_, frames)| *frames > 0).map(|(defect, _)| defect).collect()
}
