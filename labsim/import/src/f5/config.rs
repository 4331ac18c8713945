//! Stanzas, sorted by what they configure.

use super::address::{full, leaf, short};
use super::parse::OLD_KINDS;
use super::tree::{Block, Body, Stanza, Verb, Word};
use super::{command, monitors, read};
use crate::place::Place;
use crate::report::Report;
use crate::text::{has_word, printable};
use labsim_model::quote;
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
    pub(super) fn not_imported(
        &self,
        is_used: impl Fn(&Object) -> bool,
        known: &[&str],
        report: &mut Report<'_>,
    ) {
        for object in &self.all {
            if !is_used(object) {
                let why = "no virtual server that is imported uses it";
                report.not_imported(object.place, object.what.clone(), why);
                continue;
            }
            for property in object.block.properties() {
                if !known.contains(&property.name()) {
                    read::not_imported(&object.what, &property, report);
                }
            }
        }
    }

    /// The object of a path; one without a partition is in `/Common`.
    pub(super) fn get(&self, path: &str) -> Option<&Object> {
        self.by_path.get(&full(path)).map(|index| &self.all[*index])
    }

    /// Changes an object that stands before, or lists that there is none.
    fn modify(&mut self, object: Object, report: &mut Report<'_>) {
        let known = self.by_path.get(&object.path).and_then(|index| self.all.get_mut(*index));
        match known {
            Some(known) => command::modify(&mut known.block, object.block),
            None => {
                let why = "it changes an object that no file shows or creates before this line";
                report.not_imported(object.place, format!("modify {}", object.what), why);
            }
        }
    }

    fn add(&mut self, object: Object, report: &mut Report<'_>) {
        if let Some(first) = self.get(&object.path) {
            let first = report.at(first.place);
            report.diagnostic(
                object.place,
                format!("{} is already configured ({first}); keep one", object.what),
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
    pub(super) tcp: Objects,
    pub(super) udp: Objects,
    pub(super) source_addrs: Objects,
    pub(super) snatpools: Objects,
    pub(super) snat_translations: Objects,
    pub(super) selfs: Objects,
    pub(super) routes: Objects,
    pub(super) ipip: Objects,
    pub(super) gre: Objects,
    pub(super) traffic_matching: Objects,
    pub(super) port_lists: Objects,
    /// Those of the kinds that a lab has.
    pub(super) monitors: [Objects; monitors::COUNT],
}

impl Config {
    /// Adds a stanza, or lists it as left out.
    pub(super) fn add(&mut self, stanza: Stanza, report: &mut Report<'_>) {
        let words: Vec<&str> = stanza.words.iter().map(|word| word.text.as_str()).collect();
        let objects = match words.as_slice() {
            ["ltm", "monitor", kind, _] if monitors::is_known(kind) => {
                monitors::of_kind(kind, &mut self.monitors)
            }
            ["ltm", "virtual", _] => &mut self.virtuals,
            ["ltm", "virtual-address", _] => &mut self.virtual_addresses,
            ["ltm", "pool", _] => &mut self.pools,
            ["ltm", "node", _] => &mut self.nodes,
            ["ltm", "profile", "fastl4", _] => &mut self.fastl4,
            ["ltm", "profile", "tcp", _] => &mut self.tcp,
            ["ltm", "profile", "udp", _] => &mut self.udp,
            ["ltm", "persistence", "source-addr", _] => &mut self.source_addrs,
            ["ltm", "snatpool", _] => &mut self.snatpools,
            ["ltm", "snat-translation", _] => &mut self.snat_translations,
            ["net", "self", _] => &mut self.selfs,
            ["net", "route", _] => &mut self.routes,
            ["net", "tunnels", "ipip", _] => &mut self.ipip,
            ["net", "tunnels", "gre", _] => &mut self.gre,
            ["ltm", "traffic-matching-criteria", _] => &mut self.traffic_matching,
            ["net", "port-list", _] | ["security", "firewall", "port-list", _] => {
                &mut self.port_lists
            }
            [kind, ..] if is_of_version_10(kind, words.len()) => {
                let what = what(&stanza.words, false);
                report.not_imported(place(&stanza.words), what, VERSION_10);
                return;
            }
            _ => {
                let what = what(&stanza.words, words.len() > 2);
                report.not_imported(place(&stanza.words), what, why(&words));
                return;
            }
        };
        let (place, what) = (place(&stanza.words), what(&stanza.words, true));
        match stanza.body {
            Body::Block(block) => {
                reject_duplicate_keys(&block, report);
                let path = full(words.last().copied().unwrap_or_default());
                if leaf(&path).is_empty() {
                    report.diagnostic(place, "an empty name; write one behind the last `/`");
                    return;
                }
                let object = Object { path, what, place, block };
                match stanza.verb {
                    Verb::List => objects.add(object, report),
                    Verb::Modify => objects.modify(object, report),
                }
            }
            Body::Opaque => {
                report.not_imported(place, what, "it is a program, which labsim does not run")
            }
        }
    }
}

/// Why stanzas of old releases are not imported.
const VERSION_10: &str = "this is the form of BIG-IP 9 and 10 (`virtual NAME { … ip protocol tcp … \
    }`), which labsim does not read; give what `tmsh list` of version 11 or later shows, or write \
    `ltm virtual NAME { … ip-protocol tcp … }`";

/// Whether a stanza is written as releases before 11 wrote it: without a module.
fn is_of_version_10(kind: &str, words: usize) -> bool {
    (2..=3).contains(&words) && has_word(OLD_KINDS, kind)
}

/// Finds properties that stand in a block twice.
pub(super) fn reject_duplicate_keys(block: &Block, report: &mut Report<'_>) {
    let mut seen = BTreeSet::new();
    for property in block.properties() {
        if let Some(key) = property.key
            && !seen.insert(key.text.as_str())
        {
            let message = format!("{} is given twice in this block; keep one", quote(&key.text));
            report.diagnostic(key.place, message);
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
        if is_named && at == last { printable(short(&word.text)) } else { printable(&word.text) }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Why a stanza is not imported.
fn why(words: &[&str]) -> &'static str {
    match words {
        ["ltm", "rule", ..] => "labsim does not run iRules",
        ["ltm", "monitor" | "default-node-monitor", ..] => {
            "labsim's monitors of an import are tcp, radius and icmp; write the pool's `monitor` into \
             the scenario"
        }
        ["ltm", "profile", ..] => "labsim supports fastL4, tcp and udp profiles only",
        ["ltm", "policy" | "policy-strategy", ..] => "labsim applies no policies",
        ["ltm", "persistence", ..] => "labsim supports persistence by source address only",
        ["ltm", "snat" | "nat" | "lsn-pool", ..] => {
            "labsim translates addresses for virtual servers only"
        }
        ["ltm", "data-group", ..] => "only iRules and policies use it, and labsim runs neither",
        ["ltm", ..] => "labsim does not support it",
        ["net", "vlan" | "vlan-group" | "interface" | "trunk", ..] => {
            "the lab's segments are made from addresses; it has no VLANs"
        }
        ["net", "route-domain", ..] => "the lab has one routing table a node",
        ["net", "tunnels", ..] => {
            "a tunnel to a member is the pool's profile; labsim has no others"
        }
        ["net", ..] => "the lab's network does not support it",
        ["sys" | "cm" | "cli" | "auth" | "mgmt" | "analytics" | "vcmp" | "ilx" | "util", ..] => {
            "it configures the device and has no effect on packets of virtual servers"
        }
        ["gtm", ..] => "labsim has no DNS load balancing",
        ["apm" | "asm" | "security" | "pem" | "wam" | "wom" | "saas" | "api-protection", ..] => {
            "labsim does not support this module"
        }
        _ => "unknown stanza",
    }
}
