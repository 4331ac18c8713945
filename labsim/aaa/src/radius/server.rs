//! The server: its clients and users, and the machine behind each socket.
//!
//! [`Endpoint`] is the pure machine behind one socket: a datagram in, an answer and a line of the
//! log out. [`serve`] runs it.

mod dedup;
mod drive;
mod endpoint;
mod request;

pub use crate::access::Client;
pub use drive::{ReplySource, serve};
pub use endpoint::{Answer, Endpoint};

use crate::Secret;
use crate::access;
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// What a server is configured to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Who may ask. The longest prefix that holds a client's address counts.
    pub clients: Vec<Client>,
    /// Passwords by user.
    pub users: BTreeMap<String, Secret>,
    /// Whether an Access-Request without a Message-Authenticator is discarded
    /// (draft-ietf-radext-deprecating-radius; RFC 5080, section 2.2.2). Status-Server needs one in
    /// any case.
    pub require_message_authenticator: bool,
    /// Whether Access-Accept and Access-Reject carry a Message-Authenticator. Servers of before
    /// CVE-2024-3596 send none.
    pub message_authenticator: bool,
    /// What an Access-Accept or Access-Reject says to the user (RFC 2865, section 5.18), in as many
    /// Reply-Message attributes as it takes; empty for none.
    pub reply_message: String,
    /// How long a reply is kept to be sent again if its request comes again. RFC 5080, section
    /// 2.2.2, wants 5 to 30 seconds.
    pub window: Duration,
    /// How many replies are kept, of up to 4096 bytes each; the oldest goes first.
    pub max_cached_replies: usize,
}

impl Server {
    /// A server with one shared secret for all clients. It requires and sends Message-Authenticators, and
    /// keeps up to 4096 replies for 30 seconds.
    #[must_use]
    pub fn new(secret: Secret, clients: Vec<IpNet>, users: BTreeMap<String, Secret>) -> Self {
        Self {
            clients: access::with_secret(clients, &secret),
            users,
            require_message_authenticator: true,
            message_authenticator: true,
            reply_message: String::new(),
            window: Duration::from_secs(30),
            max_cached_replies: 4096,
        }
    }

    /// The client of that source address. An IPv4 address that an IPv6 socket shows as
    /// `::ffff:a.b.c.d` is the IPv4 address.
    #[must_use]
    pub fn find_client(&self, address: IpAddr) -> Option<&Client> {
        access::find_client(&self.clients, address)
    }
}
