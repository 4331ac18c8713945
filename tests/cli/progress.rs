//! What a run shows on a terminal: the line of what is going on comes and goes.

use crate::support::Desk;
use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::File;
use std::io::Read as _;
use std::process::Command;

const ERASE: &str = "\r\x1b[K";
const COLUMNS: u16 = 50;

/// Runs a command with a terminal of [`COLUMNS`] as both outputs. `during` sees all that was written so far,
/// after each reading, with the number of the process.
fn on_terminal(mut command: Command, mut during: impl FnMut(&str, Pid)) -> (String, Option<i32>) {
    let size = Winsize { ws_row: 24, ws_col: COLUMNS, ws_xpixel: 0, ws_ypixel: 0 };
    let terminal = openpty(&size, None).unwrap();
    command.stdout(terminal.slave.try_clone().unwrap()).stderr(terminal.slave);
    let mut child = command.spawn().unwrap();
    drop(command);
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    let (mut file, mut bytes) = (File::from(terminal.master), Vec::new());
    let mut buffer = [0; 4096];
    // When the last process that has the terminal is gone, reading fails with EIO (pty(7)).
    while let Ok(count @ 1..) = file.read(&mut buffer) {
        bytes.extend_from_slice(&buffer[..count]);
        during(&String::from_utf8_lossy(&bytes), pid);
    }
    let code = child.wait().unwrap().code();
    // The terminal ends lines with CR LF.
    (String::from_utf8(bytes).unwrap().replace("\r\n", "\n"), code)
}

/// What the terminal shows in the end, and the lines that were erased.
fn shown(text: &str) -> (String, Vec<String>) {
    let (mut shown, mut erased) = (String::new(), Vec::new());
    for (number, part) in text.split(ERASE).enumerate() {
        let start = shown.rfind('\n').map_or(0, |at| at + 1);
        if number > 0 {
            erased.push(shown.split_off(start));
        }
        shown.push_str(part);
    }
    assert!(!shown.contains('\r') && !shown.contains("\x1b["), "{shown:?}");
    (shown, erased)
}

/// A text without its figures: times and ports differ between runs.
fn without_figures(text: &str) -> String {
    let parts =
        text.split(|c: char| c.is_ascii_digit() || c == '.').filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("#")
}

fn run(desk: &Desk, args: &[&str], term: Option<&str>) -> Command {
    let mut command = desk.command(&[&["run"], args].concat());
    command.env("NO_COLOR", "1").env_remove("TERM").env_remove("COLUMNS").env_remove("RUST_LOG");
    command.envs(term.map(|term| ("TERM", term)));
    command
}

#[test]
fn a_terminal_shows_in_the_end_what_a_pipe_gets_and_no_progress_line_wraps() {
    let desk = Desk::new();
    // It fails without a timeout: how often something was sent until then would differ between runs.
    let wrong = "expect: {client_seen: {server_saw: {client: 10.0.0.1}}}\n";
    let fault = desk.over("fault", "tacacs-ipip", wrong);
    let args = ["scenarios/l2-dsr.yaml", &fault, "scenarios/failover.yaml", "-j", "1"];
    let (text, code) = on_terminal(run(&desk, &args, Some("xterm")), |_, _| {});
    let (end, erased) = shown(&text);
    let pipe = crate::support::Ended::of(run(&desk, &args, Some("xterm")).output()).exits(1).stdout;
    assert!(!pipe.contains('\r') && !pipe.contains('\x1b'), "{pipe:?}");
    assert_eq!((without_figures(&end), code), (without_figures(&pipe), Some(1)));
    let wide = erased.iter().find(|line| line.chars().count() >= usize::from(COLUMNS));
    assert_eq!(wide, None, "wider than the terminal");
    for expected in ["[0/3] l2-dsr: building the lab", "[1/3] ", "[2/3] 1 failed; failover: step "]
    {
        assert!(erased.iter().any(|line| line.starts_with(expected)), "`{expected}`: {erased:?}");
    }
}

#[test]
fn labs_side_by_side_are_counted_and_each_result_is_on_lines_of_its_own() {
    let desk = Desk::new();
    let args = ["scenarios", "-E", "tag(gre)", "-j", "4"];
    let (text, code) = on_terminal(run(&desk, &args, Some("xterm")), |_, _| {});
    let (end, erased) = shown(&text);
    assert_eq!(code, Some(0), "{end}");
    let results = end.lines().filter(|line| line.starts_with("PASS ") || line.starts_with("SKIP "));
    assert!(results.count() > 3 && end.lines().last().unwrap().contains(" 0 failed"), "{end}");
    assert!(erased.iter().any(|line| line.contains(" running; ")), "{erased:?}");
}

#[test]
fn a_terminal_that_cannot_erase_lines_gets_what_a_pipe_gets() {
    let desk = Desk::new();
    for term in [Some("dumb"), Some(""), None] {
        let (text, _) = on_terminal(run(&desk, &["tacacs-ipip"], term), |_, _| {});
        assert!(text.starts_with("PASS ") && !text.contains('\x1b'), "{term:?}: {text:?}");
        assert!(!text.contains('\r'), "{term:?}: {text:?}");
    }
}

#[test]
fn records_of_the_log_stand_on_lines_of_their_own() {
    let desk = Desk::new();
    let mut command = run(&desk, &["tacacs-ipip"], Some("xterm"));
    command.env("RUST_LOG", "debug");
    let (end, _) = shown(&on_terminal(command, |_, _| {}).0);
    let records: Vec<&str> = end.lines().filter(|line| line.contains(" DEBUG ")).collect();
    assert!(records.len() > 3, "{end}");
    // Records begin with the time.
    let mixed = records.iter().find(|line| !line.starts_with("20"));
    assert_eq!(mixed, None, "a record begins in another line");
}

#[test]
fn an_interrupted_run_leaves_no_progress_line() {
    let desk = Desk::new();
    let fault = desk.over("fault", "tacacs-ipip", crate::support::NO_ANSWER);
    let mut signalled = false;
    let (text, code) = on_terminal(run(&desk, &[&fault], Some("xterm")), |text, pid| {
        if !signalled && text.contains("fault: step login: TACACS+") {
            signalled = true;
            kill(pid, Signal::SIGINT).unwrap();
        }
    });
    assert!(signalled, "{text}");
    let (end, _) = shown(&text);
    assert_eq!(code, Some(130), "{end}");
    assert!(end.ends_with('\n') && !end.contains("[0/1]"), "{end}");
}

#[test]
fn a_step_that_waits_longer_tells_what_it_has_found() {
    let desk = Desk::new();
    let yaml = "\
        steps: {opened: {await_counter: {node: lb, counter: flows.opened, at_least: 7, timeout: 3}}}\n";
    let file = desk.over("slow", "tacacs-ipip", yaml);
    desk.labsim(&["run", &file, "--out", "out"]);
    let events = std::fs::read_to_string(desk.path("out/slow/events.jsonl")).unwrap();
    let waits: Vec<&str> =
        events.lines().filter(|line| line.contains("\"event\":\"step_waits\"")).collect();
    // The value stays the same: it is told once.
    assert_eq!(waits.len(), 1, "{events}");
    assert!(waits[0].contains("\"found\":\"flows.opened of lb is 1\""), "{waits:?}");
}
