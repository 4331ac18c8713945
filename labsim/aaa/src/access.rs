//! Whom a server knows: its clients by their addresses, its users by their passwords.

use crate::Secret;
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// The clients of one prefix, bound to their shared secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Their source addresses.
    pub addresses: IpNet,
    /// Their shared secret.
    pub secret: Secret,
}

/// The clients of those prefixes, with one shared secret for all.
pub(crate) fn clients(addresses: Vec<IpNet>, secret: &Secret) -> Vec<Client> {
    addresses.into_iter().map(|addresses| Client { addresses, secret: secret.clone() }).collect()
}

/// The client of that source address: the longest prefix counts. An IPv4 address that an IPv6
/// socket shows as `::ffff:a.b.c.d` is the IPv4 address.
pub(crate) fn client(clients: &[Client], address: IpAddr) -> Option<&Client> {
    let address = address.to_canonical();
    let known = clients.iter().filter(|client| client.addresses.contains(&address));
    known.max_by_key(|client| client.addresses.prefix_len())
}

/// Whether the user is known and `matches` says so of the password. It is asked for an unknown
/// user too, so that the two take about the same time.
pub(crate) fn password_is(
    users: &BTreeMap<String, Secret>,
    user: &str,
    matches: impl Fn(&Secret) -> bool,
) -> bool {
    let nobody = Secret::default();
    let known = users.get(user);
    let same = matches(known.unwrap_or(&nobody));
    known.is_some() && same
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_decides_which_secret_a_client_has() {
        let client_of = |prefix: &str, secret| Client {
            addresses: prefix.parse().unwrap(),
            secret: Secret::new(secret),
        };
        let clients = [client_of("10.0.0.0/8", "wide"), client_of("10.1.0.0/16", "narrow")];
        let secret = |address: &str| {
            client(&clients, address.parse().unwrap()).map(|client| client.secret.expose())
        };
        assert_eq!(secret("10.1.2.3"), Some(b"narrow".as_slice()));
        assert_eq!(secret("10.2.2.3"), Some(b"wide".as_slice()));
        assert_eq!(secret("::ffff:10.2.2.3"), Some(b"wide".as_slice()));
        assert_eq!(secret("11.0.0.1"), None);
        assert_eq!(secret("::1"), None);
    }

    #[test]
    fn an_unknown_user_has_no_password_not_even_the_empty_one() {
        let users = BTreeMap::from([("violet".to_owned(), Secret::new("indigo"))]);
        let is =
            |user, password| password_is(&users, user, |known| *known == Secret::new(password));
        assert!(is("violet", "indigo"));
        assert!(!is("violet", ""));
        assert!(!is("nobody", ""));
    }
}
