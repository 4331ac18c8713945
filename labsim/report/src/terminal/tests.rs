//! What is printed of runs.

use super::*;
use labsim_event::{
    CauseRecord, CauseStanding, ExpectationResult, Finding, Fix, Proof, Standing, Totals,
};
use std::path::PathBuf;

fn style(detail: Detail) -> Style {
    let again = Again::Run(" --tunnel kernel".to_owned());
    Style { progress: false, colour: false, columns: || 80, detail, not_selected: 0, again }
}

/// What a pipe gets without options, and with `-v`.
fn lines(events: Vec<EventRecord>) -> String {
    printed(style(Detail::Lines), events)
}

fn everything(events: Vec<EventRecord>) -> String {
    printed(style(Detail::All), events)
}

fn run_started(scenarios: usize) -> EventRecord {
    let (version, rights) = ("0.1.0".to_owned(), "root".to_owned());
    record(None, Event::RunStarted { version, scenarios: Some(scenarios), jobs: 1, rights })
}

fn run_ended(totals: Totals) -> EventRecord {
    record(None, Event::RunEnded { totals, ended_early: None, took_ms: 1234.5 })
}

fn record(scenario: Option<&str>, event: Event) -> EventRecord {
    EventRecord::now(0.0, scenario.map(str::to_owned), event)
}

fn printed(style: Style, events: Vec<EventRecord>) -> String {
    let mut terminal = Terminal::new(Vec::new(), style);
    for event in &events {
        terminal.consume(event).unwrap();
    }
    String::from_utf8(terminal.out).unwrap()
}

fn started(name: &str) -> EventRecord {
    record(Some(name), Event::ScenarioStarted { file: PathBuf::from("x.yaml") })
}

fn ended(name: &str, outcome: Outcome, reason: Option<&str>) -> EventRecord {
    let reason = reason.map(str::to_owned);
    let event = Event::ScenarioEnded {
        outcome,
        reason,
        code: None,
        held: 1,
        expectations: 2,
        took_ms: 7.0,
    };
    record(Some(name), event)
}

fn judged(name: &str, passed: bool, sentence: &str) -> EventRecord {
    let event = Event::Judged(ExpectationResult {
        name: "n".into(),
        passed,
        sentence: sentence.into(),
        code: None,
        place: "x.yaml:9".into(),
        expected: vec!["ttl 126".into()],
        seen: vec!["ttl 127".into()],
        frames: vec!["frame one".into(), "frame two".into()],
        ..ExpectationResult::default()
    });
    record(Some(name), event)
}

#[test]
fn scenarios_side_by_side_are_printed_in_one_piece_each() {
    let text = everything(vec![
        started("a"),
        started("b"),
        judged("a", true, "a holds"),
        judged("b", true, "b holds"),
        ended("b", Outcome::Passed, None),
        ended("a", Outcome::Passed, None),
    ]);
    let order: Vec<&str> =
        text.lines().filter(|l| l.contains("PASS") || l.contains("holds")).collect();
    assert_eq!(order.len(), 4, "{text}");
    assert!(order[0].starts_with("PASS b"), "{text}");
    assert!(order[1].contains("b holds"), "{text}");
    assert!(order[2].starts_with("PASS a"), "{text}");
}

#[test]
fn a_scenario_that_passed_has_one_line_and_its_warnings_are_counted() {
    let warned = || record(Some("a"), Event::Warned { warning: "a.yaml:3:1: no".into() });
    let events = || {
        let (held, passed) = (judged("a", true, "it holds"), ended("a", Outcome::Passed, None));
        vec![started("a"), warned(), held, passed]
    };
    let text = lines(events());
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.starts_with("PASS a: 1 of 2") && text.ends_with("; 1 warning (-v)\n"), "{text}");
    assert_eq!(printed(style(Detail::Failures), events()), "");
    let text = everything(events());
    assert!(text.contains("\n  ! a.yaml:3:1: no\n") && text.contains("it holds"), "{text}");
}

#[test]
fn a_failed_expectation_shows_what_was_expected_and_seen_with_its_place_and_frames() {
    let events = || vec![started("a"), judged("a", false, "no"), ended("a", Outcome::Failed, None)];
    for text in [lines(events()), everything(events()), printed(style(Detail::Failures), events())]
    {
        for part in [
            "✗ no  (x.yaml:9)",
            "expected: ttl 126",
            "seen: ttl 127",
            "        frame two",
            "FAIL a",
            "  again: labsim run --tunnel kernel x.yaml\n",
        ] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
    }
}

#[test]
fn long_lists_are_cut_and_the_place_of_the_rest_is_named() {
    let mut judged = judged("a", false, "no");
    let Event::Judged(result) = &mut judged.event else { unreachable!() };
    result.frames = (0..15).map(|n| format!("frame {n}.")).collect();
    let text = everything(vec![started("a"), judged, ended("a", Outcome::Failed, None)]);
    assert!(text.contains("frame 11.") && !text.contains("frame 12."), "{text}");
    assert!(text.contains("3 more in events.jsonl"), "{text}");
}

/// A scenario with a cause and many failed expectations.
fn failed(name: &str) -> Vec<EventRecord> {
    let finding = |code: Option<&str>, sentence: &str| Finding {
        code: code.map(str::to_owned),
        sentence: sentence.into(),
        ..Finding::default()
    };
    let findings =
        vec![finding(None, "it was last seen at rs1"), finding(Some("vip-missing"), "no VIP")];
    let mut events = vec![started(name)];
    events.extend((0..9).map(|number| judged(name, false, &format!("no {number}"))));
    events.push(record(
        Some(name),
        Event::Diagnosed { step: "login".into(), findings, causes: Vec::new() },
    ));
    events.push(ended(name, Outcome::Failed, None));
    events
}

#[test]
fn a_failure_has_the_cause_first_and_at_most_fifteen_lines() {
    let text = lines(failed("a"));
    let printed: Vec<&str> = text.lines().collect();
    assert_eq!(printed.len(), 15, "{text}");
    let cause = "  why, in step login: no VIP [vip-missing] (not proved; labsim diagnose x.yaml \
                 proves it)";
    assert_eq!(printed[1], cause);
    assert_eq!(printed[2], "  why, in step login: it was last seen at rs1");
    assert!(printed[3].contains("✗ no 0"), "{text}");
    assert!(printed[13].contains("more lines with -v"), "{text}");
    assert_eq!(printed[14], "  again: labsim run --tunnel kernel x.yaml");
}

#[test]
fn a_proof_stands_behind_the_causes_with_its_changes_and_is_not_cut() {
    let cause = CauseRecord {
        code: "vip-missing".into(),
        node: Some("rs1".into()),
        step: "login".into(),
        fix: Fix { what: "add it".into(), ..Fix::default() },
        ..CauseRecord::default()
    };
    let mut events = failed("a");
    events.truncate(events.len() - 2);
    let finding = Finding {
        code: Some("vip-missing".into()),
        sentence: "no VIP".into(),
        ..Finding::default()
    };
    let (step, findings) = ("login".into(), vec![finding]);
    let diagnosed = Event::Diagnosed { step, findings, causes: vec![cause.clone()] };
    events.push(record(Some("a"), diagnosed));
    let standing = |standing, reason: &str| CauseStanding {
        standing,
        reason: reason.into(),
        sentence: "no VIP".into(),
        cause: cause.clone(),
    };
    let mut withdrawn = standing(Standing::Withdrawn, "it is still shown");
    withdrawn.cause.code = "rp-filter".into();
    let proof = Proof {
        complete: true,
        sentence: "all expectations hold with one change".into(),
        labs: 3,
        causes: vec![standing(Standing::Proved, "without its fix 1 fails"), withdrawn],
        overlay: (0..20).map(|line| format!("key{line}: 1")).collect(),
        linux: vec!["rs1: ip address add".into()],
        tmsh: vec!["modify ltm pool".into()],
        acos: vec!["slb virtual-server".into()],
    };
    events.push(record(Some("a"), Event::Proved(proof)));
    events.push(ended("a", Outcome::Failed, None));
    let text = printed(style(Detail::Failures), events);
    for part in [
        "no VIP [vip-missing] (proved)\n",
        "  proof: all expectations hold with one change (3 labs)\n",
        "    withdrawn: no VIP [rp-filter]\n      it is still shown\n",
        "    key19: 1\n  on Linux hosts:\n    rs1: ip address add\n",
        "  on the load balancer (tmsh):\n    modify ltm pool\n",
        "  or on the load balancer (ACOS):\n    slb virtual-server\n  again: ",
    ] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
}

#[test]
fn failures_are_printed_again_at_the_end_unless_there_is_one_scenario() {
    let run = |scenarios| {
        let totals = Totals { passed: scenarios - 1, failed: 1, ..Totals::default() };
        let events = [vec![run_started(scenarios)], failed("a"), vec![run_ended(totals)]];
        lines(events.concat())
    };
    let text = run(2);
    let (before, after) = text.split_once("\nfailures:\n\n").unwrap();
    assert!(before.contains("no VIP") && after.contains("no VIP"), "{text}");
    assert!(text.ends_with("\nran for 1.2 s\n1 passed, 1 failed, 0 skipped\n"), "{text}");
    assert_eq!(run(1).matches("no VIP").count(), 1);
}

#[test]
fn the_memory_for_failures_is_bounded() {
    let mut events = vec![run_started(500)];
    events.extend((0..500).flat_map(|number| failed(&format!("s{number}"))));
    events.push(run_ended(Totals { failed: 500, ..Totals::default() }));
    let text = lines(events);
    let (_, after) = text.split_once("\nfailures:\n\n").unwrap();
    assert_eq!(after.matches("no VIP").count(), 100);
    assert!(after.contains("... 400 more failures above"), "{after}");
}

#[test]
fn an_earlier_try_that_failed_is_printed_with_a_flaky_scenario() {
    let mut events = failed("a");
    events.pop();
    events.push(record(
        Some("a"),
        Event::TryFailed {
            number: 1,
            outcome: Outcome::Failed,
            reason: None,
            code: Some("vip-missing".into()),
            took_ms: 7.0,
        },
    ));
    events.push(judged("a", true, "it holds"));
    events.push(ended("a", Outcome::Flaky, None));
    let text = lines(events);
    assert!(text.starts_with("RETRY a: try 1 failed [vip-missing]\nFLAKY a: "), "{text}");
    for part in ["  try 1: FAIL a", "no VIP [vip-missing]", "✗ no 0", "again: labsim run"] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    assert!(text.lines().count() <= 16, "{text}");
}

#[test]
fn a_file_that_is_not_valid_is_an_error_with_its_errors() {
    let errors = vec!["x.yaml:3:1: no [unknown-key]".into(), "x.yaml:4:1: neither".into()];
    let text = lines(vec![
        started("a"),
        record(Some("a"), Event::FileRejected { errors }),
        ended("a", Outcome::Broken, Some("the file is not valid: 2 errors")),
    ]);
    let expected = "ERROR a: the file is not valid: 2 errors\n  x.yaml:3:1: no [unknown-key]\n  \
        x.yaml:4:1: neither\n  again: labsim run --tunnel kernel x.yaml\n";
    assert_eq!(text, expected);
}

#[test]
fn a_pipe_gets_no_progress_line_and_no_escape() {
    let text = lines(vec![started("a"), ended("a", Outcome::Passed, None)]);
    assert!(!text.contains('\r') && !text.contains('\x1b'), "{text:?}");
}

#[test]
fn a_terminal_gets_a_progress_line_that_is_wiped_and_never_wider_than_it() {
    let style = || Style { progress: true, columns: || 20, ..style(Detail::Lines) };
    let text = printed(style(), vec![run_started(2), started("a-scenario-with-a-long-name")]);
    let line = text.rsplit("\x1b[K").next().unwrap();
    assert_eq!(line, "[0/2] a-scenario-wi");
    let text = printed(style(), vec![started("a"), ended("a", Outcome::Passed, None)]);
    assert!(text.contains("\r\x1b[KPASS a"), "{text:?}");
    let text = printed(style(), [vec![run_started(3)], failed("a"), vec![started("b")]].concat());
    assert!(text.ends_with("\x1b[K[1/3] 1 failed; b: "), "{text:?}");
}

fn step(scenario: &str, what: &str) -> EventRecord {
    let event = Event::StepStarted { step: "ready".into(), what: what.into() };
    record(Some(scenario), event)
}

#[test]
fn the_progress_line_says_what_a_step_waits_for_and_the_oldest_scenario_first() {
    let style = Style { progress: true, columns: || 200, ..style(Detail::Lines) };
    let events = vec![started("z"), started("a"), step("z", "waits until flows of lb is 3")];
    let text = printed(style.clone(), events.clone());
    let line = text.rsplit("\x1b[K").next().unwrap();
    let expected =
        "[0] 2 running; z: step ready: waits until flows of lb is 3; a: building the lab";
    assert_eq!(line, expected);
    let found = Event::StepWaits { step: "ready".into(), found: "flows of lb is 1".into() };
    let text = printed(style, [events, vec![record(Some("z"), found)]].concat());
    let line = text.rsplit("\x1b[K").next().unwrap();
    let expected = "z: step ready: waits until flows of lb is 3 (now flows of lb is 1); a: ";
    assert!(line.contains(expected), "{line}");
}

#[test]
fn no_text_of_a_file_moves_the_cursor_and_wide_characters_do_not_wrap_the_progress_line() {
    let style = Style { progress: true, columns: || 40, ..style(Detail::Lines) };
    let text = printed(style, vec![step("a", "\x1b[2J\r\n\u{202e}負荷分散負荷分散負荷分散")]);
    let line = text.rsplit("\r\x1b[K").next().unwrap();
    assert_eq!(line, "[0] a: step ready: ?[2J???負荷分散負荷");
}

#[test]
fn what_a_terminal_shows_in_the_end_is_what_a_pipe_gets() {
    let end = || run_ended(Totals { passed: 1, failed: 1, ..Totals::default() });
    let events = || {
        let first = vec![run_started(2), started("a"), started("b"), step("b", "waits")];
        [first, failed("a"), vec![ended("b", Outcome::Passed, None), end()]].concat()
    };
    let on_terminal = Style { progress: true, columns: || 30, ..style(Detail::Lines) };
    let mut shown = String::new();
    for (number, part) in printed(on_terminal, events()).split("\r\x1b[K").enumerate() {
        let line_start = shown.rfind('\n').map_or(0, |at| at + 1);
        assert!(number == 0 || shown.len() - line_start < 30, "a progress line wraps: {shown:?}");
        // What is erased is the line that the cursor is in.
        shown.truncate(line_start);
        shown.push_str(part);
    }
    assert_eq!(shown, lines(events()));
}

#[test]
fn many_logins_are_summed_up_and_one_is_not() {
    let step = |attempts| Event::StepEnded {
        step: "logins".into(),
        result: "pass".into(),
        detail: format!("{attempts} logins"),
        attempts,
        local: None,
        took_ms: 1.0,
    };
    let events = [1, 300].map(|attempts| record(Some("a"), step(attempts)));
    let events = [vec![started("a")], events.into(), vec![ended("a", Outcome::Passed, None)]];
    let text = everything(events.concat());
    assert!(text.contains("  step logins: 300 logins\n"), "{text}");
    assert!(!text.contains("1 logins"), "{text}");
}

#[test]
fn a_skipped_scenario_says_why_in_one_line() {
    let text = lines(vec![ended("a", Outcome::Skipped, Some("no ipip\nmodule"))]);
    assert_eq!(text, "SKIP a: no ipip module\n");
}

#[test]
fn the_last_line_counts_outcomes_and_skips_by_reason() {
    let totals = Totals { passed: 3, failed: 1, ..Totals::default() };
    let text = lines(vec![run_ended(totals)]);
    assert!(text.ends_with("\n3 passed, 1 failed, 0 skipped\n"), "{text}");
    let skipped = |code: &str| {
        let event = Event::ScenarioEnded {
            outcome: Outcome::Skipped,
            reason: Some("missing".into()),
            code: Some(code.into()),
            held: 0,
            expectations: 1,
            took_ms: 1.0,
        };
        record(Some("a"), event)
    };
    let totals = Totals { flaky: 1, errors: 2, skipped: 3, interrupted: 4, not_run: 5, ..totals };
    let mut events: Vec<EventRecord> =
        ["tun-missing", "program-missing", "tun-missing"].map(skipped).into();
    events.push(run_ended(totals));
    let text = printed(Style { not_selected: 6, ..style(Detail::Lines) }, events);
    let expected = "\n3 passed, 1 flaky, 1 failed, 2 errors, 3 skipped (program-missing 1, \
        tun-missing 2), 4 interrupted, 5 not run, 6 not selected\n";
    assert!(text.ends_with(expected), "{text}");
}

#[test]
fn a_run_that_ended_early_says_why() {
    let ended_early = Some("one scenario failed".to_owned());
    let event = Event::RunEnded { totals: Totals::default(), ended_early, took_ms: 1.0 };
    let text = lines(vec![record(None, event)]);
    assert!(text.starts_with("ended early: one scenario failed\nran for 0.0 s\n"), "{text}");
}
