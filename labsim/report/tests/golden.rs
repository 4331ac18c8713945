//! The terminal's text and the JUnit file of one run with every outcome, as files: a change of wording
//! is reviewed as a diff. `SNAPSHOTS=overwrite cargo test -p labsim-report` rewrites them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod junit_rules;

use labsim_event::{Event, EventRecord, ExpectationResult, Finding, Outcome, Sink, Totals};
use labsim_report::{
    Again, Detail, DocumentFiles, DocumentFormat, ListedScenario, RunDocument, Style, Terminal,
};
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

const SCENARIOS: [&str; 6] = ["passed", "failed", "skipped", "error", "interrupted", "not-begun"];

/// An output whose text can be read.
#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn result(passed: bool, sentence: &str) -> Event {
    let mut result = ExpectationResult {
        name: "login".into(),
        passed,
        sentence: sentence.into(),
        place: "scenarios/failed.yaml:12".into(),
        seen: vec!["the login ended with pass after 4.2 ms: welcome".into()],
        ..ExpectationResult::default()
    };
    if !passed {
        result.expected = vec!["the login `login` ends with pass".into()];
        result.seen = vec!["the login ended with timeout after 1000 ms: no reply".into()];
        let frame = "lb:eth0 in  IP 192.168.11.201.40001 > 172.16.4.99.49: Flags [S], seq 0";
        result.frames = (0..14).map(|number| format!("+{number}.250 ms {frame}")).collect();
    }
    Event::Judged(result)
}

fn diagnosed() -> Event {
    let finding = |code: Option<&str>, sentence: &str| Finding {
        frame_indices: Vec::new(),
        code: code.map(str::to_owned),
        sentence: sentence.into(),
        fix: None,
    };
    Event::Diagnosed {
        step: "login".into(),
        findings: vec![
            finding(
                None,
                "the client's packet S seq 0 len 0 (sent 5 times) was last seen at rs1:tunl0 in; \
                 path: client:eth0 out, lb:eth0 in, lb:eth0 out, rs1:tunl0 in",
            ),
            finding(
                Some("vip-missing"),
                "rs1 dropped 5 packets for 172.16.4.99 (IpInAddrErrors +5): no interface has this \
                 address",
            ),
            finding(None, "no reply was captured anywhere"),
        ],
        causes: Vec::new(),
    }
}

fn ended(outcome: Outcome, reason: Option<&str>, code: Option<&str>) -> Event {
    Event::ScenarioEnded {
        outcome,
        reason: reason.map(str::to_owned),
        code: code.map(str::to_owned),
        held: usize::from(outcome == Outcome::Passed),
        expectations: 1,
        took_ms: 48.4,
    }
}

fn events() -> Vec<(Option<&'static str>, Event)> {
    let built = || Event::LabBuilt {
        nodes: 6,
        links: 8,
        tunnel: "kernel".into(),
        impairments: None,
        took_ms: 12.3,
        lab: None,
        plan: Default::default(),
    };
    let ready = || Event::Ready {
        capture_points: 17,
        data_planes: [("lb".to_owned(), "packet ring".to_owned())].into(),
        took_ms: 3.0,
    };
    let refused = |node: &str, isolation: &str| Event::IsolationRefused {
        node: node.into(),
        program: "radius".into(),
        isolation: isolation.into(),
        reason: "Operation not permitted".into(),
    };
    let observed = || Event::Observed { frames: 127, dropped: 0, observations: Arc::default() };
    let of = |scenario: &'static str, events: Vec<Event>| {
        let started = Event::ScenarioStarted { file: format!("scenarios/{scenario}.yaml").into() };
        let all = std::iter::once(started).chain(events);
        all.map(move |event| (Some(scenario), event)).collect::<Vec<_>>()
    };
    let (held, failed) = ("the login passed", "the login got no reply");
    let tun = "no TUN device: /dev/net/tun does not exist; load the module tun [tun-missing]";
    let build = "the lab cannot be built: the kernel rejected lb:eth0 [build-failed]";
    let signal = "interrupted; the lab was torn down [interrupted]";
    let warning = "scenarios/failed.yaml:3:1: rs1 has no VIP".to_owned();
    let run_started = Event::RunStarted {
        version: "0.1.0".into(),
        scenarios: Some(SCENARIOS.len()),
        jobs: 1,
        rights: "root".into(),
    };
    let totals = Totals {
        passed: 1,
        failed: 1,
        errors: 1,
        skipped: 1,
        interrupted: 1,
        not_run: 1,
        ..Totals::default()
    };
    [
        vec![(None, run_started)],
        of(
            "passed",
            vec![
                built(),
                ready(),
                observed(),
                result(true, held),
                ended(Outcome::Passed, None, None),
            ],
        ),
        of(
            "failed",
            vec![
                Event::Warned { warning },
                built(),
                refused("rs1", "PID namespace"),
                refused("rs1", "own /proc"),
                refused("rs2", "own /proc"),
                ready(),
                observed(),
                result(false, failed),
                diagnosed(),
                ended(Outcome::Failed, None, Some("vip-missing")),
            ],
        ),
        of("skipped", vec![ended(Outcome::Skipped, Some(tun), Some("tun-missing"))]),
        of("error", vec![ended(Outcome::Broken, Some(build), Some("build-failed"))]),
        of("interrupted", vec![ended(Outcome::Interrupted, Some(signal), Some("interrupted"))]),
        vec![(
            None,
            Event::RunEnded { totals, ended_early: Some("interrupted".into()), took_ms: 1234.5 },
        )],
    ]
    .concat()
}

fn consume(sink: &mut dyn Sink) {
    for (scenario, event) in events() {
        let record = EventRecord::now(1500.0, scenario.map(str::to_owned), event);
        sink.consume(&EventRecord { time_us: 1_763_860_449_162_109, ..record }).unwrap();
    }
}

fn terminal(detail: Detail) -> String {
    let output = Output::default();
    let again = Again::Run(String::new());
    let style =
        Style { progress: false, colour: false, columns: || 80, detail, not_selected: 0, again };
    consume(&mut Terminal::new(output.clone(), style));
    String::from_utf8(output.0.lock().unwrap().clone()).unwrap()
}

#[test]
fn the_terminal_prints_the_run_as_in_the_golden_file() {
    let text = terminal(Detail::Lines);
    snapbox::assert_data_eq!(text, snapbox::file!["golden/terminal.txt"].raw());
}

#[test]
fn the_terminal_prints_everything_as_in_the_golden_file() {
    let text = terminal(Detail::All);
    snapbox::assert_data_eq!(text, snapbox::file!["golden/terminal-v.txt"].raw());
}

fn document() -> RunDocument {
    let scenarios = SCENARIOS.map(|name| ListedScenario {
        name: name.to_owned(),
        path: format!("{name}.yaml"),
        file: format!("scenarios/{name}.yaml"),
    });
    RunDocument::new("build-1".to_owned(), scenarios)
}

#[test]
fn the_junit_file_has_the_run_as_in_the_golden_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("junit.xml");
    let files = [(DocumentFormat::Junit, path.as_path())];
    consume(&mut DocumentFiles::create(document(), files).unwrap());
    let text = std::fs::read_to_string(path).unwrap();
    roxmltree::Document::parse(&text).unwrap();
    snapbox::assert_data_eq!(text, snapbox::file!["golden/junit.xml"].raw());
}

#[test]
fn the_junit_file_keeps_to_the_rules_of_jenkins_schema() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("junit.xml");
    let files = [(DocumentFormat::Junit, path.as_path())];
    let mut sink = DocumentFiles::create(document(), files).unwrap();
    let before = std::fs::read_to_string(&path).unwrap();
    assert_eq!(junit_rules::violations(&before), [""; 0]);
    consume(&mut sink);
    let text = std::fs::read_to_string(path).unwrap();
    assert_eq!(junit_rules::violations(&text), [""; 0]);
}
