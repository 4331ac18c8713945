//! What the comments of a capture say: where packets were last seen, which frames prove a cause or
//! a failed expectation, and the verdict.

use labsim_event::{Event, Outcome};
use std::collections::BTreeMap;

/// The comments of one scenario's capture.
#[derive(Debug, Default)]
pub(crate) struct Remarks {
    of_run: Option<String>,
    /// By the frame's place in the capture.
    of_frames: BTreeMap<usize, Vec<String>>,
    first_cause: Option<String>,
}

impl Remarks {
    /// Adds what an event says about frames or about the whole run.
    pub(crate) fn add(&mut self, scenario: &str, event: &Event) {
        match event {
            Event::Judged(result) if !result.passed => {
                let comment = match result.name.as_str() {
                    "" => result.sentence.clone(),
                    name => format!("expectation {name} does not hold: {}", result.sentence),
                };
                self.add_frames(&result.frame_indices, &comment);
            }
            Event::Diagnosed { step, findings, .. } => {
                for finding in findings {
                    let comment = format!("step {step}: {finding}");
                    self.add_frames(&finding.frame_indices, &comment);
                    if finding.code.is_some() && self.first_cause.is_none() {
                        self.first_cause = Some(comment);
                    }
                }
            }
            Event::ScenarioEnded { outcome, code, held, expectations, reason, .. } => {
                let mut text = format!("labsim scenario {scenario}: {}", outcome.name());
                if let Some(code) = code {
                    text.push_str(&format!(" [{code}]"));
                }
                if matches!(outcome, Outcome::Passed | Outcome::Failed) {
                    text.push_str(&format!("; {held} of {expectations} expectations held"));
                }
                for more in [reason, &self.first_cause].into_iter().flatten() {
                    text.push_str("; ");
                    text.push_str(more);
                }
                self.of_run = Some(text);
            }
            _ => {}
        }
    }

    fn add_frames(&mut self, indices: &[usize], comment: &str) {
        for index in indices {
            let comments = self.of_frames.entry(*index).or_default();
            // Several expectations may say the same.
            if !comments.iter().any(|it| it == comment) {
                comments.push(comment.to_owned());
            }
        }
    }

    /// The verdict in a sentence, once the scenario has ended.
    pub(crate) fn of_run(&self) -> Option<&str> {
        self.of_run.as_deref()
    }

    /// What is known about a frame, a line each.
    pub(crate) fn of_frame(&self, index: usize) -> Option<String> {
        Some(self.of_frames.get(&index)?.join("\n"))
    }
}
