//! A virtual server's persistence: `none`, `source_address`, or
//! `{source_address: {timeout: 180, prefix_length: 24}}`.

use super::form::{Form, reads};
use serde::{Deserialize, Serialize};

/// Whether a client's new flows go to the member of its last one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Persistence {
    /// Each flow is scheduled for itself.
    #[default]
    None,
    /// They do, as long as that member takes new flows (F5's source address affinity).
    SourceAddress(SourceAddress),
}

/// Options of persistence by source address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SourceAddress {
    /// After this many seconds without a new flow a client is forgotten.
    pub timeout: u32,
    /// Clients that agree in so many bits of their addresses, up to 32 of IPv4 and 128 of IPv6, are
    /// one; without it each is alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix_length: Option<u8>,
}

impl Default for SourceAddress {
    /// F5's defaults: 180 s, the whole address.
    fn default() -> Self {
        Self { timeout: 180, prefix_length: None }
    }
}

impl Form for Persistence {
    const EXPECTING: &'static str = "`none`, `source_address`, or a map with `source_address`";
    const WORDS: &'static [&'static str] = &["none", "source_address"];
    const KEYS: &'static [&'static str] = &["source_address"];
    type Options = SourceAddress;

    fn plain(word: &str) -> Option<Self> {
        (word == "none").then_some(Self::None)
    }

    fn with(_: &str, options: SourceAddress) -> Option<Self> {
        Some(Self::SourceAddress(options))
    }
}

reads!(Persistence);
