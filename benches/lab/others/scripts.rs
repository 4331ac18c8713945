//! The star by tools that are used from Python: a script each, in the folder of this file.

use super::make_run_private;
use crate::star::{address, gateway};
use nix::sched::{CloneFlags, unshare};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

/// This program's argument that makes it build by a script.
pub(crate) const SCRIPT_ROLE: &str = "--build-by-script";

/// All of them.
pub(crate) const SCRIPTS: [Script; 2] = [
    Script {
        name: "Mininet",
        file: "star_mininet.py",
        module: "mininet",
        installation: "apt-get install --no-install-recommends mininet",
        does: "starts a shell for each node and gives it commands of ip and ifconfig one by one",
    },
    Script {
        name: "pyroute2",
        file: "star_pyroute2.py",
        module: "pyroute2",
        installation: "python3 -m pip install --target DIR pyroute2, with PYTHONPATH=DIR",
        does: "is a library: netlink from Python, one request at a time",
    },
];

/// A tool and its script.
pub(crate) struct Script {
    /// As people call it.
    pub(crate) name: &'static str,
    file: &'static str,
    module: &'static str,
    /// The command that installs it.
    pub(crate) installation: &'static str,
    /// How it builds, in words that follow its name.
    pub(crate) does: &'static str,
}

/// What a script says.
pub(crate) struct Built {
    pub(crate) version: String,
    /// Python reads the tool's modules.
    pub(crate) import: Duration,
    pub(crate) build: Duration,
}

impl Script {
    /// Whether Python finds the tool.
    pub(crate) fn is_installed(&self) -> bool {
        let mut python = python();
        python.arg("-c").arg(format!("import {}", self.module)).stderr(Stdio::null());
        python.status().is_ok_and(|it| it.success())
    }

    /// Builds by the script in a process of its own, which sees a private `/run` and a private
    /// network. The script proves that the star works before it says what building took.
    pub(crate) fn build(&self, hosts: usize) -> Built {
        let program = std::env::current_exe().expect("this program");
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("benches/lab/others");
        let mut command = Command::new(program);
        command.arg(SCRIPT_ROLE).arg(script.join(self.file)).arg(hosts.to_string());
        let output = command.output().expect("this program runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let measured: serde_json::Value =
            serde_json::from_slice(&output.stdout).expect("a script speaks JSON");
        let seconds =
            |key: &str| Duration::from_secs_f64(measured[key].as_f64().expect("a figure"));
        Built {
            version: measured["version"].as_str().expect("a version").to_owned(),
            import: seconds("import_s"),
            build: seconds("build_s"),
        }
    }
}

/// Debian's interpreter, which sees Debian's packages, before any other.
fn python() -> Command {
    let of_debian = Path::new("/usr/bin/python3");
    let mut python = Command::new(if of_debian.exists() { of_debian } else { "python3".as_ref() });
    python.arg("-B"); // no compiled modules beside the scripts
    python
}

/// Runs a script in that process, and gives it each host's gateway and address.
pub(crate) fn run_as_script_builder(script: &Path, hosts: usize) -> ExitCode {
    make_run_private();
    unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace");
    let star: Vec<_> = (1..=hosts).map(|host| (gateway(host), address(host))).collect();
    let star = serde_json::to_vec(&star).expect("addresses as JSON");
    let mut child = python().arg(script).stdin(Stdio::piped()).spawn().expect("python3 runs");
    child.stdin.take().expect("a pipe").write_all(&star).expect("the script reads");
    match child.wait().expect("the script ends").success() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
