//! TACACS+ servers: secret, clients, users.

use super::Report;
use super::lookup::Lookup;
use super::servers::{SECRET, Servers, clients, port, users};
use crate::file::{Group, RawTacacsServer};
use crate::model::{NodeName, RealServer, Secret, TacacsServer};
use std::collections::BTreeMap;

/// Longest user name and password: RFC 8907 counts them in one byte.
pub(super) const CREDENTIAL: usize = 255;
/// IANA's port of TACACS+.
const PORT: u16 = 49;

/// Resolves all TACACS+ servers; the secrets are all of the file's.
pub(super) fn tacacs_servers(
    list: &Group<RawTacacsServer>,
    real_servers: &BTreeMap<NodeName, RealServer>,
    lookup: &Lookup<'_>,
    report: &mut Report<'_>,
) -> (BTreeMap<NodeName, TacacsServer>, Vec<Secret>) {
    let mut servers = Servers::new("TACACS+", real_servers, lookup);
    let names = list.names();
    for (place, fields) in list.each().into_iter().enumerate() {
        let group = names.get(place);
        let server = server(&fields.value, report);
        let secret = (&fields.value.secret, server.secret.clone());
        let of_node =
            |addresses| TacacsServer { group: group.cloned(), addresses, ..server.clone() };
        let listen = fields.value.listen.as_ref();
        servers.add(&fields.value.nodes, listen, of_node, secret, report);
    }
    servers.finish()
}

fn server(fields: &RawTacacsServer, report: &mut Report<'_>) -> TacacsServer {
    let port = port(fields.port, PORT, report);
    report.plain(&fields.secret, "secret", SECRET);
    let clients = clients(&fields.clients, report);
    let users = users(&fields.users, (CREDENTIAL, CREDENTIAL), report);
    let secret = Secret::new(fields.secret.value.clone());
    TacacsServer { group: None, addresses: Vec::new(), port, secret, clients, users }
}
