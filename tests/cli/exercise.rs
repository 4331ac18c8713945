//! `labsim exercise`: what is verified, and what it says.

use crate::support::Desk;
use crate::support::labs::Labs;

const EXERCISE: &str = "scenarios/exercises/19-seen-eight-times.yaml";

#[test]
fn a_sound_exercise_is_verified_in_every_state() {
    let desk = Desk::new();
    let ended = desk.labsim(&["exercise", "verify", EXERCISE]).exits(0);
    ended.says("PASS 19-seen-eight-times: 5 labs, ");
    ended.says("1 exercise: 1 verified, 0 failed, 0 errors, 0 skipped");
    // With the folders before its name, too.
    let ended = desk.labsim(&["exercise", "verify", "--seed", "bob", EXERCISE]).exits(0);
    ended.says("PASS 19-seen-eight-times: 5 labs, ");
}

#[test]
fn an_exercise_whose_states_are_not_what_it_says_fails_with_each_reason() {
    let desk = Desk::new();
    desk.edit(
        EXERCISE,
        "code: secret-mismatch, node: rs1}\n  fix:",
        "code: vip-missing, node: rs1}\n  fix:",
    );
    desk.edit(
        EXERCISE,
        "fix: {tacacs_servers: {aaa: {secret: tacacs-test}}}",
        "fix: {tags: [fixed]}",
    );
    desk.edit(EXERCISE, "routes: {advmss: 1200}", "routes: {advmss: 1201}");
    let ended = desk.labsim(&["exercise", "verify", EXERCISE]).exits(1);
    ended.says("FAIL 19-seen-eight-times");
    ended.says(
        "  broken, it does not fail for vip-missing at rs1 first (found secret-mismatch at rs1: ",
    );
    ended.says("  with the fix, it does not pass: not every login passed");
    ended.says("1 exercise: 0 verified, 1 failed, 0 errors, 0 skipped");
    assert!(!ended.stdout.contains("tempting"), "{}", ended.stdout);
}

#[test]
fn a_tempting_repair_that_repairs_is_complained_about() {
    let desk = Desk::new();
    desk.edit(
        EXERCISE,
        "change: {real_servers: {servers: {routes: {advmss: 1200}}}}",
        "change: {tacacs_servers: {aaa: {secret: tacacs-test}}}",
    );
    let ended = desk.labsim(&["exercise", "verify", EXERCISE]).exits(1).stdout.clone();
    assert!(
        ended.contains("  with the tempting `smaller_segments`, it passes, and must not"),
        "{ended}"
    );
}

#[test]
fn mistakes_are_reported_before_anything_runs() {
    let desk = Desk::new();
    desk.edit(EXERCISE, "secret: other", "secrets: other");
    let ended = desk.labsim(&["exercise", "verify", EXERCISE]);
    ended.exits(2).says("unknown key `secrets`").says("1 error");
    desk.labsim(&["exercise", "verify", "scenarios/snat.yaml"])
        .exits(2)
        .says("this is no exercise");
    desk.labsim(&["exercise", "verify", "topologies"]).exits(2).says("no exercises found");
}

#[test]
fn exercises_are_no_scenarios_of_a_folder_and_run_in_good_order_when_they_are_named() {
    let desk = Desk::new();
    desk.labsim(&["run", "scenarios/exercises"]).exits(2).says("only exercises found");
    desk.labsim(&["run", EXERCISE]).exits(0).says("PASS 19-seen-eight-times");
    desk.labsim(&["validate", EXERCISE]).exits(0).says(": a valid exercise");
}

/// A student, with a folder of the student's own for progress.
fn student(desk: &Desk, args: &[&str]) -> crate::support::Ended {
    let mut command = desk.command(args);
    command.env("XDG_STATE_HOME", desk.path("state"));
    crate::support::Ended::of(command.output())
}

/// A student whose labs end with the test.
fn in_lab(labs: &Labs, args: &[&str]) -> crate::support::Ended {
    let mut command = labs.command(args);
    command.env("XDG_STATE_HOME", labs.0.path("state"));
    crate::support::Ended::of(command.output())
}

#[test]
fn a_student_checks_asks_for_hints_names_the_cause_and_repairs() {
    let labs = Labs::new();
    let desk = &labs.0;
    let labsim = |args: &[&str]| in_lab(&labs, args);
    labsim(&["exercise", "start", "19"]).exits(0).says("Seen eight times").says("Goal: ");
    labsim(&["down"]).exits(0);
    // Without the lab, the broken one is run.
    labsim(&["exercise", "check", "19"]).exits(1).says("Not yet: not every login passed");
    labsim(&["exercise", "hint", "19"]).exits(0).says("not every login passed");
    labsim(&["exercise", "hint", "19"]).exits(0).says("look at rs1, in step login");
    labsim(&["exercise", "hint", "19"]).exits(0).says("[secret-mismatch]");
    labsim(&["exercise", "cause", "19", "vip-missing", "rs1"]).exits(1).says("No: ");
    labsim(&["exercise", "cause", "19", "secret-mismatch", "rs1"]).exits(0).says("Right: ");
    desk.write("repair.yaml", "tacacs_servers: {aaa: {secret: tacacs-test}}\n");
    let repaired = labsim(&["exercise", "check", "19", "repair.yaml"]);
    repaired.exits(0).says("Repaired: Every login passes.").says("Often said, and wrong: ");
    let list = labsim(&["exercise", "list"]).exits(0).stdout.clone();
    assert!(list.contains("19-seen-eight-times"), "{list}");
    assert_eq!(list.matches("  solved  ").count(), 1, "{list}");
    std::fs::create_dir(desk.path("class")).unwrap();
    std::fs::copy(desk.path("state/labsim/progress.jsonl"), desk.path("class/violet.jsonl"))
        .unwrap();
    let class = labsim(&["class", "class", "--csv"]).exits(0).stdout.clone();
    let row = class.lines().nth(1).unwrap();
    assert!(row.starts_with("violet,19-seen-eight-times,solved,2,3,1,yes,"), "{class}");
}

#[test]
fn a_seed_chooses_servers_and_addresses_which_later_commands_know() {
    let labs = Labs::new();
    let labsim = |args: &[&str]| in_lab(&labs, args);
    let cause = |node: &str| labsim(&["exercise", "cause", "19", "secret-mismatch", node]);
    labsim(&["exercise", "start", "19", "--seed", "bob"]).exits(0).says("Seen eight times");
    labsim(&["status"]).exits(0).says("eth0 10.1.161.52/24").says("virtual server 172.16.2.99:49");
    cause("rs1").exits(1).says("No: ");
    cause("rs2").exits(0).says("Right: secret-mismatch at rs2.");
    labsim(&["exercise", "check", "19"]).exits(1).says("Not yet: ");
    labsim(&["exercise", "hint", "19"]).exits(0);
    labsim(&["exercise", "hint", "19"]).exits(0).says("look at rs2");
    labsim(&["exercise", "start", "19", "--seed", "dora"])
        .exits(2)
        .says("not that of this exercise and seed");
    labsim(&["down"]).exits(0);
    // The same lab again, and the shipped one.
    labsim(&["exercise", "start", "19"]).exits(0);
    labsim(&["status"]).exits(0).says("virtual server 172.16.2.99:49");
    labsim(&["down"]).exits(0);
    labsim(&["exercise", "start", "19", "--seed", ""]).exits(0);
    labsim(&["status"]).exits(0).says("virtual server 172.16.4.99:49");
    cause("rs1").exits(0).says("Right: ");
}

#[test]
fn without_a_name_the_seed_chooses_the_exercise() {
    let labs = Labs::new();
    let chosen = in_lab(&labs, &["exercise", "start", "--seed", "ada"]);
    chosen.exits(0).says("Seen eight times");
    in_lab(&labs, &["exercise", "start"]).exits(2).says("--seed");
}

#[test]
fn a_repair_changes_the_lab_and_not_what_it_is_judged_by() {
    let desk = Desk::new();
    desk.write("repair.yaml", "expect: {login: null}\nsteps: {login: null}\n");
    let ended = student(&desk, &["exercise", "check", "19", "repair.yaml"]);
    ended.exits(2).says("a repair cannot change `expect`, `steps`");
    desk.write("repair.yaml", "tacacs_servers: {aaa: {secrets: x}}\n");
    let ended = student(&desk, &["exercise", "check", "19", "repair.yaml"]);
    ended.exits(2).says("repair.yaml:1:24: unknown key `secrets`");
    student(&desk, &["exercise", "start", "seen-eight-time"]).exits(2).says("19-seen-eight-times");
}

#[test]
fn a_bypass_of_the_load_balancer_is_refused_and_named() {
    let desk = Desk::new();
    desk.write("repair.yaml", "topology: topologies/vip-to-server.yaml\n");
    let ended = student(&desk, &["exercise", "check", "11", "repair.yaml"]);
    ended.exits(1).says("Not yet: logins did not come by the load balancer");
}

#[test]
fn without_a_folder_for_progress_everything_else_works() {
    let labs = Labs::new();
    let mut command = labs.command(&["exercise", "start", "03"]);
    command.env_remove("XDG_STATE_HOME").env("HOME", "/dev/null");
    let ended = crate::support::Ended::of(command.output());
    ended.exits(0).says("Goal: ").says("your progress is not kept: ");
    let solution = student(&labs.0, &["exercise", "solution", "3"]).exits(0).stdout.clone();
    assert!(
        solution.contains(
            "# what is wrong: vip-missing at rs1\nreal_servers:\n  servers:\n    vip: null\n"
        ),
        "{solution}"
    );
    assert!(
        solution.contains("# a repair\nreal_servers:\n  servers:\n    vip: 172.16.4.99\n"),
        "{solution}"
    );
}

#[test]
fn a_class_is_a_page_on_which_no_name_is_markup() {
    let desk = Desk::new();
    std::fs::create_dir(desk.path("class")).unwrap();
    let line = |action: &str| format!("{{\"time\": 5, \"exercise\": \"<b>03\", {action}}}\n");
    let done = [line("\"action\": \"start\""), line("\"action\": \"check\", \"passed\": true")];
    desk.write("class/<img src=x>.jsonl", done.concat());
    let ended = desk.labsim(&["class", "class", "--html", "out/class.html"]).exits(0);
    ended.says("<img src=x>");
    let page = std::fs::read_to_string(desk.path("out/class.html")).unwrap();
    assert!(page.contains("<title>Progress of 1 student</title>"), "{page}");
    assert!(page.contains("<td>&lt;img src=x&gt;<td>&lt;b&gt;03<td>repaired<td>1<td>0"), "{page}");
    assert!(!page.contains("<img") && !page.contains("<b>") && !page.contains("<script"), "{page}");
    desk.labsim(&["class", "class", "--html", "class"]).exits(2).says("cannot be written");
}
