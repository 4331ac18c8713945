//! RADIUS servers: ports, secret, clients, users.

use super::Report;
use super::lookup::Lookup;
use super::servers::{SECRET, Servers, clients, port, users};
use crate::file::{Group, RawRadiusServer};
use crate::model::{NodeName, RadiusServer, RealServer, Secret};
use labsim_codes::file;
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

/// Resolves all RADIUS servers; the secrets are all of the file's.
pub(super) fn radius_servers(
    list: &Group<RawRadiusServer>,
    real_servers: &BTreeMap<NodeName, RealServer>,
    lookup: &Lookup<'_>,
    report: &mut Report<'_>,
) -> (BTreeMap<NodeName, RadiusServer>, Vec<Secret>) {
    let mut servers = Servers::new("RADIUS", real_servers, lookup);
    let names = list.names();
    for (place, fields) in list.each().into_iter().enumerate() {
        let group = names.get(place);
        let server = server(&fields.value, report);
        let secret = (&fields.value.secret, server.secret.clone());
        let of_node =
            |addresses| RadiusServer { group: group.cloned(), addresses, ..server.clone() };
        let listen = fields.value.listen.as_ref();
        servers.add(&fields.value.nodes, listen, of_node, secret, report);
    }
    servers.finish()
}

fn server(fields: &RawRadiusServer, report: &mut Report<'_>) -> RadiusServer {
    let authentication_port = port(fields.authentication_port, AUTHENTICATION, report);
    let accounting_port = port(fields.accounting_port, ACCOUNTING, report);
    let place = fields.accounting_port.or(fields.authentication_port).map(|port| port.span);
    if let Some(place) = place.filter(|_| authentication_port == accounting_port) {
        report.at(
            place,
            file::CONFLICT,
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
        group: None,
        addresses: Vec::new(),
        authentication_port,
        accounting_port,
        secret: Secret::new(fields.secret.value.clone()),
        clients: clients(&fields.clients, report),
        users: users(&fields.users, (USER, PASSWORD), report),
        require_message_authenticator: fields.require_message_authenticator,
        message_authenticator: fields.message_authenticator.unwrap_or(true),
        reply_message: message.map(|message| message.value.clone()).unwrap_or_default(),
        packet_info: fields.packet_info.unwrap_or(true),
    }
}
