//! A hash that is the same in every process, on every machine and in every version: load balancers
//! that were configured alike have to agree without a word between them.
//!
//! Each word is added to the state by exclusive or, and the state goes on as one step of SplitMix64
//! (Steele, Lea and Flood, OOPSLA 2014): the golden ratio's bits are added, and the sum is mixed by
//! Stafford's thirteenth variant. There is no secret in it, so a client that chooses its ports can
//! choose its member; that is the price of agreeing, and katran and IPVS pay it too.

/// What is hashed: each has values of its own.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// Where a member's permutation begins.
    Offset = 1,
    /// How far a member's permutation goes at a time.
    Skip = 2,
    /// A flow.
    Flow = 3,
}

/// The hash of words.
pub(super) fn hash(kind: Kind, words: &[u64]) -> u64 {
    words.iter().fold(step(kind as u64), |state, word| step(state ^ word))
}

/// One step: the state after this one.
pub(super) const fn step(state: u64) -> u64 {
    let mut mixed = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::{Kind, hash, step};

    /// Load balancers of two versions would disagree if these ever changed.
    #[test]
    fn the_values_are_for_ever() {
        // SplitMix64's first output for the seed 0.
        assert_eq!(step(0), 0xe220_a839_7b1d_cdaf);
        assert_eq!(hash(Kind::Offset, &[]), step(1));
        assert_eq!(hash(Kind::Flow, &[7, 9]), step(step(step(3) ^ 7) ^ 9));
        assert_eq!(hash(Kind::Flow, &[0, 0x0000_ffff_c0a8_0bc9]), 0x33aa_25df_afc7_1511);
    }

    #[test]
    fn order_and_kind_matter() {
        assert_ne!(hash(Kind::Flow, &[1, 2]), hash(Kind::Flow, &[2, 1]));
        assert_ne!(hash(Kind::Offset, &[1]), hash(Kind::Skip, &[1]));
    }
}
