//! Exercises: every state is read, and every mistake has its place.

use crate::common::{Files, SCENARIO, TOPOLOGY, changed, shown};
use labsim_scenario::model::{LearningGoal, Misconception, Scenario};
use labsim_scenario::{Input, Kind, LoadedExercise, Opened};
use labsim_yaml::Diagnostics;
use std::collections::BTreeSet;
use std::path::Path;

/// What makes the small lab's scenario an exercise.
const EXERCISE: &str = "\
exercise:
  title: A title
  story: |
    It was well.
    Now it is not.
  goal: It is well again.
  lesson: Do not do this.
  teaches: tunnel-mtu
  break: {tacacs_servers: [{nodes: [rs1, rs2], secret: other, clients: [192.168.11.0/24], users: {u: p}}]}
  cause: {code: secret-mismatch, node: rs1}
  fix: {tacacs_servers: [{nodes: [rs1, rs2], secret: s, clients: [192.168.11.0/24], users: {u: p}}]}
  tempting:
    one: {change: {expect: {told: {answer: {result: fail}}}}, why: It only looks well.}
    two:
      change: {expect: {seen: null}}
      why: It looks less.
      cause: {code: vip-missing, node: rs2}
";

fn load(exercise: &str) -> Result<LoadedExercise, Diagnostics> {
    let files = Files::new(TOPOLOGY, &format!("{SCENARIO}{exercise}"));
    Opened::open(&files.path("case.yaml"))?.load_exercise()
}

fn mistakes(changes: &[(&str, &str)]) -> Vec<String> {
    shown(&load(&changed(EXERCISE, changes)).unwrap_err())
}

#[test]
fn each_state_is_the_scenario_with_its_changes() {
    let LoadedExercise { exercise, healthy, broken, repaired, tempted, sources: _ } =
        load(EXERCISE).unwrap();
    let secret = |scenario: &Scenario| {
        let server = scenario.tacacs_servers.values().next().unwrap();
        server.secret.expose_text().into_owned()
    };
    let expectations = |scenario: &Scenario| scenario.expectations.len();
    assert_eq!(
        (secret(&healthy.scenario), secret(&broken.scenario)),
        ("s".to_owned(), "other".to_owned())
    );
    assert_eq!(secret(&repaired), "s");
    // A tempting repair is laid over the broken scenario.
    assert_eq!(tempted.iter().map(secret).collect::<Vec<_>>(), ["other", "other"]);
    assert_eq!(tempted.iter().map(expectations).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(exercise.story, "It was well.\nNow it is not.");
    assert_eq!(exercise.teaches, LearningGoal::TunnelMtu);
    assert_eq!(exercise.cause.to_string(), "secret-mismatch at rs1");
    let causes: Vec<_> = exercise.tempting.iter().map(|one| one.cause.is_some()).collect();
    assert_eq!(causes, [false, true]);
}

#[test]
fn all_mistakes_of_an_exercise_are_reported_at_once_each_at_its_place() {
    let line = SCENARIO.lines().count();
    let at = |below: usize, rest: &str| format!("case.yaml:{}:{rest}", line + below);
    let found = mistakes(&[
        ("  title: A title\n", "  title: \"\"\n"),
        ("tunnel-mtu", "tunnel-mtv"),
        (
            "  break: {tacacs_servers: [{nodes: [rs1, rs2]",
            "  break: {tacacs_servers: [{nodes: [rs1, rs7]",
        ),
        ("code: secret-mismatch, node: rs1", "code: secret-mismatsh, node: rs1"),
        ("{change: {expect: {told: {answer: {result: fail}}}}", "{change: {extends: x.yaml}"),
        ("{seen: null}", "{sean: null}"),
        ("node: rs2}", "node: rs3}"),
    ]);
    let expected = [
        at(2, "10: an empty title; write 1 to 80 bytes"),
        at(8, "12: expected one of `addresses-at-each-hop`"),
        at(9, "42: unknown node `rs7`; the topology has"),
        at(10, "17: unknown cause `secret-mismatsh`; did you mean `secret-mismatch`?"),
        at(13, "20: `change` cannot hold `extends`"),
        at(15, "25: `null` takes a key out, and what it is laid over has no `sean` here"),
        at(17, "40: unknown node `rs3`; the topology has"),
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(&expected) {
        assert!(found.starts_with(expected.as_str()), "{found}\n{expected}");
    }
}

#[test]
fn a_change_has_to_change_something_and_a_missing_one_is_missed() {
    let empty = mistakes(&[(
        "fix: {tacacs_servers: [{nodes: [rs1, rs2], secret: s, clients: [192.168.11.0/24], users: {u: p}}]}",
        "fix: {}",
    )]);
    assert!(empty[0].ends_with("an empty `fix`; write what it changes"), "{empty:?}");
    let missing = mistakes(&[(
        "  fix: {tacacs_servers: [{nodes: [rs1, rs2], secret: s, clients: [192.168.11.0/24], users: {u: p}}]}\n",
        "",
    )]);
    assert!(missing.len() == 1 && missing[0].contains("`fix`"), "{missing:?}");
}

#[test]
fn a_scenario_is_no_exercise_and_an_exercise_is_a_scenario_in_good_order() {
    let files = Files::new(TOPOLOGY, SCENARIO);
    let opened = Opened::open(&files.path("case.yaml")).unwrap();
    assert_eq!(opened.kind(), Some(Kind::Scenario));
    let error = opened.load_exercise().unwrap_err().to_string();
    assert!(error.contains("this is no exercise: it has no key `exercise`"), "{error}");
    let files = Files::new(TOPOLOGY, &format!("{SCENARIO}{EXERCISE}"));
    assert_eq!(Opened::open(&files.path("case.yaml")).unwrap().kind(), Some(Kind::Exercise));
    assert_eq!(files.load().unwrap().expectations.len(), 2);
}

/// The shipped ones, in their order.
fn all_shipped() -> Vec<LoadedExercise> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/exercises");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = entries.filter(|path| path.is_file()).collect();
    paths.sort();
    let read = |path| Opened::open(path).and_then(|opened| opened.load_exercise());
    paths.iter().map(|path| read(path).unwrap_or_else(|errors| panic!("{errors}"))).collect()
}

#[test]
fn the_shipped_exercises_are_about_every_learning_goal_and_every_misconception() {
    let all = all_shipped();
    assert!(all.len() >= 20, "{}", all.len());
    let goals: BTreeSet<_> = all.iter().map(|one| one.exercise.teaches).collect();
    assert_eq!(goals, LearningGoal::ALL.into());
    let errors: BTreeSet<_> = all.iter().filter_map(|one| one.exercise.misconception).collect();
    assert_eq!(errors, Misconception::ALL.into());
}

#[test]
fn a_shipped_exercise_has_a_tempting_repair_and_its_story_does_not_name_the_cause() {
    for LoadedExercise { exercise, healthy, .. } in all_shipped() {
        let name = &healthy.scenario.name;
        assert!(!exercise.tempting.is_empty(), "{name}");
        let told = format!("{} {} {}", exercise.title, exercise.story, exercise.goal);
        assert!(!told.contains(exercise.cause.code.name()), "{name}");
    }
}

#[test]
fn the_broken_lab_of_a_shipped_exercise_can_be_read_again_as_a_scenario_of_its_own() {
    for loaded in all_shipped() {
        let broken = &loaded.broken.scenario;
        let (sources, path) = (loaded.broken_sources(), format!("{}.yaml", broken.name));
        let input = Input::InMemory { sources: &sources, path: &path };
        assert_eq!(Opened::open(input).unwrap().kind(), Some(Kind::Scenario), "{}", broken.name);
        let again =
            labsim_scenario::load(input).unwrap_or_else(|errors| panic!("{errors}")).scenario;
        // But for places in the files.
        let set_up = |it: &Scenario| {
            let text = format!("{it:?}");
            let parts = text.split("Place {").enumerate();
            let parts = parts.map(|(number, part)| match part.split_once('}') {
                Some((_, rest)) if number > 0 => rest.to_owned(),
                _ => part.to_owned(),
            });
            parts.collect::<String>()
        };
        assert_eq!(set_up(&again), set_up(broken), "{}", broken.name);
        assert!(sources.values().all(|text| !text.contains("\nexercise:")), "{}", broken.name);
    }
}
