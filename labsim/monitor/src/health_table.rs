//! The health of each monitored member.

use labsim_dataplane::forwarder::MemberId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// The state of a monitored member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// No probe has ended yet; the member gets new flows.
    Checking,
    /// Probes pass.
    Up,
    /// Probes fail; the member gets no new flow.
    Down,
}

impl State {
    /// The state's name: `checking`, `up` or `down`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Checking => "checking",
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// The health of a monitored member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// The state, which the forwarder has already applied.
    pub state: State,
    /// The time of the last change of state, in milliseconds since 1970.
    pub since_ms: u64,
    /// The result of the last probe, in a sentence; empty before the first result.
    pub reason: String,
    /// Completed probes.
    pub probes: u64,
    /// Completed probes that failed.
    pub failed: u64,
}

/// By the pool's name, then by the member's `address:port`. Unmonitored members are absent.
pub type HealthByPool = BTreeMap<String, BTreeMap<String, Health>>;

/// All monitored members.
#[derive(Debug, Clone, Default)]
pub(crate) struct HealthTable(Arc<Mutex<BTreeMap<MemberId, Health>>>);

impl HealthTable {
    /// Keeps the entries of these members, adds new members, and drops all others.
    pub(crate) fn set_members(&self, members: impl Iterator<Item = MemberId>) {
        let mut all = self.all();
        let mut before = std::mem::take(&mut *all);
        all.extend(members.map(|member| {
            let health = before.remove(&member).unwrap_or_else(Health::unknown);
            (member, health)
        }));
    }

    /// A member's state; [`State::Checking`] for a new one.
    pub(crate) fn state(&self, member: &MemberId) -> State {
        self.all().get(member).map_or(State::Checking, |health| health.state)
    }

    /// Records the result of a probe and the member's state after it.
    pub(crate) fn record(&self, member: &MemberId, state: State, passed: bool, reason: String) {
        if let Some(health) = self.all().get_mut(member) {
            if health.state != state {
                (health.state, health.since_ms) = (state, now_ms());
            }
            health.reason = reason;
            health.probes += 1;
            health.failed += u64::from(!passed);
        }
    }

    /// The health of all members.
    pub(crate) fn health(&self) -> HealthByPool {
        let mut by_pool = HealthByPool::new();
        for (MemberId { pool, member }, health) in &*self.all() {
            let members = by_pool.entry(pool.clone()).or_default();
            members.insert(member.to_string(), health.clone());
        }
        by_pool
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<MemberId, Health>> {
        // Every change leaves the table consistent.
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
