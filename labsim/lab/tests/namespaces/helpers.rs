//! Roles that the test program plays as a process of its own: each begins with a single thread.

use crate::shape::{build, host, name, pair, scenario, topology};
use labsim_lab::{Lab, LabPlan, PrivilegeError, acquire_privileges};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use std::io::Write;
use std::process::{Child, Command, ExitCode, Stdio};

const VARIABLE: &str = "LABSIM_LAB_TEST_HELPER";

/// The role that this process was started for.
pub(crate) fn wanted() -> Option<String> {
    std::env::var(VARIABLE).ok()
}

/// Starts this program in a role.
pub(crate) fn start(role: &str) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(VARIABLE, role).stdout(Stdio::piped()).stdin(Stdio::null());
    command.spawn().unwrap()
}

/// Starts it and returns what it says.
pub(crate) fn ask(role: &str) -> String {
    let output = start(role).wait_with_output().unwrap();
    assert!(output.status.success(), "{role}: {:?}", output.status);
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Plays a role.
pub(crate) fn be(role: &str) -> ExitCode {
    let said = match role {
        "sleeper" => sleeper(),
        "ordinary user" => rights_of_an_ordinary_user(),
        "root without the network's capabilities" => root_without_the_networks_capabilities(),
        "no user namespaces" => rights_without_user_namespaces(),
        "read-only sysctls" => build_with_read_only_sysctls(),
        "sysctls read-only from the start" => build_after_reopening_sysctls(),
        "no capability" => build_without_capability(),
        "few descriptors" => build_with_few_descriptors(),
        other => panic!("there is no role {other}"),
    };
    println!("{said}");
    ExitCode::SUCCESS
}

/// Builds a lab, starts a child in it, says its number, and waits to be killed.
fn sleeper() -> String {
    acquire_privileges().unwrap();
    let lab = build(&LabPlan::of_topology(&pair()));
    let mut command = Command::new("sleep");
    command.arg("60").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = lab.node(&name("a")).unwrap().spawn(&mut command).unwrap();
    println!("{}", child.id());
    std::io::stdout().flush().unwrap();
    loop {
        std::thread::park();
    }
}

/// Whoever started it, from here on it is nobody in particular.
fn rights_of_an_ordinary_user() -> String {
    let nobody = nix::unistd::Uid::from_raw(65534);
    if nix::unistd::geteuid().is_root() {
        // In a user namespace of one user only root can be; it has capabilities to lose. Root
        // maps itself by one of them (user_namespaces(7)).
        if nix::unistd::setresuid(nobody, nobody, nobody).is_err() {
            drop_capabilities_but(1 << CAP_SETFCAP);
        }
        // A change of user hides /proc/self from the new one, until the next exec.
        nix::sys::prctl::set_dumpable(true).unwrap();
    }
    let rights = acquire_privileges().unwrap();
    drop(build(&LabPlan::of_topology(&pair())));
    rights.to_string()
}

/// As in a container that was given no more than CAP_SYS_ADMIN: root keeps what is asked for to map
/// everybody. Says who is known before and after.
fn root_without_the_networks_capabilities() -> String {
    acquire_privileges().unwrap();
    drop_capabilities_but(1 << CAP_SETGID | 1 << CAP_SETUID | 1 << CAP_SETFCAP);
    let known = || {
        ["uid_map", "gid_map"].map(|map| {
            let text = std::fs::read_to_string(format!("/proc/self/{map}")).unwrap();
            let fields: Vec<_> = text.split_whitespace().collect();
            fields.chunks(3).map(|line| format!("{}+{}", line[0], line[2])).collect::<Vec<_>>()
        })
    };
    let before = known();
    let rights = acquire_privileges().unwrap();
    assert_eq!(known(), before);
    rights.to_string()
}

fn rights_without_user_namespaces() -> String {
    unshare(CloneFlags::CLONE_NEWUSER).unwrap();
    // The limit of this new namespace alone (namespaces(7)).
    std::fs::write("/proc/sys/user/max_user_namespaces", "0").unwrap();
    drop_capabilities();
    match acquire_privileges() {
        Err(error @ PrivilegeError::UserNamespaceLimit { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

fn build_with_read_only_sysctls() -> String {
    acquire_privileges().unwrap();
    make_sysctls_read_only();
    Lab::build(&LabPlan::of_topology(&pair())).unwrap_err().to_string()
}

/// As a container's engine leaves them, with the right to make them writable.
fn build_after_reopening_sysctls() -> String {
    acquire_privileges().unwrap();
    make_sysctls_read_only();
    let mut neighbour = Command::new("sleep").arg("60").spawn().unwrap();
    let rights = acquire_privileges().unwrap();
    drop(build(&LabPlan::of_topology(&pair())));
    let seen_by = |process: u32| {
        let mounts = std::fs::read_to_string(format!("/proc/{process}/mountinfo")).unwrap();
        let last = mounts.lines().rfind(|line| line.contains(" /proc/sys ")).unwrap();
        // Mount options are the sixth field (proc_pid_mountinfo(5)).
        last.split(' ').nth(5).unwrap()[..2].to_owned()
    };
    let (neighbours, own) = (seen_by(neighbour.id()), seen_by(std::process::id()));
    neighbour.kill().unwrap();
    neighbour.wait().unwrap();
    format!("{}; the neighbour's: {neighbours}, labsim's: {own}", rights.proc_sys_reopened)
}

fn make_sysctls_read_only() {
    unshare(CloneFlags::CLONE_NEWNS).unwrap();
    let none = None::<&str>;
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(none, "/", none, private, none).unwrap();
    mount(Some("/proc/sys"), "/proc/sys", none, MsFlags::MS_BIND, none).unwrap();
    let again = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    mount(none, "/proc/sys", none, again, none).unwrap();
}

fn build_without_capability() -> String {
    acquire_privileges().unwrap();
    drop_capabilities();
    Lab::build(&LabPlan::of(&scenario(), labsim_lab::TunnelMode::UserspaceVeth))
        .unwrap_err()
        .to_string()
}

fn build_with_few_descriptors() -> String {
    acquire_privileges().unwrap();
    let limit = nix::sys::resource::Resource::RLIMIT_NOFILE;
    nix::sys::resource::setrlimit(limit, 24, 24).unwrap();
    let mut big = topology();
    big.links.clear();
    big.segments.clear();
    big.nodes = (0..40).map(|it| host(&format!("h{it}"), "10.0.0.1/24", "10.0.0.2")).collect();
    big.nodes.iter_mut().for_each(|node| {
        node.interfaces.clear();
        node.routes.clear();
    });
    let before = descriptors();
    let error = Lab::build(&LabPlan::of_topology(&big)).unwrap_err();
    assert_eq!(descriptors(), before);
    error.to_string()
}

/// Open descriptors of this process.
pub(crate) fn descriptors() -> Vec<String> {
    let list = std::fs::read_dir("/proc/self/fd").unwrap();
    let mut targets: Vec<_> = list
        .filter_map(|it| std::fs::read_link(it.unwrap().path()).ok())
        .map(|it| it.to_string_lossy().into_owned())
        .filter(|it| !it.contains("/fd"))
        .collect();
    targets.sort();
    targets
}

/// linux/capability.h.
const CAP_SETGID: u32 = 6;
const CAP_SETUID: u32 = 7;
const CAP_SETFCAP: u32 = 31;

fn drop_capabilities() {
    drop_capabilities_but(0);
}

/// Gives up every capability (capset(2)) but some of the first 32.
fn drop_capabilities_but(kept: u32) {
    labsim_sys::testing::keep_capabilities(kept).unwrap();
}
