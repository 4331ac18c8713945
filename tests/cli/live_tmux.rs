//! `labsim tmux`, with a program in place of tmux that records its arguments.

use crate::support::labs::Labs;
use crate::support::screen::Screen;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

/// `labsim tmux` in a terminal. `path`: where programs are; `within`: the variable that tmux sets in its
/// panes.
fn open(labs: &Labs, args: &[&str], path: &str, within: Option<&str>) -> Screen {
    let labsim = labs.command(&[&["tmux"], args].concat());
    // For labsim alone: the terminal's own programs are found as ever.
    let mut command = Command::new("env");
    match within {
        Some(value) => command.arg(format!("TMUX={value}")),
        None => command.args(["-u", "TMUX"]),
    };
    command.arg(format!("PATH={path}")).arg(labsim.get_program()).args(labsim.get_args());
    for (name, value) in labsim.get_envs() {
        command.env(name, value.unwrap());
    }
    command.current_dir(labsim.get_current_dir().unwrap());
    Screen::new(&command)
}

/// A program `tmux` that writes its arguments into a file.
fn recorder(labs: &Labs) -> String {
    let (bin, file) = (labs.0.path("bin"), labs.0.path("arguments"));
    fs::create_dir(&bin).unwrap();
    let text = format!("#!/bin/sh\nprintf '%s\\0' \"$@\" >'{}'\nexit 7\n", file.display());
    let tmux = labs.0.write("bin/tmux", text);
    fs::set_permissions(tmux, fs::Permissions::from_mode(0o755)).unwrap();
    bin.to_str().unwrap().to_owned()
}

/// The commands that tmux was given.
fn commands(labs: &Labs) -> Vec<Vec<String>> {
    let recorded = fs::read_to_string(labs.0.path("arguments")).unwrap();
    let words: Vec<&str> = recorded.strip_suffix('\0').unwrap().split('\0').collect();
    let commands = words.split(|word| *word == ";");
    commands.map(|words| words.iter().map(|word| (*word).to_owned()).collect()).collect()
}

#[test]
fn tmux_gets_a_pane_with_a_shell_for_each_node_with_its_name_and_takes_labsims_place() {
    let labs = Labs::new();
    let bin = recorder(&labs);
    labs.up("one");
    labs.up("two");
    for (within, first) in
        [(None, "new-session"), (Some(""), "new-session"), (Some("/tmp/x,1,0"), "new-window")]
    {
        assert_eq!(open(&labs, &["two"], &bin, within).exits(), Some(7), "tmux's own exit code");
        let commands = commands(&labs);
        let runtime = format!("XDG_RUNTIME_DIR={}", labs.0.path("runtime").display());
        let nodes = ["client", "router", "lb", "rs1", "rs2", "rs3"];
        let panes: Vec<&[Vec<String>]> = commands.chunks_exact(3).take(nodes.len()).collect();
        for (number, (pane, node)) in panes.into_iter().zip(nodes).enumerate() {
            let labsim = env!("CARGO_BIN_EXE_labsim");
            let shell = ["env", &runtime, labsim, "shell", node, "--name", "two"];
            let opened = match number {
                0 => vec![first, "-n", "two"],
                _ => vec!["split-window"],
            };
            assert_eq!(pane[0], [opened.as_slice(), &shell].concat());
            assert_eq!(pane[1], ["set-option", "-p", "@labsim_node", node]);
            assert_eq!(pane[2], ["select-layout", "tiled"]);
        }
        let last = &commands[3 * nodes.len()..];
        assert_eq!(last[0], ["set-option", "-w", "pane-border-format", " #{@labsim_node} "]);
        assert_eq!(last[1], ["set-option", "-w", "pane-border-status", "top"]);
    }
}

#[test]
fn what_is_given_to_tmux_is_a_shell_in_the_node() {
    let labs = Labs::new();
    let bin = recorder(&labs);
    labs.up("one");
    assert_eq!(open(&labs, &[], &bin, None).exits(), Some(7));
    let commands = commands(&labs);
    let of_rs2 = commands.iter().find(|words| words.iter().any(|word| word == "rs2")).unwrap();
    let (opened, shell) = of_rs2.split_first().unwrap();
    assert_eq!(opened, "split-window");
    let mut command = Command::new(&shell[0]);
    // A tmux that runs already may have another folder of labs.
    command.args(&shell[1..]).env("XDG_RUNTIME_DIR", "/").env("SHELL", "/bin/sh");
    command.env("TERM", "dumb").current_dir("/");
    let mut screen = Screen::new(&command);
    screen.shows("rs2# ");
    screen.types("exit 3");
    assert_eq!(screen.exits(), Some(3));
}

#[test]
fn without_tmux_the_other_way_is_named() {
    let labs = Labs::new();
    labs.up("one");
    let mut screen = open(&labs, &[], "/no/such", None);
    screen.shows(
        "labsim: there is no program `tmux` in PATH; install tmux, or use `labsim shell NODE` in a terminal \
         for each node\r\n",
    );
    assert_eq!(screen.exits(), Some(3));
}

#[test]
fn without_a_terminal_or_a_lab_tmux_is_not_started() {
    let labs = Labs::new();
    let bin = recorder(&labs);
    labs.labsim(&["tmux"]).exits(2).says("tmux needs a terminal as its standard input and output");
    let mut screen = open(&labs, &[], &bin, None);
    screen.shows("labsim: no lab is up; `labsim up FILE` makes one\r\n");
    assert_eq!(screen.exits(), Some(2));
    assert!(!labs.0.path("arguments").exists());
}
