//! What forwards a load balancer's packets.

use labsim_yaml::FromYaml;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What forwards a load balancer's packets.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, FromYaml, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// labsim's own forwarder.
    #[default]
    Labsim,
    /// Linux Virtual Server in the node's kernel, as far as that has the same features.
    Ipvs,
}

impl Engine {
    /// The default, which is not written.
    pub(super) fn is_labsim(&self) -> bool {
        *self == Self::Labsim
    }
}

impl fmt::Display for Engine {
    /// As it stands in a file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Labsim => "labsim",
            Self::Ipvs => "ipvs",
        })
    }
}
