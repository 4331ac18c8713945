//! What a virtual server does with the source address.

use super::address::{leaf, without_route_domain};
use super::config::Config;
use super::read;
use super::tree::{Block, Property, Word};
use crate::address::unicast;
use crate::design::Snat;
use crate::report::Report;
use crate::text::{quoted, shown};
use std::net::{IpAddr, Ipv4Addr};

/// Most addresses of a SNAT pool that a lab takes.
const MOST: usize = 64;

/// `source-address-translation { type snat pool p }`.
pub(super) fn translation(
    block: &Block,
    what: &str,
    config: &Config,
    report: &mut Report<'_>,
) -> Option<Snat> {
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
        (Some("snat") | None, Some(pool)) => snatpool(pool, what, config, report).map(Snat::Pool),
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
    config: &Config,
    report: &mut Report<'_>,
) -> Option<Snat> {
    let word = read::word(property, report)?;
    match word.text.as_str() {
        "none" => Some(Snat::None),
        "automap" => Some(Snat::Automap),
        _ if property.name() == "snatpool" => snatpool(word, what, config, report).map(Snat::Pool),
        other => {
            report.mistake(
                word.place,
                format!("{} is no translation; write `none` or `automap`", quoted(other)),
            );
            None
        }
    }
}

/// The addresses of a SNAT pool; `None`, and the virtual server is left out, without any.
fn snatpool(
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
    let members = object.block.properties().into_iter().find(|one| one.name() == "members");
    let mut addresses = Vec::new();
    for (member, _) in members.iter().filter_map(|one| one.block()).flat_map(Block::names) {
        let Some(address) = translated(member, config, report) else { continue };
        if addresses.len() == MOST && !addresses.contains(&address) {
            let why = format!("a lab takes {MOST} addresses a SNAT pool");
            report.leave(member.place, format!("SNAT address {address}"), why);
        } else if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() {
        let why = format!("its SNAT pool {} has no IPv4 address", quoted(&name.text));
        report.leave(name.place, what, why);
        return None;
    }
    Some(addresses)
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
            report.leave(written.place, what, "the lab is IPv4 so far");
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

/// Lists what SNAT pools and translations hold besides addresses.
pub(super) fn leave_rest(config: &Config, report: &mut Report<'_>) {
    for object in &config.snatpools.all {
        for property in object.block.properties().iter().filter(|one| one.name() != "members") {
            read::leave(&object.what, property, report);
        }
    }
    for object in &config.snat_translations.all {
        for property in object.block.properties().iter().filter(|one| one.name() != "address") {
            read::leave(&object.what, property, report);
        }
    }
}
