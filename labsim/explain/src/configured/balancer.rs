//! A load balancer's configuration against the wire.

use super::{Effect, Finding};
use crate::known::Known;
use crate::trace::Role;
use crate::way::is_tunnelled;
use labsim_codes::cause;
use labsim_import::balancer::{Member, Virtual};

/// What the configuration of the virtual server says that was asked.
pub(super) fn findings(known: &Known<'_>) -> Vec<Finding> {
    let connection = known.connection;
    let configuration = &known.trace.configuration;
    let Some(one) = configuration.virtual_server(connection.server, connection.protocol) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    if known.tunnels.is_empty() {
        no_tunnel(known, one, &mut found);
    }
    tunnels(known, one, &mut found);
    destination(known, one, &mut found);
    source(known, one, &mut found);
    port(known, one, &mut found);
    found
}

/// Whether the server's side, or a tunnel, shows packets as the client sent them.
fn came_as_sent(known: &Known<'_>) -> bool {
    let mut points = known.ways.requests.points.iter();
    !known.tunnels.is_empty() || points.any(|it| known.has_role(*it, Role::ServerSide))
}

fn no_tunnel(known: &Known<'_>, one: &Virtual, found: &mut Vec<Finding>) {
    let Some(member) = one.members.first() else { return };
    let Some(tunnel) = member.tunnel else { return };
    let is_alike = one.members.iter().all(|it| it.tunnel == member.tunnel);
    let requests = &known.connection.requests;
    let at_server = requests.iter().copied().find(|index| {
        known.row(*index).is_some_and(|row| {
            // A tunnel device shows what came out of it, and has no Ethernet header.
            known.has_role(row.point, Role::ServerSide) && row.link.is_some() && !is_tunnelled(row)
        })
    });
    if is_alike && at_server.is_some() {
        let text = format!(
            "{} sends packets to its members in {} ({}), and they came to the server without a tunnel",
            one.what,
            tunnel.name(),
            member.tunnel_line
        );
        found.push(Finding::new(text, Effect::Differs));
    }
}

fn tunnels(known: &Known<'_>, one: &Virtual, found: &mut Vec<Finding>) {
    for tunnel in known.tunnels {
        let (kind, to) = (tunnel.kind, tunnel.destination);
        let text = match one.members.iter().find(|it| it.address == to) {
            None => {
                format!(
                    "Packets went in {kind} to {to}, which is no member of {} ({})",
                    one.what, one.line
                )
            }
            Some(member) => match member.tunnel {
                None => format!(
                    "Packets went to {to} in {kind}, and the configuration has no tunnel to this member ({})",
                    member.line
                ),
                Some(it) if kind != "tunnel" && !it.name().eq_ignore_ascii_case(kind) => format!(
                    "Packets went to {to} in {kind}, and the configuration says {} ({})",
                    it.name(),
                    member.tunnel_line
                ),
                Some(_) => continue,
            },
        };
        found.push(Finding::new(text, Effect::Differs));
    }
}

fn destination(known: &Known<'_>, one: &Virtual, found: &mut Vec<Finding>) {
    let (translates, line) = &one.destination_translation;
    let what = &one.what;
    let code = cause::DESTINATION_TRANSLATED;
    let finding = if !translates {
        let text = format!("{what} does not translate the destination address ({line})");
        Finding::new(text, Effect::Excludes(vec![code]))
    } else if came_as_sent(known) {
        let text = format!(
            "{what} translates the destination address ({line}), and packets came to the server with the one that \
             the client asked"
        );
        Finding::new(text, Effect::Differs)
    } else {
        let text = format!("{what} translates the destination address ({line})");
        Finding::new(text, Effect::Likely(vec![code]))
    };
    found.push(finding);
}

fn source(known: &Known<'_>, one: &Virtual, found: &mut Vec<Finding>) {
    let (translates, line) = &one.source_translation;
    let what = &one.what;
    let code = cause::SOURCE_TRANSLATED;
    let finding = if !translates {
        let text = format!("{what} does not translate the source address ({line})");
        Finding::new(text, Effect::Excludes(vec![code]))
    } else if came_as_sent(known) {
        let text = format!(
            "{what} translates the source address ({line}), and packets came to the server with the client's own"
        );
        Finding::new(text, Effect::Differs)
    } else {
        let text = format!("{what} translates the source address ({line})");
        Finding::new(text, Effect::Likely(vec![code]))
    };
    found.push(finding);
}

/// Members whose port is another one than the client asked.
fn port(known: &Known<'_>, one: &Virtual, found: &mut Vec<Finding>) {
    let asked = known.connection.server.port();
    let other = |it: &&Member| it.port.is_some_and(|port| port != asked);
    let finding = match one.members.iter().find(other) {
        Some(member) => {
            let text = format!(
                "A member of {} has another port than the client asked ({})",
                one.what, member.line
            );
            Finding::new(text, Effect::Likely(vec![cause::PORT_DIFFERS]))
        }
        None => {
            let text = format!(
                "All members of {} have the port that the client asked ({})",
                one.what, one.line
            );
            Finding::new(text, Effect::Excludes(vec![cause::PORT_DIFFERS]))
        }
    };
    found.push(finding);
}
