//! One forwarder's process, spoken to over its standard streams.

use super::Counted;
use crate::fault::Fault;
use labsim_dataplane::Event;
use labsim_lab::{Child, Node, inherit_text};
use labsim_scenario::model::NodeName;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::pipe;
use tokio::time::timeout;

/// How long a forwarder may take to answer. Nothing waits so long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// The longest line that a forwarder is listened to, in bytes.
const LONGEST_LINE: u64 = 1 << 20;

/// A running forwarder. Dropping it kills the process and waits until it is gone.
pub(super) struct Process {
    node: NodeName,
    // Ends with its standard input, and with this handle at the latest.
    _child: Child,
    orders: pipe::Sender,
    events: BufReader<pipe::Receiver>,
    complaints: pipe::Receiver,
    data_plane: String,
}

impl Process {
    pub(super) fn spawn(node: &Node, program: &Path, config: &str) -> std::io::Result<Self> {
        let mut command = Command::new(program);
        let file = inherit_text(&mut command, config)?;
        command.arg("forwarder").arg("--config").arg(file);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = node.spawn(&mut command)?;
        let gone = || std::io::Error::other("a standard stream is missing");
        let orders = OwnedFd::from(child.stdin.take().ok_or_else(gone)?);
        let events = OwnedFd::from(child.stdout.take().ok_or_else(gone)?);
        let complaints = OwnedFd::from(child.stderr.take().ok_or_else(gone)?);
        Ok(Self {
            node: node.name().clone(),
            _child: child,
            orders: pipe::Sender::from_owned_fd(orders)?,
            events: BufReader::new(pipe::Receiver::from_owned_fd(events)?),
            complaints: pipe::Receiver::from_owned_fd(complaints)?,
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
        match self.event().await? {
            Event::Ready { data_plane, .. } => self.data_plane = data_plane,
            other => return Err(self.out_of_turn(&other)),
        }
        Ok(())
    }

    /// Asks for its counters; [`Self::answer`] has them.
    pub(super) async fn ask(&mut self) -> Result<(), Fault> {
        let asked = self.orders.write_all(b"counters\n").await;
        asked.map_err(Fault::broken(&format!("the forwarder in {} is gone", self.node)))
    }

    pub(super) async fn answer(&mut self) -> Result<Counted, Fault> {
        match self.event().await? {
            Event::Counters { engine, socket } => Ok(Counted { engine, socket }),
            other => Err(self.out_of_turn(&other)),
        }
    }

    /// Its next event; its own complaint if it ended instead.
    async fn event(&mut self) -> Result<Event, Fault> {
        let name = &self.node;
        let mut line = String::new();
        let mut bounded = (&mut self.events).take(LONGEST_LINE);
        match timeout(PATIENCE, bounded.read_line(&mut line)).await {
            Err(_) => Err(Fault::Broken(format!(
                "the forwarder in {name} gave no answer within {PATIENCE:?}"
            ))),
            Ok(Ok(1..)) => serde_json::from_str(&line)
                .map_err(Fault::broken(&format!("the forwarder in {name} said nonsense"))),
            Ok(_) => {
                let mut complaint = Vec::new();
                let mut bounded = (&mut self.complaints).take(4096);
                let _ = timeout(PATIENCE, bounded.read_to_end(&mut complaint)).await;
                Err(Fault::Broken(format!(
                    "the forwarder in {name} ended: {}",
                    String::from_utf8_lossy(&complaint).trim()
                )))
            }
        }
    }

    fn out_of_turn(&self, event: &Event) -> Fault {
        let name = &self.node;
        Fault::Broken(format!("the forwarder in {name} said something out of turn: {event:?}"))
    }
}
