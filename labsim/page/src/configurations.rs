//! Configurations with their secrets, on a way that no event takes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The configurations of a run's scenarios, secrets included. The reader of a run's scenario puts
/// its own in, before the event that says that it is read; the page takes it then. Clones are the same
/// store.
#[derive(Clone, Default)]
pub struct Configurations(Arc<Mutex<BTreeMap<String, String>>>);

impl Configurations {
    /// Puts the configuration of a scenario in, as YAML.
    pub fn put(&self, scenario: &str, yaml: String) {
        self.all().insert(scenario.to_owned(), yaml);
    }

    pub(crate) fn take(&self, scenario: &str) -> Option<String> {
        self.all().remove(scenario)
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
