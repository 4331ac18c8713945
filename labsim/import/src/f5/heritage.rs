//! Profiles that take their defaults from others (`defaults-from`).

use super::address::{full, leaf};
use super::config::{Object, Objects};
use super::tree::Word;
use crate::report::Report;
use crate::text::{quoted, shown};
use std::collections::BTreeSet;

/// Longest chain of profiles that take their defaults from each other.
const CHAIN: usize = 64;

/// A kind of profiles.
pub(super) struct Kind {
    /// The path of the one that all others come from.
    pub(super) root: &'static str,
    /// What stands before a profile's name, such as `ltm profile fastl4`.
    pub(super) what: &'static str,
    /// What is said where the file with a profile is missing.
    pub(super) absent: &'static str,
}

impl Kind {
    /// Goes from the profile at `path` to the one that it takes its defaults from, and so on.
    /// `visit` takes in what one says itself, and returns the next one's name.
    pub(super) fn climb(
        &self,
        mut path: String,
        objects: &Objects,
        report: &mut Report<'_>,
        mut visit: impl FnMut(&str, &Object, &mut Report<'_>) -> Option<Word>,
    ) {
        let mut seen = BTreeSet::new();
        while let Some(object) = objects.get(&path) {
            let parent = visit(&path, object, report);
            seen.insert(path);
            let Some(parent) = parent else { break };
            path = full(&parent.text);
            if seen.contains(&path) {
                report.mistake(
                    parent.place,
                    format!(
                        "the profile takes its defaults from itself: {} leads round in a circle",
                        quoted(&parent.text)
                    ),
                );
                break;
            }
            if seen.len() == CHAIN {
                let message = format!(
                    "more than {CHAIN} profiles take their defaults from each other; take some out"
                );
                report.mistake(parent.place, message);
                break;
            }
            if path != self.root && objects.get(&path).is_none() {
                let what = format!("{} {}", self.what, shown(leaf(&parent.text)));
                report.warn(parent.place, what, self.absent);
            }
        }
    }
}
