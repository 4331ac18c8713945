//! What a direction of a link is to do to frames.

/// Frames that a line holds by default: netem's default (`limit`, tc-netem(8)).
pub const QUEUE_FRAMES: usize = 1000;
/// Bytes of frames that a line holds at most. netem has no such bound.
pub const QUEUE_BYTES: usize = 32 << 20;

/// What a direction of a link does to the frames that are sent on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Impairment {
    /// How long each frame is kept, in nanoseconds.
    pub delay: u64,
    /// How much less or more than that, in nanoseconds: evenly spread. At most `delay`, so that
    /// none comes out before it went in.
    pub jitter: u64,
    /// Which share is lost.
    pub loss: Share,
    /// Which share comes out twice.
    pub duplicate: Share,
    /// Which share is not delayed, and so overtakes those before it.
    pub reorder: Share,
    /// Bits a second, link-layer header included; `None` is no limit.
    pub rate: Option<u64>,
    /// Frames that wait at most; those that find it full are lost.
    pub queue_frames: usize,
    /// Bytes of the frames that wait at most, likewise.
    pub queue_bytes: usize,
    /// What the random numbers begin with: the same seed takes the same decision about the n-th
    /// frame.
    pub seed: u64,
}

impl Default for Impairment {
    /// None: frames come out at once.
    fn default() -> Self {
        Self {
            delay: 0,
            jitter: 0,
            loss: Share::NONE,
            duplicate: Share::NONE,
            reorder: Share::NONE,
            rate: None,
            queue_frames: QUEUE_FRAMES,
            queue_bytes: QUEUE_BYTES,
            seed: 0,
        }
    }
}

/// A share of all frames, as netem counts it: of 2^32 - 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(u32);

impl Share {
    /// No frame.
    pub const NONE: Self = Self(0);
    /// Every frame.
    pub const ALL: Self = Self(u32::MAX);

    /// So many of a million frames; more than that are all.
    #[must_use]
    pub fn of_millionths(millionths: u32) -> Self {
        let scaled = u64::from(millionths.min(1_000_000)) * u64::from(u32::MAX);
        // At most u32::MAX, by the bound above.
        Self((scaled / 1_000_000) as u32)
    }

    /// Whether a frame with this random number is one of them. No number is for a share of none.
    pub(crate) fn takes(self, number: u32) -> bool {
        self.0 > 0 && self.0 >= number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_takes_no_number_and_all_takes_every_one() {
        for number in [0, 1, u32::MAX / 2, u32::MAX] {
            assert!(!Share::of_millionths(0).takes(number));
            assert!(Share::of_millionths(1_000_000).takes(number));
        }
        assert_eq!(Share::of_millionths(2_000_000), Share::ALL);
        assert_eq!(Share::of_millionths(500_000), Share(u32::MAX / 2));
    }
}
