//! The forwarders: a process in each load balancer's namespace, spoken to over its standard
//! streams.

use crate::balancer_config;
use crate::fault::Fault;
use labsim_dataplane::{Event, SocketCounters};
use labsim_forwarder::Counters;
use labsim_lab::{Child, Lab, Node, inherit_text};
use labsim_scenario::model::{NodeName, Scenario};
use std::collections::BTreeMap;
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

/// The running forwarders; dropping them ends the processes.
pub(crate) struct Balancers(BTreeMap<NodeName, Balancer>);

struct Balancer {
    // Ends with its standard input, and with this handle at the latest.
    _process: Child,
    orders: pipe::Sender,
    events: BufReader<pipe::Receiver>,
    complaints: pipe::Receiver,
    data_plane: String,
}

/// What a forwarder counted: the engine's counters and the sockets'.
pub(crate) type Counted = (Box<Counters>, SocketCounters);

impl Balancers {
    /// Starts a forwarder in every load balancer and waits until all of them take packets.
    pub(crate) async fn start(
        lab: &Lab,
        scenario: &Scenario,
        program: &Path,
    ) -> Result<Self, Fault> {
        let mut balancers = BTreeMap::new();
        for (name, config) in &scenario.load_balancers {
            let node = lab.node(name).ok_or_else(|| Fault::no_node(name))?;
            let config = balancer_config::of(scenario, name, config)?;
            let text = serde_json::to_string(&config)
                .map_err(Fault::broken("the forwarder's configuration"))?;
            let balancer = Balancer::spawn(node, program, &text)
                .map_err(Fault::broken(&format!("the forwarder in {name} cannot be started")))?;
            balancers.insert(name.clone(), balancer);
        }
        for (name, balancer) in &mut balancers {
            match balancer.event(name).await? {
                Event::Ready { data_plane, .. } => balancer.data_plane = data_plane,
                other => return Err(out_of_turn(name, &other)),
            }
        }
        Ok(Self(balancers))
    }

    /// How each moves frames, by node.
    pub(crate) fn data_planes(&self) -> BTreeMap<String, String> {
        self.0.iter().map(|(name, b)| (name.to_string(), b.data_plane.clone())).collect()
    }

    /// Asks every forwarder what it counted. A forwarder answers after everything that reached it
    /// before the question has been dealt with.
    pub(crate) async fn counted(&mut self) -> Result<BTreeMap<NodeName, Counted>, Fault> {
        for (name, balancer) in &mut self.0 {
            balancer
                .orders
                .write_all(b"counters\n")
                .await
                .map_err(Fault::broken(&format!("the forwarder in {name} is gone")))?;
        }
        let mut all = BTreeMap::new();
        for (name, balancer) in &mut self.0 {
            match balancer.event(name).await? {
                Event::Counters { engine, socket } => all.insert(name.clone(), (engine, socket)),
                other => return Err(out_of_turn(name, &other)),
            };
        }
        Ok(all)
    }
}

impl Balancer {
    fn spawn(node: &Node, program: &Path, config: &str) -> std::io::Result<Self> {
        let mut command = Command::new(program);
        let file = inherit_text(&mut command, config)?;
        command.arg("forwarder").arg("--config").arg(file);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = node.spawn(&mut command)?;
        let gone = || std::io::Error::other("a standard stream is missing");
        let orders = OwnedFd::from(process.stdin.take().ok_or_else(gone)?);
        let events = OwnedFd::from(process.stdout.take().ok_or_else(gone)?);
        let complaints = OwnedFd::from(process.stderr.take().ok_or_else(gone)?);
        Ok(Self {
            _process: process,
            orders: pipe::Sender::from_owned_fd(orders)?,
            events: BufReader::new(pipe::Receiver::from_owned_fd(events)?),
            complaints: pipe::Receiver::from_owned_fd(complaints)?,
            data_plane: String::new(),
        })
    }

    /// Its next event; its own complaint if it ended instead.
    async fn event(&mut self, name: &NodeName) -> Result<Event, Fault> {
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
}

fn out_of_turn(name: &NodeName, event: &Event) -> Fault {
    Fault::Broken(format!("the forwarder in {name} said something out of turn: {event:?}"))
}
