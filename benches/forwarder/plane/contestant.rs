//! Who is measured, and the forwarder's process.

use labsim_control::Answer;
use labsim_lab::{Child, Node, inherit_text};
use labsim_wire::ethernet::Mac;
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;
use serde_json::json;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

/// The contestants' nodes: none (the generator's own share), the kernel, the forwarder, and the forwarder
/// with its fast path.
pub(super) const NAMES: [&str; 4] = ["nothing", "kernel", "forwarder", "accelerated"];

/// One of those that are measured, behind an interface of `ends`.
pub(super) struct Contestant {
    pub(super) name: &'static str,
    pub(super) interface: String,
    pub(super) index: u32,
    /// To which its frames are sent.
    pub(super) mac: Mac,
    pub(super) process: Option<Process>,
}

impl Contestant {
    /// As the tables have it.
    pub(super) fn title(&self) -> String {
        match (self.name, &self.process) {
            (_, Some(process)) => process.data_plane.clone(),
            ("kernel", None) => "ip_forward".to_owned(),
            _ => "generator alone".to_owned(),
        }
    }

    /// The CPU time of its process so far.
    pub(super) fn cpu(&self) -> Duration {
        self.process.as_ref().map_or(Duration::ZERO, Process::cpu)
    }
}

/// `labsim forwarder` in a node. It ends with this handle.
pub(super) struct Process {
    child: Child,
    data_plane: String,
}

impl Process {
    /// Starts it and waits until frames can flow.
    pub(super) fn start(node: &Node, config: &str) -> Self {
        // Where the bench runs on another machine than it was built on, labsim is elsewhere.
        let labsim = std::env::var_os("LABSIM");
        let labsim = labsim.unwrap_or_else(|| env!("CARGO_BIN_EXE_labsim").into());
        let mut command = Command::new(labsim);
        let file = inherit_text(&mut command, config).expect("a memory file");
        command.arg("forwarder").arg("--config").arg(file);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = node.spawn(&mut command).expect("labsim runs");
        let mut line = String::new();
        let output = child.stdout.take().expect("a pipe");
        BufReader::new(output).read_line(&mut line).expect("an answer");
        match serde_json::from_str(&line) {
            Ok(Answer::Ready(ready)) => Self { child, data_plane: ready.data_plane.to_string() },
            _ => panic!("the forwarder is not ready: {line}"),
        }
    }

    /// How it moves frames, as it says.
    pub(super) fn data_plane(&self) -> &str {
        &self.data_plane
    }

    pub(super) fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    fn cpu(&self) -> Duration {
        let clock = ClockId::pid_cpu_clock_id(self.pid()).expect("a process's clock");
        clock_gettime(clock).expect("a process's clock").into()
    }
}

/// A virtual server, and its pool's member.
pub(super) struct Served {
    pub(super) destination: SocketAddr,
    pub(super) member: SocketAddr,
}

/// A forwarder's configuration: virtual servers with one member each.
pub(super) fn config(
    profile: &str,
    protocol: &str,
    served: &[Served],
    pva_acceleration: &str,
) -> String {
    let name = |number: usize| format!("server{number}");
    let servers = served.iter().enumerate().map(|(number, one)| {
        let server = json!({
            "destination": one.destination.to_string(),
            "ip_protocol": protocol,
            "pool": name(number),
            "translate_address": false,
            "fastl4": { "loose_close": true, "pva_acceleration": pva_acceleration },
        });
        (name(number), server)
    });
    let pools = served.iter().enumerate().map(|(number, one)| {
        let pool = json!({ "profile": profile, "members": [one.member.to_string()] });
        (name(number), pool)
    });
    let (servers, pools): (serde_json::Map<_, _>, serde_json::Map<_, _>) =
        (servers.collect(), pools.collect());
    json!({
        "interface": "eth0",
        "outer_source": "egress",
        "virtual_servers": servers,
        "pools": pools,
    })
    .to_string()
}
