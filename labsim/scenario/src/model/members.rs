//! Changes of a pool's members, and their state.

use super::{AdminState, NodeName, Profile};
use labsim_yaml::FromYaml;
use schemars::JsonSchema;
use std::net::SocketAddr;

/// A member's state as its monitor reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromYaml, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MemberState {
    /// The member answers probes.
    Up,
    /// The member does not answer probes.
    Down,
}

impl MemberState {
    /// The value in a scenario file.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// A change of a pool's member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberUpdate {
    /// The load balancer.
    pub node: NodeName,
    /// The pool.
    pub pool: String,
    /// Address and port.
    pub member: SocketAddr,
    /// What becomes of it.
    pub to: MemberChange,
}

/// What becomes of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberChange {
    /// It is new.
    Added {
        /// Its share of new flows.
        ratio: u16,
        /// How packets reach it, if not as the pool says.
        profile: Option<Profile>,
        /// Which new flows it takes.
        state: AdminState,
    },
    /// It gets another ratio, another state, or both.
    Set {
        /// Its share of new flows; 0 drains it.
        ratio: Option<u16>,
        /// Which new flows it takes.
        state: Option<AdminState>,
    },
    /// It is taken out.
    Removed,
}

impl MemberUpdate {
    pub(super) fn description(&self) -> String {
        let Self { node, pool, member, to } = self;
        match to {
            MemberChange::Added { ratio, state, .. } => {
                let state = Some(*state).filter(|state| !state.is_enabled());
                let settings = settings_text(Some(*ratio), state);
                format!("adds {member} to {pool} of {node}, {settings}")
            }
            MemberChange::Set { ratio: Some(0), state: None } => {
                format!("drains {member} of {pool} of {node}")
            }
            MemberChange::Set { ratio, state } => {
                let settings = settings_text(*ratio, *state);
                format!("sets {member} of {pool} of {node} to {settings}")
            }
            MemberChange::Removed => format!("removes {member} from {pool} of {node}"),
        }
    }
}

/// `ratio 3, state disabled`.
#[must_use]
pub fn settings_text(ratio: Option<u16>, state: Option<AdminState>) -> String {
    let ratio = ratio.map(|ratio| format!("ratio {ratio}"));
    let state = state.map(|state| format!("state {}", state.word()));
    ratio.into_iter().chain(state).collect::<Vec<_>>().join(", ")
}
