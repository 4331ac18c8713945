//! The files of a run, as CI servers read them.

use super::*;
use crate::run_document::{ListedScenario, results_schema};
use labsim_event::{Event, ExpectationResult, Finding, Outcome, Totals};
use std::fs;

fn record(scenario: Option<&str>, event: Event) -> EventRecord {
    EventRecord::now(1500.0, scenario.map(str::to_owned), event)
}

fn started(name: &str) -> EventRecord {
    record(Some(name), Event::ScenarioStarted { file: PathBuf::from("x.yaml") })
}

fn ended(name: &str, outcome: Outcome, reason: Option<&str>) -> EventRecord {
    let reason = reason.map(str::to_owned);
    let code = match outcome {
        Outcome::Passed => None,
        Outcome::Failed => Some("vip-missing"),
        _ => Some("tun-missing"),
    };
    let event = Event::ScenarioEnded {
        outcome,
        reason,
        code: code.map(str::to_owned),
        held: 0,
        expectations: 1,
        took_ms: 48.4,
    };
    record(Some(name), event)
}

fn document(names: &[&str]) -> RunDocument {
    let listed = names.iter().map(|name| ListedScenario {
        name: (*name).to_owned(),
        path: format!("{name}.yaml"),
        file: format!("scenarios/{name}.yaml"),
    });
    RunDocument::new("build-1".to_owned(), listed)
}

fn create(path: &Path, names: &[&str]) -> Result<DocumentFiles, DocumentError> {
    DocumentFiles::create(document(names), [(DocumentFormat::Junit, path)])
}

fn kept(names: &[&str], events: &[EventRecord]) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("results/junit.xml");
    let mut junit = create(&path, names).unwrap();
    events.iter().for_each(|event| junit.consume(event).unwrap());
    let text = fs::read_to_string(path).unwrap();
    (dir, text)
}

/// Tests, failures, errors and skipped ones of the suite.
fn counts(text: &str) -> [usize; 4] {
    let document = roxmltree::Document::parse(text).unwrap();
    let suite = document.descendants().find(|it| it.has_tag_name("testsuite")).unwrap();
    let count = |name| suite.attribute(name).unwrap().parse().unwrap();
    ["tests", "failures", "errors", "skipped"].map(count)
}

/// The test case of that name, and of what is in it the one named `child`.
fn child(text: &str, case: &str, child: &str) -> (String, String) {
    let document = roxmltree::Document::parse(text).unwrap();
    let mut all = document.descendants();
    let case = all.find(|it| it.attribute("name") == Some(case)).unwrap();
    let child = case.children().find(|it| it.has_tag_name(child));
    let child = child.unwrap_or_else(|| panic!("{text}"));
    let message = child.attribute("message").unwrap_or_default();
    (message.to_owned(), child.text().unwrap_or_default().to_owned())
}

#[test]
fn a_failed_scenario_tells_its_cause_its_expectations_and_their_frames() {
    let judged = Event::Judged(ExpectationResult {
        name: "n".into(),
        passed: false,
        sentence: "the client saw <another> address".into(),
        place: "x.yaml:9".into(),
        expected: vec!["172.16.4.99".into()],
        seen: vec!["10.1.1.52".into()],
        frames: vec!["frame one".into(), "frame two".into()],
        ..ExpectationResult::default()
    });
    let finding = Finding {
        code: Some("vip-missing".into()),
        sentence: "no VIP".into(),
        ..Finding::default()
    };
    let why =
        Event::Diagnosed { step: "login".into(), findings: vec![finding], causes: Vec::new() };
    let events = [
        started("a"),
        record(Some("a"), judged),
        record(Some("a"), why),
        ended("a", Outcome::Failed, None),
    ];
    let (_dir, text) = kept(&["a"], &events);
    let (message, details) = child(&text, "a", "failure");
    assert_eq!(message, "no VIP");
    for part in [
        "why, in step login: no VIP [vip-missing]",
        "✗ the client saw <another> address  (x.yaml:9)",
        "expected: 172",
        "seen: 10",
        "two",
    ] {
        assert!(details.contains(part), "{part} is missing in {details}");
    }
    assert!(text.contains("type=\"vip-missing\""), "{text}");
    assert!(details.find("why") < details.find("✗"), "the cause comes first: {details}");
}

#[test]
fn skipped_and_broken_scenarios_tell_their_reasons() {
    let events = [
        ended("a", Outcome::Skipped, Some("no TUN & no veth")),
        ended("b", Outcome::Broken, Some("it broke")),
        ended("c", Outcome::Interrupted, Some("a signal came")),
    ];
    let (_dir, text) = kept(&["a", "b", "c"], &events);
    assert_eq!(child(&text, "a", "skipped").0, "no TUN & no veth");
    assert_eq!(child(&text, "b", "error").0, "it broke");
    assert_eq!(child(&text, "c", "error").0, "a signal came");
    assert_eq!(counts(&text), [3, 0, 2, 1]);
    assert!(text.contains("time=\"0.048\""), "{text}");
    assert_eq!(text.matches("type=\"tun-missing\"").count(), 3, "{text}");
}

#[test]
fn a_run_that_dies_leaves_every_scenario_with_what_became_of_it() {
    let (_dir, text) = kept(&["a", "b"], &[]);
    assert_eq!(counts(&text), [2, 0, 0, 2]);
    let events = [started("a"), ended("a", Outcome::Passed, None), started("b")];
    let (_dir, text) = kept(&["a", "b", "c"], &events);
    assert_eq!(counts(&text), [3, 0, 1, 1]);
    assert_eq!(child(&text, "b", "error").0, "labsim ended before the scenario ended");
    assert_eq!(child(&text, "c", "skipped").0, "labsim ended before the scenario began");
}

#[test]
fn an_earlier_file_is_gone_before_the_run_begins() {
    let (dir, _) = kept(&["a"], &[ended("a", Outcome::Passed, None)]);
    let path = dir.path().join("results/junit.xml");
    create(&path, &["b"]).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert!(!text.contains("name=\"a\"") && text.contains("name=\"b\""), "{text}");
}

#[test]
fn a_path_that_takes_no_file_is_named_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("folder")).unwrap();
    fs::write(dir.path().join("file"), "").unwrap();
    for (path, reason) in [("folder", "a folder"), ("file/junit.xml", "File exists")] {
        let error = create(&dir.path().join(path), &["a"]).err().unwrap().to_string();
        assert!(error.contains(path) && error.contains(reason), "{error}");
    }
    let error = create(Path::new("/"), &["a"]).err().unwrap().to_string();
    assert!(error.contains("the JUnit file / cannot be written"), "{error}");
}

#[test]
fn a_stream_takes_one_document_when_the_run_ends() {
    let dir = tempfile::tempdir().unwrap();
    let redirected = dir.path().join("redirected");
    let open = fs::File::create(&redirected).unwrap();
    let link = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&open));
    let mut junit = create(Path::new(&link), &["a"]).unwrap();
    junit.consume(&started("a")).unwrap();
    junit.consume(&ended("a", Outcome::Passed, None)).unwrap();
    assert_eq!(fs::read_to_string(&redirected).unwrap(), "");
    let totals = Totals { passed: 1, ..Default::default() };
    junit
        .consume(&record(None, Event::RunEnded { totals, ended_early: None, took_ms: 1.0 }))
        .unwrap();
    let text = fs::read_to_string(&redirected).unwrap();
    roxmltree::Document::parse(&text).unwrap();
    assert_eq!(counts(&text), [1, 0, 0, 0]);
}

#[test]
fn the_json_file_is_the_run_as_its_schema_describes_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("results.json");
    let validator = jsonschema::validator_for(&serde_json::from_str(&results_schema()).unwrap());
    let validator = validator.unwrap();
    let read = || -> serde_json::Value {
        let value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let errors: Vec<_> = validator.iter_errors(&value).map(|it| it.to_string()).collect();
        assert_eq!(errors, [""; 0]);
        value
    };
    let files = [(DocumentFormat::Json, path.as_path())];
    let mut sink = DocumentFiles::create(document(&["a", "b"]), files).unwrap();
    assert_eq!(read()["scenarios"][1]["progress"], "not_begun");
    let finding = Finding {
        code: Some("vip-missing".into()),
        sentence: "no VIP".into(),
        ..Finding::default()
    };
    for event in [
        Event::StepStarted { step: "login".into(), what: "logs in".into() },
        Event::StepEnded {
            step: "login".into(),
            result: "timeout".into(),
            detail: "no reply".into(),
            attempts: 1,
            local: None,
            took_ms: 1.5,
        },
        Event::Judged(ExpectationResult { name: "answer".into(), ..Default::default() }),
        Event::Diagnosed { step: "login".into(), findings: vec![finding], causes: Vec::new() },
    ] {
        sink.consume(&record(Some("a"), event)).unwrap();
    }
    sink.consume(&ended("a", Outcome::Failed, None)).unwrap();
    let value = read();
    assert_eq!(value["ended"], false);
    let totals = Totals { failed: 1, interrupted: 1, ..Totals::default() };
    sink.consume(&record(None, Event::RunEnded { totals, ended_early: None, took_ms: 1.0 }))
        .unwrap();
    let value = read();
    assert_eq!((&value["ended"], &value["host"]), (&true.into(), &"build-1".into()));
    assert_eq!(value["totals"]["interrupted"], 1);
    let scenario = &value["scenarios"][0];
    assert_eq!(scenario["outcome"], "failed");
    assert_eq!(scenario["code"], "vip-missing");
    assert_eq!(scenario["file"], "scenarios/a.yaml");
    assert_eq!(scenario["steps"][0]["result"], "timeout");
    assert_eq!(scenario["expectations"][0]["name"], "answer");
    assert_eq!(scenario["causes"][0]["sentence"], "no VIP");
}

#[test]
fn two_documents_do_not_replace_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let (path, link) = (dir.path().join("run"), dir.path().join("link"));
    fs::write(&path, "").unwrap();
    std::os::unix::fs::symlink("run", &link).unwrap();
    let files = [(DocumentFormat::Junit, path.as_path()), (DocumentFormat::Json, link.as_path())];
    let error = DocumentFiles::create(document(&["a"]), files).err().unwrap().to_string();
    assert!(error.starts_with("the JSON file ") && error.contains("the same file"), "{error}");
    // A stream takes both.
    let null = Path::new("/dev/null");
    let files = [(DocumentFormat::Junit, null), (DocumentFormat::Json, null)];
    assert!(DocumentFiles::create(document(&["a"]), files).is_ok());
}

#[test]
fn the_schema_that_is_checked_in_is_that_of_the_types() {
    let checked_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/results.json");
    assert_eq!(fs::read_to_string(checked_in).unwrap(), results_schema());
}
