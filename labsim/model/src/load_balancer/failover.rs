//! Which load balancer of several serves their common VIPs.

use labsim_yaml::FromYaml;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether a load balancer serves its VIPs. Of several with the same VIP on one segment, one is active.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, FromYaml, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum FailoverState {
    /// It forwards packets to its VIPs, and answers ARP requests and neighbour solicitations for them.
    #[default]
    Active,
    /// It drops packets to its VIPs and SNAT addresses, and answers for none of them. VRRP calls it the
    /// backup router (RFC 9568).
    Standby,
}

impl FailoverState {
    /// The default, which is not written.
    pub(super) fn is_active(&self) -> bool {
        *self == Self::Active
    }

    /// The word of a configuration.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Standby => "standby",
        }
    }
}
