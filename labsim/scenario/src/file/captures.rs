//! A scenario file's `captures` as it is written.

use super::expectation::RawFrameMatch;
use super::forms::Texts;
use labsim_yaml::{FromYaml, Located};
use schemars::JsonSchema;

/// Which frames are captured, and how much of each. Expectations that need what is not captured are errors,
/// and failed steps are not diagnosed: where a packet stayed is known only if it would have been captured
/// everywhere.
#[derive(Debug, Clone, Default, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawCaptures {
    /// Capture points: `node:interface`, or `node` for all of its interfaces, `*` in them for any
    /// characters; one or a list. `none` captures nothing. All by default.
    pub(crate) points: Option<Located<Texts>>,
    /// Header fields, or a list of them: frames that agree with one of these are captured, such as
    /// `[{source: 192.0.2.1}, {destination: 192.0.2.1}]`. All by default.
    pub(crate) filter: Option<Located<RawCaptureFilter>>,
    /// Bytes of each frame that are captured, from 256, which hold all headers, to 262144, the default.
    pub(crate) snaplen: Option<Located<u32>>,
}

/// Header fields, or a list of them.
#[derive(Debug, Clone, FromYaml, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub(crate) enum RawCaptureFilter {
    /// Several.
    List(Vec<Located<RawFrameMatch>>),
    /// One.
    Map(Box<RawFrameMatch>),
}
