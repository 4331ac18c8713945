//! Stanzas, sorted by what they configure.

use super::address::{full, leaf, short};
use super::read;
use super::tree::{Block, Body, Stanza, Word};
use crate::place::Place;
use crate::report::Report;
use crate::text::{quoted, shown};
use std::collections::{BTreeMap, BTreeSet};

/// One configured object.
#[derive(Debug)]
pub(super) struct Object {
    /// Its full path.
    pub(super) path: String,
    /// Such as `ltm pool p_web`, to be shown.
    pub(super) what: String,
    pub(super) place: Place,
    pub(super) block: Block,
}

impl Object {
    /// As labsim names it.
    pub(super) fn name(&self) -> &str {
        short(&self.path)
    }
}

/// Objects of one kind, by full path.
#[derive(Debug, Default)]
pub(super) struct Objects {
    /// In the files' order.
    pub(super) all: Vec<Object>,
    by_path: BTreeMap<String, usize>,
}

impl Objects {
    /// Lists objects that are not used, as a whole, and of the others what is not `known`.
    pub(super) fn leave(
        &self,
        is_used: impl Fn(&Object) -> bool,
        known: &[&str],
        report: &mut Report<'_>,
    ) {
        for object in &self.all {
            if !is_used(object) {
                let why = "no virtual server that is carried over uses it";
                report.leave(object.place, object.what.clone(), why);
                continue;
            }
            for property in object.block.properties() {
                if !known.contains(&property.name()) {
                    read::leave(&object.what, &property, report);
                }
            }
        }
    }

    /// The object of a path; one without a partition is in `/Common`.
    pub(super) fn get(&self, path: &str) -> Option<&Object> {
        self.by_path.get(&full(path)).map(|index| &self.all[*index])
    }

    fn add(&mut self, object: Object, report: &mut Report<'_>) {
        if let Some(first) = self.get(&object.path) {
            let first = report.at(first.place);
            report.mistake(
                object.place,
                format!("{} is configured already ({first}); keep one", object.what),
            );
            return;
        }
        self.by_path.insert(object.path.clone(), self.all.len());
        self.all.push(object);
    }
}

/// What is read of a configuration.
#[derive(Debug, Default)]
pub(super) struct Config {
    pub(super) virtuals: Objects,
    pub(super) virtual_addresses: Objects,
    pub(super) pools: Objects,
    pub(super) nodes: Objects,
    pub(super) fastl4: Objects,
    pub(super) source_addrs: Objects,
    pub(super) snatpools: Objects,
    pub(super) snat_translations: Objects,
    pub(super) selfs: Objects,
    pub(super) routes: Objects,
    pub(super) ipip: Objects,
    pub(super) gre: Objects,
}

impl Config {
    /// Adds a stanza, or lists it as left out.
    pub(super) fn add(&mut self, stanza: Stanza, report: &mut Report<'_>) {
        let words: Vec<&str> = stanza.words.iter().map(|word| word.text.as_str()).collect();
        let objects = match words.as_slice() {
            ["ltm", "virtual", _] => &mut self.virtuals,
            ["ltm", "virtual-address", _] => &mut self.virtual_addresses,
            ["ltm", "pool", _] => &mut self.pools,
            ["ltm", "node", _] => &mut self.nodes,
            ["ltm", "profile", "fastl4", _] => &mut self.fastl4,
            ["ltm", "persistence", "source-addr", _] => &mut self.source_addrs,
            ["ltm", "snatpool", _] => &mut self.snatpools,
            ["ltm", "snat-translation", _] => &mut self.snat_translations,
            ["net", "self", _] => &mut self.selfs,
            ["net", "route", _] => &mut self.routes,
            ["net", "tunnels", "ipip", _] => &mut self.ipip,
            ["net", "tunnels", "gre", _] => &mut self.gre,
            _ => {
                let what = what(&stanza.words, words.len() > 2);
                report.leave(place(&stanza.words), what, why(&words));
                return;
            }
        };
        let (place, what) = (place(&stanza.words), what(&stanza.words, true));
        match stanza.body {
            Body::Block(block) => {
                each_once(&block, report);
                let path = full(words.last().copied().unwrap_or_default());
                if leaf(&path).is_empty() {
                    report.mistake(place, "an empty name; write one behind the last `/`");
                    return;
                }
                objects.add(Object { path, what, place, block }, report);
            }
            Body::Opaque => report.leave(place, what, "it is a program"),
        }
    }
}

/// Finds properties that stand in a block twice.
pub(super) fn each_once(block: &Block, report: &mut Report<'_>) {
    let mut seen = BTreeSet::new();
    for property in block.properties() {
        if let Some(key) = property.key
            && !seen.insert(key.text.as_str())
        {
            let message = format!("{} stands in this block already; keep one", quoted(&key.text));
            report.mistake(key.place, message);
        }
    }
}

fn place(words: &[Word]) -> Place {
    match words {
        [first, .., last] => first.place.to(last.place),
        [only] => only.place,
        [] => Place::new(0, 0, 0),
    }
}

/// The stanza's words; its name as labsim writes it.
fn what(words: &[Word], is_named: bool) -> String {
    let last = words.len().saturating_sub(1);
    let words = words.iter().enumerate().map(|(at, word)| {
        if is_named && at == last { shown(short(&word.text)) } else { shown(&word.text) }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Why a stanza is not carried over.
fn why(words: &[&str]) -> &'static str {
    match words {
        ["ltm", "rule", ..] => "labsim does not run iRules",
        ["ltm", "monitor", ..] => {
            "monitors are not carried over; write the pool's `monitor` into the scenario"
        }
        ["ltm", "default-node-monitor", ..] => {
            "monitors are not carried over; write the pool's `monitor` into the scenario"
        }
        ["ltm", "profile", ..] => {
            "labsim's load balancer forwards packets as a fastL4 profile does, and knows no other \
             profile"
        }
        ["ltm", "policy" | "policy-strategy", ..] => "labsim applies no policies",
        ["ltm", "persistence", ..] => "labsim persists by source address alone",
        ["ltm", "snat" | "nat" | "lsn-pool", ..] => {
            "labsim translates addresses for virtual servers only"
        }
        ["ltm", "data-group", ..] => "only iRules and policies look into it, and they are not run",
        ["ltm", ..] => "labsim has nothing like it",
        ["net", "vlan" | "vlan-group" | "interface" | "trunk", ..] => {
            "the lab's segments are made from addresses; it has no VLANs"
        }
        ["net", "route-domain", ..] => "the lab has one routing table a node",
        ["net", "tunnels", ..] => {
            "a tunnel to a member is the pool's profile; labsim has no others"
        }
        ["net", ..] => "labsim has nothing like it in its network",
        ["sys" | "cm" | "cli" | "auth" | "mgmt" | "analytics" | "vcmp" | "ilx" | "util", ..] => {
            "it concerns the device itself and no packet of a virtual server"
        }
        ["gtm", ..] => "labsim has no DNS load balancing",
        ["apm" | "asm" | "security" | "pem" | "wam" | "wom" | "saas" | "api-protection", ..] => {
            "labsim has no such module"
        }
        _ => "labsim does not know this kind of stanza",
    }
}
