//! Load balancers: virtual servers and the pools that they name.

use super::families::{self, Balancer};
use super::lookup::{Lookup, Vips};
use super::virtual_servers::{fits, virtual_server};
use super::{Report, monitors, pools};
use crate::file::{LoadBalancerFields, OuterSourceWord, PoolFields, Table};
use crate::model::{IpProtocol, LoadBalancer, NodeName, OuterSource, Pool};
use crate::text::{counted, listed, quoted};
use labsim_yaml::Located;
use std::collections::{BTreeMap, HashMap};

/// Most virtual servers, and most pools, of a load balancer.
const OBJECTS: usize = 1024;
/// Most places of all Maglev tables of a load balancer.
const PLACES: u64 = 100_000_000;
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
        let balancer = load_balancer(&fields.value, (key, node.as_ref()), vips, lookup, report);
        if let Some(node) = node {
            all.insert(node, balancer);
        }
    }
    all
}

fn load_balancer(
    fields: &LoadBalancerFields,
    (key, node): (&Located<String>, Option<&NodeName>),
    vips: &mut Vips,
    lookup: &Lookup<'_>,
    report: &mut Report<'_>,
) -> LoadBalancer {
    let (virtual_servers, written) = (&fields.virtual_servers, &fields.pools);
    report.limit(key.span, virtual_servers.len().max(written.len()), OBJECTS, "object");
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
    for (name, pool) in written.iter().take(OBJECTS) {
        report.plain(name, "pool name", NAME);
        balancer.pools.push(pools::pool(name, &pool.value, lookup, report));
    }
    let places = balancer.pools.iter().map(pools::table_places).sum::<u64>();
    if places > PLACES {
        report.at(
            key.span,
            format!(
                "Maglev tables of {places} places together; {PLACES} is the most: write smaller \
                 `table_size`s"
            ),
        );
    }
    let written = written.iter().map(|(_, fields)| &fields.value);
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
            Some(pool) => {
                fits(&server, &fields.value, *pool, report);
                let outer_source = balancer.outer_source;
                let on = Balancer { node, outer_source, lookup };
                families::fit(&server, &fields.value, *pool, &on, report);
            }
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
    for (pool, (_, written)) in balancer.pools.iter().zip(fields.pools.iter()) {
        monitors::fits(pool, &written.value, &balancer.virtual_servers, report);
    }
    balancer
}
