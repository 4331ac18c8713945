//! What a scenario does.

use super::{
    Attachment, CraftedPacket, Exchange, Flood, MemberState, MemberUpdate, NodeChange, NodeName,
    Place, Run, ServerRequests, StepName, TcpTransfer,
};
use std::net::SocketAddr;
use std::time::Duration;

/// One step.
#[derive(Debug, Clone)]
pub struct Step {
    /// Unique in the scenario.
    pub name: StepName,
    /// Its place in the file.
    pub place: Place,
    /// What it does.
    pub action: StepAction,
}

/// What a step can do.
#[derive(Debug, Clone)]
pub enum StepAction {
    /// Exchanges with a server: logins and RADIUS requests among them.
    Exchange(Box<Exchange>),
    /// Continues a paused exchange to its end.
    Resume {
        /// A step before this one, with `pause`.
        login: StepName,
    },
    /// Waits until the exchanges of a background step have ended.
    Finish {
        /// A step before this one, with `background`.
        login: StepName,
    },
    /// Runs a program to its end.
    Run(Box<Run>),
    /// Sends a crafted packet, and waits until no packet is in flight.
    SendPacket(Box<CraftedPacket>),
    /// Sends packets at a rate, and waits until no packet is in flight.
    Flood(Box<Flood>),
    /// Moves bytes over a TCP connection.
    TcpTransfer(Box<TcpTransfer>),
    /// Kills the forwarder of a load balancer, which loses its flow table.
    KillForwarder {
        /// The load balancer.
        node: NodeName,
    },
    /// Starts the forwarder of a load balancer again and waits until it forwards packets.
    StartForwarder {
        /// The load balancer.
        node: NodeName,
    },
    /// Makes a load balancer active in place of another, which goes on standby.
    Failover {
        /// The load balancer that goes on standby.
        from: NodeName,
        /// The load balancer that becomes active.
        to: NodeName,
    },
    /// Waits until a counter of a forwarder reaches a value.
    AwaitCounter {
        /// The load balancer.
        node: NodeName,
        /// Its name as the forwarder shows it: an outcome (`no_flow`) or `flows.timed_out`.
        counter: String,
        /// Least value to wait for.
        at_least: u64,
        /// How long to wait.
        timeout: Duration,
    },
    /// Waits until a member's monitor reports a state.
    AwaitMember {
        /// The load balancer.
        node: NodeName,
        /// The pool, which is watched.
        pool: String,
        /// Address and port.
        member: SocketAddr,
        /// What has to be found.
        state: MemberState,
        /// How long to wait.
        timeout: Duration,
    },
    /// Changes a member of a running load balancer's pool.
    ChangeMember(MemberUpdate),
    /// Stops the built-in servers of a node.
    StopServer {
        /// The node.
        node: NodeName,
        /// Whether their connections go on.
        keep_connections: bool,
    },
    /// Starts the built-in servers of a node again.
    StartServer {
        /// The node.
        node: NodeName,
    },
    /// Sets an interface down, or up.
    SetLink {
        /// Of which node.
        interface: Attachment,
        /// Whether it comes up.
        up: bool,
    },
    /// Changes a node, and waits until no packet is in flight before.
    ChangeNode(Box<NodeChange>),
}

impl StepAction {
    /// What it asks of servers; `None` of a step that asks none, and so has no answer.
    #[must_use]
    pub fn server_requests(&self) -> Option<ServerRequests<'_>> {
        match self {
            Self::Exchange(exchange) => Some(ServerRequests {
                from: &exchange.from,
                number: exchange.number(),
                kind: exchange.kind(),
                noun: exchange.noun(),
            }),
            _ => None,
        }
    }

    /// Whether it makes logins or requests, runs a program or moves bytes: each of these ends with
    /// a [`LoginResult`](super::LoginResult).
    #[must_use]
    pub fn has_answer(&self) -> bool {
        matches!(self, Self::Run(_) | Self::TcpTransfer(_)) || self.server_requests().is_some()
    }

    /// What one of its attempts is called: `login`, `request`, `program`, `transfer`.
    #[must_use]
    pub fn noun(&self) -> &'static str {
        match self {
            Self::Run(_) => "program",
            Self::TcpTransfer(_) => "transfer",
            other => other.server_requests().map_or("login", |requests| requests.noun),
        }
    }

    /// What it does, in a sentence without a subject: `sets rs1:eth0 down`. Holds no secret.
    #[must_use]
    pub fn description(&self) -> String {
        match self {
            Self::Exchange(exchange) => exchange.description(),
            Self::Resume { login } => format!("resumes `{login}`"),
            Self::Finish { login } => format!("waits until `{login}` has ended"),
            Self::Run(run) => {
                // Not its arguments, which may hold passwords.
                let program = run.program.path.rsplit('/').next().unwrap_or_default();
                format!("runs {program} in {}", run.node)
            }
            Self::SendPacket(packet) => {
                let (to, port) = (packet.header.destination, packet.destination_port);
                format!("sends a crafted packet to {to}:{port} from {}", packet.from)
            }
            Self::Flood(flood) => {
                let Flood { from, to, packets_per_second, duration, .. } = &**flood;
                let noun = flood.noun();
                format!(
                    "sends {packets_per_second} {noun}s a second to {to} from {from} for {duration:?}"
                )
            }
            Self::TcpTransfer(transfer) => {
                let TcpTransfer { from, to, send, receive, .. } = &**transfer;
                format!("sends {send} bytes from {from} to {to}, and {receive} bytes back")
            }
            Self::Failover { from, to } => format!("makes {to} active in place of {from}"),
            Self::KillForwarder { node } => format!("kills the forwarder in {node}"),
            Self::StartForwarder { node } => format!("restarts the forwarder in {node}"),
            Self::AwaitCounter { node, counter, at_least, .. } => {
                format!("waits until {counter} of {node} is at least {at_least}")
            }
            Self::AwaitMember { node, pool, member, state, .. } => {
                format!("waits until {member} of {pool} of {node} is {}", state.word())
            }
            Self::ChangeMember(change) => change.description(),
            Self::StopServer { node, keep_connections: false } => {
                format!("stops the servers on {node}")
            }
            Self::StopServer { node, keep_connections: true } => {
                format!("stops the servers on {node} and keeps their connections")
            }
            Self::StartServer { node } => format!("restarts the servers on {node}"),
            Self::SetLink { interface, up: true } => format!("sets {interface} up"),
            Self::SetLink { interface, up: false } => format!("sets {interface} down"),
            Self::ChangeNode(change) => change.to_string(),
        }
    }
}
