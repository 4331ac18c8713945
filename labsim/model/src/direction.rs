//! The direction of a frame at an interface.

use labsim_yaml::FromYaml;
use schemars::JsonSchema;
use std::fmt;

/// Seen from the node whose interface it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, FromYaml, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Received by the node.
    In,
    /// Sent by the node.
    Out,
}

impl Direction {
    /// The direction of an answer.
    pub const fn opposite(self) -> Self {
        match self {
            Self::In => Self::Out,
            Self::Out => Self::In,
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::In => "in",
            Self::Out => "out",
        })
    }
}
