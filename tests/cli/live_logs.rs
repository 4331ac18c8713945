//! What runs in a lab that is up printed and logged.

use crate::support::DEADLINE;
use crate::support::labs::Labs;
use std::process::Stdio;
use std::time::Instant;

#[test]
fn what_a_node_printed_and_logged_comes_in_order_each_line_with_its_program() {
    let labs = Labs::new();
    let script = r"printf 'one\r\ntwo\tx\033[31m\342\200\256\nend'; exec sleep 1000";
    let programs = format!(
        "processes: {{talker: {{node: rs1, command: [sh, -c, {script:?}], ready: {{line: end}}}}}}\n\
         steps: {{hello: {{run: {{node: client, command: [sh, -c, 'echo hello; exit 3'], exit: 3}}}}}}\n"
    );
    let file = labs.0.over("talk", "tacacs-ipip", &programs);
    labs.labsim(&["up", &file]).exits(0);
    let printed = labs.labsim(&["logs", "rs1"]).exits(0);
    assert_eq!(
        (printed.stdout.as_str(), printed.stderr.as_str()),
        (
            "process talker: one\nprocess talker: two    x\\u{1b}[31m\\u{202e}\nprocess talker: end\n",
            ""
        )
    );
    labs.labsim(&["step", "login"]).exits(0);
    let logged = labs.labsim(&["logs", "rs1", "--name", "talk"]).exits(0);
    let places = ["process talker: two", "TACACS+ server: 192.168.11.201:"]
        .map(|text| logged.stdout.find(text).unwrap_or_else(|| panic!("no {text} in {logged:?}")));
    assert!(places.is_sorted(), "{logged:?}");
    logged.says(" -> 172.16.4.99:49 authentication PASS");
    // What has ended is kept, and it is the node's own.
    assert_eq!(labs.labsim(&["logs", "client"]).exits(0).stdout, "");
    labs.labsim(&["step", "hello"]).exits(0);
    assert_eq!(labs.labsim(&["logs", "client"]).exits(0).stdout, "step hello: hello\n");
    let unknown = labs.labsim(&["logs", "clint"]).exits(2);
    unknown.says("the lab has no node `clint`; did you mean `client`? Its nodes: ");
    labs.labsim(&["logs", "rs1", "--name", "tolk"]).exits(2).says("did you mean `talk`?");
}

#[test]
fn a_forwarder_logs_what_its_lab_was_told_to() {
    let labs = Labs::new();
    labs.labsim(&["up", "scenarios/monitor.yaml", "-v"]).exits(0);
    let began = Instant::now();
    // Its monitors begin to probe after it is ready.
    while !labs.labsim(&["logs", "lb"]).exits(0).stdout.contains("forwarder: INFO ") {
        assert!(began.elapsed() < DEADLINE);
    }
}

#[test]
fn only_the_end_of_what_was_printed_is_kept_and_the_rest_is_counted() {
    let labs = Labs::new();
    let script = "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done; echo last";
    let step = format!(
        "steps: {{much: {{run: {{node: client, command: [sh, -c, '{script}'], timeout: 20}}}}}}\n"
    );
    let file = labs.0.over("much", "tacacs-ipip", &step);
    labs.labsim(&["up", &file]).exits(0);
    let mut child = labs.command(&["step", "much"]).stdout(Stdio::null()).spawn().unwrap();
    // Also while the step runs.
    labs.labsim(&["logs", "client"]).exits(0);
    assert!(child.wait().unwrap().success());
    let logs = labs.labsim(&["logs", "client"]).exits(0);
    assert!(logs.stdout.ends_with("step much: last\n") && logs.stdout.len() < 256 << 10);
    let lines = logs.stdout.lines().count();
    let first = 20_001 - lines;
    assert!(first > 0 && logs.stdout.starts_with(&format!("step much: line {first}\n")));
    logs.says(&format!("labsim: the first {first} lines are not kept"));
}
