//! `ltm profile fastl4`: how flows begin and end.

use super::address::{full, short};
use super::config::{Config, Object};
use super::heritage::Kind;
use super::read;
use super::tree::Word;
use crate::design::FastL4;
use crate::report::Report;
use crate::text::quoted;
use std::collections::BTreeMap;

/// The profile that all others come from.
const ROOT: &str = "/Common/fastL4";
const KIND: Kind = Kind {
    root: ROOT,
    what: "ltm profile fastl4",
    absent: "it is in none of these files; fastL4's own defaults were taken",
};
/// Longest idle timeout that labsim takes: a day.
const LONGEST: u32 = 86_400;

/// What one profile itself says.
#[derive(Debug, Default, Clone)]
struct Own {
    loose_initiation: Option<bool>,
    loose_close: Option<bool>,
    idle_timeout: Option<u32>,
    reset_on_timeout: Option<bool>,
    parent: Option<Word>,
}

/// The fastL4 profiles that were asked for, read once each.
#[derive(Debug, Default)]
pub(super) struct Profiles {
    own: BTreeMap<String, Own>,
    resolved: BTreeMap<String, FastL4>,
}

/// Whether this is the name of a fastL4 profile.
pub(super) fn is_fastl4(name: &str, config: &Config) -> bool {
    full(name) == ROOT || config.fastl4.get(name).is_some()
}

impl Profiles {
    /// Whether a profile was asked for, itself or by one that takes its defaults from it.
    pub(super) fn has_read(&self, path: &str) -> bool {
        self.own.contains_key(path)
    }

    /// A profile with everything that it takes from others.
    pub(super) fn resolve(
        &mut self,
        name: &str,
        config: &Config,
        report: &mut Report<'_>,
    ) -> FastL4 {
        let path = full(name);
        if let Some(found) = self.resolved.get(&path) {
            return *found;
        }
        let found = self.follow(path.clone(), config, report);
        self.resolved.insert(path, found);
        found
    }

    fn follow(&mut self, path: String, config: &Config, report: &mut Report<'_>) -> FastL4 {
        let mut found = Own::default();
        KIND.climb(path, &config.fastl4, report, |path, object, report| {
            let own = self.own.entry(path.to_owned()).or_insert_with(|| own(object, report));
            found.loose_initiation = found.loose_initiation.or(own.loose_initiation);
            found.loose_close = found.loose_close.or(own.loose_close);
            found.idle_timeout = found.idle_timeout.or(own.idle_timeout);
            found.reset_on_timeout = found.reset_on_timeout.or(own.reset_on_timeout);
            own.parent.clone()
        });
        let usual = FastL4::default();
        FastL4 {
            loose_initiation: found.loose_initiation.unwrap_or(usual.loose_initiation),
            loose_close: found.loose_close.unwrap_or(usual.loose_close),
            idle_timeout: found.idle_timeout.unwrap_or(usual.idle_timeout),
            reset_on_timeout: found.reset_on_timeout.unwrap_or(usual.reset_on_timeout),
        }
    }
}

fn own(object: &Object, report: &mut Report<'_>) -> Own {
    let mut own = Own::default();
    for property in object.block.properties() {
        match property.name() {
            "loose-initialization" | "loose-initiation" => {
                own.loose_initiation = read::switch(&property, report);
            }
            "loose-close" => own.loose_close = read::switch(&property, report),
            "reset-on-timeout" => own.reset_on_timeout = read::switch(&property, report),
            "idle-timeout" => {
                own.idle_timeout = read::word(&property, report)
                    .and_then(|word| timeout(word, &object.what, report));
            }
            "defaults-from" if !property.is_none() => {
                own.parent = read::word(&property, report).cloned();
            }
            _ => read::leave(&object.what, &property, report),
        }
    }
    if object.path == ROOT {
        own.parent = None;
    }
    own
}

fn timeout(word: &Word, what: &str, report: &mut Report<'_>) -> Option<u32> {
    let what = format!("{what}: idle-timeout");
    match word.text.as_str() {
        "indefinite" => {
            report.warn(word.place, what, "labsim's longest is a day, 86400 s, which was taken");
            return Some(LONGEST);
        }
        "immediate" => {
            report.warn(word.place, what, "labsim's shortest is 1 s, which was taken");
            return Some(1);
        }
        _ => {}
    }
    match word.text.parse::<u32>() {
        Ok(0) => {
            report.warn(word.place, what, "labsim's shortest is 1 s, which was taken");
            Some(1)
        }
        Ok(seconds) if seconds > LONGEST => {
            report.warn(word.place, what, "labsim's longest is a day, 86400 s, which was taken");
            Some(LONGEST)
        }
        Ok(seconds) => Some(seconds),
        Err(_) => {
            report.mistake(
                word.place,
                format!(
                    "{} is no time; write seconds, `immediate` or `indefinite`",
                    quoted(short(&word.text))
                ),
            );
            None
        }
    }
}
