//! The same star built without labsim: by `ip -batch`, and by a C program as the lower bound.

mod scripts;

pub(crate) use scripts::{SCRIPT_ROLE, SCRIPTS, Script, run_as_script_builder};

use crate::star::{address, gateway};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// This program's argument that makes it build by `ip`.
pub(crate) const IP_ROLE: &str = "--build-by-ip";

/// Whether iproute2 is installed.
pub(crate) fn has_ip() -> bool {
    Command::new("ip").arg("-V").stdout(Stdio::null()).status().is_ok_and(|it| it.success())
}

/// Builds by `ip` in a process of its own, which sees a private `/run`: `ip` names its namespaces
/// there, and no name may be left on the machine.
pub(crate) fn build_by_ip(hosts: usize) -> Duration {
    let program = std::env::current_exe().expect("this program");
    let output = Command::new(program).arg(IP_ROLE).arg(hosts.to_string()).output();
    let output = output.expect("this program runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("a figure");
    Duration::from_secs_f64(text.trim().parse().expect("a figure"))
}

/// Builds in that process: prints the seconds that building took, and removes everything.
pub(crate) fn run_as_ip_builder(hosts: usize) -> ExitCode {
    make_run_private();
    let began = Instant::now();
    let (mut wiring, mut router) = (String::from("netns add router\n"), String::new());
    for host in 1..=hosts {
        let (gateway, h) = (gateway(host), format!("h{host}"));
        let _ = writeln!(wiring, "netns add {h}");
        let _ = writeln!(wiring, "link add eth0 netns {h} type veth peer r{host} netns router");
        let _ = writeln!(router, "addr add {gateway}/24 dev r{host}\nlink set r{host} up");
    }
    batch(&["-batch", "-"], &wiring);
    batch(&["-netns", "router", "-batch", "-"], &format!("link set lo up\n{router}"));
    for host in 1..=hosts {
        let (address, gateway) = (address(host), gateway(host));
        let commands = format!(
            "link set lo up\naddr add {address}/24 dev eth0\nlink set eth0 up\n\
             route add default via {gateway}\n"
        );
        batch(&["-netns", &format!("h{host}"), "-batch", "-"], &commands);
    }
    println!("{}", began.elapsed().as_secs_f64());
    let names = std::iter::once("router".to_owned()).chain((1..=hosts).map(|it| format!("h{it}")));
    let removal: String = names.map(|name| format!("netns del {name}\n")).collect();
    batch(&["-batch", "-"], &removal);
    ExitCode::SUCCESS
}

/// Gives this process rights for namespaces, and a private `/run` to name them in.
pub(crate) fn make_run_private() {
    labsim_lab::acquire_privileges().expect("rights for namespaces");
    let none = None::<&str>;
    unshare(CloneFlags::CLONE_NEWNS).expect("a mount namespace");
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).expect("private mounts");
    mount(Some("tmpfs"), "/run", Some("tmpfs"), MsFlags::empty(), none).expect("a private /run");
}

fn batch(arguments: &[&str], commands: &str) {
    let mut ip = Command::new("ip").args(arguments).stdin(Stdio::piped()).spawn().expect("ip runs");
    ip.stdin.take().expect("a pipe").write_all(commands.as_bytes()).expect("ip reads");
    assert!(ip.wait().expect("ip is waited for").success(), "ip {arguments:?} failed");
}

/// The floor's program.
pub(crate) struct Floor {
    program: PathBuf,
    _folder: tempfile::TempDir,
}

impl Floor {
    /// Compiles the floor that lies beside the checkout; the reason if it cannot be.
    pub(crate) fn compile() -> Result<Self, String> {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/bench/floor.c");
        if !source.exists() {
            return Err("no ../shared/bench/floor.c beside the checkout".into());
        }
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let program = folder.path().join("floor");
        let mut cc = Command::new("cc");
        let compiled = cc.args(["-O2", "-w", "-o"]).arg(&program).arg(source);
        match compiled.status() {
            Ok(status) if status.success() => Ok(Self { program, _folder: folder }),
            Ok(status) => Err(format!("cc failed ({status})")),
            Err(error) => Err(format!("no C compiler ({error})")),
        }
    }

    /// Builds by the floor in a process of its own; what it says that building took.
    pub(crate) fn build(&self, hosts: usize) -> Duration {
        let output = Command::new(&self.program).arg(hosts.to_string()).output();
        let output = output.expect("the floor runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let measured: serde_json::Value =
            serde_json::from_slice(&output.stdout).expect("the floor speaks JSON");
        Duration::from_secs_f64(measured["up_s"].as_f64().expect("a figure"))
    }
}
