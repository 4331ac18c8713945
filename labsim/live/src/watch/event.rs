//! What watchers are told of work in a lab.

use labsim_event::Event;
use labsim_model::count_of;

/// Lines about an event of a step or a check; none of one that says nothing to people.
pub(crate) fn lines(event: &Event) -> Vec<String> {
    match event {
        Event::StepStarted { step, what } => vec![format!("step {step} begins: {what}")],
        Event::StepWaits { step, found } => vec![format!("step {step}: {found}")],
        Event::StepEnded { step, result, detail, took_ms, .. } => {
            vec![format!("step {step}: {result}: {detail}; {took_ms:.0} ms")]
        }
        Event::ServerLogged { node, line, .. } => vec![format!("{node}: {line}")],
        Event::Judged(result) if !result.passed => {
            vec![match result.name.as_str() {
                "" => result.sentence.clone(),
                name => format!("expectation {name} does not hold: {}", result.sentence),
            }]
        }
        Event::Diagnosed { step, findings, .. } => {
            findings.iter().map(|finding| format!("step {step}: {finding}")).collect()
        }
        Event::ScenarioEnded { outcome, held, expectations, reason, .. } => {
            let all = count_of(*expectations, "expectation");
            let reason = reason.as_ref().map(|it| format!(": {it}")).unwrap_or_default();
            vec![format!("the check {}: {held} of {all} held{reason}", outcome.name())]
        }
        _ => Vec::new(),
    }
}
