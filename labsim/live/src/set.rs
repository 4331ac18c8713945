//! Changes of a lab that is up which a client names: steps that are not the scenario's, and another
//! configuration of what runs. And their way back.

use crate::built::Built;
use crate::configuration::Configuration;
use crate::protocol::{Answer, NodeReset};
use labsim_event::Event;
use labsim_runner::{Done, Kept, RunError};
use labsim_scenario::LiveChange;
use labsim_scenario::model::{NodeChange, NodeName, Step, StepAction};
use labsim_yaml::Diagnostics;
use std::collections::BTreeMap;
use std::time::Instant;

/// What events call a change of the configuration.
const STEP: &str = "set";

/// Makes a change, and emits what becomes of it. Returns what is to be said of it all the same.
pub(crate) async fn set(
    (kind, fields): (&str, &str),
    kept: &mut Kept<'_>,
    (built, configuration): (&Built<'_>, &Configuration<'_>),
    emit: &dyn Fn(Event),
) -> Result<Vec<String>, Answer> {
    let (change, warnings) = configuration.change(kind, fields).map_err(|it| rejected(&it))?;
    match change {
        LiveChange::Step(step) => {
            know_settings(&step, built);
            kept.run_alone(*step, emit).await.map_err(failed)?;
        }
        LiveChange::Configuration(changed) => {
            let began = Instant::now();
            let what = format!("changes `{kind}`");
            emit(Event::StepStarted { step: STEP.to_owned(), what });
            let now = configuration.scenario();
            let done = kept.configure(&now, changed.scenario()).await.map_err(failed)?;
            configuration.is_now(*changed);
            let detail = match done.as_slice() {
                [] => "what runs is configured so already".to_owned(),
                done => {
                    let done = done.iter().map(|(node, done)| format!("{node}: {done}"));
                    done.collect::<Vec<_>>().join("; ")
                }
            };
            emit(Event::StepEnded {
                step: STEP.to_owned(),
                result: "done".to_owned(),
                detail,
                attempts: 0,
                local: None,
                took_ms: labsim_event::milliseconds(began.elapsed()),
            });
        }
    }
    Ok(warnings.iter().map(ToString::to_string).collect())
}

/// Undoes changes of the configuration that concern a node, or all. Adds to `resets` what was undone and
/// what was started again, in other nodes too if a change concerns them as well.
pub(crate) async fn undo(
    node: Option<&NodeName>,
    kept: &mut Kept<'_>,
    configuration: &Configuration<'_>,
    resets: &mut Vec<NodeReset>,
) -> Result<(), Answer> {
    let Some(left) = configuration.without(node) else { return Ok(()) };
    let left = left.map_err(|problems| {
        let reasons: Vec<String> = problems.iter().map(|it| it.message.clone()).collect();
        Answer::Failed(format!(
            "what was set later rests on what was set here: {}; `labsim reset` undoes all",
            reasons.join("; ")
        ))
    })?;
    let nodes = kept.lab().nodes().map(|node| node.name().clone());
    let before: BTreeMap<NodeName, Vec<String>> =
        nodes.map(|node| (node.clone(), configuration.changed(&node))).collect();
    let now = configuration.scenario();
    let done = kept.configure(&now, left.scenario()).await.map_err(failed)?;
    configuration.is_now(left);
    for (node, before) in before {
        let now = configuration.changed(&node);
        let undone = before.into_iter().filter(|change| !now.contains(change));
        let undone: Vec<String> = undone.collect();
        // A forwarder is started again in any case, which is said then.
        let started = done.iter().filter(|(of, done)| *of == node && *done == Done::ServersStarted);
        let started = started.map(|_| "built-in servers".to_owned());
        if undone.is_empty() {
            continue;
        }
        let reset = of_node(&node, resets);
        reset.changed.extend(undone);
        reset.started.extend(started);
    }
    Ok(())
}

/// The reset of a node, which may be a further one.
pub(crate) fn of_node<'r>(node: &NodeName, resets: &'r mut Vec<NodeReset>) -> &'r mut NodeReset {
    let place = resets.iter().position(|reset| reset.name == node.as_str());
    let place = place.unwrap_or_else(|| {
        resets.push(NodeReset { name: node.to_string(), ..NodeReset::default() });
        resets.len() - 1
    });
    &mut resets[place]
}

/// Settings that nothing has written before are compared and brought back from now on.
fn know_settings(step: &Step, built: &Built<'_>) {
    if let StepAction::ChangeNode(change) = &step.action
        && let NodeChange::Sysctls { node, sysctls } = &**change
    {
        built.know_sysctls(node, sysctls.keys());
    }
}

fn rejected(found: &Diagnostics) -> Answer {
    Answer::Rejected(found.iter().map(ToString::to_string).collect())
}

fn failed(error: RunError) -> Answer {
    Answer::Failed(error.to_string())
}
