//! `ltm pool`, `ltm node`: the servers, and how packets reach them.

use super::address::{Host, HostPort, full, host_port, leaf};
use super::config::{Config, Object};
use super::read;
use super::tree::{Block, Property, Word};
use crate::address::unicast;
use crate::design::{Balancing, Encapsulation, Member, Pool};
use crate::report::Report;
use crate::text::{quoted, shown};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Most members of a pool that a lab is built for.
const MEMBERS: usize = 200;

/// The pools that virtual servers use, read once each.
#[derive(Debug, Default)]
pub(super) struct Pools {
    pub(super) all: Vec<Pool>,
    by_path: BTreeMap<String, usize>,
    /// The paths of nodes that members are.
    nodes: BTreeSet<String>,
    /// The paths of tunnels that pools and members have.
    tunnels: BTreeSet<String>,
}

impl Pools {
    /// A pool's place among all, if there is such a pool.
    pub(super) fn get(
        &mut self,
        name: &str,
        config: &Config,
        report: &mut Report<'_>,
    ) -> Option<usize> {
        let object = config.pools.get(name)?;
        if let Some(index) = self.by_path.get(&object.path) {
            return Some(*index);
        }
        let pool = self.pool(object, config, report);
        self.by_path.insert(object.path.clone(), self.all.len());
        self.all.push(pool);
        Some(self.all.len() - 1)
    }

    /// Lists pools, nodes and tunnels that nothing refers to, and the rest of the others.
    pub(super) fn leave_rest(&self, config: &Config, report: &mut Report<'_>) {
        // What is not carried over of a pool was listed when it was read.
        for object in config.pools.all.iter().filter(|one| !self.by_path.contains_key(&one.path)) {
            let why = "no virtual server that is carried over uses it";
            report.leave(object.place, object.what.clone(), why);
        }
        config.nodes.leave(|one| self.nodes.contains(&one.path), &["address"], report);
        let is_used = |one: &Object| self.tunnels.contains(&one.path);
        config.ipip.leave(is_used, &["defaults-from"], report);
        config.gre.leave(is_used, &["defaults-from"], report);
    }

    fn pool(&mut self, object: &Object, config: &Config, report: &mut Report<'_>) -> Pool {
        let properties = object.block.properties();
        let (mut own, mut balancing) = (Encapsulation::None, Balancing::default());
        for property in &properties {
            match property.name() {
                "members" if property.is_none() || property.block().is_some() => {}
                "members" => {
                    let message = "write `members { 10.1.1.51:49 { address 10.1.1.51 } }`";
                    report.mistake(property.place, message);
                }
                "load-balancing-mode" => {
                    balancing = self::balancing(property, &object.what, report);
                }
                "profiles" => {
                    if let Some(found) = self.encapsulation(property, &object.what, config, report)
                    {
                        own = found;
                    }
                }
                _ => read::leave(&object.what, property, report),
            }
        }
        let members = properties.iter().filter(|one| one.name() == "members");
        let mut found: Vec<(Member, Encapsulation)> = Vec::new();
        for (word, block) in members.filter_map(Property::block).flat_map(Block::names) {
            let what = format!("{}: member {}", object.what, shown(leaf(&word.text)));
            if found.len() == MEMBERS {
                report.leave(
                    word.place,
                    what,
                    format!("a lab has at most {MEMBERS} members a pool"),
                );
                continue;
            }
            let Some((member, tunnel)) = self.member(word, block, &what, config, report) else {
                continue;
            };
            let same = |(other, _): &&(Member, _)| {
                (other.address, other.port) == (member.address, member.port)
            };
            if let Some((first, _)) = found.iter().find(same) {
                let first = report.at(first.place);
                report.leave(word.place, what, format!("it is a member already ({first})"));
                continue;
            }
            found.push((member, tunnel.unwrap_or(own)));
        }
        let encapsulation = one_encapsulation(&mut found, own, &object.what, report);
        Pool {
            name: object.name().to_owned(),
            place: object.place,
            what: object.what.clone(),
            encapsulation,
            balancing,
            members: found.into_iter().map(|(member, _)| member).collect(),
        }
    }

    /// A member, and the tunnel that it has instead of the pool's.
    fn member(
        &mut self,
        word: &Word,
        block: Option<&Block>,
        what: &str,
        config: &Config,
        report: &mut Report<'_>,
    ) -> Option<(Member, Option<Encapsulation>)> {
        let HostPort { host, port, route_domain } =
            report.take(word.place, host_port(&word.text))?;
        let (mut address, mut tunnel, mut off, mut ratio) = (None, None, None, 1);
        for property in block.map(Block::properties).unwrap_or_default() {
            match property.name() {
                "address" => address = read::word(&property, report),
                "profiles" => tunnel = self.encapsulation(&property, what, config, report),
                "ratio" => {
                    let word = read::word(&property, report)?;
                    let message = format!("{} is no ratio; write 1 to 65535", quoted(&word.text));
                    ratio = report.take(word.place, word.text.parse().map_err(|_| message))?;
                }
                // The device's own view, and what an operator has switched off.
                "session" | "state"
                    if ["user-disabled", "user-down", "offline"]
                        .iter()
                        .any(|off| read::has_word(&property, off)) =>
                {
                    off = Some(property.place);
                }
                "session" => {}
                _ => read::leave(what, &property, report),
            }
        }
        if let Some(place) = off {
            report.leave(place, what, "the member is switched off and takes no flows");
            return None;
        }
        if route_domain.is_some() {
            let why = "the lab has no route domains; the member is carried over without it";
            report.leave(word.place, format!("{what}: route domain"), why);
        }
        let path = node_path(&word.text);
        if config.nodes.get(&path).is_some() {
            self.nodes.insert(path.clone());
        }
        let written = match address {
            Some(word) => Some(word.clone()),
            None => node_address(&path, config),
        };
        let (found, place) = match (&written, &host) {
            (Some(written), _) => (ip(&written.text), written.place),
            (None, Host::Address(address)) => (Some(*address), word.place),
            (None, Host::Any | Host::Name(_)) => (None, word.place),
        };
        let found = match found {
            Some(IpAddr::V4(found)) => report.take(place, unicast(found))?,
            Some(IpAddr::V6(_)) => {
                report.leave(word.place, what, "the import is IPv4 so far");
                return None;
            }
            None if written.as_ref().is_some_and(|word| !word.text.starts_with("any")) => {
                let text = written.map(|word| word.text).unwrap_or_default();
                let message =
                    format!("{} is no address; write one such as 10.1.1.51", quoted(&text));
                report.mistake(place, message);
                return None;
            }
            None => {
                let why = "its address is in none of these files; the lab has no DNS to ask either";
                report.leave(word.place, what, why);
                return None;
            }
        };
        let name = match host {
            Host::Name(name) => Some(name.to_owned()),
            Host::Address(_) | Host::Any => None,
        };
        Some((Member { name, place: word.place, address: found, port, ratio }, tunnel))
    }
}

/// A pool's load balancing mode; one that labsim does not have is listed.
fn balancing(property: &Property<'_>, what: &str, report: &mut Report<'_>) -> Balancing {
    let Some(word) = read::word(property, report) else { return Balancing::default() };
    let what = format!("{what}: load-balancing-mode {}", shown(&word.text));
    match word.text.as_str() {
        "round-robin" => Balancing::RoundRobin,
        "ratio-member" => Balancing::Ratio,
        "least-connections-member" | "least-connections-members" => Balancing::LeastConnections,
        "ratio-least-connections-member" => Balancing::RatioLeastConnections,
        "least-connections-node" => {
            let why = "labsim counts a member's flows, and not a node's over all pools; \
                       `least_connections` was taken";
            report.warn(word.place, what, why);
            Balancing::LeastConnections
        }
        _ => {
            let why = "labsim's modes are round-robin, ratio-member, least-connections-member and \
                       ratio-least-connections-member; members take turns";
            report.leave(word.place, what, why);
            Balancing::default()
        }
    }
}

/// The pool's one tunnel profile: labsim's pools have no other. Members with another are left out.
fn one_encapsulation(
    members: &mut Vec<(Member, Encapsulation)>,
    own: Encapsulation,
    what: &str,
    report: &mut Report<'_>,
) -> Encapsulation {
    let all: BTreeSet<Encapsulation> = members.iter().map(|(_, tunnel)| *tunnel).collect();
    let kept = match (all.first(), all.len()) {
        (Some(only), 1) => *only,
        _ => own,
    };
    members.retain(|(member, tunnel)| {
        if *tunnel != kept {
            let why = format!(
                "its tunnel profile is `{}` and the pool's `{}`; labsim's pools have one for all \
                 members",
                tunnel.word(),
                kept.word()
            );
            report.leave(member.place, format!("{what}: member {}", member.address), why);
        }
        *tunnel == kept
    });
    kept
}

/// The path of the node that a member is: `/P/node-a:http` is `/P/node-a`.
fn node_path(member: &str) -> String {
    let separator = if leaf(member).matches(':').count() > 1 { '.' } else { ':' };
    full(member.rsplit_once(separator).map_or(member, |(node, _)| node))
}

fn node_address(path: &str, config: &Config) -> Option<Word> {
    let object = config.nodes.get(path)?;
    let properties = object.block.properties();
    properties.iter().find(|one| one.name() == "address")?.word().cloned()
}

fn ip(text: &str) -> Option<IpAddr> {
    text.split('%').next().unwrap_or_default().parse().ok()
}

impl Pools {
    /// The tunnel of `profiles { ipip }`; `Some(None)` of `profiles none`.
    fn encapsulation(
        &mut self,
        property: &Property<'_>,
        what: &str,
        config: &Config,
        report: &mut Report<'_>,
    ) -> Option<Encapsulation> {
        let names: Vec<(&Word, Option<&Block>)> = match (property.word(), property.block()) {
            (Some(word), _) => vec![(word, None)],
            (None, Some(block)) => block.names(),
            (None, None) => {
                read::word(property, report);
                return None;
            }
        };
        let mut found = None;
        for (name, block) in names {
            let tunnel = match leaf(&name.text) {
                "none" => Some(Encapsulation::None),
                "ipip" | "ip4ip4" => Some(Encapsulation::Ipip),
                "gre" => Some(Encapsulation::Gre),
                _ if config.ipip.get(&name.text).is_some() => Some(Encapsulation::Ipip),
                _ if config.gre.get(&name.text).is_some() => Some(Encapsulation::Gre),
                _ => None,
            };
            self.tunnels.insert(full(&name.text));
            match (tunnel, found) {
                (Some(tunnel), None) => found = Some(tunnel),
                (Some(_), Some(_)) => {
                    let message = "a pool has one tunnel profile; take the others out";
                    report.mistake(name.place, message);
                }
                (None, _) => report.leave(
                    name.place,
                    format!("{what}: profiles {}", shown(leaf(&name.text))),
                    "it is no tunnel that labsim knows, such as `ipip` or `gre`",
                ),
            }
            for property in block.map(Block::properties).unwrap_or_default() {
                read::leave(&format!("{what}: profiles"), &property, report);
            }
        }
        found
    }
}
