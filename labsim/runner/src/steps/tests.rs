//! How steps end, with an executor that does nothing but what the test says.

use super::{StepEnd, StepExecutor, StepRecord, run_steps};
use crate::error::RunError;
use labsim_event::Event;
use labsim_scenario::model::{LoginResult, NodeName, Place, Step, StepAction, StepName};
use labsim_verdict::Attempt;
use std::cell::RefCell;
use std::collections::VecDeque;

/// Ends steps as listed, and writes down what was asked of it.
#[derive(Default)]
struct Script {
    ends: VecDeque<Result<StepEnd, RunError>>,
    calls: Vec<String>,
    /// After which step something has ended by itself.
    breaks_after: Option<&'static str>,
}

impl StepExecutor for Script {
    async fn execute(
        &mut self,
        step: &Step,
        _record: &mut StepRecord,
    ) -> Result<StepEnd, RunError> {
        self.calls.push(step.name.to_string());
        self.ends.pop_front().unwrap_or_else(|| Ok(StepEnd::done("did it")))
    }

    async fn before_step(&mut self, step: &Step) -> Result<(), RunError> {
        self.calls.push(format!("before {}", step.name));
        Ok(())
    }

    fn after_step(&mut self) -> Result<(), RunError> {
        let last = self.calls.last().map(String::as_str);
        if self.breaks_after.is_some() && last == self.breaks_after {
            return Err(RunError::inconsistent("a program ended"));
        }
        self.calls.push("after".to_owned());
        Ok(())
    }
}

fn steps() -> Vec<Step> {
    let node = NodeName::new("lb").unwrap();
    ["one", "two", "three"]
        .map(|name| Step {
            name: StepName::new(name).unwrap(),
            place: Place { file: "x.yaml".to_owned(), line: 1 },
            action: StepAction::KillForwarder { node: node.clone() },
        })
        .to_vec()
}

/// Runs three steps; the events as `start NAME` and `end NAME RESULT`.
async fn run(script: &mut Script) -> (Result<StepRecord, RunError>, Vec<String>) {
    let events = RefCell::new(Vec::new());
    let emit = |event: Event| match event {
        Event::StepStarted { step, .. } => events.borrow_mut().push(format!("start {step}")),
        Event::StepEnded { step, result, .. } => {
            events.borrow_mut().push(format!("end {step} {result}"));
        }
        _ => {}
    };
    let mut record = StepRecord::default();
    let ended = run_steps(&steps(), &mut record, script, &emit).await;
    (ended.map(|()| record), events.into_inner())
}

#[tokio::test]
async fn steps_run_in_order_and_each_is_started_ended_and_followed_up() {
    let mut script = Script::default();
    let (record, events) = run(&mut script).await;
    let record = record.unwrap();
    let names: Vec<&str> = record.observed.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(names, ["one", "two", "three"]);
    assert!(record.observed.iter().all(|step| step.unmet.is_none()));
    let calls = ["one", "two", "three"]
        .map(|step| [format!("before {step}"), step.to_owned(), "after".to_owned()]);
    assert_eq!(script.calls, calls.concat());
    let pairs = ["one", "two", "three"];
    let expected: Vec<String> =
        pairs.iter().flat_map(|it| [format!("start {it}"), format!("end {it} done")]).collect();
    assert_eq!(events, expected);
}

#[tokio::test]
async fn a_condition_that_is_not_met_is_observed_and_the_next_steps_run() {
    let ends = [Ok(StepEnd::timed_out("still 3 after 1s".to_owned()))];
    let mut script = Script { ends: ends.into(), ..Script::default() };
    let (record, events) = run(&mut script).await;
    let record = record.unwrap();
    assert_eq!(record.observed[0].unmet.as_deref(), Some("still 3 after 1s"));
    assert_eq!((record.observed.len(), events[1].as_str()), (3, "end one timeout"));
}

#[tokio::test]
async fn a_login_that_fails_is_for_the_verdict_to_judge() {
    let attempt = Attempt {
        from: NodeName::new("client").unwrap(),
        protocol: 6,
        result: LoginResult::Refused,
        detail: "refused".to_owned(),
        local: None,
        remote: "192.0.2.1:49".parse().unwrap(),
        began_ns: 0,
        duration_ns: 1,
    };
    let end = super::attempts::summarize(vec![attempt.clone()], "login");
    let mut script = Script { ends: [Ok(end)].into(), ..Script::default() };
    let (record, events) = run(&mut script).await;
    let record = record.unwrap();
    assert_eq!(record.observed[0].unmet, None);
    assert_eq!(
        (&record.observed[0].attempts, events[1].as_str()),
        (&vec![attempt], "end one refused")
    );
}

#[tokio::test]
async fn an_error_ends_the_steps_without_an_end_of_the_one_that_failed() {
    let ends = [Ok(StepEnd::done("did it")), Err(RunError::inconsistent("no node"))];
    let mut script = Script { ends: ends.into(), ..Script::default() };
    let (record, events) = run(&mut script).await;
    assert!(record.is_err());
    assert_eq!(events, ["start one", "end one done", "start two"]);
    assert_eq!(script.calls, ["before one", "one", "after", "before two", "two"]);
}

#[tokio::test]
async fn a_component_that_ended_by_itself_ends_the_steps_after_the_step_in_which_it_did() {
    let mut script = Script { breaks_after: Some("one"), ..Script::default() };
    let (record, events) = run(&mut script).await;
    assert!(record.unwrap_err().to_string().contains("a program ended"));
    assert_eq!(events, ["start one", "end one done"]);
}
