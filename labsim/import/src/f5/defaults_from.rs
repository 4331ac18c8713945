//! Profiles that take their defaults from others (`defaults-from`).

use super::address::{full, leaf};
use super::config::{Config, Object, Objects};
use super::read;
use super::tree::{Property, Word};
use crate::report::Report;
use crate::text::printable;
use labsim_model::quote;
use std::collections::BTreeMap;

/// Longest chain of profiles that take their defaults from each other.
const CHAIN: usize = 64;

/// A kind of profiles with the settings `T`.
pub(super) struct ProfileKind<T> {
    /// The path of the one that all others come from.
    pub(super) root: &'static str,
    /// What stands before a profile's name, such as `ltm profile fastl4`.
    pub(super) what: &'static str,
    /// The warning about a profile whose file is missing.
    pub(super) absent: &'static str,
    pub(super) objects: fn(&Config) -> &Objects,
    /// Takes over one property of an object.
    pub(super) apply: fn(&mut T, &Property<'_>, &Object, &mut Report<'_>),
}

/// The profiles of one kind that are in use, read once each.
pub(super) struct Profiles<T: 'static> {
    kind: &'static ProfileKind<T>,
    resolved: BTreeMap<String, T>,
}

impl<T: Copy + Default> Profiles<T> {
    pub(super) fn new(kind: &'static ProfileKind<T>) -> Self {
        Self { kind, resolved: BTreeMap::new() }
    }

    /// Whether a profile of this kind has this name.
    pub(super) fn has(&self, name: &str, config: &Config) -> bool {
        full(name) == self.kind.root || (self.kind.objects)(config).get(name).is_some()
    }

    /// The settings of a profile: its own, and for the rest those of its `defaults-from`.
    pub(super) fn resolve(&mut self, name: &str, config: &Config, report: &mut Report<'_>) -> T {
        self.resolve_path(full(name), &mut Vec::new(), config, report)
    }

    /// Lists the profiles that are not in use.
    pub(super) fn report_unused(&self, config: &Config, report: &mut Report<'_>) {
        let objects = &(self.kind.objects)(config).all;
        for object in objects.iter().filter(|one| !self.resolved.contains_key(&one.path)) {
            let why = "no virtual server that is imported uses it";
            report.not_imported(object.place, object.what.clone(), why);
        }
    }

    /// `heirs` are the profiles that lead to this one.
    fn resolve_path(
        &mut self,
        path: String,
        heirs: &mut Vec<String>,
        config: &Config,
        report: &mut Report<'_>,
    ) -> T {
        if let Some(found) = self.resolved.get(&path) {
            return *found;
        }
        let mut settings = T::default();
        if let Some(object) = (self.kind.objects)(config).get(&path) {
            let (parents, own): (Vec<_>, Vec<_>) = object
                .block
                .properties()
                .into_iter()
                .partition(|one| one.name() == "defaults-from");
            let parent = parents.iter().find(|one| path != self.kind.root && !one.is_none());
            if let Some(parent) = parent.and_then(|one| read::word(one, report)) {
                heirs.push(path.clone());
                settings = self.inherit(parent, heirs, config, report);
                heirs.pop();
            }
            for property in &own {
                (self.kind.apply)(&mut settings, property, object, report);
            }
        }
        self.resolved.insert(path, settings);
        settings
    }

    fn inherit(
        &mut self,
        parent: &Word,
        heirs: &mut Vec<String>,
        config: &Config,
        report: &mut Report<'_>,
    ) -> T {
        let path = full(&parent.text);
        if heirs.contains(&path) {
            let name = quote(&parent.text);
            let message =
                format!("the profile inherits from itself: `defaults-from` {name} closes a cycle");
            report.diagnostic(parent.place, message);
            return T::default();
        }
        if heirs.len() == CHAIN {
            let message = format!("a chain of more than {CHAIN} `defaults-from`; shorten it");
            report.diagnostic(parent.place, message);
            return T::default();
        }
        if !self.has(&path, config) {
            let what = format!("{} {}", self.kind.what, printable(leaf(&parent.text)));
            report.warn(parent.place, what, self.kind.absent);
        }
        self.resolve_path(path, heirs, config, report)
    }
}
