//! Judges what the diagnosis of a step shows.

use crate::check_result::{CheckContext, CheckResult};
use crate::diagnose::{Cause, Diagnosis, EXAMINED, diagnose_step};
use crate::frames::FrameList;
use crate::messages::attempt as noun;
use labsim_codes::Code;
use labsim_scenario::model::{Check, LoginResult, NodeName, Scenario, StepName};

/// Judges whether a step's diagnosis begins with a cause. Where several expectations are about the
/// step, it begins with theirs, in any order. Each of the step's failures has to be for one of them.
pub(crate) fn diagnosis(
    context: &CheckContext<'_>,
    step: &StepName,
    cause: Code,
    node: Option<&NodeName>,
) -> CheckResult {
    let own = Expected { cause, node };
    let expected = vec![format!("the step `{step}` fails because of {own}")];
    if context.observations.step(step).is_none() {
        return CheckResult::failed(expected, vec!["the step was not done".to_owned()]);
    }
    let (made, planned) = (context.attempts(step).map_or(0, <[_]>::len), context.planned(step));
    if made > 0 && made < planned {
        let seen = format!("{made} of {planned} {}s were done", noun(context.step(step)));
        return CheckResult::failed(expected, vec![seen]);
    }
    let failed = failed(context, step);
    if failed > EXAMINED {
        let what = noun(context.step(step));
        let seen = format!(
            "{failed} {what}s failed, and only the first {EXAMINED} are diagnosed; have the step make \
             fewer"
        );
        return CheckResult::failed(expected, vec![seen]);
    }
    let all = Expected::of_step(context.scenario, step);
    let diagnoses = diagnose_step(context, step, None);
    let wrong: Vec<&Diagnosis> = diagnoses
        .iter()
        .filter(|it| it.causes.first().is_none_or(|first| !all.iter().any(|one| one.is(first))))
        .collect();
    let found = diagnoses.iter().find_map(|it| {
        let mut beginning =
            it.causes.iter().take_while(|cause| all.iter().any(|one| one.is(cause)));
        beginning.find(|cause| own.is(cause))
    });
    match found {
        Some(found) if wrong.is_empty() => {
            let fix = format!("fix: {}", found.fix.what);
            CheckResult::passed(vec![format!("{} [{}]", found.sentence, found.code), fix])
        }
        _ => {
            let told = if wrong.is_empty() { diagnoses.iter().collect() } else { wrong };
            let seen = match told.is_empty() {
                true => vec![format!("no cause was found, and {}", ended(context, step))],
                false => told.iter().map(|it| found_instead(it, &ended(context, step))).collect(),
            };
            let frames = told.iter().find_map(|it| it.causes.first());
            let frames = frames.map_or_else(FrameList::default, |cause| cause.frames.clone());
            CheckResult::failed(expected, seen).with_frames(frames)
        }
    }
}

/// The steps whose diagnosis a scenario expects, each once for each expectation.
pub(crate) fn expected_steps(scenario: &Scenario) -> impl Iterator<Item = &StepName> {
    scenario.expectations.iter().filter_map(|expectation| match &expectation.check {
        Check::Diagnosis { step, .. } => Some(step),
        _ => None,
    })
}

/// A cause that an expectation names.
struct Expected<'a> {
    cause: Code,
    node: Option<&'a NodeName>,
}

impl<'a> Expected<'a> {
    /// All that are expected of a step.
    fn of_step(scenario: &'a Scenario, wanted: &StepName) -> Vec<Self> {
        let checks = scenario.expectations.iter().map(|expectation| &expectation.check);
        let own = checks.filter_map(|check| match check {
            Check::Diagnosis { step, cause, node } if step == wanted => {
                Some(Self { cause: *cause, node: node.as_ref() })
            }
            _ => None,
        });
        own.collect()
    }

    fn is(&self, found: &Cause) -> bool {
        self.cause == found.code && self.node.is_none_or(|node| found.node.as_ref() == Some(node))
    }
}

/// `vip-missing at rs1`
impl std::fmt::Display for Expected<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.node {
            Some(node) => write!(f, "{} at {node}", self.cause),
            None => write!(f, "{}", self.cause),
        }
    }
}

/// How many of the step's logins or requests did not pass.
fn failed(context: &CheckContext<'_>, step: &StepName) -> usize {
    let attempts = context.attempts(step).unwrap_or_default();
    attempts.iter().filter(|attempt| attempt.result != LoginResult::Pass).count()
}

/// How the step ended.
fn ended(context: &CheckContext<'_>, step: &StepName) -> String {
    let what = noun(context.step(step));
    match context.attempts(step) {
        Ok([only]) => format!("the {what} ended with {}", only.result.word()),
        Ok(all) => format!("{} of {} {what}s failed", failed(context, step), all.len()),
        Err(_) => match context.observations.step(step).and_then(|it| it.unmet.as_ref()) {
            Some(unmet) => unmet.clone(),
            None => "what the step waits for happened".to_owned(),
        },
    }
}

/// `found instead: rs1 does not decapsulate ... [tunnel-missing]`
fn found_instead(diagnosis: &Diagnosis, ended: &str) -> String {
    let what = match diagnosis.causes.first() {
        Some(Cause { code, node, sentence, .. }) => {
            let found = Expected { cause: *code, node: node.as_ref() };
            format!("found {found} first: {sentence}")
        }
        None => format!("no cause was found, and {ended}"),
    };
    match &diagnosis.about {
        Some(about) => format!("{what}; {about}"),
        None => what,
    }
}
