//! What links do to frames, as it is written.

use labsim_yaml::{FromYaml, Located, Scalar};
use schemars::JsonSchema;

/// Impairments of the frames that this interface sends, before they reach the other end of its
/// link: netem's settings (tc-netem(8)). They apply to every frame, ARP included.
#[derive(Debug, Clone, Default, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawImpairment {
    /// Delay of each frame, such as `20ms`: `us`, `ms` or `s`, together with the jitter at most 5
    /// s.
    pub(crate) delay: Option<Located<Scalar>>,
    /// How much less or more than the delay, evenly spread, such as `5ms`: at most the delay.
    /// Frames overtake each other where it is more than the time between them.
    pub(crate) jitter: Option<Located<Scalar>>,
    /// How many frames are lost, such as `10%`.
    pub(crate) loss: Option<Located<Scalar>>,
    /// How many frames arrive twice, such as `1%`.
    pub(crate) duplicate: Option<Located<Scalar>>,
    /// How many frames are not delayed, such as `25%`: they overtake those that are.
    pub(crate) reorder: Option<Located<Scalar>>,
    /// How much is sent at most, such as `1mbit`: `bit`, `kbit`, `mbit` or `gbit` a second, in
    /// powers of 1000, link-layer headers included.
    pub(crate) rate: Option<Located<Scalar>>,
    /// How many frames wait at most, at a rate or for their delay; more are lost. 1000, or fewer
    /// at a low rate: what it sends in 5 s.
    pub(crate) queue: Option<Located<u32>>,
    /// What the random numbers begin with where labsim's own relay draws them: with the same seed
    /// the same frames are lost, counted from the first. 0 by default. (netem draws its own.)
    #[serde(default)]
    pub(crate) seed: u64,
}
