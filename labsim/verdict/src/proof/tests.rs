//! The search, with laboratories that are functions.

use super::*;
use labsim_scenario::model::NodeName;

/// A laboratory that counts its labs.
struct Function<F> {
    run: F,
    labs: usize,
    most: usize,
    /// The labs of each call.
    calls: Vec<usize>,
}

impl<F: FnMut(&str) -> Trial> Laboratory for Function<F> {
    fn left(&self) -> usize {
        self.most - self.labs
    }

    fn run(&mut self, changes: &[Change]) -> Result<Vec<Trial>, Interrupted> {
        self.labs += changes.len();
        self.calls.push(changes.len());
        Ok(changes.iter().map(|change| (self.run)(&change.lines().join(" "))).collect())
    }
}

fn laboratory<F: FnMut(&str) -> Trial>(run: F) -> Function<F> {
    Function { run, labs: 0, most: LABS - 1, calls: Vec::new() }
}

fn fix(key: &str) -> Fix {
    let fix = Fix { what: format!("set {key}"), ..Fix::default() };
    fix.change(&Change::of(&[key], "1")).linux(&NodeName::new("rs1").unwrap(), format!("do {key}"))
}

/// A cause whose fix sets the key of its name.
fn cause(name: &str) -> Suspect {
    with_fix(name, fix(name))
}

fn with_fix(code: &str, fix: Fix) -> Suspect {
    let record = CauseRecord { code: code.into(), fix, ..CauseRecord::default() };
    Suspect { record, sentence: format!("{code} happened") }
}

fn failed(held: usize, causes: Vec<Suspect>) -> Trial {
    Trial::Failed(failure(held, causes))
}

fn failure(held: usize, causes: Vec<Suspect>) -> Failure {
    Failure { held, failed: vec!["login".to_owned()], causes }
}

fn standings(proof: &Proof) -> Vec<(&str, Standing)> {
    proof.causes.iter().map(|it| (it.cause.code.as_str(), it.standing)).collect()
}

#[test]
fn one_cause_whose_fix_helps_is_proved_by_two_labs() {
    let mut laboratory = laboratory(|change| match change {
        "a: 1" => Trial::Passed,
        _ => failed(0, vec![cause("a")]),
    });
    let proof = prove(&failure(0, vec![cause("a")]), &mut laboratory).unwrap();
    assert!(proof.complete, "{proof:?}");
    assert_eq!(standings(&proof), [("a", Standing::Proved)]);
    assert_eq!((proof.labs, laboratory.labs), (2, 1));
    assert_eq!((proof.overlay, proof.linux), (vec!["a: 1".into()], vec!["rs1: do a".into()]));
}

#[test]
fn a_cause_behind_another_is_found_with_its_fix_in_place_and_both_are_needed() {
    let run = |change: &str| match change {
        "a: 1 b: 1" => Trial::Passed,
        "a: 1" => failed(1, vec![cause("b")]),
        _ => failed(0, vec![cause("a")]),
    };
    let mut laboratory = laboratory(run);
    let proof = prove(&failure(0, vec![cause("a")]), &mut laboratory).unwrap();
    assert_eq!(standings(&proof), [("a", Standing::Proved), ("b", Standing::Proved)]);
    // None, a, both, b.
    assert_eq!((proof.labs, laboratory.calls), (4, vec![1, 1, 1]));
    assert_eq!(proof.overlay, ["a: 1", "b: 1"]);
}

#[test]
fn two_causes_of_one_kind_at_one_place_with_different_cures_are_both_proved() {
    let unknown = |client: &str| with_fix("unknown-client", fix(client));
    let run = |change: &str| match change {
        "a: 1 b: 1" => Trial::Passed,
        "a: 1" => failed(1, vec![unknown("b")]),
        _ => failed(0, vec![unknown("a")]),
    };
    let mut laboratory = laboratory(run);
    let proof = prove(&failure(0, vec![unknown("a")]), &mut laboratory).unwrap();
    assert!(proof.complete, "{proof:?}");
    let both = [("unknown-client", Standing::Proved), ("unknown-client", Standing::Proved)];
    assert_eq!(standings(&proof), both);
    assert_eq!(proof.overlay, ["a: 1", "b: 1"]);
}

#[test]
fn a_consequence_of_another_cause_is_not_needed() {
    let mut laboratory = laboratory(|change| match change {
        "a: 1" | "a: 1 b: 1" => Trial::Passed,
        _ => failed(0, vec![cause("a"), cause("b")]),
    });
    let proof = prove(&failure(0, vec![cause("a"), cause("b")]), &mut laboratory).unwrap();
    assert_eq!(standings(&proof), [("a", Standing::Proved), ("b", Standing::NotNeeded)]);
    assert_eq!(proof.overlay, ["a: 1"]);
}

#[test]
fn what_all_fixes_at_once_prove_is_reduced_to_what_is_needed() {
    // `a` stays visible until `c` is gone; `b` has nothing to do with it.
    let mut laboratory = laboratory(|change| match change {
        change if change.contains("a: 1") && change.contains("c: 1") => Trial::Passed,
        _ => failed(0, vec![cause("a"), cause("b"), cause("c")]),
    });
    let all = vec![cause("a"), cause("b"), cause("c")];
    let proof = prove(&failure(0, all), &mut laboratory).unwrap();
    let expected = [("a", Standing::Proved), ("c", Standing::Proved), ("b", Standing::NotNeeded)];
    assert_eq!(standings(&proof), expected);
    assert_eq!(proof.overlay, ["a: 1", "c: 1"]);
}

#[test]
fn alternatives_are_decided_by_trying_each() {
    let set = with_fix("a", fix("first").or(fix("second")).or(fix("third")));
    let mut laboratory = laboratory(|change| match change {
        "second: 1" => Trial::Passed,
        "first: 1" => failed(1, vec![]),
        _ => failed(0, vec![set.clone()]),
    });
    let proof = prove(&failure(0, vec![set.clone()]), &mut laboratory).unwrap();
    assert_eq!(standings(&proof), [("a", Standing::Proved)]);
    assert_eq!((proof.overlay.concat(), laboratory.calls), ("second: 1".into(), vec![3]));
    let chosen = &proof.causes[0].cause.fix;
    assert_eq!((chosen.what.as_str(), chosen.alternatives.len()), ("set second", 0));
}

#[test]
fn the_alternative_that_keeps_most_expectations_is_followed_first() {
    let set = with_fix("a", fix("first").or(fix("second")));
    let mut laboratory = laboratory(|change| match change {
        "second: 1 b: 1" => Trial::Passed,
        "second: 1" => failed(3, vec![cause("b")]),
        "first: 1" => failed(2, vec![cause("b")]),
        change if change.starts_with("first") => panic!("{change}"),
        _ => failed(0, vec![set.clone()]),
    });
    let proof = prove(&failure(0, vec![set.clone()]), &mut laboratory).unwrap();
    assert_eq!(proof.overlay, ["second: 1", "b: 1"]);
}

#[test]
fn a_cause_that_is_still_shown_with_its_fix_is_withdrawn_and_the_next_one_tried() {
    let mut laboratory = laboratory(|change| match change {
        "b: 1" => Trial::Passed,
        "a: 1 b: 1" => failed(0, vec![cause("c")]),
        _ => failed(0, vec![cause("a"), cause("b")]),
    });
    let proof = prove(&failure(0, vec![cause("a"), cause("b")]), &mut laboratory).unwrap();
    assert_eq!(standings(&proof), [("b", Standing::Proved), ("a", Standing::Withdrawn)]);
    assert!(proof.causes[1].reason.contains("still shown"), "{proof:?}");
}

#[test]
fn a_fix_that_leads_nowhere_is_given_up_for_the_next_cause() {
    let mut laboratory = laboratory(|change| match change {
        "b: 1" => Trial::Passed,
        // Nothing shows why it still fails.
        change if change.contains("a: 1") => failed(1, vec![]),
        _ => failed(0, vec![cause("a"), cause("b")]),
    });
    let proof = prove(&failure(0, vec![cause("a"), cause("b")]), &mut laboratory).unwrap();
    assert_eq!(standings(&proof), [("b", Standing::Proved), ("a", Standing::NotNeeded)]);
}

#[test]
fn a_cause_without_a_change_is_not_provable_and_needs_no_lab() {
    let other = Fix { what: "x".into(), ..Fix::default() }.not_in_scenario("a program made it");
    let mut laboratory = laboratory(|_| panic!("no lab is needed"));
    let first = failure(0, vec![with_fix("a", other)]);
    let proof = prove(&first, &mut laboratory).unwrap();
    assert!(!proof.complete);
    assert_eq!(standings(&proof), [("a", Standing::NotProvable)]);
    assert_eq!((proof.causes[0].reason.as_str(), proof.labs), ("a program made it", 1));
}

#[test]
fn a_change_that_the_scenario_cannot_have_proves_nothing() {
    let mut laboratory = laboratory(|_| Trial::Impossible("x.yaml:3:1: no".into()));
    let proof = prove(&failure(0, vec![cause("a")]), &mut laboratory).unwrap();
    assert_eq!(standings(&proof), [("a", Standing::NotProvable)]);
    assert!(proof.causes[0].reason.ends_with("x.yaml:3:1: no"), "{proof:?}");
}

#[test]
fn a_fix_that_takes_its_cause_away_and_leaves_a_failure_is_undecided() {
    let mut laboratory = laboratory(|_| failed(5, vec![]));
    let proof = prove(&failure(0, vec![cause("a")]), &mut laboratory).unwrap();
    assert_eq!(standings(&proof), [("a", Standing::Undecided)]);
    assert!(proof.causes[0].reason.ends_with("this still fails: login"), "{proof:?}");
    assert!(proof.overlay.is_empty() && !proof.complete);
}

#[test]
fn no_more_labs_are_built_than_allowed_and_what_was_not_decided_is_said() {
    // Each fix shows another cause, for ever.
    let mut laboratory = laboratory(|change| {
        let depth = change.matches(": 1").count();
        failed(depth, vec![cause(&format!("c{depth}"))])
    });
    laboratory.most = 4;
    let proof = prove(&failure(0, vec![cause("c0")]), &mut laboratory).unwrap();
    assert_eq!((proof.labs, laboratory.labs), (5, 4));
    assert!(proof.sentence.contains("used up"), "{proof:?}");
    assert!(proof.causes.iter().all(|it| it.standing == Standing::Undecided), "{proof:?}");
    // Enough to find both, and none to run one without the other.
    let mut laboratory = self::laboratory(|change| match change {
        "a: 1 b: 1" => Trial::Passed,
        "a: 1" => failed(1, vec![cause("b")]),
        _ => failed(0, vec![cause("a")]),
    });
    laboratory.most = 2;
    let proof = prove(&failure(0, vec![cause("a")]), &mut laboratory).unwrap();
    assert!(proof.complete);
    assert_eq!(standings(&proof), [("a", Standing::Undecided), ("b", Standing::Proved)]);
}

#[test]
fn the_first_changes_are_those_that_the_search_asks_for_first() {
    let first = failure(0, vec![with_fix("a", fix("a").or(fix("other"))), cause("b")]);
    let mut asked = Vec::new();
    let mut laboratory = laboratory(|change| {
        asked.push(change.to_owned());
        Trial::Passed
    });
    prove(&first, &mut laboratory).unwrap();
    let changes: Vec<String> =
        first_changes(&first).iter().map(|change| change.lines().join(" ")).collect();
    assert_eq!(changes, ["a: 1", "other: 1", "a: 1 b: 1"]);
    assert_eq!(asked, changes);
    assert!(first_changes(&failure(0, Vec::new())).is_empty());
}

#[test]
fn an_interruption_ends_the_search() {
    struct Interrupting;
    impl Laboratory for Interrupting {
        fn left(&self) -> usize {
            LABS
        }

        fn run(&mut self, _: &[Change]) -> Result<Vec<Trial>, Interrupted> {
            Err(Interrupted)
        }
    }
    let proof = prove(&failure(0, vec![cause("a")]), &mut Interrupting);
    assert_eq!(proof, Err(Interrupted));
}

#[test]
fn a_failure_without_a_cause_tries_nothing() {
    let mut laboratory = laboratory(|_| panic!("nothing is to be tried"));
    let proof = prove(&failure(3, vec![]), &mut laboratory).unwrap();
    assert!(!proof.complete && proof.causes.is_empty());
}
