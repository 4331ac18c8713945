//! What a scenario does.

use super::{NodeName, Secret, StepName};
use std::net::SocketAddr;

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
    /// A TACACS+ login.
    TacacsLogin(TacacsLogin),
}

/// One login through a virtual server, or straight to a server.
#[derive(Debug, Clone)]
pub struct TacacsLogin {
    /// The client's node.
    pub from: NodeName,
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
}

/// RFC 8907's login types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginMethod {
    /// The server asks for the password.
    Ascii,
    /// The password travels with the start.
    Pap,
    /// A challenge's digest travels with the start.
    Chap,
}

/// How a login ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginResult {
    /// The server said PASS.
    Pass,
    /// The server said FAIL: user or password are wrong.
    Fail,
    /// The server said ERROR, or its answer could not be read: secrets differ, for one.
    Error,
    /// The connection was refused or closed without an answer.
    Refused,
    /// No answer in time.
    Timeout,
}
