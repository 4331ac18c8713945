//! A virtual server's persistence: `none`, `source_address`, or
//! `{source_address: {timeout: 180, prefix_length: 24}}`.

use labsim_yaml::{FromYaml, short_forms};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether a client's new flows go to the member of its last one.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, FromYaml, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[schemars(transform = short_forms::<Self>)]
pub enum Persistence {
    /// Each flow is scheduled for itself.
    #[default]
    None,
    /// By the client's address, as long as that member takes new flows (F5's source address affinity).
    #[yaml(bare)]
    SourceAddress(SourceAddress),
}

/// Options of persistence by source address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SourceAddress {
    /// Seconds after a client's last new flow until it is forgotten, 1 to 86400; 180 by default, as
    /// F5's.
    pub timeout: u32,
    /// Clients whose addresses agree in so many leading bits are one: 1 to 32, or to 128 where the
    /// VIP is IPv6; by default the whole address counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix_length: Option<u8>,
}

impl Default for SourceAddress {
    /// F5's defaults: 180 s, the whole address.
    fn default() -> Self {
        Self { timeout: 180, prefix_length: None }
    }
}
