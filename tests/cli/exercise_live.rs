//! `labsim exercise` in a lab that stays up: what is judged, watched and broken again.

use crate::support::labs::Labs;
use crate::support::{DEADLINE, Ended};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

const VIP: &str = "172.16.4.99/32";
const NAME: &str = "03-no-such-address";
const UNMET: &str = "Not yet: not every login passed with answers from the VIP";

/// Checks of a repaired lab that may fail because the machine is late.
const TRIES: usize = 10;

/// A student, with a folder of the student's own for progress.
struct Student(Labs);

impl Student {
    fn new() -> Self {
        Self(Labs::new())
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.0.command(args);
        command.env("XDG_STATE_HOME", self.0.0.path("state"));
        command
    }

    fn labsim(&self, args: &[&str]) -> Ended {
        Ended::of(self.command(args).output())
    }

    fn exec(&self, node: &str, command: &[&str]) {
        self.labsim(&[&["exec", node, "--"], command].concat()).exits(0);
    }

    /// Changes the lab by `labsim set`.
    fn set(&self, kind: &str, fields: &str) {
        self.labsim(&["set", kind, fields]).exits(0);
    }

    /// Gives each server the VIP, which is what the exercise is about.
    fn repair(&self) {
        for server in ["rs1", "rs2", "rs3"] {
            self.exec(server, &["ip", "address", "add", VIP, "dev", "lo"]);
        }
    }

    /// Has the lab checked until that says `text`: on a machine with more work than processors a login may
    /// take longer than it is given.
    fn until_check_says(&self, exercise: &str, text: &str) -> Ended {
        let check = || self.labsim(&["exercise", "check", exercise]);
        let mut ended = check();
        for _ in 0..TRIES {
            if ended.stdout.contains(text) {
                return ended;
            }
            ended = check();
        }
        panic!("no `{text}` in {ended:?}");
    }
}

/// A watch, with its standard input and the lines that it prints.
struct Watch {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
}

impl Watch {
    fn new(student: &Student) -> Self {
        Self::of(student, "3")
    }

    fn of(student: &Student, exercise: &str) -> Self {
        let mut command = student.command(&["exercise", "watch", exercise]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (sender, lines) = channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || output.lines().try_for_each(|line| sender.send(line.unwrap())));
        let input = child.stdin.take().unwrap();
        Self { child, input, lines }
    }

    /// The next line that begins with one of these.
    fn next(&self, begins: &[&str]) -> String {
        loop {
            let line = self.lines.recv_timeout(DEADLINE).unwrap();
            if begins.iter().any(|begin| line.starts_with(begin)) {
                return line;
            }
        }
    }
}

#[test]
fn a_lab_that_is_repaired_by_hand_passes_and_shows_what_was_changed_beside_the_exercises_repair() {
    let student = Student::new();
    let started = student.labsim(&["exercise", "start", "03"]).exits(0);
    started.says("Goal: ").says(&format!("{NAME} is up: client, router, lb, rs1"));
    assert!(!started.stdout.contains("vip-missing"), "{started:?}");
    student.labsim(&["exercise", "check", "03"]).exits(1).says(UNMET);
    student.labsim(&["exercise", "hint", "03"]).exits(0).says("not every login passed");
    student.labsim(&["exercise", "hint", "03"]).exits(0).says("look at rs1, in step login");
    student.repair();
    let repaired = student.until_check_says("3", "Repaired: Every login passes").exits(0);
    repaired.says(&format!("rs1: new: address {VIP} on lo"));
    repaired.says("  real_servers:\n    servers:\n      vip: 172.16.4.99\n");
    repaired.says(&format!("The lab stays up: labsim down {NAME}"));
    let again = student.labsim(&["exercise", "start", "03"]).exits(0);
    again.says("is up, as you left it; labsim exercise reset");
    student.labsim(&["exercise", "list"]).exits(0).says("  repaired  ");
    student.labsim(&["down"]).exits(0);
    assert_eq!(student.0.folders(), [""; 0]);
}

#[test]
fn a_lab_is_broken_again_by_reset_and_by_restart_and_its_hints_begin_anew() {
    let student = Student::new();
    student.labsim(&["exercise", "reset", "03"]).exits(2).says("labsim exercise start 03-no");
    student.labsim(&["exercise", "start", "03"]).exits(0);
    student.labsim(&["exercise", "hint", "03"]).exits(0);
    student.repair();
    student.labsim(&["exercise", "reset", "03"]).exits(0).says("is up again: client, router");
    student.labsim(&["exercise", "hint", "03"]).exits(0).says("not every login passed");
    student.repair();
    student.labsim(&["restart"]).exits(0);
    student.labsim(&["exercise", "check", "03"]).exits(1).says(UNMET);
}

#[test]
fn a_bypass_of_the_load_balancer_is_refused_in_the_lab_too() {
    let student = Student::new();
    student.labsim(&["exercise", "start", "11"]).exits(0);
    student.exec("router", &["ip", "route", "add", "172.16.4.99", "via", "10.1.1.51"]);
    let bypass = "Not yet: logins did not come by the load balancer";
    student.until_check_says("11", bypass).exits(1);
    student.exec("router", &["ip", "route", "replace", "172.16.4.99", "via", "172.16.0.10"]);
    let repaired = student.until_check_says("11", "Repaired: ").exits(0);
    repaired.says("router: new: route 172.16.4.99/32 via 172.16.0.10 dev lb");
}

#[test]
fn a_repair_file_is_judged_in_a_lab_of_its_own_and_another_lab_of_that_name_is_not_judged() {
    let student = Student::new();
    student.labsim(&["exercise", "start", "19"]).exits(0);
    student.0.0.write("repair.yaml", "tacacs_servers: {aaa: {secret: tacacs-test}}\n");
    let repaired = student.labsim(&["exercise", "check", "19", "repair.yaml"]).exits(0);
    repaired.says("Repaired: ").says("secret: tacacs-test");
    assert!(!repaired.stdout.contains("The lab stays up"), "{repaired:?}");
    // The lab that is up is as broken as before.
    student.labsim(&["exercise", "check", "19"]).exits(1).says("Not yet: not every login passed");
    student.labsim(&["up", "scenarios/exercises/03-no-such-address.yaml"]).exits(0);
    let other = student.labsim(&["exercise", "check", "3"]).exits(2);
    other.says("the lab `03-no-such-address` that is up is not that of this exercise and seed");
}

#[test]
fn a_load_balancers_fault_is_repaired_by_set_and_what_is_tempting_is_no_repair_there_either() {
    let student = Student::new();
    student.labsim(&["exercise", "start", "01"]).exits(0).says("labsim set");
    let unmet = student.labsim(&["exercise", "check", "01"]).exits(1);
    unmet.says("Not yet: not every login passed");
    student.set("tacacs_servers", "aaa: {clients: [192.168.11.201, 172.16.0.10]}");
    let tempted = student.until_check_says("01", "Not yet: the server's log does not name");
    tempted.exits(1);
    student.labsim(&["exercise", "reset", "01"]).exits(0);
    let server = "{vs_tacacs-test_49: {source_address_translation: null}}";
    student.set("load_balancers", &format!("lb: {{virtual_servers: {server}}}"));
    let repaired = student.until_check_says("01", "Repaired: Every login passes").exits(0);
    repaired.says("source_address_translation, was automap");
    repaired.says("A repair that the exercise has:");
}

#[test]
fn a_servers_fault_is_repaired_by_set() {
    let student = Student::new();
    student.labsim(&["exercise", "start", "17"]).exits(0);
    student.labsim(&["exercise", "check", "17"]).exits(1).says("Not yet: ");
    student.set("radius_servers", "aaa: {packet_info: true}");
    let repaired = student.until_check_says("17", "Repaired: The RADIUS login").exits(0);
    repaired.says("rs1: radius_servers.aaa.packet_info is true, was false");
}

#[test]
fn a_fault_of_load_balancer_and_servers_is_repaired_only_when_both_are_set() {
    let student = Student::new();
    student.labsim(&["exercise", "start", "09"]).exits(0);
    let members = "members: [10.1.1.51:49, 10.1.1.52:49, 10.1.1.53:49]";
    student.set("load_balancers", &format!("lb: {{pools: {{p_tacacs-test_49: {{{members}}}}}}}"));
    student.labsim(&["exercise", "check", "09"]).exits(1).says("Not yet: ");
    student.set("tacacs_servers", "aaa: {port: 49}");
    let repaired = student.until_check_says("09", "Repaired: Every login passes at").exits(0);
    repaired.says("rs2: tacacs_servers.aaa.port is 49, was 4949");
    repaired.says("lb: load_balancers.lb.pools.p_tacacs-test_49.members is [10.1.1.51:49, ");
}

#[test]
fn a_watch_checks_when_a_configuration_is_set() {
    let student = Student::new();
    student.labsim(&["exercise", "start", "19"]).exits(0);
    let watch = Watch::of(&student, "19");
    watch.next(&["Not yet"]);
    student.set("tacacs_servers", "aaa: {secret: tacacs-test}");
    watch.next(&["Something changed"]);
    let mut input = watch.input;
    while watch.lines.recv_timeout(DEADLINE).unwrap() != "Repaired: Every login passes." {
        // A login may take longer than it is given.
        let _ = input.write_all(b"\n");
    }
    drop(input);
    Ended::of(watch.child.wait_with_output()).exits(0);
}

#[test]
fn a_watch_checks_on_enter_and_after_a_change_until_the_lab_is_repaired() {
    let student = Student::new();
    student.labsim(&["exercise", "watch", "3"]).exits(2).says("labsim exercise start 03-no");
    student.labsim(&["exercise", "start", "3"]).exits(0);
    let mut watch = Watch::new(&student);
    assert_eq!(watch.next(&["Not yet", "Repaired"]), UNMET);
    watch.input.write_all(b"\n").unwrap();
    watch.next(&["Checking"]);
    assert_eq!(watch.next(&["Not yet", "Repaired"]), UNMET);
    student.exec("rs1", &["ip", "address", "add", "10.9.9.9/32", "dev", "lo"]);
    watch.next(&["Something changed"]);
    assert_eq!(watch.next(&["Not yet", "Repaired"]), UNMET);
    student.repair();
    // The change may be seen when a part of it is made.
    while watch.next(&["Not yet", "Repaired"]) == UNMET {
        watch.input.write_all(b"\n").unwrap();
    }
    watch.next(&["  rs3: new: address"]);
    drop(watch.input);
    Ended::of(watch.child.wait_with_output()).exits(0);
    student.labsim(&["exercise", "list"]).exits(0).says("  repaired  ");
}

#[test]
fn a_watch_ends_by_ctrl_c_and_the_lab_stays_up() {
    let student = Student::new();
    student.labsim(&["exercise", "start", "3"]).exits(0);
    let watch = Watch::new(&student);
    watch.next(&["Not yet"]);
    kill(Pid::from_raw(i32::try_from(watch.child.id()).unwrap()), Signal::SIGINT).unwrap();
    let ended = Ended::of(watch.child.wait_with_output()).exits(130);
    ended.says("interrupted; the lab `03-no-such-address` stays up");
    student.labsim(&["status"]).exits(0);
}
