//! What VIPs and members of either family can have between them.

use super::Report;
use super::lookup::Lookup;
use super::pools::member_address;
use crate::file::{PoolFields, VirtualServerFields};
use crate::model::{
    Member, NodeName, OuterSource, Pool, SourceTranslation, TunnelKind, TunnelProtocol,
    VirtualServer,
};
use crate::text::quoted;
use labsim_yaml::Span;
use std::net::{IpAddr, SocketAddr};

/// The least that IPv6 must find on its way (RFC 8200, section 5).
const IPV6_MTU: u32 = 1280;

/// The load balancer that a virtual server is on.
pub(super) struct Balancer<'a> {
    /// Its node, if that is a good one.
    pub(super) node: Option<&'a NodeName>,
    pub(super) outer_source: OuterSource,
    pub(super) lookup: &'a Lookup<'a>,
}

/// Finds what cannot work between a virtual server's family and its members'.
pub(super) fn fit(
    server: &VirtualServer,
    fields: &VirtualServerFields,
    (pool, written): (&Pool, &PoolFields),
    balancer: &Balancer<'_>,
    report: &mut Report<'_>,
) {
    let vip = server.destination.ip();
    untranslated(server, fields, report);
    let of_pool = |member: &SocketAddr| {
        let is_it = |one: &Member| (one.address, one.port) == (member.ip(), member.port());
        pool.members.iter().any(is_it)
    };
    let tunnel = pool.encapsulation.tunnel();
    let mut narrow = None;
    for (span, member) in written.members.value.iter().filter_map(member_address) {
        if !of_pool(&member) {
            continue;
        }
        match misfit(server, pool, balancer.outer_source, member) {
            Some(why) => report.at(span, why),
            None => balancer.must_reach(member, span, report),
        }
        if let Some(tunnel) = tunnel.filter(|_| vip.is_ipv6()) {
            narrow = narrow.max(balancer.narrow(tunnel, member.ip()));
        }
    }
    if let (Some((needed, mtu)), Some(profile)) = (narrow, &written.profile) {
        report.at(
            profile.span,
            format!(
                "the load balancer's MTU of {mtu} bytes leaves IPv6 {} inside the tunnel, and it \
                 needs {IPV6_MTU}; give its interface {needed} or more",
                (mtu + IPV6_MTU).saturating_sub(needed)
            ),
        );
    }
}

/// Why a member cannot serve a virtual server, for its family.
pub(super) fn misfit(
    server: &VirtualServer,
    pool: &Pool,
    outer_source: OuterSource,
    member: SocketAddr,
) -> Option<String> {
    let (name, vip) = (quoted(&server.name), server.destination.ip());
    let (inside, outside) = (family(vip), family(member.ip()));
    match pool.encapsulation.tunnel() {
        _ if inside == outside => None,
        // Of an IPv6 one it is said once.
        _ if server.translate_address => vip.is_ipv4().then(|| {
            format!("{name} translates addresses, which is for IPv4; write an IPv4 member")
        }),
        None => Some(format!(
            "the member {member} is {outside}, {name} is {inside}, and only a tunnel carries one \
             in the other; write `profile: ipip` or `profile: gre`"
        )),
        Some(_) if outer_source == OuterSource::Client => Some(format!(
            "tunnel packets to the member {member} are {outside}, and their source is to be the \
             client of {name}, which is {inside}; write `outer_source: egress`"
        )),
        Some(_) => None,
    }
}

/// Finds translation of IPv6 addresses.
fn untranslated(server: &VirtualServer, fields: &VirtualServerFields, report: &mut Report<'_>) {
    if server.destination.is_ipv4() {
        return;
    }
    let name = quoted(&server.name);
    if let (true, Some(translate)) = (server.translate_address, fields.translate_address) {
        let message = format!("address translation is for IPv4, and {name} is IPv6; take it out");
        report.at(translate.span, message);
    }
    if let (false, Some(translation)) =
        (server.source_translation == SourceTranslation::None, &fields.source_address_translation)
    {
        let message =
            format!("source address translation is for IPv4, and {name} is IPv6; take it out");
        report.at(translation.span, message);
    }
}

impl Balancer<'_> {
    /// Finds a load balancer without an address of a member's family.
    fn must_reach(&self, member: SocketAddr, span: Span, report: &mut Report<'_>) {
        let node = self.node.and_then(|name| self.lookup.get(name));
        let Some(node) = node.filter(|_| self.lookup.knows_addresses()) else { return };
        let mut own = node.interfaces.iter().flat_map(|one| &one.addresses);
        if !own.any(|net| net.addr().is_ipv4() == member.is_ipv4()) {
            let (name, family) = (&node.name, family(member.ip()));
            report.at(
                span,
                format!("`{name}` has no {family} address to reach {member} from; give it one"),
            );
        }
    }

    /// The MTU that IPv6 in a tunnel needs, and that there is, if that is less.
    fn narrow(&self, tunnel: TunnelProtocol, member: IpAddr) -> Option<(u32, u32)> {
        let node = self.node.and_then(|name| self.lookup.get(name))?;
        let mtu = node.interfaces.first()?.mtu;
        let needed = IPV6_MTU + TunnelKind::of(tunnel, member.is_ipv4(), false).overhead();
        (mtu < needed).then_some((needed, mtu))
    }
}

fn family(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "IPv4" } else { "IPv6" }
}
