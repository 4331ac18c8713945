//! TACACS+ servers: secret, clients, users.

use super::Report;
use super::lookup::Lookup;
use super::servers::{SECRET, Servers, clients, port, users};
use crate::file::TacacsServerFields;
use crate::model::{LoadBalancer, NodeName, Secret, TacacsServer};
use labsim_yaml::Located;
use std::collections::BTreeMap;

/// Longest user name and password: RFC 8907 counts them in one byte.
pub(super) const CREDENTIAL: usize = 255;
/// IANA's port of TACACS+.
const PORT: u16 = 49;

/// Resolves all TACACS+ servers; the secrets are those of the file, whoever uses them.
pub(super) fn tacacs_servers(
    list: &[&Located<TacacsServerFields>],
    load_balancers: &BTreeMap<NodeName, LoadBalancer>,
    lookup: &Lookup<'_>,
    report: &mut Report<'_>,
) -> (BTreeMap<NodeName, TacacsServer>, Vec<Secret>) {
    let mut servers = Servers::new("TACACS+", load_balancers, lookup);
    for fields in list {
        let server = server(&fields.value, report);
        let secret = (&fields.value.secret, server.secret.clone());
        servers.add(&fields.value.nodes, server, secret, report);
    }
    servers.finish()
}

fn server(fields: &TacacsServerFields, report: &mut Report<'_>) -> TacacsServer {
    let port = port(fields.port, PORT, report);
    report.plain(&fields.secret, "secret", SECRET);
    let clients = clients(&fields.clients, report);
    let users = users(&fields.users, (CREDENTIAL, CREDENTIAL), report);
    TacacsServer { port, secret: Secret::new(fields.secret.value.clone()), clients, users }
}
