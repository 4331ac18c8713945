//! A forwarder as a process of its own: this test's own program, started once more.

use super::namespace::Namespace;
use labsim_dataplane::forwarder::{self, DataPlaneChoice, Handle, Lifetime, Ready, Snapshot};
use labsim_forwarder::{Changes, CheckedConfig, Config, Counters};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

/// The argument by which this program knows that it is to be a forwarder.
pub const ROLE: &str = "--be-a-forwarder";

/// Becomes a forwarder if this process was started as one.
pub fn become_one() {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some(ROLE) {
        let config: Config = serde_json::from_str(&arguments.next().unwrap()).unwrap();
        let stop = forwarder::StopSignals::take().unwrap();
        let (handle, commands) = forwarder::commands().unwrap();
        std::thread::spawn(move || execute_input(&handle));
        let ended = forwarder::run(
            &config,
            &commands,
            &stop,
            DataPlaneChoice::Auto,
            Lifetime::Long,
            |ready| say(&Event::Ready(ready)),
        );
        match &ended {
            Ok(counted) => say(&Event::Counted(counted.clone())),
            Err(error) => eprintln!("{error}"),
        }
        std::process::exit(i32::from(ended.is_err()));
    }
}

/// What it says, a line each.
#[derive(Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Event {
    Ready(Ready),
    Counted(Snapshot),
    Changed(Changes),
    Refused(String),
}

fn say(event: &Event) {
    println!("{}", serde_json::to_string(event).unwrap());
}

/// A line is `counters`, or another configuration. The end of input ends the forwarder.
fn execute_input(handle: &Handle) {
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        if line == "counters" {
            let Some(counted) = handle.count() else { break };
            say(&Event::Counted(counted));
            continue;
        }
        let checked = CheckedConfig::new(serde_json::from_str(&line).unwrap()).unwrap();
        say(&match handle.reconfigure(checked) {
            Ok(changes) => Event::Changed(changes),
            Err(refusal) => Event::Refused(format!("{refusal:?}")),
        });
    }
    handle.stop();
}

pub struct Forwarder {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Forwarder {
    /// Starts one in `namespace`; it may refuse.
    pub fn spawn(namespace: &Namespace, config: &Config) -> Self {
        Self::spawn_after(namespace, config, || {})
    }

    /// The same from a thread that has done `prepare`, such as to give up a right.
    pub fn spawn_after(
        namespace: &Namespace,
        config: &Config,
        prepare: impl FnOnce() + Send,
    ) -> Self {
        let config = serde_json::to_string(config).unwrap();
        let mut child = namespace.run(|| {
            prepare();
            Command::new(std::env::current_exe().unwrap())
                .args([ROLE, &config])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        });
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, input, output }
    }

    /// Starts one and waits until frames can flow.
    pub fn start(namespace: &Namespace, config: &Config) -> Self {
        let mut forwarder = Self::spawn(namespace, config);
        match forwarder.event() {
            Some(Event::Ready(Ready { interface, data_plane })) => {
                assert_eq!((interface.as_str(), data_plane.name.as_str()), ("eth0", "packet-ring"));
            }
            other => panic!("{other:?}: {}", forwarder.complaint()),
        }
        forwarder
    }

    pub fn process(&self) -> nix::unistd::Pid {
        nix::unistd::Pid::from_raw(self.child.id() as i32)
    }

    pub fn say(&mut self, line: &str) {
        writeln!(self.input.as_mut().unwrap(), "{line}").unwrap();
    }

    pub fn event(&mut self) -> Option<Event> {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        (!line.is_empty()).then(|| serde_json::from_str(&line).unwrap())
    }

    pub fn counters(&mut self) -> (Counters, labsim_dataplane::SocketCounters) {
        let Snapshot { engine, socket, .. } = self.snapshot();
        (*engine, socket)
    }

    pub fn snapshot(&mut self) -> Snapshot {
        self.say("counters");
        match self.event() {
            Some(Event::Counted(snapshot)) => snapshot,
            other => panic!("{other:?}"),
        }
    }

    /// Gives it another configuration, which it has to take over.
    pub fn reconfigure(&mut self, config: &Config) -> Changes {
        self.say(&serde_json::to_string(config).unwrap());
        match self.event() {
            Some(Event::Changed(changes)) => changes,
            other => panic!("{other:?}"),
        }
    }

    pub fn close_input(&mut self) {
        self.input = None;
    }

    pub fn complaint(&mut self) -> String {
        let mut text = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        text
    }

    pub fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
