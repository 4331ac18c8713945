//! RADIUS requests, bytes over TCP, and how anything that is asked of a server ends.

use super::{NodeName, Secret};
use labsim_yaml::FromYaml;
use schemars::JsonSchema;
use std::net::SocketAddr;
use std::time::Duration;

/// Bytes over one TCP connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TcpTransfer {
    /// The client's node.
    pub from: NodeName,
    /// Where it connects to.
    pub to: SocketAddr,
    /// The nodes that listen; at least one.
    pub servers: Vec<NodeName>,
    /// The port that they listen at.
    pub server_port: u16,
    /// Bytes from the client to the server.
    pub send: u32,
    /// Bytes from the server to the client.
    pub receive: u32,
    /// How long all of it may take; 10 s by default.
    pub timeout: Duration,
}

/// A RADIUS request and how it is repeated.
#[derive(Debug, Clone)]
pub struct RadiusRequest {
    /// The client's shared secret; the servers' own by default.
    pub secret: Secret,
    /// What is asked.
    pub question: RadiusQuestion,
    /// Maximum number of transmissions; 3 by default.
    pub max_transmissions: u32,
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
        /// Whether a reply without one is dropped.
        require_message_authenticator: bool,
    },
    /// Accounting-Request.
    Accounting {
        /// Start or stop.
        acct_status_type: AccountingRecord,
        /// The user.
        user: String,
        /// Acct-Session-Id.
        acct_session_id: String,
        /// What its Class attributes hold; empty for none.
        class: String,
    },
    /// Status-Server (RFC 5997).
    Status,
}

/// Acct-Status-Type (RFC 2866).
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromYaml, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AccountingRecord {
    /// Start of a session.
    Start,
    /// End of a session.
    Stop,
}

/// How a password is sent (RFC 8907, RFC 2865).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, FromYaml, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LoginMethod {
    /// The server asks for the password; TACACS+ only.
    #[default]
    Ascii,
    /// The first packet carries the password.
    Pap,
    /// The first packet carries a challenge's digest.
    Chap,
}

/// How an exchange or another request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromYaml, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LoginResult {
    /// The server accepted the login or request, or answered as it has to.
    Pass,
    /// The server refused in its answer: wrong user or password, another HTTP status, no such name.
    Fail,
    /// The server answered ERROR, or its answer could not be read, as with different secrets, or is
    /// not what has to come back.
    Error,
    /// The connection was refused or closed without an answer.
    Refused,
    /// No answer in time.
    Timeout,
    /// It paused, and no step resumed it.
    Paused,
}

impl LoginResult {
    /// The value in a scenario file.
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

impl RadiusRequest {
    /// What it is called.
    pub(super) const fn noun(&self) -> &'static str {
        match self.question {
            RadiusQuestion::Login { .. } => "login",
            RadiusQuestion::Accounting { .. } | RadiusQuestion::Status => "request",
        }
    }

    /// The user that it names, if it names one.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        match &self.question {
            RadiusQuestion::Login { user, .. } | RadiusQuestion::Accounting { user, .. } => {
                Some(user)
            }
            RadiusQuestion::Status => None,
        }
    }

    /// What one is called, and several: `RADIUS PAP login`, `RADIUS PAP logins`.
    pub(super) fn names(&self) -> (String, String) {
        match &self.question {
            RadiusQuestion::Login { method, .. } => {
                let one = format!("RADIUS {} login", method.name());
                (one.clone(), format!("{one}s"))
            }
            RadiusQuestion::Accounting { acct_status_type, .. } => {
                let status = match acct_status_type {
                    AccountingRecord::Start => "start",
                    AccountingRecord::Stop => "stop",
                };
                let one = format!("RADIUS accounting {status}");
                (one.clone(), one)
            }
            RadiusQuestion::Status => {
                let one = "RADIUS Status-Server".to_owned();
                (one.clone(), one)
            }
        }
    }

    /// Whom it is about, as it follows its name.
    pub(super) fn subject(&self) -> String {
        match &self.question {
            RadiusQuestion::Login { user, .. } => format!(" of `{user}`"),
            RadiusQuestion::Accounting { user, acct_session_id, .. } => {
                format!(" of `{user}`, session `{acct_session_id}`,")
            }
            RadiusQuestion::Status => String::new(),
        }
    }
}

impl LoginMethod {
    /// As its RFC writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ascii => "ASCII",
            Self::Pap => "PAP",
            Self::Chap => "CHAP",
        }
    }
}
