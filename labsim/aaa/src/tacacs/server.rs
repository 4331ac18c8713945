//! The server: its clients and users, its connections and sessions.
//!
//! [`Connection`] is the pure machine of one connection: bytes in, actions out.
//! [`serve_connection`] runs it over a stream.

mod connection;
mod drive;
mod session;

pub use crate::access::Client;
pub use connection::{Action, Connection, MAX_SESSIONS};
pub use drive::{Error, serve_connection};

use crate::Secret;
use crate::access;
use crate::tacacs::header::DEFAULT_MAX_BODY;
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// What a user gets who is authorized for a service (RFC 8907, section 6.2).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Service {
    /// Attributes with their values, such as `priv-lvl=15`.
    pub arguments: Vec<String>,
    /// Whether they stand in place of the client's (PASS_REPL), and are not added to them (PASS_ADD).
    pub replace: bool,
}

/// What a server is configured to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Who may connect. The longest prefix that holds a client's address counts.
    pub clients: Vec<Client>,
    /// Passwords by user.
    pub users: BTreeMap<String, Secret>,
    /// The services that users are authorized for, by user and name (`shell`). A known user without an
    /// entry is authorized for everything.
    pub services: BTreeMap<String, BTreeMap<String, Service>>,
    /// Whether to agree when a client offers single-connection mode.
    pub single_connection: bool,
    /// How long a client may take for its next whole packet, and to take an answer.
    pub deadline: Duration,
    /// The longest body that is taken, in bytes (RFC 8907, section 4.1, wants it to be settable).
    pub max_body: u32,
}

impl Server {
    /// A server with one shared secret for all clients. It agrees to single-connection mode, waits
    /// 30 seconds for a silent client, and takes bodies of up to [`DEFAULT_MAX_BODY`].
    #[must_use]
    pub fn new(secret: Secret, clients: Vec<IpNet>, users: BTreeMap<String, Secret>) -> Self {
        Self {
            clients: access::with_secret(clients, &secret),
            users,
            services: BTreeMap::new(),
            single_connection: true,
            deadline: Duration::from_secs(30),
            max_body: DEFAULT_MAX_BODY,
        }
    }

    /// The client of that source address. An IPv4 address that an IPv6 socket shows as
    /// `::ffff:a.b.c.d` is the IPv4 address.
    #[must_use]
    pub fn find_client(&self, address: IpAddr) -> Option<&Client> {
        access::find_client(&self.clients, address)
    }

    fn check_password(&self, user: &str, matches: impl Fn(&Secret) -> bool) -> bool {
        access::check_password(&self.users, user, matches)
    }
}
