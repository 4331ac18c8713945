//! Virtual servers: destination, translation, how flows begin and end.

use super::lookup::Lookup;
use super::persistence::persistence;
use super::pools::member_address;
use super::snat::source_translation;
use super::{Report, address};
use crate::file::{FastL4Fields, IpProtocolWord, PoolFields, VirtualServerFields};
use crate::model::{
    Encapsulation, FastL4, IpProtocol, Member, Pool, SourceTranslation, VirtualServer,
};
use crate::text::quoted;
use labsim_yaml::{Located, Span};
use std::time::Duration;

/// F5's idle timeout of fastL4.
const IDLE_TIMEOUT: u64 = 300;
/// Longest idle timeout: a day.
const LONGEST_TIMEOUT: u64 = 86_400;

/// Resolves one virtual server of a load balancer; `None` without a destination.
pub(super) fn virtual_server(
    (name, balancer): (&Located<String>, &Located<String>),
    fields: &VirtualServerFields,
    lookup: &Lookup<'_>,
    report: &mut Report<'_>,
) -> Option<VirtualServer> {
    let place = fields.destination.span;
    let destination = report.take(place, address::socket(&fields.destination));
    if let Some(owner) = destination.and_then(|vip| lookup.owner(vip.ip())) {
        report.at(
            place,
            format!(
                "the VIP is the address of `{}:{}`, whose kernel would answer itself; give the \
                 virtual server an address that no interface has",
                owner.node, owner.interface
            ),
        );
    }
    let vip = destination.map(|vip| vip.ip());
    let written = fields.source_address_translation.as_ref();
    let source_translation = source_translation(written, (balancer, vip), lookup, report);
    Some(VirtualServer {
        name: name.value.clone(),
        destination: destination?,
        ip_protocol: match fields.ip_protocol {
            IpProtocolWord::Tcp => IpProtocol::Tcp,
            IpProtocolWord::Udp => IpProtocol::Udp,
        },
        pool: fields.pool.value.clone(),
        translate_address: fields.translate_address.is_some_and(|translate| translate.value),
        translate_port: fields.translate_port.unwrap_or(true),
        source_translation,
        fastl4: fastl4(fields.fastl4.as_ref(), report),
        persistence: persistence(fields.persistence.as_ref(), vip, report),
    })
}

fn fastl4(fields: Option<&FastL4Fields>, report: &mut Report<'_>) -> FastL4 {
    let timeout = fields.and_then(|fields| fields.idle_timeout);
    if let Some(seconds) = timeout.filter(|one| !(1..=LONGEST_TIMEOUT).contains(&one.value)) {
        report.at(
            seconds.span,
            format!("an idle timeout of {} s; write 1 to {LONGEST_TIMEOUT}", seconds.value),
        );
    }
    FastL4 {
        loose_initiation: fields.is_some_and(|fields| fields.loose_initiation),
        loose_close: fields.is_some_and(|fields| fields.loose_close),
        idle_timeout: Duration::from_secs(timeout.map_or(IDLE_TIMEOUT, |one| one.value)),
        reset_on_timeout: fields.and_then(|fields| fields.reset_on_timeout).unwrap_or(true),
    }
}

/// What a virtual server and its pool must have in common, and what cannot work between them.
pub(super) fn fits(
    server: &VirtualServer,
    fields: &VirtualServerFields,
    (pool, written): (&Pool, &PoolFields),
    report: &mut Report<'_>,
) {
    if pool.members.iter().any(|member| member.address == server.destination.ip()) {
        report.at(
            fields.destination.span,
            format!(
                "the VIP is a member of its own pool {}; give one of them another address",
                quoted(&pool.name)
            ),
        );
    }
    let is_tunnelled = pool.encapsulation != Encapsulation::None;
    if server.translate_address {
        if let (true, Some(profile)) = (is_tunnelled, &written.profile) {
            warn_of_both(server, profile.span, report);
        }
        return;
    }
    if let (false, Some(translation)) =
        (server.source_translation == SourceTranslation::None, &fields.source_address_translation)
    {
        report.warn(
            translation.span,
            format!(
                "{} translates the source address and leaves the destination (Direct Server \
                 Return): the server answers straight to the translated address, and the client \
                 gets no answer; take this out, or write `translate_address: true`",
                quoted(&server.name)
            ),
        );
    }
    let port = server.destination.port();
    let members = written.members.value.iter().filter(|_| port != 0);
    for (span, member) in members.filter_map(member_address) {
        let is_it = |one: &Member| (one.address, one.port) == (member.ip(), member.port());
        if member.port() != port && pool.members.iter().any(is_it) {
            report.warn(span, other_port(server, &member.to_string()));
        }
    }
}

fn warn_of_both(server: &VirtualServer, profile: Span, report: &mut Report<'_>) {
    report.warn(
        profile,
        format!(
            "{} translates the destination address, and its pool has a tunnel for packets that \
             keep theirs: the server answers from its own address; write \
             `translate_address: false`, or `profile: none`",
            quoted(&server.name)
        ),
    );
}

fn other_port(server: &VirtualServer, member: &str) -> String {
    let (name, port) = (quoted(&server.name), server.destination.port());
    let member = quoted(member);
    if server.translate_port {
        format!(
            "the member {member} has another port than {name}, whose address is not translated \
             (Direct Server Return): the answer comes straight from that port, and the client \
             asked port {port}; let the server listen on {port}"
        )
    } else {
        format!(
            "the member {member} has another port than {name}, which translates neither address \
             nor port: packets reach the server on port {port} all the same; write that port here"
        )
    }
}
