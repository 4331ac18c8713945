//! Machines that forbid labs to an ordinary user: the rule is named, with its remedy, in the exit
//! code, on the terminal and in the files that a CI collects.
//!
//! The rules are made for the one labsim that is started, in namespaces of its own; nothing of the
//! machine changes.

use crate::support::Desk;
use labsim_sys::testing::{before_exec, forbid_call};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use std::io;
use std::process::Command;

const SCENARIOS: [&str; 2] = ["scenarios/tacacs-ipip.yaml", "scenarios/radius-gre.yaml"];

/// Starts labsim after `forbid`, and holds what it says against `parts`, everywhere it says it.
fn refused(
    desk: &Desk,
    forbid: impl Fn() -> io::Result<()> + Send + Sync + 'static,
    parts: &[&str],
) {
    let [one, other] = SCENARIOS;
    let args = ["run", one, other, "--out", "out", "--junit", "out/junit.xml"];
    let mut command = desk.command(&args);
    before_exec(&mut command, forbid);
    let ended = crate::support::Ended::of(command.output()).exits(3);
    let junit = std::fs::read_to_string(desk.path("out/junit.xml")).unwrap();
    let junit = roxmltree::Document::parse(&junit).unwrap();
    let skipped: Vec<_> = junit.descendants().filter(|it| it.has_tag_name("skipped")).collect();
    assert_eq!(skipped.len(), SCENARIOS.len(), "{}", junit.input_text());
    for name in ["tacacs-ipip", "radius-gre"] {
        let events = desk.path(&format!("out/{name}/events.jsonl"));
        let events = std::fs::read_to_string(events).unwrap();
        assert!(events.contains("\"outcome\":\"skipped\""), "{events}");
    }
    for part in parts {
        assert!(ended.stderr.contains(part), "nothing says `{part}`: {}", ended.stderr);
        for skipped in &skipped {
            let message = skipped.attribute("message").unwrap();
            assert!(message.contains(part), "nothing says `{part}`: {message}");
        }
    }
    assert_eq!(ended.stderr.lines().count(), 1, "it is said once: {}", ended.stderr);
}

/// Whoever started the test is an ordinary user of a new namespace: without any capability from
/// the next exec on, as its number there is not 0 (user_namespaces(7)).
fn be_an_ordinary_user() -> io::Result<()> {
    let (uid, gid) = (nix::unistd::geteuid(), nix::unistd::getegid());
    unshare(CloneFlags::CLONE_NEWUSER)?;
    std::fs::write("/proc/self/setgroups", "deny")?;
    std::fs::write("/proc/self/uid_map", format!("1000 {uid} 1"))?;
    std::fs::write("/proc/self/gid_map", format!("1000 {gid} 1"))
}

/// Has unshare(2) refused as docker's default filter does it.
fn filter_namespaces() -> io::Result<()> {
    forbid_call(libc::SYS_unshare, None)
}

#[test]
fn a_limit_of_no_user_namespaces_is_named() {
    let forbid = || {
        be_an_ordinary_user()?;
        // The limit of this new namespace alone (namespaces(7)).
        std::fs::write("/proc/sys/user/max_user_namespaces", "0")
    };
    let parts = ["user.max_user_namespaces = 0", "sysctl -w user.max_user_namespaces=15000"];
    refused(&Desk::new(), forbid, &parts);
}

#[test]
fn a_system_call_filter_is_named_with_the_options_that_lift_it() {
    let parts = ["CAP_SYS_ADMIN is missing", "seccomp", "`--cap-add SYS_ADMIN`"];
    refused(&Desk::new(), filter_namespaces, &parts);
}

/// The kernel here may be without AppArmor: the setting is shown to labsim by a folder over
/// `/proc/sys/kernel`, and the refusal is a filter's.
#[test]
fn apparmors_restriction_is_named() {
    let desk = Desk::new();
    std::fs::create_dir(desk.path("kernel")).unwrap();
    desk.write("kernel/apparmor_restrict_unprivileged_userns", "1\n");
    let folder = desk.path("kernel");
    let forbid = move || {
        be_an_ordinary_user()?;
        unshare(CloneFlags::CLONE_NEWNS)?;
        let none = None::<&str>;
        mount(Some(&folder), "/proc/sys/kernel", none, MsFlags::MS_BIND, none)?;
        filter_namespaces()
    };
    let setting = "kernel.apparmor_restrict_unprivileged_userns";
    refused(&desk, forbid, &[&format!("{setting} = 1"), &format!("`sysctl -w {setting}=0`")]);
}

#[test]
fn the_same_user_runs_everything_where_nothing_is_forbidden() {
    let desk = Desk::new();
    let mut command: Command = desk.command(&["run", SCENARIOS[0], "--out", "out"]);
    before_exec(&mut command, be_an_ordinary_user);
    crate::support::Ended::of(command.output()).exits(0).says("PASS tacacs-ipip");
}
