//! TACACS+ servers: secret, clients, users.

use super::Report;
use super::lookup::Lookup;
use super::servers::{SECRET, Servers, clients, port, users};
use crate::file::{Group, RawTacacsServer, RawTacacsService};
use crate::model::{NodeName, RealServer, Secret, TacacsServer, TacacsService};
use labsim_codes::file;
use labsim_model::quote;
use labsim_yaml::Table;
use std::collections::BTreeMap;

/// Longest user name and password: RFC 8907 counts them in one byte.
pub(super) const CREDENTIAL: usize = 255;
/// IANA's port of TACACS+.
const PORT: u16 = 49;
/// Most attributes of a service: RFC 8907 counts them in one byte.
const ATTRIBUTES: usize = 255;

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
    let services = services(&fields.services, &users, report);
    TacacsServer { group: None, addresses: Vec::new(), port, secret, clients, users, services }
}

/// What users are authorized for; all of them are known.
fn services(
    table: &Table<Table<RawTacacsService>>,
    users: &BTreeMap<String, Secret>,
    report: &mut Report<'_>,
) -> BTreeMap<String, BTreeMap<String, TacacsService>> {
    let mut services: BTreeMap<String, BTreeMap<String, TacacsService>> = BTreeMap::new();
    for (user, granted) in table.iter() {
        if !users.contains_key(&user.value) {
            let name = quote(&user.value);
            let message = format!("{name} is no user of this server; add it to `users`");
            report.at(user.span, file::UNKNOWN_NAME, message);
        }
        let of_user = services.entry(user.value.clone()).or_default();
        for (name, fields) in granted.iter() {
            report.plain(name, "service", CREDENTIAL);
            report.limit(name.span, fields.attributes.len(), ATTRIBUTES, "attribute");
            for attribute in fields.attributes.iter().take(ATTRIBUTES) {
                let is_plain = report.plain(attribute, "attribute", CREDENTIAL);
                if is_plain && !attribute.value.contains(['=', '*']) {
                    let message = "this attribute has no value; write `name=value`, or `name*value` for \
                                   one that may be ignored";
                    report.at(attribute.span, file::INVALID_VALUE, message);
                }
            }
            let attributes = fields.attributes.iter().map(|it| it.value.clone()).collect();
            let replace = fields.replace;
            of_user.insert(name.value.clone(), TacacsService { attributes, replace });
        }
    }
    services
}
