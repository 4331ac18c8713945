//! A token bucket that limits packets of the forwarder's own.

use crate::Instant;

/// Tokens are held in nanoseconds of credit, so that no fraction is lost.
#[derive(Debug)]
pub(crate) struct RateLimit {
    interval: u64,
    most: u64,
    credit: u64,
    updated: Instant,
}

impl RateLimit {
    /// `rate` a second in the long run, `burst` at once. Both are at least one.
    pub(crate) const fn new(rate: u64, burst: u64) -> Self {
        let interval = 1_000_000_000 / rate;
        let most = interval * burst;
        Self { interval, most, credit: most, updated: Instant::ZERO }
    }

    /// Takes one token if there is one.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let passed = now.as_nanos().saturating_sub(self.updated.as_nanos());
        self.credit = self.credit.saturating_add(passed).min(self.most);
        self.updated = self.updated.max(now);
        match self.credit.checked_sub(self.interval) {
            Some(left) => {
                self.credit = left;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RateLimit;
    use crate::Instant;

    #[test]
    fn a_burst_goes_through_and_then_the_rate_holds() {
        let mut limit = RateLimit::new(1000, 50);
        let mut taken =
            |now: u64| (0..200).filter(|_| limit.take(Instant::from_nanos(now))).count();
        assert_eq!(taken(0), 50);
        assert_eq!(taken(10_000_000), 10);
        assert_eq!(taken(10_999_999), 0);
        assert_eq!(taken(11_000_000), 1);
        assert_eq!(taken(60_000_000_000), 50);
        assert_eq!(taken(1), 0, "a clock that goes back gives nothing");
    }
}
