//! `persist` of a virtual server, and `ltm persistence source-addr`.

use super::address::{full, short};
use super::config::{Config, Object};
use super::heritage::Kind;
use super::read;
use super::tree::{Block, Property, Word};
use crate::design::Persistence;
use crate::report::Report;
use crate::text::{quoted, shown};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// The profile that all others come from.
const ROOT: &str = "/Common/source_addr";
const KIND: Kind = Kind {
    root: ROOT,
    what: "ltm persistence source-addr",
    absent: "it is in none of these files; source_addr's own defaults were taken",
};
/// Longest timeout that labsim takes: a day.
const LONGEST: u32 = 86_400;

/// The profiles that were asked for, read once each.
#[derive(Debug, Default)]
pub(super) struct Persistences {
    own: BTreeMap<String, Own>,
    resolved: BTreeMap<String, Persistence>,
}

/// What one profile itself says: the outer `None` is nothing.
#[derive(Debug, Default)]
struct Own {
    timeout: Option<u32>,
    prefix_length: Option<Option<u8>>,
    parent: Option<Word>,
}

impl Persistences {
    /// Whether a profile was asked for, itself or by one that takes its defaults from it.
    pub(super) fn has_read(&self, path: &str) -> bool {
        self.own.contains_key(path)
    }

    /// The persistence of `persist { NAME { default yes } }`, or of `persist NAME`.
    pub(super) fn persist(
        &mut self,
        property: &Property<'_>,
        what: &str,
        config: &Config,
        report: &mut Report<'_>,
    ) -> Option<Persistence> {
        let names = match (property.word(), property.block()) {
            (Some(word), _) => vec![(word, None)],
            (None, Some(block)) => block.names(),
            (None, None) => {
                report.mistake(property.place, "write `persist { NAME { default yes } }`");
                Vec::new()
            }
        };
        let mut found = None;
        for (name, block) in names.into_iter().filter(|(name, _)| name.text != "none") {
            let shown = format!("{what}: persist {}", shown(short(&name.text)));
            if full(&name.text) != ROOT && config.source_addrs.get(&name.text).is_none() {
                let why = "labsim persists by source address alone; if this is such a profile, \
                           add the file that has it";
                report.leave(name.place, shown, why);
                continue;
            }
            if found.is_some() {
                let message = "a virtual server has one persistence; take the others out";
                report.mistake(name.place, message);
            }
            found = Some(self.resolve(name, config, report));
            for property in block.map(Block::properties).unwrap_or_default() {
                if property.name() != "default" {
                    read::leave(&shown, &property, report);
                }
            }
        }
        found
    }

    /// A profile with everything that it takes from others.
    fn resolve(&mut self, name: &Word, config: &Config, report: &mut Report<'_>) -> Persistence {
        let path = full(&name.text);
        if let Some(found) = self.resolved.get(&path) {
            return *found;
        }
        let found = self.follow(path.clone(), config, report);
        self.resolved.insert(path, found);
        found
    }

    fn follow(&mut self, path: String, config: &Config, report: &mut Report<'_>) -> Persistence {
        let mut found = Own::default();
        KIND.climb(path, &config.source_addrs, report, |path, object, report| {
            let own = self.own.entry(path.to_owned()).or_insert_with(|| own(object, report));
            found.timeout = found.timeout.or(own.timeout);
            found.prefix_length = found.prefix_length.or(own.prefix_length);
            own.parent.clone()
        });
        let usual = Persistence::default();
        Persistence {
            timeout: found.timeout.unwrap_or(usual.timeout),
            prefix_length: found.prefix_length.unwrap_or(usual.prefix_length),
        }
    }
}

fn own(object: &Object, report: &mut Report<'_>) -> Own {
    let mut own = Own::default();
    for property in object.block.properties() {
        let is = |text: &str| property.word().is_some_and(|word| word.text == text);
        match property.name() {
            "timeout" => {
                let word = read::word(&property, report);
                own.timeout = word.and_then(|word| timeout(word, &object.what, report));
            }
            "mask" if property.is_none() || is("255.255.255.255") => own.prefix_length = Some(None),
            "mask" => {
                let word = read::word(&property, report);
                own.prefix_length = word.and_then(|word| prefix_length(word, report)).map(Some);
            }
            "defaults-from" if !property.is_none() => {
                own.parent = read::word(&property, report).cloned();
            }
            // F5's defaults, and labsim's ways.
            "hash-algorithm" if is("default") => {}
            "map-proxies" if is("enabled") => {}
            "match-across-pools"
            | "match-across-services"
            | "match-across-virtuals"
            | "mirror"
            | "override-connection-limit"
                if is("disabled") => {}
            _ => read::leave(&object.what, &property, report),
        }
    }
    if object.path == ROOT {
        own.parent = None;
    }
    own
}

fn timeout(word: &Word, what: &str, report: &mut Report<'_>) -> Option<u32> {
    let (seconds, why) = match (word.text.as_str(), word.text.parse::<u32>()) {
        ("indefinite", _) => (LONGEST, Some("labsim's longest is a day, 86400 s, which was taken")),
        ("immediate", _) | (_, Ok(0)) => (1, Some("labsim's shortest is 1 s, which was taken")),
        (_, Ok(seconds)) if seconds > LONGEST => {
            (LONGEST, Some("labsim's longest is a day, 86400 s, which was taken"))
        }
        (_, Ok(seconds)) => (seconds, None),
        (text, Err(_)) => {
            let message = format!("{} is no time; write seconds, or `indefinite`", quoted(text));
            report.mistake(word.place, message);
            return None;
        }
    };
    if let Some(why) = why {
        report.warn(word.place, format!("{what}: timeout"), why);
    }
    Some(seconds)
}

/// The length of a mask such as 255.255.255.0.
fn prefix_length(word: &Word, report: &mut Report<'_>) -> Option<u8> {
    let bits = word.text.parse::<Ipv4Addr>().ok().map(Ipv4Addr::to_bits);
    let length = bits
        .map(u32::leading_ones)
        .filter(|length| *length > 0 && bits.is_some_and(|bits| bits.count_ones() == *length));
    if length.is_none() {
        let message = format!("{} is no mask; write one such as 255.255.255.0", quoted(&word.text));
        report.mistake(word.place, message);
    }
    length.and_then(|length| u8::try_from(length).ok())
}
