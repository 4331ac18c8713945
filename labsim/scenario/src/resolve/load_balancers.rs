//! Load balancers: virtual servers, pools, members.

use super::lookup::{Lookup, Vips};
use super::virtual_servers::{fits, virtual_server};
use super::{Report, address};
use crate::file::{GreFields, LoadBalancerFields, OuterSourceWord, PoolFields, ProfileForm, Table};
use crate::model::{
    Encapsulation, GreOptions, IpProtocol, LoadBalancer, Member, NodeName, OuterSource, Pool,
};
use crate::text::{counted, listed, quoted};
use labsim_yaml::{Located, Span};
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

/// Most virtual servers, and most pools, of a load balancer.
const OBJECTS: usize = 1024;
/// Most members of a pool.
const MEMBERS: usize = 4096;
/// Longest name of a virtual server or a pool in bytes.
const NAME: usize = 255;
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
    let written = pools.iter().map(|(_, fields)| &fields.value);
    let known: HashMap<&str, (&Pool, &PoolFields)> = balancer
        .pools
        .iter()
        .zip(written)
        .map(|(pool, written)| (pool.name.as_str(), (pool, written)))
        .collect();
    let mut destinations = HashMap::new();
    for (name, fields) in virtual_servers.iter().take(OBJECTS) {
        report.plain(name, "virtual server name", NAME);
        let server = virtual_server((name, key), &fields.value, lookup, report);
        vips.add(server.as_ref().map(|server| server.destination.ip()));
        let Some(server) = server else { continue };
        let place = fields.value.destination.span;
        let same = (server.destination, server.ip_protocol == IpProtocol::Tcp);
        if let Some(first) = destinations.insert(same, name) {
            report.at(
                place,
                format!(
                    "{} is the destination of {} already ({}); give each its own",
                    quoted(&fields.value.destination),
                    quoted(first),
                    report.line(first.span, place)
                ),
            );
        }
        match known.get(server.pool.as_str()) {
            Some(pool) => fits(&server, &fields.value, *pool, report),
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
    let mut seen: HashMap<(IpAddr, u16), Span> = HashMap::new();
    for text in written.value.iter().take(MEMBERS) {
        let Some(socket) = report.take(text.span, address::one_port(text)) else { continue };
        if socket.is_ipv6() {
            report.at(text.span, "IPv6 members are not supported yet; write an IPv4 address");
            continue;
        }
        let member = Member { address: socket.ip(), port: socket.port() };
        if let Some(first) = seen.insert((member.address, member.port), text.span) {
            let line = report.line(first, text.span);
            report.at(text.span, format!("{socket} is a member already ({line}); keep one"));
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
        encapsulation: encapsulation(fields.profile.as_ref(), report),
        members,
    }
}

fn encapsulation(profile: Option<&Located<ProfileForm>>, report: &mut Report<'_>) -> Encapsulation {
    let Some(profile) = profile else { return Encapsulation::None };
    match &profile.value {
        ProfileForm::Text(word) => match word.as_str() {
            "none" => Encapsulation::None,
            "ipip" => Encapsulation::Ipip,
            "gre" => Encapsulation::Gre(GreOptions::default()),
            other => {
                report.at(
                    profile.span,
                    format!(
                        "{} is no tunnel profile; write `none`, `ipip` or `gre`",
                        quoted(other)
                    ),
                );
                Encapsulation::None
            }
        },
        ProfileForm::Map(map) => {
            let GreFields { key, checksum } = map.gre;
            Encapsulation::Gre(GreOptions { key, checksum })
        }
    }
}
