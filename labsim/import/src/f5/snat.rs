//! What a virtual server does with the source address.

use super::address::{full, leaf, without_route_domain};
use super::config::{Config, Object, reject_duplicate_keys};
use super::read;
use super::tree::{Block, Property, Word};
use crate::report::Report;
use crate::text::printable;
use labsim_model::SourceTranslation;
use labsim_model::quote;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Most addresses of a SNAT pool that a lab takes.
const MOST: usize = 64;

/// The SNAT pools that virtual servers use, read once each; `None` for one without an address.
#[derive(Debug, Default)]
pub(super) struct SnatPools {
    by_path: BTreeMap<String, Option<Vec<IpAddr>>>,
}

/// `source-address-translation { type snat pool p }`.
pub(super) fn translation(
    block: &Block,
    what: &str,
    pools: &mut SnatPools,
    config: &Config,
    report: &mut Report<'_>,
) -> Option<SourceTranslation> {
    reject_duplicate_keys(block, report);
    let (mut kind, mut pool) = (None, None);
    for property in block.properties() {
        match property.name() {
            "type" => kind = Some(read::word(&property, report)?),
            "pool" if property.is_none() => {}
            "pool" => pool = Some(read::word(&property, report)?),
            _ => read::not_imported(
                &format!("{what}: source-address-translation"),
                &property,
                report,
            ),
        }
    }
    match (kind.map(|kind| kind.text.as_str()), pool) {
        (None | Some("none"), None) => Some(SourceTranslation::None),
        (Some("automap"), None) => Some(SourceTranslation::Automap),
        (Some("snat") | None, Some(pool)) => {
            pools.get(pool, what, config, report).map(SourceTranslation::Snat)
        }
        (Some("snat"), None) => report.reject(
            block.place,
            "a translation of type `snat` needs a pool; add `pool NAME`, or write `type \
                 automap`",
        ),
        (Some("none" | "automap"), Some(pool)) => report.reject(
            pool.place,
            "this type of translation takes no pool; write `type snat`, or remove the pool",
        ),
        (Some(other), _) => {
            let place = kind.map_or(block.place, |kind| kind.place);
            if other == "lsn" {
                let what = format!("{what}: source-address-translation");
                report.not_imported(place, what, "labsim has no carrier-grade NAT; `none` is used");
                return Some(SourceTranslation::None);
            }
            report.reject(
                place,
                format!("{} is not a translation; write `none`, `automap` or `snat`", quote(other)),
            )
        }
    }
}

/// `snat automap`, `snat none`, `snatpool p`: as version 11.2 and before wrote it.
pub(super) fn legacy_translation(
    property: &Property<'_>,
    what: &str,
    pools: &mut SnatPools,
    config: &Config,
    report: &mut Report<'_>,
) -> Option<SourceTranslation> {
    let word = read::word(property, report)?;
    match word.text.as_str() {
        "none" => Some(SourceTranslation::None),
        "automap" => Some(SourceTranslation::Automap),
        _ if property.name() == "snatpool" => {
            pools.get(word, what, config, report).map(SourceTranslation::Snat)
        }
        other => report.reject(
            word.place,
            format!("{} is not a translation; write `none` or `automap`", quote(other)),
        ),
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
    ) -> Option<Vec<IpAddr>> {
        let Some(object) = config.snatpools.get(&name.text) else {
            let why =
                format!("its SNAT pool {} is in none of the imported files", quote(&name.text));
            return report.skip(name.place, what, why);
        };
        if !self.by_path.contains_key(&object.path) {
            let read = addresses(object, config, report);
            self.by_path.insert(object.path.clone(), Some(read).filter(|read| !read.is_empty()));
        }
        let found = self.by_path.get(&object.path).cloned().flatten();
        if found.is_none() {
            let why = format!("its SNAT pool {} has no address", quote(&name.text));
            report.not_imported(name.place, what, why);
        }
        found
    }

    /// Lists SNAT pools and translations that nothing uses, and the rest of the others.
    pub(super) fn report_unused(&self, config: &Config, report: &mut Report<'_>) {
        config.snatpools.not_imported(
            |one| self.by_path.contains_key(&one.path),
            &["members"],
            report,
        );
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
        config.snat_translations.not_imported(is_used, &["address"], report);
    }
}

fn addresses(object: &Object, config: &Config, report: &mut Report<'_>) -> Vec<IpAddr> {
    let members = object.block.properties().into_iter().find(|one| one.name() == "members");
    let mut addresses = Vec::new();
    for (member, _) in members.iter().filter_map(Property::block).flat_map(Block::names) {
        let Some(address) = snat_address(member, config, report) else { continue };
        if addresses.contains(&address) {
            continue;
        }
        if addresses.len() == MOST {
            let why = format!("a lab takes up to {MOST} addresses of a SNAT pool");
            report.not_imported(member.place, format!("SNAT address {address}"), why);
        } else {
            addresses.push(address);
        }
    }
    addresses
}

/// The address of a SNAT pool's member: an `ltm snat-translation`, or named after its address.
fn snat_address(member: &Word, config: &Config, report: &mut Report<'_>) -> Option<IpAddr> {
    let object = config.snat_translations.get(&member.text);
    let written = object
        .and_then(|object| {
            let mut properties = object.block.properties().into_iter();
            properties.find(|one| one.name() == "address").and_then(|one| one.word())
        })
        .unwrap_or(member);
    let (text, route_domain) =
        report.check(written.place, without_route_domain(leaf(&written.text)))?;
    let what = format!("SNAT address {}", printable(text));
    read::note_route_domain(route_domain, written.place, &what, report);
    report.address(written.place, text, &what)
}
