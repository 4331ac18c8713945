//! One forwarder's process, spoken to over its standard streams.

use crate::fault::Fault;
use labsim_control::{Answer, LONGEST_LINE, Request};
use labsim_dataplane::forwarder::Snapshot;
use labsim_lab::{Child, Node, inherit_text};
use labsim_monitor::{HealthByPool, Origins};
use labsim_scenario::model::NodeName;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::pipe;
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::timeout;

/// How long a forwarder may take to answer. Nothing waits so long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// As much of its last words is kept. It also tells what its monitors find, which may be long.
const LAST_WORDS: usize = 4096;

/// A running forwarder. Dropping it kills the process and waits until it is gone.
pub(super) struct Process {
    node: NodeName,
    // Ends with its standard input, and with this handle at the latest.
    _child: Child,
    orders: pipe::Sender,
    answers: BufReader<pipe::Receiver>,
    /// Ends with its standard error, and has what came last.
    complaints: JoinHandle<Vec<u8>>,
    data_plane: String,
}

impl Process {
    /// Has to be called inside a `LocalSet`.
    pub(super) fn spawn(node: &Node, program: &Path, config: &str) -> std::io::Result<Self> {
        let mut command = Command::new(program);
        let file = inherit_text(&mut command, config)?;
        command.arg("forwarder").arg("--config").arg(file);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = node.spawn(&mut command)?;
        let gone = || std::io::Error::other("a standard stream is missing");
        let orders = OwnedFd::from(child.stdin.take().ok_or_else(gone)?);
        let answers = OwnedFd::from(child.stdout.take().ok_or_else(gone)?);
        let complaints = OwnedFd::from(child.stderr.take().ok_or_else(gone)?);
        Ok(Self {
            node: node.name().clone(),
            _child: child,
            orders: pipe::Sender::from_owned_fd(orders)?,
            answers: BufReader::new(pipe::Receiver::from_owned_fd(answers)?),
            complaints: spawn_local(last_words(pipe::Receiver::from_owned_fd(complaints)?)),
            data_plane: String::new(),
        })
    }

    pub(super) fn node(&self) -> &NodeName {
        &self.node
    }

    /// How it moves frames, once it is ready.
    pub(super) fn data_plane(&self) -> &str {
        &self.data_plane
    }

    /// Waits until it takes packets.
    pub(super) async fn await_ready(&mut self) -> Result<(), Fault> {
        match self.hear().await? {
            Answer::Ready(ready) => self.data_plane = ready.data_plane,
            other => return Err(self.out_of_turn(&other)),
        }
        Ok(())
    }

    /// Asks for its counters; [`Self::answer`] has them.
    pub(super) async fn ask(&mut self) -> Result<(), Fault> {
        self.say(&Request::Counters).await
    }

    pub(super) async fn answer(&mut self) -> Result<Snapshot, Fault> {
        match self.hear().await? {
            Answer::Counters(counted) => Ok(counted),
            other => Err(self.out_of_turn(&other)),
        }
    }

    /// Has it change its configuration, and waits until it has.
    pub(super) async fn change(&mut self, request: &Request) -> Result<(), Fault> {
        self.say(request).await?;
        match self.hear().await? {
            Answer::Changed(_) => Ok(()),
            Answer::Refused(reasons) => Err(Fault::Broken(format!(
                "the forwarder in {} refused it: {}",
                self.node,
                reasons.join("; ")
            ))),
            other => Err(self.out_of_turn(&other)),
        }
    }

    /// What its monitors have found.
    pub(super) async fn health(&mut self) -> Result<HealthByPool, Fault> {
        self.say(&Request::Health).await?;
        match self.hear().await? {
            Answer::Health(health) => Ok(health),
            other => Err(self.out_of_turn(&other)),
        }
    }

    /// Ends its monitors' probes.
    pub(super) async fn stop_monitors(&mut self) -> Result<Origins, Fault> {
        self.say(&Request::StopMonitors).await?;
        match self.hear().await? {
            Answer::MonitorsStopped(origins) => Ok(origins),
            other => Err(self.out_of_turn(&other)),
        }
    }

    async fn say(&mut self, request: &Request) -> Result<(), Fault> {
        let mut line = serde_json::to_vec(request).map_err(Fault::broken("a request"))?;
        line.push(b'\n');
        let asked = self.orders.write_all(&line).await;
        asked.map_err(Fault::broken(&format!("the forwarder in {} is gone", self.node)))
    }

    /// What it says next; its own complaint if it ended instead.
    async fn hear(&mut self) -> Result<Answer, Fault> {
        let name = &self.node;
        let mut line = String::new();
        let mut bounded = (&mut self.answers).take(LONGEST_LINE);
        match timeout(PATIENCE, bounded.read_line(&mut line)).await {
            Err(_) => Err(Fault::Broken(format!(
                "the forwarder in {name} gave no answer within {PATIENCE:?}"
            ))),
            Ok(Ok(1..)) => serde_json::from_str(&line)
                .map_err(Fault::broken(&format!("the forwarder in {name} said nonsense"))),
            Ok(_) => {
                let complaint = timeout(PATIENCE, &mut self.complaints).await;
                let complaint = complaint.ok().and_then(Result::ok).unwrap_or_default();
                Err(Fault::Broken(format!(
                    "the forwarder in {name} ended: {}",
                    String::from_utf8_lossy(&complaint).trim()
                )))
            }
        }
    }

    fn out_of_turn(&self, answer: &Answer) -> Fault {
        let name = &self.node;
        Fault::Broken(format!("the forwarder in {name} said something out of turn: {answer:?}"))
    }
}

/// Reads to the end, so that it never waits for a reader.
async fn last_words(mut stream: pipe::Receiver) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut buffer = [0; 1024];
    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
        kept.extend_from_slice(buffer.get(..length).unwrap_or_default());
        let excess = kept.len().saturating_sub(LAST_WORDS);
        kept.drain(..excess);
    }
    kept
}
