//! What a user gets for input that cannot be used: every mistake at once, and exit code 2.

use crate::support::Desk;
use std::os::unix::fs::symlink;

const SCENARIO: &str = "scenarios/tacacs-ipip.yaml";
const PART: &str = "scenarios/parts/tacacs.yaml";

#[test]
fn a_shipped_file_is_valid_and_says_so() {
    let desk = Desk::new();
    let ended = desk.labsim(&["validate", "scenarios", "topologies"]).exits(0);
    ended.says("tacacs-ipip.yaml: a valid scenario").says("one-arm-routed.yaml: a valid topology");
}

#[test]
fn what_is_valid_and_cannot_work_is_warned_about_with_its_place() {
    let desk = Desk::new();
    let ended = desk.labsim(&["validate", "scenarios/port-translation.yaml"]).exits(0);
    ended.says("a valid scenario").says("  ! scenarios/port-translation.yaml:10:");
    assert_eq!(ended.stderr, "");
    let quiet = desk.labsim(&["validate", SCENARIO]).exits(0);
    assert!(!quiet.stdout.contains('!'), "{}", quiet.stdout);
}

#[test]
fn several_mistakes_in_two_files_are_all_told_with_their_places() {
    let desk = Desk::new();
    desk.edit(PART, "outer_source: client", "outer_source: server");
    desk.edit(PART, "ip_protocol: tcp", "ip_protocoll: tcp");
    desk.edit("topologies/one-arm-routed.yaml", "10.1.1.53/24", "10.1.1.52/24");
    let ended = desk.labsim(&["run", SCENARIO]).exits(2);
    ended.says("ip_protocoll").says("outer_source: server").says("10.1.1.52/24");
    ended.says("ERROR tacacs-ipip: the file is not valid: ").says("0 passed, 0 failed, 1 error");
}

#[test]
fn a_file_that_is_no_text_is_refused() {
    let desk = Desk::new();
    desk.write("scenarios/zero.yaml", [0u8; 4096]);
    desk.labsim(&["validate", "scenarios/zero.yaml"]).exits(2).says("zero.yaml:1:1");
}

#[test]
fn a_name_with_control_characters_does_nothing_to_the_terminal() {
    let desk = Desk::new();
    let name = "out\u{1b}[2J\u{202e}";
    for command in [
        &["compare", name, name][..],
        &["report", name, "--html", "x"],
        &["merge", name],
        &["status", name],
        &["exec", "rs1", "--name", name, "--", "true"],
    ] {
        let ended = desk.labsim(command).exits(2);
        assert!(ended.stderr.contains(r"out\u{1b}[2J\u{202e}"), "{:?}", ended.stderr);
        assert!(!ended.stderr.contains(['\u{1b}', '\u{202e}']), "{:?}", ended.stderr);
    }
    desk.write(&format!("scenarios/{name}.yaml"), "steps: [");
    let ended = desk.labsim(&["validate", "scenarios"]).exits(2);
    assert!(!ended.stderr.contains(['\u{1b}', '\u{202e}']), "{:?}", ended.stderr);
}

#[test]
fn an_empty_file_is_refused() {
    let desk = Desk::new();
    desk.write("scenarios/empty.yaml", "");
    desk.labsim(&["run", "scenarios/empty.yaml"]).exits(2).says("empty.yaml");
}

#[test]
fn ten_megabytes_of_brackets_are_refused_at_once() {
    let desk = Desk::new();
    desk.write("scenarios/deep.yaml", "[".repeat(10 << 20));
    desk.labsim(&["run", "scenarios/deep.yaml"]).exits(2).says("deep.yaml");
    desk.write("scenarios/deep.yaml", "{a: ".repeat((1 << 18) - 1));
    desk.labsim(&["run", "scenarios/deep.yaml"]).exits(2).says("deep.yaml");
}

#[test]
fn a_folder_without_scenarios_and_a_missing_file_are_both_named() {
    let desk = Desk::new();
    std::fs::create_dir(desk.path("nothing")).unwrap();
    let ended = desk.labsim(&["run", "nothing", "gone.yaml"]).exits(2);
    ended.says("nothing: no scenarios in this folder").says("gone.yaml: no such file");
}

#[test]
fn a_folder_of_topologies_alone_has_nothing_to_run() {
    let desk = Desk::new();
    desk.labsim(&["run", "topologies"]).exits(2).says("only topologies found, no scenarios");
}

#[test]
fn a_topology_cannot_be_run() {
    let desk = Desk::new();
    desk.labsim(&["run", "topologies/one-arm-routed.yaml"]).exits(2).says("topology");
}

#[test]
fn a_scenario_cannot_make_labsim_print_a_file_through_a_link() {
    let desk = Desk::new();
    desk.write("private", "root:secret:1:1\n");
    symlink(desk.path("private"), desk.path("topologies/link.yaml")).unwrap();
    let part = "scenarios/parts/dsr-servers.yaml";
    desk.edit(part, "topologies/one-arm-routed.yaml", "topologies/link.yaml");
    let ended = desk.labsim(&["run", SCENARIO]).exits(2);
    assert!(!ended.stderr.contains("root:secret"), "{}", ended.stderr);
    ended.says("link");
}

#[test]
fn a_named_file_that_is_not_labsims_is_an_error() {
    let desk = Desk::new();
    desk.write("docker-compose.yml", "services: {}\n");
    desk.labsim(&["run", "docker-compose.yml"]).exits(2).says("unknown key `services`");
    desk.labsim(&["validate", "docker-compose.yml"]).exits(2).says("unknown key `services`");
}

#[test]
fn results_do_not_go_through_a_link_that_somebody_laid() {
    let desk = Desk::new();
    std::fs::create_dir(desk.path("elsewhere")).unwrap();
    std::fs::create_dir(desk.path("results")).unwrap();
    symlink(desk.path("elsewhere"), desk.path("results/tacacs-ipip")).unwrap();
    desk.labsim(&["run", SCENARIO, "--out", "results"]).exits(2).says("link");
    assert_eq!(std::fs::read_dir(desk.path("elsewhere")).unwrap().count(), 0);
}

#[test]
fn unknown_arguments_are_exit_code_2_and_help_is_0() {
    let desk = Desk::new();
    desk.labsim(&["run", "--no-such-option"]).exits(2);
    desk.labsim(&["run"]).exits(2);
    desk.labsim(&["run", SCENARIO, "--jobs", "0"]).exits(2).says("expected `auto` or a number");
    desk.labsim(&["run", SCENARIO, "--timeout", "-1"]).exits(2);
    desk.labsim(&["run", SCENARIO, "--timeout", "0"]).exits(2).says("above 0, such as `30`");
    desk.labsim(&["--help"]).exits(0).says("doctor");
    desk.labsim(&["--version"]).exits(0);
}

#[test]
fn a_bad_forwarder_configuration_is_refused_with_its_place() {
    let desk = Desk::new();
    desk.write("lb.yaml", "interface: eth0\nvirtual_servers: {}\npools:\n  p: {memberz: []}\n");
    let ended = desk.labsim(&["forwarder", "--config", "lb.yaml"]).exits(2);
    ended.says("lb.yaml:4").says("memberz");
}
