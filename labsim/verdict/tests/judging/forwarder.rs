//! A forwarder's counters.

use crate::lab::Lab;
use crate::scenario::{node, scenario};
use labsim_scenario::model::{Check, Count};
use labsim_verdict::{ExpectationResult, judge};

fn judged(counter: &str, count: Count, counted: &[(&str, u64)]) -> ExpectationResult {
    let mut lab = Lab::new();
    let counters = lab.seen.forwarder_counters.entry(node("lb")).or_default();
    counters.extend(counted.iter().map(|(name, number)| ((*name).to_owned(), *number)));
    let check = Check::Forwarder { node: node("lb"), counter: counter.to_owned(), count };
    judge(&scenario(vec![check]), &lab.seen).expectations.remove(0)
}

#[test]
fn a_counter_is_compared_and_one_that_is_missing_is_zero() {
    let counted = [("no_flow", 2), ("flows.timed_out", 1)];
    for (counter, count, passed) in [
        ("no_flow", Count::Exactly(2), true),
        ("no_flow", Count::Exactly(1), false),
        ("no_flow", Count::Exactly(3), false),
        ("no_flow", Count::AtLeast(2), true),
        ("no_flow", Count::AtLeast(3), false),
        ("flows.timed_out", Count::Exactly(1), true),
        ("no_route", Count::Exactly(0), true),
        ("no_route", Count::AtLeast(1), false),
        ("flow", Count::Exactly(0), true),
    ] {
        let judgement = judged(counter, count, &counted);
        assert_eq!(judgement.passed, passed, "{counter} {count:?}");
        assert_eq!(judgement.name, "expectation-1");
    }
}

#[test]
fn what_was_counted_instead_is_shown() {
    let judgement = judged("no_flow", Count::Exactly(1), &[("forwarded", 6), ("no_route", 0)]);
    assert_eq!(judgement.expected, ["the forwarder on lb counts no_flow: 1"]);
    assert_eq!(
        judgement.seen,
        ["the forwarder on lb counted no_flow: 0", "all that it counted: forwarded 6"]
    );
}

#[test]
fn a_counter_is_found_behind_its_groups_name() {
    assert!(judged("no_flow", Count::Exactly(4), &[("outcomes.no_flow", 4)]).passed);
}

#[test]
fn a_forwarder_that_gave_no_counters_proves_nothing() {
    let check = Check::Forwarder {
        node: node("lb"),
        counter: "no_flow".to_owned(),
        count: Count::Exactly(0),
    };
    let judgement = judge(&scenario(vec![check]), &Lab::new().seen).expectations.remove(0);
    assert!(!judgement.passed);
    assert_eq!(judgement.seen, ["the forwarder on lb gave no counters"]);
}

#[test]
fn a_counter_that_is_wrong_has_the_unanswered_steps_diagnosed() {
    let check = Check::Forwarder {
        node: node("lb"),
        counter: "no_flow".to_owned(),
        count: Count::Exactly(0),
    };
    let verdict = judge(&scenario(vec![check]), &Lab::new().seen);
    assert_eq!(verdict.diagnoses.len(), 1);
}
