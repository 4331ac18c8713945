//! TACACS+ servers: secret, clients, users.

use super::lookup::Lookup;
use super::{Report, address};
use crate::file::{Items, Table, TacacsServerFields};
use crate::model::{LoadBalancer, NodeName, Secret, TacacsServer};
use ipnet::IpNet;
use labsim_yaml::{Located, Span};
use std::collections::{BTreeMap, HashMap};

/// Most client prefixes, and most users, of a server.
const ENTRIES: usize = 4096;
/// Longest user name and password: RFC 8907 counts them in one byte.
pub(super) const CREDENTIAL: usize = 255;
/// Longest secret in bytes.
pub(super) const SECRET: usize = 1024;
/// IANA's port of TACACS+.
const PORT: u16 = 49;

/// Resolves all TACACS+ servers; the secrets are those of the file, whoever uses them.
pub(super) fn tacacs_servers(
    list: &[&Located<TacacsServerFields>],
    load_balancers: &BTreeMap<NodeName, LoadBalancer>,
    lookup: &Lookup<'_>,
    report: &mut Report<'_>,
) -> (BTreeMap<NodeName, TacacsServer>, Vec<Secret>) {
    let (mut all, mut seen, mut secrets) = (BTreeMap::new(), HashMap::new(), Vec::new());
    for fields in list {
        let server = server(&fields.value, report);
        // A secret that is missing has been reported.
        if fields.value.secret.span != Span::default() {
            secrets.push(server.secret.clone());
        }
        for node in lookup.nodes(&fields.value.nodes, report) {
            let (name, place) = (node.value, node.span);
            if let Some(first) = seen.insert(name.clone(), place) {
                let line = report.line(first, place);
                report.at(
                    place,
                    format!("`{name}` runs a TACACS+ server already ({line}); keep one"),
                );
                continue;
            }
            if load_balancers.contains_key(&name) {
                report.at(
                    place,
                    format!("`{name}` is a load balancer; run the server in another node"),
                );
            }
            all.insert(name, server.clone());
        }
    }
    (all, secrets)
}

fn server(fields: &TacacsServerFields, report: &mut Report<'_>) -> TacacsServer {
    let port = port(fields.port, PORT, report);
    report.plain(&fields.secret, "secret", SECRET);
    let clients = clients(&fields.clients, report);
    let users = users(&fields.users, (CREDENTIAL, CREDENTIAL), report);
    TacacsServer { port, secret: Secret::new(fields.secret.value.clone()), clients, users }
}

/// A server's port.
pub(super) fn port(written: Option<Located<u16>>, usual: u16, report: &mut Report<'_>) -> u16 {
    written.map_or(usual, |port| {
        if port.value == 0 {
            report.at(port.span, "there is no port 0; write one from 1 to 65535");
        }
        port.value
    })
}

/// The addresses that a server answers.
pub(super) fn clients(
    clients: &Located<Items<Located<String>>>,
    report: &mut Report<'_>,
) -> Vec<IpNet> {
    if clients.value.is_empty() {
        report.empty(
            clients.span,
            "no client is allowed; write their addresses, or 0.0.0.0/0 for all of IPv4",
        );
    }
    let mut nets = Vec::new();
    if report.limit(clients.span, clients.value.len(), ENTRIES, "client") {
        for text in clients.value.iter() {
            nets.extend(report.take(text.span, address::prefix(text)));
        }
    }
    nets
}

/// Passwords by user, of so many bytes at most.
pub(super) fn users(
    table: &Table<Located<String>>,
    (name_limit, password_limit): (usize, usize),
    report: &mut Report<'_>,
) -> BTreeMap<String, Secret> {
    let mut users = BTreeMap::new();
    if let Some((key, _)) = table.iter().nth(ENTRIES) {
        report.limit(key.span, table.len(), ENTRIES, "user");
    }
    for (user, password) in table.iter().take(ENTRIES) {
        let user_ok = report.plain(user, "user name", name_limit);
        if report.plain(password, "password", password_limit) && user_ok {
            users.insert(user.value.clone(), Secret::new(password.value.clone()));
        }
    }
    users
}
