//! A server's clients by address, and its users by password.

use crate::Secret;
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Clients of one address prefix, with their shared secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Their source addresses.
    pub addresses: IpNet,
    /// Their shared secret.
    pub secret: Secret,
}

/// Clients of these prefixes, with one shared secret for all.
pub(crate) fn with_secret(addresses: Vec<IpNet>, secret: &Secret) -> Vec<Client> {
    addresses.into_iter().map(|addresses| Client { addresses, secret: secret.clone() }).collect()
}

/// Finds the client of a source address: the longest prefix counts. An IPv4 address that an IPv6
/// socket shows as `::ffff:a.b.c.d` is the IPv4 address.
pub(crate) fn find_client(clients: &[Client], address: IpAddr) -> Option<&Client> {
    let address = address.to_canonical();
    let known = clients.iter().filter(|client| client.addresses.contains(&address));
    known.max_by_key(|client| client.addresses.prefix_len())
}

/// Whether the user is known and `matches` accepts the password. `matches` runs for an unknown
/// user too, so that both cases take about the same time.
pub(crate) fn check_password(
    users: &BTreeMap<String, Secret>,
    user: &str,
    matches: impl Fn(&Secret) -> bool,
) -> bool {
    let unknown = Secret::default();
    let known = users.get(user);
    let same = matches(known.unwrap_or(&unknown));
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
            find_client(&clients, address.parse().unwrap()).map(|client| client.secret.expose())
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
            |user, password| check_password(&users, user, |known| *known == Secret::new(password));
        assert!(is("violet", "indigo"));
        assert!(!is("violet", ""));
        assert!(!is("nobody", ""));
    }
}
