//! The engine's time: a number of nanoseconds that its caller reads from a clock that never goes
//! back.

use std::time::Duration;

/// A moment, in nanoseconds since any fixed beginning (`CLOCK_MONOTONIC`'s, for one).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The beginning.
    pub const ZERO: Self = Self(0);

    /// That many nanoseconds after the beginning.
    #[must_use]
    pub const fn from_nanos(nanoseconds: u64) -> Self {
        Self(nanoseconds)
    }

    /// Nanoseconds after the beginning.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The moment that much later; the last moment there is, if it would be beyond.
    #[must_use]
    pub const fn after(self, duration: Duration) -> Self {
        let nanoseconds = duration.as_secs().saturating_mul(1_000_000_000);
        Self(self.0.saturating_add(nanoseconds.saturating_add(duration.subsec_nanos() as u64)))
    }

    /// Time since `earlier`; none if that is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}
