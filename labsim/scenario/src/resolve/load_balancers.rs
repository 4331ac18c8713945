//! Load balancers: virtual servers, pools, members.

use super::lookup::{Lookup, Vips};
use super::{Report, address};
use crate::file::{
    FastL4Fields, IpProtocolWord, LoadBalancerFields, OuterSourceWord, PoolFields, ProfileWord,
    Table, VirtualServerFields,
};
use crate::model::{
    Encapsulation, FastL4, IpProtocol, LoadBalancer, Member, NodeName, OuterSource, Pool,
    VirtualServer,
};
use crate::text::{counted, listed, quoted};
use labsim_yaml::{Located, Span};
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::time::Duration;

/// Most virtual servers, and most pools, of a load balancer.
const OBJECTS: usize = 1024;
/// Most members of a pool.
const MEMBERS: usize = 4096;
/// Longest name of a virtual server or a pool in bytes.
const NAME: usize = 255;
/// F5's idle timeout of fastL4.
const IDLE_TIMEOUT: u64 = 300;
/// Longest idle timeout: a day.
const LONGEST_TIMEOUT: u64 = 86_400;

/// Resolves all load balancers.
pub(super) fn load_balancers(
    table: &Table<Located<LoadBalancerFields>>,
    vips: &mut Vips,
    lookup: &Lookup<'_>,
    report: &mut Report<'_>,
) -> BTreeMap<NodeName, LoadBalancer> {
    let mut all = BTreeMap::new();
    for (key, fields) in table.iter() {
        let node = lookup.node(key, report);
        if node.as_ref().and_then(|name| lookup.get(name)).is_some_and(|node| node.forward) {
            // Packets would be taken by the load balancer and forwarded by the kernel as well.
            report.at(
                key.span,
                format!(
                    "`{key}` is a router (`forward: true`), and would forward each packet beside \
                     the load balancer; give the load balancer a node of its own"
                ),
            );
        }
        let arms = node.as_ref().and_then(|name| lookup.get(name)).map(|one| one.interfaces.len());
        if let Some(arms) = arms.filter(|arms| *arms != 1 && lookup.knows_names()) {
            report.at(
                key.span,
                format!(
                    "`{key}` has {}, and a load balancer works on one so far; give it one",
                    counted(arms, "interface")
                ),
            );
        }
        let balancer = load_balancer(&fields.value, key, vips, lookup, report);
        if let Some(node) = node {
            all.insert(node, balancer);
        }
    }
    all
}

fn load_balancer(
    fields: &LoadBalancerFields,
    key: &Located<String>,
    vips: &mut Vips,
    lookup: &Lookup<'_>,
    report: &mut Report<'_>,
) -> LoadBalancer {
    let (virtual_servers, pools) = (&fields.virtual_servers, &fields.pools);
    report.limit(key.span, virtual_servers.len().max(pools.len()), OBJECTS, "object");
    if virtual_servers.is_empty() {
        report.empty(key.span, "this load balancer has no virtual server; add one");
    }
    let mut balancer = LoadBalancer {
        outer_source: match fields.outer_source {
            OuterSourceWord::Client => OuterSource::Client,
            OuterSourceWord::Egress => OuterSource::Egress,
        },
        virtual_servers: Vec::new(),
        pools: Vec::new(),
    };
    for (name, pool) in pools.iter().take(OBJECTS) {
        report.plain(name, "pool name", NAME);
        balancer.pools.push(self::pool(name, &pool.value, lookup, report));
    }
    let known: HashMap<&str, &Pool> =
        balancer.pools.iter().map(|pool| (pool.name.as_str(), pool)).collect();
    let mut destinations = HashMap::new();
    for (name, fields) in virtual_servers.iter().take(OBJECTS) {
        report.plain(name, "virtual server name", NAME);
        let server = virtual_server(name, &fields.value, lookup, report);
        vips.add(server.as_ref().map(|server| server.destination.ip()));
        let Some(server) = server else { continue };
        let place = fields.value.destination.span;
        let same = (server.destination, server.ip_protocol == IpProtocol::Tcp);
        if let Some(first) = destinations.insert(same, name) {
            report.at(
                place,
                format!(
                    "{} is the destination of {} already (line {}); give each its own",
                    quoted(&fields.value.destination),
                    quoted(first),
                    first.span.line()
                ),
            );
        }
        match known.get(server.pool.as_str()) {
            Some(pool) => fits(&server, pool, fields.value.destination.span, report),
            None => {
                let pools = balancer.pools.iter().map(|pool| &pool.name);
                report.absent(
                    fields.value.pool.span,
                    &server.pool,
                    format!(
                        "there is no pool {}; `pools` has {}",
                        quoted(&server.pool),
                        listed(pools)
                    ),
                );
            }
        }
        balancer.virtual_servers.push(server);
    }
    balancer
}

/// What a virtual server and its pool must have in common.
fn fits(server: &VirtualServer, pool: &Pool, place: Span, report: &mut Report<'_>) {
    if pool.members.iter().any(|member| member.address == server.destination.ip()) {
        report.at(
            place,
            format!(
                "the VIP is a member of its own pool {}; give one of them another address",
                quoted(&pool.name)
            ),
        );
    }
}

fn virtual_server(
    name: &Located<String>,
    fields: &VirtualServerFields,
    lookup: &Lookup<'_>,
    report: &mut Report<'_>,
) -> Option<VirtualServer> {
    let destination = report.take(fields.destination.span, address::socket(&fields.destination));
    if destination.is_some_and(|vip| vip.is_ipv6()) {
        report
            .at(fields.destination.span, "IPv6 VIPs are not supported yet; write an IPv4 address");
    }
    if let Some(owner) = destination.and_then(|vip| lookup.owner(vip.ip())) {
        report.at(
            fields.destination.span,
            format!(
                "the VIP is the address of `{}:{}`, whose kernel would answer itself; give the \
                 virtual server an address that no interface has",
                owner.node, owner.interface
            ),
        );
    }
    if let Some(place) = fields.translate_address.filter(|translate| translate.value) {
        report.at(
            place.span,
            "address translation is not supported yet; write `translate_address: false`",
        );
    }
    Some(VirtualServer {
        name: name.value.clone(),
        destination: destination?,
        ip_protocol: match fields.ip_protocol {
            IpProtocolWord::Tcp => IpProtocol::Tcp,
            IpProtocolWord::Udp => IpProtocol::Udp,
        },
        pool: fields.pool.value.clone(),
        translate_address: false,
        translate_port: fields.translate_port.unwrap_or(true),
        fastl4: fastl4(fields.fastl4.as_ref(), report),
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
    }
}

fn pool(
    name: &Located<String>,
    fields: &PoolFields,
    lookup: &Lookup<'_>,
    report: &mut Report<'_>,
) -> Pool {
    let written = &fields.members;
    if written.value.is_empty() {
        report.empty(
            name.span,
            format!("the pool {} has no members; add one such as 10.1.1.51:49", quoted(name)),
        );
    }
    report.limit(written.span, written.value.len(), MEMBERS, "member");
    let mut members = Vec::new();
    let mut seen: HashMap<(IpAddr, u16), usize> = HashMap::new();
    for text in written.value.iter().take(MEMBERS) {
        let Some(socket) = report.take(text.span, address::one_port(text)) else { continue };
        if socket.is_ipv6() {
            report.at(text.span, "IPv6 members are not supported yet; write an IPv4 address");
            continue;
        }
        let member = Member { address: socket.ip(), port: socket.port() };
        if let Some(line) = seen.insert((member.address, member.port), text.span.line()) {
            report.at(text.span, format!("{socket} is a member already (line {line}); keep one"));
        } else if lookup.knows_addresses() && lookup.owner(member.address).is_none() {
            report.at(
                text.span,
                format!(
                    "no node has the member's address {}; name a real server's",
                    member.address
                ),
            );
        } else {
            members.push(member);
        }
    }
    Pool {
        name: name.value.clone(),
        encapsulation: match fields.profile {
            ProfileWord::None => Encapsulation::None,
            ProfileWord::Ipip => Encapsulation::Ipip,
        },
        members,
    }
}
