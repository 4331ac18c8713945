//! The server: whom it answers, whom it knows, and the way there.
//!
//! [`Connection`] is the pure machine of one connection: bytes in, actions out.
//! [`serve_connection`] runs it over a stream.

mod connection;
mod drive;
mod session;

pub use connection::{Action, Connection, MAX_SESSIONS};
pub use drive::{Error, serve_connection};

use crate::Secret;
use crate::tacacs::header::DEFAULT_MAX_BODY;
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// What a server is configured to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Who may connect. The longest prefix that holds a client's address counts.
    pub clients: Vec<Client>,
    /// Passwords by user.
    pub users: BTreeMap<String, Secret>,
    /// Whether to agree when a client offers single-connection mode.
    pub single_connection: bool,
    /// How long a client may take for its next whole packet, and to take an answer.
    pub deadline: Duration,
    /// The longest body that is taken, in bytes (RFC 8907, section 4.1, wants it to be settable).
    pub max_body: u32,
}

/// The clients of one prefix, bound to their shared secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Their source addresses.
    pub addresses: IpNet,
    /// Their shared secret.
    pub secret: Secret,
}

impl Server {
    /// A server with one shared secret for all clients. It agrees to single-connection mode, waits
    /// 30 seconds for a silent client, and takes bodies of up to [`DEFAULT_MAX_BODY`].
    #[must_use]
    pub fn new(secret: Secret, clients: Vec<IpNet>, users: BTreeMap<String, Secret>) -> Self {
        let client = |addresses| Client { addresses, secret: secret.clone() };
        Self {
            clients: clients.into_iter().map(client).collect(),
            users,
            single_connection: true,
            deadline: Duration::from_secs(30),
            max_body: DEFAULT_MAX_BODY,
        }
    }

    /// The client of that source address. An IPv4 address that an IPv6 socket shows as
    /// `::ffff:a.b.c.d` is the IPv4 address.
    #[must_use]
    pub fn client(&self, address: IpAddr) -> Option<&Client> {
        let address = address.to_canonical();
        let known = self.clients.iter().filter(|client| client.addresses.contains(&address));
        known.max_by_key(|client| client.addresses.prefix_len())
    }

    /// Whether the user is known and `matches` says so of the password. It is asked for an unknown
    /// user too, so that the two take about the same time.
    fn password_is(&self, user: &str, matches: impl Fn(&Secret) -> bool) -> bool {
        let nobody = Secret::default();
        let known = self.users.get(user);
        let same = matches(known.unwrap_or(&nobody));
        known.is_some() && same
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_decides_which_secret_a_client_has() {
        let mut server =
            Server::new(Secret::new("wide"), vec!["10.0.0.0/8".parse().unwrap()], BTreeMap::new());
        server.clients.push(Client {
            addresses: "10.1.0.0/16".parse().unwrap(),
            secret: Secret::new("narrow"),
        });
        let secret = |address: &str| {
            server.client(address.parse().unwrap()).map(|client| client.secret.expose())
        };
        assert_eq!(secret("10.1.2.3"), Some(b"narrow".as_slice()));
        assert_eq!(secret("10.2.2.3"), Some(b"wide".as_slice()));
        assert_eq!(secret("::ffff:10.2.2.3"), Some(b"wide".as_slice()));
        assert_eq!(secret("11.0.0.1"), None);
        assert_eq!(secret("::1"), None);
    }
}
