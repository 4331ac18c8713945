//! A pool's member, and what an operator has set it to.

use crate::Profile;
use crate::endpoint::{self, Endpoint};
use labsim_yaml::{FromYaml, short_forms};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// A server of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
#[yaml(short = "address")]
#[schemars(transform = short_forms::<Self>)]
pub struct Member {
    /// Address and port, `10.1.1.51:49`; the address is where the tunnel ends. Port `any` leaves the
    /// packet's; it is 0 in this field.
    #[serde(with = "endpoint::as_text")]
    #[schemars(with = "String")]
    #[yaml(with = "Endpoint")]
    pub address: SocketAddr,
    /// Its share of the pool's flows against the others' ratios, where the mode uses them; 0 to
    /// 65535, 1 by default. In every mode a member of ratio 0 keeps the flows that it has and gets
    /// no other (a drain), also not by persistence, like IPVS's servers of weight 0 with
    /// `expire_quiescent_template`. Without that setting they are like `state: disabled`.
    #[serde(default = "one")]
    pub ratio: u16,
    /// How packets reach it, where it differs from the pool's `profile`: `none`, `ipip`, `gre`, `gue`,
    /// or a map with options. The pool's by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
    /// What an operator has set it to: `enabled` (the default), `disabled` or `forced_offline`.
    #[serde(default, skip_serializing_if = "AdminState::is_enabled")]
    pub state: AdminState,
}

impl From<SocketAddr> for Member {
    /// An enabled member with the ratio 1 and its pool's profile.
    fn from(address: SocketAddr) -> Self {
        Self { address, ratio: 1, profile: None, state: AdminState::Enabled }
    }
}

/// Which new flows a member takes, from all to none, as an operator has set it (F5's states). Flows that it has stay with it
/// in each state until they end, and its monitor goes on.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    FromYaml,
    JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum AdminState {
    /// All that the pool's `load_balancing_mode` and persistence give it.
    #[default]
    Enabled,
    /// Only those of clients that have a persistence record for it (F5's `session user-disabled`; IPVS's
    /// weight 0 without `expire_quiescent_template`).
    Disabled,
    /// None (F5's `state user-down`).
    ForcedOffline,
}

impl AdminState {
    /// Whether it takes all new flows.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        *self == Self::Enabled
    }

    /// The word of a configuration.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::ForcedOffline => "forced_offline",
        }
    }
}

const fn one() -> u16 {
    1
}

#[cfg(test)]
mod tests {
    use super::{AdminState, Member};
    use crate::{GreOptions, Profile};
    use std::net::SocketAddr;

    #[test]
    fn a_member_is_an_address_or_a_map_with_its_settings() {
        let address: SocketAddr = "10.1.1.51:49".parse().unwrap();
        let ratio = |ratio| Member { ratio, ..Member::from(address) };
        let profile = |profile| Member { profile: Some(profile), ..Member::from(address) };
        let state = |state| Member { state, ..Member::from(address) };
        for (text, member) in [
            (r#""10.1.1.51:49""#, ratio(1)),
            (r#"{"address":"10.1.1.51:49"}"#, ratio(1)),
            (r#"{"address":"10.1.1.51:49","ratio":0}"#, ratio(0)),
            (r#"{"address":"10.1.1.51:49","ratio":65535}"#, ratio(65_535)),
            (r#"{"address":"10.1.1.51:49","profile":"none"}"#, profile(Profile::None)),
            (
                r#"{"address":"10.1.1.51:49","profile":"gre"}"#,
                profile(Profile::Gre(GreOptions::default())),
            ),
            (r#"{"address":"10.1.1.51:49","state":"disabled"}"#, state(AdminState::Disabled)),
            (
                r#"{"address":"10.1.1.51:49","state":"forced_offline"}"#,
                state(AdminState::ForcedOffline),
            ),
        ] {
            assert_eq!(
                labsim_yaml::read::<Member>(&labsim_yaml::Source::new("test", text)).unwrap(),
                member,
                "{text}"
            );
            let written = serde_json::to_string(&member).unwrap();
            assert_eq!(
                labsim_yaml::read::<Member>(&labsim_yaml::Source::new("test", written.as_str()))
                    .unwrap(),
                member
            );
        }
        for (text, named) in [
            (r#""10.1.1.51""#, "`10.1.1.51` is not an address with a port"),
            (r#"{"ratio":1}"#, "address"),
            (r#"{"address":"10.1.1.51:49","weight":1}"#, "weight"),
            (r#"{"address":"10.1.1.51:49","state":"offline"}"#, "offline"),
            (r#"{"address":"10.1.1.51:49","ratio":65536}"#, "65536"),
        ] {
            let error = labsim_yaml::read::<Member>(&labsim_yaml::Source::new("test", text))
                .unwrap_err()
                .to_string();
            assert!(error.contains(named), "{text}: {error}");
        }
    }
}
