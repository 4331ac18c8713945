//! RADIUS servers: ports, secret, clients, users.

use super::Report;
use super::lookup::Lookup;
use super::servers::{SECRET, Servers, clients, port, users};
use crate::file::RadiusServerFields;
use crate::model::{LoadBalancer, NodeName, RadiusServer, Secret};
use labsim_yaml::Located;
use std::collections::BTreeMap;

/// Longest user name: an attribute has 253 bytes of value (RFC 2865, section 5).
pub(super) const USER: usize = 253;
/// Longest text that is cut into attributes: eight of them, so that a packet has room for others.
pub(super) const LONG: usize = 8 * USER;
/// Longest password that User-Password can hold (RFC 2865, section 5.2).
pub(super) const PASSWORD: usize = 128;
/// IANA's ports of RADIUS.
const AUTHENTICATION: u16 = 1812;
const ACCOUNTING: u16 = 1813;

/// Resolves all RADIUS servers; the secrets are those of the file, whoever uses them.
pub(super) fn radius_servers(
    list: &[&Located<RadiusServerFields>],
    load_balancers: &BTreeMap<NodeName, LoadBalancer>,
    lookup: &Lookup<'_>,
    report: &mut Report<'_>,
) -> (BTreeMap<NodeName, RadiusServer>, Vec<Secret>) {
    let mut servers = Servers::new("RADIUS", load_balancers, lookup);
    for fields in list {
        let server = server(&fields.value, report);
        let secret = (&fields.value.secret, server.secret.clone());
        servers.add(&fields.value.nodes, server, secret, report);
    }
    servers.finish()
}

fn server(fields: &RadiusServerFields, report: &mut Report<'_>) -> RadiusServer {
    let authentication_port = port(fields.authentication_port, AUTHENTICATION, report);
    let accounting_port = port(fields.accounting_port, ACCOUNTING, report);
    let place = fields.accounting_port.or(fields.authentication_port).map(|port| port.span);
    if let Some(place) = place.filter(|_| authentication_port == accounting_port) {
        report.at(
            place,
            format!(
                "authentication and accounting are both on port {accounting_port}; give each its \
                 own"
            ),
        );
    }
    report.plain(&fields.secret, "secret", SECRET);
    let message = fields.reply_message.as_ref();
    if let Some(message) = message {
        report.plain(message, "reply message", LONG);
    }
    RadiusServer {
        authentication_port,
        accounting_port,
        secret: Secret::new(fields.secret.value.clone()),
        clients: clients(&fields.clients, report),
        users: users(&fields.users, (USER, PASSWORD), report),
        require_message_authenticator: fields.require_message_authenticator,
        reply_message: message.map(|message| message.value.clone()).unwrap_or_default(),
        packet_info: fields.packet_info.unwrap_or(true),
    }
}
