//! What servers of every protocol have: a node of their own each, ports, clients, users.

use super::lookup::Lookup;
use super::{Report, address};
use crate::file::Texts;
use crate::model::{Listen, NodeName, RealServer, Secret};
use ipnet::IpNet;
use labsim_codes::file;
use labsim_yaml::{Located, Span, Table};
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

/// Most client prefixes, and most users, of a server.
const ENTRIES: usize = 4096;
/// Longest secret in bytes.
pub(super) const SECRET: usize = 1024;
/// The servers of one protocol as they are put into their nodes.
pub(super) struct Servers<'a, S> {
    protocol: &'static str,
    real_servers: &'a BTreeMap<NodeName, RealServer>,
    lookup: &'a Lookup<'a>,
    all: BTreeMap<NodeName, S>,
    seen: HashMap<NodeName, Span>,
    secrets: Vec<Secret>,
}

impl<'a, S> Servers<'a, S> {
    /// None yet.
    pub(super) fn new(
        protocol: &'static str,
        real_servers: &'a BTreeMap<NodeName, RealServer>,
        lookup: &'a Lookup<'a>,
    ) -> Self {
        let (all, seen, secrets) = (BTreeMap::new(), HashMap::new(), Vec::new());
        Self { protocol, real_servers, lookup, all, seen, secrets }
    }

    /// Puts a server into its nodes: one of the protocol in each.
    /// `server` makes it for the addresses that it listens at.
    pub(super) fn add(
        &mut self,
        nodes: &Located<Texts>,
        listen: Option<&Located<Listen>>,
        server: impl Fn(Vec<IpAddr>) -> S,
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
                    file::DUPLICATE_VALUE,
                    format!("`{name}` runs a {protocol} server already ({line}); keep one"),
                );
                continue;
            }
            let addresses = self.addresses(&name, listen, report);
            self.all.insert(name, server(addresses));
        }
    }

    /// Where a node's server listens; empty for every address.
    fn addresses(
        &self,
        name: &NodeName,
        listen: Option<&Located<Listen>>,
        report: &mut Report<'_>,
    ) -> Vec<IpAddr> {
        addresses(name, listen, (self.real_servers, self.lookup), report)
    }

    /// The servers by node, and all secrets of the file.
    pub(super) fn finish(self) -> (BTreeMap<NodeName, S>, Vec<Secret>) {
        (self.all, self.secrets)
    }
}

/// Where a node's server listens; empty for every address.
pub(super) fn addresses(
    name: &NodeName,
    listen: Option<&Located<Listen>>,
    (real_servers, lookup): (&BTreeMap<NodeName, RealServer>, &Lookup<'_>),
    report: &mut Report<'_>,
) -> Vec<IpAddr> {
    let Some(listen) = listen else { return Vec::new() };
    let addresses: Vec<IpAddr> = match listen.value {
        Listen::Any => return Vec::new(),
        Listen::Own => {
            let node = lookup.get(name);
            let nets = node.into_iter().flat_map(|node| &node.interfaces);
            nets.flat_map(|it| &it.addresses).map(|net| net.addr()).collect()
        }
        Listen::Vip => {
            let server = real_servers.get(name);
            server.into_iter().flat_map(|server| &server.vips).map(|vip| vip.address).collect()
        }
    };
    if addresses.is_empty() && lookup.knows_addresses() {
        let message = match listen.value {
            Listen::Vip => format!("`{name}` holds no VIP; give it one in `real_servers`"),
            Listen::Any | Listen::Own => {
                format!("`{name}` has no address of its own; give an interface one")
            }
        };
        report.empty(listen.span, message);
    }
    addresses
}

/// A server's port.
pub(super) fn port(written: Option<Located<u16>>, usual: u16, report: &mut Report<'_>) -> u16 {
    written.map_or(usual, |port| {
        if port.value == 0 {
            report.at(port.span, file::OUT_OF_RANGE, "port 0 does not exist; write 1 to 65535");
        }
        port.value
    })
}

/// The addresses that a server answers.
pub(super) fn clients(
    clients: &Located<Vec<Located<String>>>,
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
