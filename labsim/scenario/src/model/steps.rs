//! What a scenario does.

use super::{Attachment, MadePacket, NodeName, Run, Secret, StepName};
use std::net::SocketAddr;
use std::time::Duration;

/// One step.
#[derive(Debug, Clone)]
pub struct Step {
    /// Unique in the scenario.
    pub name: StepName,
    /// What it does.
    pub action: StepAction,
}

/// What a step can do.
#[derive(Debug, Clone)]
pub enum StepAction {
    /// TACACS+ logins.
    TacacsLogin(TacacsLogin),
    /// Goes on with a TACACS+ login that paused, to its end.
    Resume {
        /// A login step before this one, with `pause`.
        login: StepName,
    },
    /// Waits until the logins of a step in the background are over.
    Finish {
        /// A login step before this one, with `background`.
        login: StepName,
    },
    /// A RADIUS request.
    Radius(RadiusRequest),
    /// Runs a program to its end.
    Run(Box<Run>),
    /// Sends a made-up packet, and waits until nothing is on its way any more.
    SendPacket(Box<MadePacket>),
    /// Kills the forwarder of a load balancer: its flows are forgotten.
    KillForwarder {
        /// The load balancer.
        node: NodeName,
    },
    /// Starts the forwarder of a load balancer again, and waits until it takes packets.
    StartForwarder {
        /// The load balancer.
        node: NodeName,
    },
    /// Waits until a counter of a forwarder has risen so far.
    AwaitCounter {
        /// The load balancer.
        node: NodeName,
        /// Its name as the forwarder shows it: an outcome (`no_flow`) or `flows.timed_out`.
        counter: String,
        /// The value that it must have at least.
        at_least: u64,
        /// How long to wait.
        timeout: Duration,
    },
    /// Waits until a member's monitor has found it so.
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
    ChangeMember(MemberChange),
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
}

/// What a monitor finds of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberState {
    /// It answers.
    Up,
    /// It does not.
    Down,
}

impl MemberState {
    /// The word of a scenario file.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// A change of a pool's member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberChange {
    /// The load balancer.
    pub node: NodeName,
    /// The pool.
    pub pool: String,
    /// Address and port.
    pub member: SocketAddr,
    /// What becomes of it.
    pub to: MemberFate,
}

/// What becomes of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberFate {
    /// It is new.
    Added {
        /// Its share of new flows.
        ratio: u16,
    },
    /// It gets another ratio.
    Set {
        /// Its share of new flows; 0 drains it.
        ratio: u16,
    },
    /// It is taken out.
    Removed,
}

/// Logins through a virtual server, or straight to a server.
#[derive(Debug, Clone)]
pub struct TacacsLogin {
    /// The clients' nodes; at least one, mostly one.
    pub from: Vec<NodeName>,
    /// How often each client logs in; 1 by default.
    pub times: u32,
    /// How many logins are under way at a time; 1 by default.
    pub at_once: u32,
    /// Where it connects to.
    pub to: SocketAddr,
    /// The client's shared secret; the servers' own unless the step says otherwise.
    pub secret: Secret,
    /// How the password travels.
    pub method: LoginMethod,
    /// The user.
    pub user: String,
    /// The password.
    pub password: Secret,
    /// How long one login may take; 5 s by default.
    pub timeout: Duration,
    /// Whether it stops when the server has asked for the password, until a step resumes it.
    /// ASCII logins from one client, once, only.
    pub pause: bool,
    /// How the client ends its connection.
    pub close: LoginClose,
    /// Whether the steps that follow do not wait for it, until a step finishes it.
    pub background: bool,
}

/// How a client ends its connection once the server has closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginClose {
    /// At once, with RST.
    Reset,
    /// In order, with FIN.
    Fin,
}

/// A RADIUS request and how it is repeated.
#[derive(Debug, Clone)]
pub struct RadiusRequest {
    /// The client's node.
    pub from: NodeName,
    /// Where it is sent to.
    pub to: SocketAddr,
    /// The client's shared secret; the servers' own unless the step says otherwise.
    pub secret: Secret,
    /// What is asked.
    pub question: RadiusQuestion,
    /// How long to wait before the request is sent again, unchanged; 1 s by default.
    pub timeout: Duration,
    /// How often it is sent at most; 3 by default.
    pub tries: u32,
}

/// What a RADIUS request asks.
#[derive(Debug, Clone)]
pub enum RadiusQuestion {
    /// Access-Request.
    Login {
        /// [`LoginMethod::Pap`] or [`LoginMethod::Chap`].
        method: LoginMethod,
        /// The user.
        user: String,
        /// The password.
        password: Secret,
        /// Whether it carries a Message-Authenticator; true by default.
        message_authenticator: bool,
    },
    /// Accounting-Request.
    Accounting {
        /// Start or stop.
        record: AccountingRecord,
        /// The user.
        user: String,
        /// Acct-Session-Id.
        session: String,
        /// What its Class attributes hold; empty for none.
        class: String,
    },
    /// Status-Server (RFC 5997).
    Status,
}

/// Acct-Status-Type (RFC 2866).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountingRecord {
    /// A session begins.
    Start,
    /// A session is over.
    Stop,
}

/// How a password travels (RFC 8907, RFC 2865).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginMethod {
    /// The server asks for the password; TACACS+ only.
    Ascii,
    /// The password travels with the start.
    Pap,
    /// A challenge's digest travels with the start.
    Chap,
}

/// How a login or another request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginResult {
    /// The server said PASS, or accepted what was sent.
    Pass,
    /// The server said FAIL: user or password are wrong.
    Fail,
    /// The server said ERROR, or its answer could not be read: secrets differ, for one.
    Error,
    /// The connection was refused or closed without an answer.
    Refused,
    /// No answer in time.
    Timeout,
    /// It paused, and nothing resumed it.
    Paused,
}

impl LoginResult {
    /// The word of a scenario file.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Error => "error",
            Self::Refused => "refused",
            Self::Timeout => "timeout",
            Self::Paused => "paused",
        }
    }
}
