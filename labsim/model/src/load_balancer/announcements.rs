//! How own addresses are announced: `{count: 3, interval: 100ms}`.

use super::time::Time;
use labsim_yaml::FromYaml;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How often a load balancer announces an address that it begins to answer for: by gratuitous ARP
/// (RFC 5227 2.3), or by unsolicited neighbour advertisements (RFC 4861 7.2.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Announcements {
    /// How many times each address is announced, 1 to 100, or 0 for none; 1 by default, as Linux's
    /// `arp_notify` does. RFC 5227 asks for 2, and keepalived sends 5 (`vrrp_garp_master_repeat`).
    pub count: u16,
    /// Time from one announcement of an address to the next, `10ms` to `60s`; 1 s by default.
    #[serde(with = "as_time")]
    #[schemars(with = "Time")]
    #[yaml(with = "Time")]
    pub interval: Duration,
}

impl Announcements {
    /// The default, which is not written.
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for Announcements {
    fn default() -> Self {
        Self { count: 1, interval: Duration::from_secs(1) }
    }
}

mod as_time {
    use super::{Duration, Time};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(
        interval: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        Time(*interval).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        Time::deserialize(deserializer).map(Duration::from)
    }
}
