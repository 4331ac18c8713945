//! `processes` and the step `run`: what they mean, and every error that they can have.

use crate::common::{Files, SCENARIO, TOPOLOGY, changed, is_as_expected, shown};
use labsim_scenario::model::{Check, LoginResult, Readiness, StepAction};
use std::path::Path;
use std::time::Duration;

const PROCESSES: &str = "\
processes:
  one: {nodes: [rs1, rs2], command: [serve, -p, 1812], ready: {port: 1812, protocol: udp}}
  two: {node: client, command: [\"{dir}/a/b\"], files: {a/b: text}, ready: {line: up}}
steps:
  ask: {run: {node: client, command: [ask, secret], environment: {KEY: 1}, exit: 3, timeout: 2}}
";

fn scenario(changes: &[(&str, &str)]) -> String {
    let processes = changed(PROCESSES, changes);
    let asked = "expect:\n  asked: {answer: {step: ask, result: pass}, pass: yes, fail: no}\n";
    let changes = [
        ("steps:\n", processes.as_str()),
        ("expect:\n", asked),
        ("{answer: {result", "{answer: {step: login, result"),
        ("frames: talk", "step: login, frames: talk"),
    ];
    changed(SCENARIO, &changes)
}

fn diagnostics(text: &str) -> Vec<String> {
    Files::new(TOPOLOGY, text).load().err().map(|found| shown(&found)).unwrap_or_default()
}

#[test]
fn processes_and_a_step_that_runs_a_program_are_read() {
    let lab = Files::new(TOPOLOGY, &scenario(&[])).load().unwrap();
    let [one, two] = lab.processes.as_slice() else { panic!("{:?}", lab.processes) };
    assert_eq!((one.name.as_str(), one.nodes.len()), ("one", 2));
    assert_eq!(one.program.path, "serve");
    let arguments: Vec<_> = one.program.arguments.iter().map(|one| one.expose_text()).collect();
    assert_eq!(arguments, ["-p", "1812"]);
    assert_eq!((one.ready.clone(), one.timeout), (Readiness::Udp(1812), Duration::from_secs(10)));
    assert_eq!(two.ready, Readiness::Line("up".to_owned()));
    assert_eq!(two.program.files[Path::new("a/b")].expose_text(), "text");

    let StepAction::Run(run) = &lab.steps[0].action else { panic!("{:?}", lab.steps) };
    assert_eq!((run.node.as_str(), run.exit, run.timeout), ("client", 3, Duration::from_secs(2)));
    assert_eq!(run.program.environment["KEY"].expose_text(), "1");
    let check = &lab.expectations[0].check;
    let passes = LoginResult::Pass;
    assert!(
        matches!(check, Check::Answer { step, result, .. } if step.as_str() == "ask" && *result == passes)
    );
}

#[test]
fn arguments_environment_and_files_are_not_part_of_what_debug_shows() {
    let lab = Files::new(TOPOLOGY, &scenario(&[("secret]", "hushhush]"), ("text", "hushhush")]));
    let shown = format!("{:?}", lab.load().unwrap());
    assert!(shown.contains("ask") && !shown.contains("hushhush"), "{shown}");
}

#[test]
fn the_port_is_tcps_unless_it_is_said() {
    let lab = Files::new(TOPOLOGY, &scenario(&[(", protocol: udp", "")])).load().unwrap();
    assert_eq!(lab.processes[0].ready, Readiness::Tcp(1812));
}

#[test]
fn the_only_step_with_an_end_need_not_be_named() {
    let text = scenario(&[]);
    let text = changed(
        &text,
        &[
            (
                "  login: {tacacs_login: {from: client, to: 172.16.4.99:49, user: u, password: p}}\n",
                "",
            ),
            ("{step: ask, result", "{result"),
            ("  told: {answer: {step: login, result: pass}, pass: yes, fail: no}\n", ""),
            (
                "  seen: {exchange: {at: client:eth0, step: login, frames: talk}, pass: yes, fail: no}\n",
                "",
            ),
        ],
    );
    let lab = Files::new(TOPOLOGY, &text).load().unwrap();
    assert!(
        matches!(&lab.expectations[0].check, Check::Answer { step, .. } if step.as_str() == "ask")
    );
}

#[test]
fn every_error_is_told_with_its_place() {
    let cases: &[(&str, &str, &[&str])] = &[
        (
            "node: client, command: [\"",
            "node: nobody, command: [\"",
            &["case.yaml:17:15: unknown node `nobody`…"],
        ),
        (
            "nodes: [rs1, rs2]",
            "nodes: [rs1, rs1]",
            &["case.yaml:16:22: `rs1` is named twice; keep one"],
        ),
        (
            "nodes: [rs1, rs2], ",
            "",
            &["case.yaml:16:3: this process has no node; add `node`, or `nodes`"],
        ),
        (
            "nodes: [rs1, rs2]",
            "node: rs1, nodes: [rs2]",
            &["case.yaml:16:15: both `node` and `nodes`; keep one of them"],
        ),
        (
            "[serve, -p, 1812]",
            "[]",
            &["case.yaml:16:37: an empty command; write the program, then its arguments"],
        ),
        (
            "[serve,",
            "[\"\",",
            &["case.yaml:16:38: `` is not a valid program; write its name, or its path"],
        ),
        (
            "[serve,",
            "[bin/serve,",
            &["case.yaml:16:38: `bin/serve` is a relative path; write a name…"],
        ),
        (
            "{dir}/a/b",
            "{dir}/a/c",
            &["case.yaml:17:33: `{dir}/a/c` is not in `files`; add it there"],
        ),
        (
            "[ask, secret]",
            "[ask, \"a\\0\"]",
            &["case.yaml:19:44: this argument contains a NUL byte; remove it"],
        ),
        (
            "{KEY: 1}",
            "{K=Y: 1}",
            &["case.yaml:19:67: `K=Y` cannot name a variable; write letters, digits and `_`"],
        ),
        (
            "a/b: text",
            "a/b: text, a: text",
            &["case.yaml:17:66: `a` and `a/b` cannot both be there; rename one"],
        ),
        (
            "{port: 1812, protocol: udp}",
            "{port: 0}",
            &["case.yaml:16:70: port 0 does not exist; write 1 to 65535"],
        ),
        (
            "{port: 1812, protocol: udp}",
            "{}",
            &["case.yaml:16:63: `ready` is empty; write one of `port`, `line` and `exit`"],
        ),
        (
            "{line: up}",
            "{line: up, exit: true}",
            &["case.yaml:17:74: keep one of `port`, `line` and `exit`"],
        ),
        (
            "{line: up}",
            "{line: up, protocol: tcp}",
            &["case.yaml:17:95: a `protocol` without a `port`; add the port"],
        ),
        (
            "{line: up}",
            "{exit: false}",
            &["case.yaml:17:81: `exit` accepts only `true`; leave it out otherwise"],
        ),
        ("exit: 3", "exit: 256", &["case.yaml:19:82: …"]),
        ("timeout: 2", "timeout: 0", &["case.yaml:19:94: a timeout of 0 s; write 0.05 to 3600"]),
        ("  two:", "  ask:", &["case.yaml:17:3: a step is named `ask` too; rename one"]),
        ("  two:", "  a/b:", &["case.yaml:17:3: the process name `a/b` may hold…"]),
    ];
    for (from, to, expected) in cases {
        let found = diagnostics(&scenario(&[(from, to)]));
        assert!(is_as_expected(&found, expected), "{to}: {found:#?}");
    }
}

#[test]
fn no_file_leaves_the_private_folder() {
    for path in ["/etc/x", "..", "a/../b", "../x", "./a", "a//b", "a/", ".", "a/./b"] {
        let found =
            diagnostics(&scenario(&[("files: {a/b", &format!("files: {{a/b: x, \"{path}\""))]));
        assert_eq!(found.len(), 1, "{path}: {found:#?}");
        assert!(found[0].contains("does not stay in the private folder"), "{path}: {found:#?}");
    }
    for path in ["", "a\\nb", "a\\0b", &"x".repeat(256)] {
        let found =
            diagnostics(&scenario(&[("files: {a/b", &format!("files: {{a/b: x, \"{path}\""))]));
        assert!(
            found.iter().any(|one| one.contains("is not a valid file name")),
            "{path}: {found:#?}"
        );
    }
}

#[test]
fn everything_is_bounded() {
    let list = |number: usize, item: &dyn Fn(usize) -> String| {
        (0..number).map(item).collect::<Vec<_>>().join(", ")
    };
    let words = list(257, &|_| "x".to_owned());
    let variables = list(257, &|n| format!("V{n}: 1"));
    let files = list(65, &|n| format!("f{n}: x"));
    for (from, to, why) in [
        ("[serve, -p, 1812]", format!("[{words}]"), "257 words; at most 256"),
        ("{KEY: 1}", format!("{{{variables}}}"), "257 variables; at most 256"),
        ("{a/b: text}", format!("{{a/b: x, {files}}}"), "66 files; at most 64"),
        (
            "{a/b: text}",
            format!("{{a/b: {}}}", "x".repeat((512 << 10) + 1)),
            "more than 524288 bytes",
        ),
        ("ask, secret", format!("ask, {}", "x".repeat((64 << 10) + 1)), "at most 65536"),
        (
            "  two:",
            format!(
                "{}  two:",
                "  oneN: {nodes: [rs1, rs2], command: [x], ready: {exit: true}}\n".repeat(32)
            ),
            "programs; at most 64",
        ),
    ] {
        let to = (0..32).fold(to, |to, n| to.replacen("oneN", &format!("one{n}"), 1));
        let found = diagnostics(&scenario(&[(from, &to)]));
        assert!(found.len() == 1 && found[0].contains(why), "{why}: {found:#?}");
    }
}

#[test]
fn a_program_has_an_end_and_no_answer_on_the_wire() {
    let with = |check: &str| {
        let asked = "answer: {step: ask, result: pass}";
        diagnostics(&changed(&scenario(&[]), &[(asked, check)]))
    };
    let found = with("answer: {step: ask, result: pass, source: 172.16.4.99}");
    assert!(
        found.len() == 1 && found[0].contains("the end of a program or a transfer has no `source`"),
        "{found:#?}"
    );
    let found = with("server_saw: {step: ask, client: 192.168.11.201}");
    assert!(found.len() == 1 && found[0].contains("the step `ask` sends no request"), "{found:#?}");
}
