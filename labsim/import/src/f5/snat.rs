//! What a virtual server does with the source address.

use super::address::{full, leaf, without_route_domain};
use super::config::{Config, Object, each_once};
use super::read;
use super::tree::{Block, Property, Word};
use crate::address::unicast;
use crate::design::Snat;
use crate::report::Report;
use crate::text::{quoted, shown};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

/// Most addresses of a SNAT pool that a lab takes.
const MOST: usize = 64;

/// The SNAT pools that virtual servers use, read once each; `None` for one without an address.
#[derive(Debug, Default)]
pub(super) struct SnatPools {
    by_path: BTreeMap<String, Option<Vec<Ipv4Addr>>>,
}

/// `source-address-translation { type snat pool p }`.
pub(super) fn translation(
    block: &Block,
    what: &str,
    pools: &mut SnatPools,
    config: &Config,
    report: &mut Report<'_>,
) -> Option<Snat> {
    each_once(block, report);
    let (mut kind, mut pool) = (None, None);
    for property in block.properties() {
        match property.name() {
            "type" => kind = Some(read::word(&property, report)?),
            "pool" if property.is_none() => {}
            "pool" => pool = Some(read::word(&property, report)?),
            _ => read::leave(&format!("{what}: source-address-translation"), &property, report),
        }
    }
    match (kind.map(|kind| kind.text.as_str()), pool) {
        (None | Some("none"), None) => Some(Snat::None),
        (Some("automap"), None) => Some(Snat::Automap),
        (Some("snat") | None, Some(pool)) => pools.get(pool, what, config, report).map(Snat::Pool),
        (Some("snat"), None) => {
            report.mistake(
                block.place,
                "a translation of type `snat` without a pool; add `pool NAME`, or write `type \
                 automap`",
            );
            None
        }
        (Some("none" | "automap"), Some(pool)) => {
            report.mistake(
                pool.place,
                "this type of translation takes no pool; write `type snat`, or take the pool out",
            );
            None
        }
        (Some(other), _) => {
            let place = kind.map_or(block.place, |kind| kind.place);
            if other == "lsn" {
                let what = format!("{what}: source-address-translation");
                report.leave(place, what, "labsim has no carrier-grade NAT; `none` was taken");
                return Some(Snat::None);
            }
            report.mistake(
                place,
                format!("{} is no translation; write `none`, `automap` or `snat`", quoted(other)),
            );
            None
        }
    }
}

/// `snat automap`, `snat none`, `snatpool p`: as version 11.2 and before wrote it.
pub(super) fn old(
    property: &Property<'_>,
    what: &str,
    pools: &mut SnatPools,
    config: &Config,
    report: &mut Report<'_>,
) -> Option<Snat> {
    let word = read::word(property, report)?;
    match word.text.as_str() {
        "none" => Some(Snat::None),
        "automap" => Some(Snat::Automap),
        _ if property.name() == "snatpool" => pools.get(word, what, config, report).map(Snat::Pool),
        other => {
            report.mistake(
                word.place,
                format!("{} is no translation; write `none` or `automap`", quoted(other)),
            );
            None
        }
    }
}

impl SnatPools {
    /// The addresses of a SNAT pool; `None`, and the virtual server is left out, without any.
    fn get(
        &mut self,
        name: &Word,
        what: &str,
        config: &Config,
        report: &mut Report<'_>,
    ) -> Option<Vec<Ipv4Addr>> {
        let Some(object) = config.snatpools.get(&name.text) else {
            let why = format!("its SNAT pool {} is in none of these files", quoted(&name.text));
            report.leave(name.place, what, why);
            return None;
        };
        if !self.by_path.contains_key(&object.path) {
            let read = addresses(object, config, report);
            self.by_path.insert(object.path.clone(), Some(read).filter(|read| !read.is_empty()));
        }
        let found = self.by_path.get(&object.path).cloned().flatten();
        if found.is_none() {
            let why = format!("its SNAT pool {} has no IPv4 address", quoted(&name.text));
            report.leave(name.place, what, why);
        }
        found
    }

    /// Lists SNAT pools and translations that nothing uses, and the rest of the others.
    pub(super) fn leave_rest(&self, config: &Config, report: &mut Report<'_>) {
        config.snatpools.leave(|one| self.by_path.contains_key(&one.path), &["members"], report);
        let members: BTreeSet<String> = config
            .snatpools
            .all
            .iter()
            .filter(|one| self.by_path.contains_key(&one.path))
            .flat_map(|one| one.block.properties())
            .filter_map(|one| one.block())
            .flat_map(Block::names)
            .map(|(member, _)| full(&member.text))
            .collect();
        let is_used = |one: &Object| members.contains(&one.path);
        config.snat_translations.leave(is_used, &["address"], report);
    }
}

fn addresses(object: &Object, config: &Config, report: &mut Report<'_>) -> Vec<Ipv4Addr> {
    let members = object.block.properties().into_iter().find(|one| one.name() == "members");
    let mut addresses = Vec::new();
    for (member, _) in members.iter().filter_map(Property::block).flat_map(Block::names) {
        let Some(address) = translated(member, config, report) else { continue };
        if addresses.contains(&address) {
            continue;
        }
        if addresses.len() == MOST {
            let why = format!("a lab takes {MOST} addresses a SNAT pool");
            report.leave(member.place, format!("SNAT address {address}"), why);
        } else {
            addresses.push(address);
        }
    }
    addresses
}

/// The address of a SNAT pool's member: an `ltm snat-translation`, or named after its address.
fn translated(member: &Word, config: &Config, report: &mut Report<'_>) -> Option<Ipv4Addr> {
    let object = config.snat_translations.get(&member.text);
    let written = object
        .and_then(|object| {
            let mut properties = object.block.properties().into_iter();
            properties.find(|one| one.name() == "address").and_then(|one| one.word())
        })
        .unwrap_or(member);
    let (text, route_domain) =
        report.take(written.place, without_route_domain(leaf(&written.text)))?;
    if route_domain.is_some() {
        let what = format!("SNAT address {}", shown(text));
        report.leave(
            written.place,
            what,
            "the lab has no route domains; the address is carried over without it",
        );
    }
    match text.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => report.take(written.place, unicast(address)),
        Ok(IpAddr::V6(_)) => {
            let what = format!("SNAT address {}", shown(text));
            report.leave(written.place, what, "the import is IPv4 so far");
            None
        }
        Err(_) => {
            report.mistake(
                written.place,
                format!("{} is no address; write one such as 10.1.1.5", quoted(&written.text)),
            );
            None
        }
    }
}
