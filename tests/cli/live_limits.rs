//! What `labsim doctor` says of the limits for labs that stay up.

use crate::support::Ended;
use crate::support::labs::Labs;
use std::process::Command;

/// What a line says, by the name that it begins with.
fn said<'a>(doctor: &'a Ended, name: &str) -> &'a str {
    let found = doctor.stdout.lines().find_map(|line| line.strip_prefix(name));
    found.unwrap_or_else(|| panic!("no `{name}` in {doctor:?}")).trim_start()
}

/// The namespaces of networks that a process holds open.
fn networks(process: i32) -> usize {
    let files = std::fs::read_dir(format!("/proc/{process}/fd")).unwrap();
    let targets = files.filter_map(|file| std::fs::read_link(file.unwrap().path()).ok());
    let networks = targets.filter(|target| target.to_string_lossy().starts_with("net:["));
    networks.collect::<std::collections::BTreeSet<_>>().len()
}

#[test]
fn limits_have_figures_and_labs_that_are_up_are_counted() {
    let labs = Labs::new();
    let before = labs.labsim(&["doctor"]).exits(0);
    assert!(said(&before, "labs ").starts_with("0 are up; at most "), "{before:?}");
    labs.up("one");
    let doctor = labs.labsim(&["doctor"]).exits(0);
    assert!(said(&doctor, "labs ").starts_with("1 is up; at most "), "{doctor:?}");
    assert!(said(&doctor, "labs ").ends_with(" more of the default size, 6 nodes"), "{doctor:?}");
    let each = " (user.max_net_namespaces), 7 for a lab: ";
    assert!(said(&doctor, "net namespaces").contains(each), "{doctor:?}");
    assert!(said(&doctor, "user namespaces").contains(" (user.max_user_namespaces), "));
    assert!(said(&doctor, "open files").contains(" (RLIMIT_NOFILE), "), "{doctor:?}");
    assert!(said(&doctor, "memory").contains(" MB available, 11.2 MB for a lab: "), "{doctor:?}");
    // The nodes', and what connects them.
    assert!(networks(labs.holder("one").as_raw()) <= 7);
}

#[test]
fn a_limit_that_is_too_small_is_named_with_its_remedy() {
    let labs = Labs::new();
    let program = env!("CARGO_BIN_EXE_labsim");
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -n 64; exec \"$@\"", "sh", program, "doctor"]);
    shell.env("XDG_RUNTIME_DIR", labs.0.path("runtime"));
    let doctor = Ended::of(shell.output()).exits(3);
    let files = said(&doctor, "open files");
    assert!(files.starts_with("too small: 64 (RLIMIT_NOFILE), "), "{doctor:?}");
    assert!(files.contains("raise the hard limit to "), "{doctor:?}");
    assert!(said(&doctor, "labs ").starts_with("0 are up; at most 0 more "), "{doctor:?}");
}
