//! Has what was observed judged, and tells the verdict.

use crate::course::Judged;
use labsim_event::Event;
use labsim_scenario::model::Scenario;
use labsim_verdict::{FrameList, Observations};

/// Judges and tells. `failures` are what steps waited for in vain.
pub(crate) fn judge(
    scenario: &Scenario,
    observations: &Observations,
    failures: Vec<String>,
    tell: &dyn Fn(Event),
) -> Judged {
    let verdict = labsim_verdict::judge(scenario, observations);
    let passed = verdict.passed() && failures.is_empty();
    let findings = verdict.health.iter().map(ToString::to_string);
    for sentence in findings.chain(failures) {
        tell(Event::Judged {
            name: String::new(),
            passed: false,
            sentence,
            place: String::new(),
            expected: Vec::new(),
            seen: Vec::new(),
            frames: Vec::new(),
        });
    }
    let held = verdict.expectations.iter().filter(|judgement| judgement.passed).count();
    for judgement in verdict.expectations {
        tell(Event::Judged {
            name: judgement.name,
            passed: judgement.passed,
            sentence: judgement.sentence,
            place: format!("{}:{}", judgement.place.file, judgement.place.line),
            expected: judgement.expected,
            seen: judgement.seen,
            frames: lines(judgement.frames),
        });
    }
    for diagnosis in &verdict.diagnoses {
        tell(Event::Diagnosed { step: diagnosis.step.to_string(), findings: diagnosis.findings() });
    }
    Judged { passed, held }
}

/// The shown frames, a line each, and how many are not shown.
fn lines(frames: FrameList) -> Vec<String> {
    let mut lines: Vec<String> = frames.lines.into_iter().map(|frame| frame.text).collect();
    if frames.more > 0 {
        lines.push(format!("and {} more; --out keeps them all", frames.more));
    }
    lines
}
