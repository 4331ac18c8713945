//! What servers of every protocol have: a node of their own each, ports, clients, users.

use super::lookup::Lookup;
use super::{Report, address};
use crate::file::{Items, Table, Texts};
use crate::model::{LoadBalancer, NodeName, Secret};
use ipnet::IpNet;
use labsim_yaml::{Located, Span};
use std::collections::{BTreeMap, HashMap};

/// Most client prefixes, and most users, of a server.
const ENTRIES: usize = 4096;
/// Longest secret in bytes.
pub(super) const SECRET: usize = 1024;

/// The servers of one protocol as they are put into their nodes.
pub(super) struct Servers<'a, S> {
    protocol: &'static str,
    load_balancers: &'a BTreeMap<NodeName, LoadBalancer>,
    lookup: &'a Lookup<'a>,
    all: BTreeMap<NodeName, S>,
    seen: HashMap<NodeName, Span>,
    secrets: Vec<Secret>,
}

impl<'a, S: Clone> Servers<'a, S> {
    /// None yet.
    pub(super) fn new(
        protocol: &'static str,
        load_balancers: &'a BTreeMap<NodeName, LoadBalancer>,
        lookup: &'a Lookup<'a>,
    ) -> Self {
        let (all, seen, secrets) = (BTreeMap::new(), HashMap::new(), Vec::new());
        Self { protocol, load_balancers, lookup, all, seen, secrets }
    }

    /// Puts a server into its nodes: one of the protocol in each, and none beside a forwarder.
    pub(super) fn add(
        &mut self,
        nodes: &Located<Texts>,
        server: S,
        (written, secret): (&Located<String>, Secret),
        report: &mut Report<'_>,
    ) {
        // A secret that is missing has been reported.
        if written.span != Span::default() {
            self.secrets.push(secret);
        }
        for node in self.lookup.nodes(nodes, report) {
            let (name, place) = (node.value, node.span);
            if let Some(first) = self.seen.insert(name.clone(), place) {
                let line = report.line(first, place);
                let protocol = self.protocol;
                report.at(
                    place,
                    format!("`{name}` runs a {protocol} server already ({line}); keep one"),
                );
                continue;
            }
            if self.load_balancers.contains_key(&name) {
                report.at(
                    place,
                    format!("`{name}` is a load balancer; run the server in another node"),
                );
            }
            self.all.insert(name, server.clone());
        }
    }

    /// The servers by node, and the secrets of the file, whoever uses them.
    pub(super) fn finish(self) -> (BTreeMap<NodeName, S>, Vec<Secret>) {
        (self.all, self.secrets)
    }
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
