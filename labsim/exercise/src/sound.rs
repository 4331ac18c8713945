//! Whether an exercise is sound: what its lab shows in each state is what the exercise says.

use crate::hint::Hints;
use labsim_scenario::model::{Exercise, NamedCause};
use labsim_verdict::{CauseRecord, Suspect};

/// What a run of one state showed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shown {
    /// Whether all expectations held and every step ended as it had to.
    pub passed: bool,
    /// The sentence of each expectation that did not hold, in the file's order; then of each step that
    /// failed.
    pub unmet: Vec<String>,
    /// The causes, in the order in which the packets met them.
    pub causes: Vec<Suspect>,
}

/// What the runs of all states showed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct States {
    /// Without anything wrong.
    pub healthy: Shown,
    /// As the student gets it.
    pub broken: Shown,
    /// With the exercise's own repair.
    pub repaired: Shown,
    /// With each tempting repair, in the exercise's order.
    pub tempted: Vec<Shown>,
    /// Broken, and repaired in a way that the last hint names, one that passes if there is any; nothing if
    /// none is a change of the scenario.
    pub as_hinted: Option<Shown>,
}

/// What is wrong with an exercise; nothing of a sound one.
#[must_use]
pub fn complaints(exercise: &Exercise, states: &States) -> Vec<String> {
    let mut found = Vec::new();
    passes("in good order", &states.healthy, &mut found);
    fails("broken", &states.broken, Some(&exercise.cause), &mut found);
    passes("with the fix", &states.repaired, &mut found);
    for (tempting, shown) in exercise.tempting.iter().zip(&states.tempted) {
        let state = format!("with the tempting `{}`", tempting.name);
        fails(&state, shown, tempting.cause.as_ref(), &mut found);
    }
    match Hints::of(&states.broken) {
        None => found.push("broken: no hint can be given".to_owned()),
        Some(hints) if hints.node() != Some(exercise.cause.node.as_str()) => {
            let named = hints.node().unwrap_or("no node");
            found.push(format!("the hints name {named}, not {}", exercise.cause.node));
        }
        Some(_) => {}
    }
    if let Some(shown) = &states.as_hinted {
        passes("repaired as the last hint says", shown, &mut found);
    }
    found
}

fn passes(state: &str, shown: &Shown, found: &mut Vec<String>) {
    if !shown.passed {
        let why = shown.unmet.first().map_or("", String::as_str);
        found.push(format!("{state}, it does not pass: {why}{}", first(shown)));
    }
}

fn fails(state: &str, shown: &Shown, cause: Option<&NamedCause>, found: &mut Vec<String>) {
    if shown.passed {
        found.push(format!("{state}, it passes, and must not"));
    } else if shown.unmet.is_empty() {
        found.push(format!("{state}, it fails without a sentence to say so"));
    } else if let Some(cause) = cause
        && !shown.causes.first().is_some_and(|suspect| is(&suspect.record, cause))
    {
        let why = first(shown);
        found.push(format!("{state}, it does not fail for {cause} first{why}"));
    }
}

fn is(record: &CauseRecord, cause: &NamedCause) -> bool {
    record.code == cause.code.name() && record.node.as_deref() == Some(cause.node.as_str())
}

/// ` (found vip-missing at rs1: ...)`
fn first(shown: &Shown) -> String {
    match shown.causes.first() {
        None => " (no cause was found)".to_owned(),
        Some(Suspect { record, sentence }) => {
            let node = record.node.as_deref().unwrap_or("no node");
            format!(" (found {} at {node}: {sentence})", record.code)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use labsim_scenario::model::{LearningGoal, NodeName, Tempting};

    fn cause(code: &str, node: &str) -> NamedCause {
        let code = labsim_codes::cause::all().find(|it| it.name() == code).unwrap();
        NamedCause { code, node: NodeName::new(node).unwrap() }
    }

    fn exercise() -> Exercise {
        let tempting = |name: &str, cause| Tempting {
            name: name.to_owned(),
            why: "it does not help".to_owned(),
            cause,
        };
        Exercise {
            title: "t".to_owned(),
            story: "s".to_owned(),
            goal: "g".to_owned(),
            lesson: "l".to_owned(),
            teaches: LearningGoal::VipOnEveryServer,
            misconception: None,
            cause: cause("vip-missing", "rs1"),
            tempting: vec![tempting("a", None), tempting("b", Some(cause("rp-filter", "rs1")))],
        }
    }

    fn passed() -> Shown {
        Shown { passed: true, ..Shown::default() }
    }

    fn failed(code: &str, node: &str) -> Shown {
        let record = CauseRecord {
            code: code.to_owned(),
            node: Some(node.to_owned()),
            ..CauseRecord::default()
        };
        let causes = vec![Suspect { record, sentence: "dropped".to_owned() }];
        Shown { passed: false, unmet: vec!["the login failed".to_owned()], causes }
    }

    fn sound() -> States {
        States {
            healthy: passed(),
            broken: failed("vip-missing", "rs1"),
            repaired: passed(),
            tempted: vec![failed("no-route", "rs3"), failed("rp-filter", "rs1")],
            as_hinted: Some(passed()),
        }
    }

    fn first_complaint(states: &States) -> String {
        complaints(&exercise(), states).into_iter().next().unwrap_or_default()
    }

    #[test]
    fn of_a_sound_exercise_nothing_is_complained_about() {
        assert_eq!(complaints(&exercise(), &sound()), [""; 0]);
        assert_eq!(complaints(&exercise(), &States { as_hinted: None, ..sound() }), [""; 0]);
    }

    #[test]
    fn each_state_has_to_end_as_the_exercise_says() {
        let other = || failed("vip-missing", "rs2");
        for (states, complaint) in [
            (States { healthy: other(), ..sound() }, "in good order, it does not pass: the login"),
            (States { broken: passed(), ..sound() }, "broken, it passes, and must not"),
            (
                States { broken: other(), ..sound() },
                "broken, it does not fail for vip-missing at rs1",
            ),
            (States { repaired: other(), ..sound() }, "with the fix, it does not pass"),
            (
                States { tempted: vec![passed(), failed("rp-filter", "rs1")], ..sound() },
                "with the tempting `a`, it passes, and must not",
            ),
            (
                States { tempted: vec![other(), other()], ..sound() },
                "with the tempting `b`, it does not fail for rp-filter at rs1 first (found vip-missing",
            ),
            (
                States { as_hinted: Some(other()), ..sound() },
                "repaired as the last hint says, it does not pass",
            ),
        ] {
            let found = first_complaint(&states);
            assert!(found.starts_with(complaint), "{found}");
        }
    }

    #[test]
    fn a_broken_lab_has_to_show_a_symptom_and_a_place() {
        let silent = Shown { unmet: Vec::new(), ..failed("vip-missing", "rs1") };
        let found = complaints(&exercise(), &States { broken: silent, ..sound() });
        assert!(found.contains(&"broken: no hint can be given".to_owned()), "{found:?}");
    }
}
