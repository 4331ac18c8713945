//! Shells in labs that are up, in a terminal, as a user has them.

use crate::support::Ended;
use crate::support::labs::Labs;
use crate::support::screen::Screen;
use std::fs;
use std::process::Command;

/// Where a user's own settings are, which try to keep prompt and history.
fn home(labs: &Labs) {
    fs::create_dir(labs.0.path("home")).unwrap();
    let settings = "PS1='own> '\nHISTFILE=~/own\nHISTSIZE=99\nprecmd() { PS1='own> '; }\n";
    labs.0.write("home/.bashrc", format!("{settings}PROMPT_COMMAND=precmd\n"));
    labs.0.write("home/.zshrc", settings);
}

/// A shell in a lab, in a terminal. `rest`: what comes after `labsim shell`.
fn open(labs: &Labs, shell: &str, rest: &[&str]) -> Screen {
    let mut command = labs.command(&["shell"]);
    command.args(rest).env("SHELL", shell).env("HOME", labs.0.path("home")).env("TERM", "dumb");
    command.env_remove("ZDOTDIR");
    Screen::new(&command)
}

/// The names of the network namespaces that a machine's users see.
fn names_on_the_host() -> Vec<u8> {
    Command::new("ip").args(["netns", "list"]).output().expect("ip (iproute2)").stdout
}

#[test]
fn a_shell_has_the_node_in_its_prompt_and_the_callers_terminal() {
    let labs = Labs::new();
    labs.up("one");
    // Also where the account is not to log in.
    for shell in ["/bin/sh", "/bin/false", "/no/such"] {
        let mut screen = open(&labs, shell, &["rs1"]);
        screen.shows("rs1# ");
        screen.types("test -t 0 && echo is a ter''minal, $TERM; hostname");
        screen.shows("is a terminal, dumb\r\nrs1\r\n");
        screen.types("exit 3");
        assert_eq!(screen.exits(), Some(3), "{shell}");
    }
}

#[test]
fn a_shell_without_a_node_has_the_lab_in_its_prompt_and_ip_netns_has_its_nodes_alone() {
    let labs = Labs::new();
    labs.up("one");
    labs.up("two");
    let before = names_on_the_host();
    let mut screen = open(&labs, "/bin/sh", &["--name", "one"]);
    screen.shows("(one)# ");
    screen.types("ip netns list | sort; echo do''ne");
    let names = screen.shows("done\r\n");
    let names: Vec<&str> = names.lines().skip(1).collect();
    assert_eq!(names, ["client", "lb", "router", "rs1", "rs2", "rs3", "done"]);
    screen.types("ip netns exec rs2 ip -br address show dev eth0; echo do''ne");
    let addresses = screen.shows("done\r\n");
    assert!(addresses.contains("10.1.1.52/24"), "{addresses}");
    // What the host has beside it is there.
    let entries = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let host = || {
        let listed = Command::new("ls").args(["-A", "/run"]).output().unwrap();
        entries(&String::from_utf8(listed.stdout).unwrap())
    };
    let host_before = host();
    screen.types("clear; ls -A /run | grep -vx netns; echo do''ne");
    let shown = entries(&screen.shows("done\r\n"));
    // What others take away meanwhile is no matter.
    let host_after = host();
    for entry in host_before.into_iter().filter(|entry| host_after.contains(entry)) {
        assert!(entry == "netns" || shown.contains(&entry), "no {entry} in {shown:?}");
    }
    assert_eq!(names_on_the_host(), before, "nothing is on the host");
    screen.types("exit 4");
    assert_eq!(screen.exits(), Some(4));
}

#[test]
fn each_node_has_a_history_of_its_own_that_ends_with_the_lab() {
    let labs = Labs::new();
    home(&labs);
    labs.up("one");
    for shell in ["bash", "zsh"] {
        let path =
            Ended::of(Command::new("sh").args(["-c", &format!("command -v {shell}")]).output());
        assert_eq!(path.code, Some(0), "{shell} has to be installed (ci/install)");
        let path = path.stdout.trim();
        let mut screen = open(&labs, path, &["rs1"]);
        screen.shows("rs1:");
        screen.types("echo $HISTSIZE in ''rs1");
        screen.shows("99 in rs1");
        screen.types("exit 0");
        assert_eq!(screen.exits(), Some(0), "{shell}");
        let history = |node: &str| {
            let history = format!("runtime/labsim/one/shells/history.{node}");
            fs::read_to_string(labs.0.path(&history)).unwrap_or_default()
        };
        assert!(history("rs1").contains("in ''rs1"), "{shell}: {}", history("rs1"));
        let mut screen = open(&labs, path, &["rs2"]);
        screen.shows("rs2:");
        screen.types("fc -l; exit 0");
        let listed = screen.shows("exit 0");
        assert!(!listed.contains("rs1"), "{shell}: {listed}");
        assert_eq!(screen.exits(), Some(0), "{shell}");
        let mut screen = open(&labs, path, &["rs1"]);
        screen.shows("rs1:");
        screen.types("fc -l 1");
        screen.shows("in ''rs1");
        screen.types("exit 0");
        screen.exits();
        fs::remove_file(labs.0.path("runtime/labsim/one/shells/history.rs1")).unwrap();
    }
    let mut names: Vec<_> =
        fs::read_dir(labs.0.path("home")).unwrap().map(|it| it.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, [".bashrc", ".zshrc"], "nothing of it is in the user's own history");
    labs.labsim(&["down"]).exits(0);
    assert_eq!(labs.folders(), [""; 0]);
}

#[test]
fn administrators_programs_are_found_after_what_the_user_has() {
    let labs = Labs::new();
    labs.up("one");
    let path = |own: &str| {
        let mut command = labs.command(&["exec", "rs1", "--", "/bin/sh", "-c", "echo $PATH"]);
        Ended::of(command.env("PATH", own).output()).exits(0).stdout
    };
    assert_eq!(path("/own:/usr/bin"), "/own:/usr/bin:/usr/sbin:/sbin\n");
    assert_eq!(path("/sbin:/usr/sbin:/own"), "/sbin:/usr/sbin:/own\n");
}

/// tcpdump becomes the user `tcpdump`, which an ordinary user's lab does not have.
#[test]
fn tcpdump_captures_in_a_node_as_it_is_typed() {
    let labs = Labs::new();
    labs.up("one");
    let script = "tcpdump -ni lo -c 1 udp port 9 & while kill -0 $! 2>/dev/null; do \
                  echo >/dev/udp/127.0.0.1/9; sleep 0.01; done; wait $!";
    let ended = labs.labsim(&["exec", "rs1", "--", "bash", "-c", script]);
    assert_ne!(ended.code, Some(127), "tcpdump has to be installed (ci/install)");
    ended.exits(0).says("> 127.0.0.1.9: ");
}

#[test]
fn a_shell_ends_with_its_lab_and_says_so_and_the_terminal_is_as_before() {
    let labs = Labs::new();
    home(&labs);
    labs.up("one");
    let mut screen = open(&labs, "/bin/bash", &["rs1"]);
    screen.shows("rs1:");
    screen.types("echo be''gun; cat");
    screen.shows("begun");
    screen.types("\u{4}");
    screen.shows("rs1:");
    labs.labsim(&["down"]).exits(0).says("one is down");
    screen.shows("labsim: the lab `one` has ended");
    assert_eq!(screen.exits(), Some(128 + 9));
    assert!(screen.echoes(), "what is typed is shown");
}

#[test]
fn a_shell_without_a_terminal_is_refused_with_the_other_way() {
    let labs = Labs::new();
    let shell = labs.labsim(&["shell", "rs1"]).exits(2);
    shell.says(
        "a shell needs a terminal as its standard input; `labsim exec rs1 -- sh` runs commands from \
         other inputs",
    );
}
