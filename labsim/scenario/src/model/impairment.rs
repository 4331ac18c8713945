//! What links do to frames.

use std::fmt;
use std::time::Duration;

/// What becomes of the frames that one interface sends, before they reach the other end of its
/// link: tc-netem(8)'s settings of these names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Impairment {
    /// How long each is kept; with jitter at most 5 s.
    pub delay: Duration,
    /// How much less or more than that, evenly spread; at most the delay.
    pub jitter: Duration,
    /// How many are lost.
    pub loss: Percent,
    /// How many arrive twice.
    pub duplicate: Percent,
    /// How many are not delayed and overtake others; only with a delay.
    pub reorder: Percent,
    /// Bits a second, link-layer header included.
    pub rate: Option<u64>,
    /// How many frames wait at most; more are lost.
    pub queue: u32,
    /// What labsim's relay begins its random numbers with.
    pub seed: u64,
}

/// A share of frames.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent(u32);

impl Percent {
    /// The least value, in millionths: 0.0001%.
    const OF_PERCENT: u32 = 10_000;

    /// So many of a million frames; `None` if that is more than all.
    #[must_use]
    pub fn of_millionths(millionths: u32) -> Option<Self> {
        (millionths <= 100 * Self::OF_PERCENT).then_some(Self(millionths))
    }

    /// How many of a million frames.
    #[must_use]
    pub fn millionths(self) -> u32 {
        self.0
    }
}

/// `10%`, `0.5%`.
impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / Self::OF_PERCENT, self.0 % Self::OF_PERCENT);
        if part == 0 {
            return write!(f, "{whole}%");
        }
        let digits = format!("{part:04}");
        write!(f, "{whole}.{}%", digits.trim_end_matches('0'))
    }
}

/// Those that are set, as a file says them: `delay 20ms, loss 10%`.
impl fmt::Display for Impairment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time =
            |name: &str, time: Duration| (!time.is_zero()).then(|| format!("{name} {time:?}"));
        let share = |name: &str, share: Percent| {
            (share > Percent::default()).then(|| format!("{name} {share}"))
        };
        let parts: Vec<String> = [
            time("delay", self.delay),
            time("jitter", self.jitter),
            share("loss", self.loss),
            share("duplicate", self.duplicate),
            share("reorder", self.reorder),
            self.rate.map(|rate| format!("rate {rate} bit/s, queue {}", self.queue)),
        ]
        .into_iter()
        .flatten()
        .collect();
        f.write_str(if parts.is_empty() { "nothing" } else { "" })?;
        f.write_str(&parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_shown_as_it_is_written() {
        for (millionths, shown) in [(0, "0%"), (100_000, "10%"), (5_000, "0.5%"), (1, "0.0001%")] {
            assert_eq!(
                Percent::of_millionths(millionths).map(|it| it.to_string()).as_deref(),
                Some(shown)
            );
        }
        assert_eq!(Percent::of_millionths(1_000_001), None);
    }
}
