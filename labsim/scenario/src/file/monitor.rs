//! A pool's `monitor` as it is written.

use super::forms::{Scalar, forms};
use super::lenient::or_default;
use labsim_yaml::Located;
use schemars::JsonSchema;
use serde::Deserialize;

forms! {
    /// How a pool's members are watched.
    MonitorForm = "`none`, `tcp`, `tacacs`, `radius`, `icmp`, or a map with one of the four" {
        text: "`none`: nobody watches. `tcp`: a connection. `tacacs`: the beginning of a login. `radius`: Status-Server. `icmp`: an echo.";
        map: MonitorFields;
    }
}

/// A monitor with more to say: one of the four.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MonitorFields {
    /// A TCP connection is made, and reset.
    #[serde(default, deserialize_with = "present")]
    pub(crate) tcp: Option<MonitorOptions>,
    /// The beginning of a TACACS+ login: any reply but ERROR is an answer.
    #[serde(default, deserialize_with = "present")]
    pub(crate) tacacs: Option<MonitorOptions>,
    /// A RADIUS Status-Server request (RFC 5997).
    #[serde(default, deserialize_with = "present")]
    pub(crate) radius: Option<MonitorOptions>,
    /// An ICMP echo request, which says nothing about the service.
    #[serde(default, deserialize_with = "present")]
    pub(crate) icmp: Option<MonitorOptions>,
}

/// A monitor's options.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MonitorOptions {
    /// From the beginning of one probe to that of the next: seconds, or such as `200ms`; 5 s by
    /// default, as F5's.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) interval: Option<Located<Scalar>>,
    /// How long a probe may take, no longer than the interval; 1 s by default.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) timeout: Option<Located<Scalar>>,
    /// Successes in a row that bring a member back; 1 by default. The first probe of all decides by
    /// itself.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) rise: Option<Located<u64>>,
    /// Failures in a row that take a member out; 3 by default.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) fall: Option<Located<u64>>,
    /// Whether probes go through the pool's tunnel to the VIP and port of its virtual servers, as
    /// clients' packets do. No other monitor notices a missing VIP.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) transparent: Option<Located<bool>>,
    /// Another port than the member's, or the virtual server's.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) port: Option<Located<u64>>,
    /// What the servers share with their clients, for `tacacs` and `radius`; the built-in servers'
    /// unless it is said.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) secret: Option<Located<String>>,
}

/// A key without a value has no options, and is there.
fn present<'de, D: serde::Deserializer<'de>>(
    reader: D,
) -> Result<Option<MonitorOptions>, D::Error> {
    let options: Option<MonitorOptions> = or_default(reader)?;
    Ok(Some(options.unwrap_or_default()))
}

/// What becomes of the flows of a member that is down.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ActionOnDownWord {
    /// They stay with it until they end.
    #[default]
    None,
    /// They end at once, and both ends of TCP's are reset.
    Reset,
    /// The next packet of each goes to another member.
    Reselect,
}
