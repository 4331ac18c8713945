//! Random numbers that are the same in every run: splitmix64 (Steele, Lea, Flood 2014).
//!
//! Written here and not taken from a library, because a seed has to select the same frames, and the
//! same lab, in every version of labsim.

/// A stream of random numbers.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The stream of a seed; each `purpose` has its own, so that how often one kind of decision is
    /// taken does not change another kind's.
    #[must_use]
    pub fn new(seed: u64, purpose: u64) -> Self {
        // Not symmetric: seed 1 and purpose 2 are something else than seed 2 and purpose 1.
        Self(Self(Self(seed).next_number() ^ purpose).next_number())
    }

    /// The next number.
    pub fn next_number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// The upper half of the next number.
    pub fn word(&mut self) -> u32 {
        (self.next_number() >> 32) as u32
    }
}

impl Random {
    /// A number below `bound`, which is not 0; for bounds far below 2^32.
    pub fn below(&mut self, bound: usize) -> usize {
        self.word() as usize % bound.max(1)
    }

    /// Puts items into another order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_published_algorithm() {
        // The first outputs of the reference implementation for seed 0.
        let mut random = Random(0);
        assert_eq!(random.next_number(), 0xe220_a839_7b1d_cdaf);
        assert_eq!(random.next_number(), 0x6e78_9e6a_a1b9_65f4);
        assert_eq!(random.next_number(), 0x06c4_5d18_8009_454f);
    }

    #[test]
    fn seeds_and_purposes_have_streams_of_their_own() {
        let first = |seed, purpose| Random::new(seed, purpose).next_number();
        assert_eq!(first(1, 1), first(1, 1));
        assert_ne!(first(1, 1), first(1, 2));
        assert_ne!(first(1, 1), first(2, 1));
        assert_ne!(first(1, 2), first(2, 1));
    }
}
