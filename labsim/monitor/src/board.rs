//! How each watched member fares, for whoever asks.

use labsim_dataplane::forwarder::MemberId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// What a member's monitor has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nothing yet: it gets new flows until its first probe has ended.
    Checking,
    /// It answers.
    Up,
    /// It does not: it gets no new flow.
    Down,
}

impl State {
    /// Its name.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Checking => "checking",
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// A watched member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// What was found. The forwarder acts on it already.
    pub state: State,
    /// Since when, in milliseconds since 1970.
    pub since_ms: u64,
    /// How its last probe ended, in a sentence; empty before.
    pub reason: String,
    /// Probes that have ended.
    pub probes: u64,
    /// Of those, probes that failed.
    pub failed: u64,
}

/// By the pool's name, then by the member's `address:port`. A member that nothing watches is not
/// there.
pub type HealthByPool = BTreeMap<String, BTreeMap<String, Health>>;

/// All watched members.
#[derive(Debug, Clone, Default)]
pub(crate) struct Board(Arc<Mutex<BTreeMap<MemberId, Health>>>);

impl Board {
    /// Keeps these members, and adds those that are new.
    pub(crate) fn watch(&self, members: impl Iterator<Item = MemberId>) {
        let mut all = self.all();
        let mut before = std::mem::take(&mut *all);
        all.extend(members.map(|member| {
            let health = before.remove(&member).unwrap_or_else(Health::unknown);
            (member, health)
        }));
    }

    /// A member's state, [`State::Checking`] of one that is new.
    pub(crate) fn state(&self, member: &MemberId) -> State {
        self.all().get(member).map_or(State::Checking, |health| health.state)
    }

    /// A probe of the member has ended, and its state is this now.
    pub(crate) fn note(&self, member: &MemberId, state: State, passed: bool, reason: String) {
        if let Some(health) = self.all().get_mut(member) {
            if health.state != state {
                (health.state, health.since_ms) = (state, now_ms());
            }
            health.reason = reason;
            health.probes += 1;
            health.failed += u64::from(!passed);
        }
    }

    /// Everything.
    pub(crate) fn health(&self) -> HealthByPool {
        let mut by_pool = HealthByPool::new();
        for (MemberId { pool, member }, health) in &*self.all() {
            let members = by_pool.entry(pool.clone()).or_default();
            members.insert(member.to_string(), health.clone());
        }
        by_pool
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<MemberId, Health>> {
        // Every change leaves it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Health {
    fn unknown() -> Self {
        let (state, reason) = (State::Checking, String::new());
        Self { state, since_ms: now_ms(), reason, probes: 0, failed: 0 }
    }
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
}
