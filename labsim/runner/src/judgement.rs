//! Judges what was observed, and emits the verdict.

use crate::scenario_run::RunResult;
use labsim_event::Event;
use labsim_lab::Lab;
use labsim_model::NodeState;
use labsim_scenario::model::{NodeName, Scenario};
use labsim_verdict::{Failure, Observations, Verdict};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tracing::{debug, trace, warn};

/// How long reading all nodes' states may take. A node's takes some milliseconds.
const STATES_TIMEOUT: Duration = Duration::from_secs(10);

/// Judges while everything in the lab still runs: the nodes' states are read if they are needed.
pub(crate) fn judge(scenario: &Scenario, observations: &mut Observations, lab: &Lab) -> Verdict {
    labsim_verdict::judge_with_states(scenario, observations, || states(lab))
}

/// What each node is set up with, as far as it can be read in time.
pub(crate) fn states(lab: &Lab) -> BTreeMap<NodeName, NodeState> {
    let deadline = Instant::now() + STATES_TIMEOUT;
    let mut states = BTreeMap::new();
    let began = Instant::now();
    for node in lab.nodes() {
        if Instant::now() >= deadline {
            warn!(node = %node.name(), "no time is left to read its state, nor that of later nodes");
            break;
        }
        match node.state() {
            Ok(state) => {
                trace!(node = %node.name(), ?state, "state read");
                states.insert(node.name().clone(), state);
            }
            Err(error) => warn!(node = %node.name(), %error, "its state cannot be read"),
        }
    }
    debug!(nodes = states.len(), took = ?began.elapsed(), "nodes' states are read");
    states
}

/// Emits a verdict.
pub(crate) fn report(verdict: Verdict, lag: Duration, emit: &dyn Fn(Event)) -> RunResult {
    let (passed, code) = (verdict.passed(), verdict.code());
    let failure = (!passed).then(|| Failure::of(&verdict));
    for defect in &verdict.defects {
        emit(Event::Judged(defect.to_result()));
    }
    let held = verdict.expectations.iter().filter(|result| result.passed).count();
    for result in verdict.expectations {
        emit(Event::Judged(result));
    }
    for diagnosis in &verdict.diagnoses {
        emit(Event::Diagnosed {
            step: diagnosis.step.to_string(),
            findings: diagnosis.findings(),
            causes: diagnosis.records(),
        });
    }
    RunResult { passed, code, held, failure, lag }
}
