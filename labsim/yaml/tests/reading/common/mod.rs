//! A file format like labsim's own, with one of everything that a format can hold.

#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use labsim_yaml::{FromYaml, Located, Source, read};

#[derive(Debug, FromYaml, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lab {
    pub(crate) vip: Located<Ipv4Addr>,
    #[serde(default)]
    pub(crate) mtu: Option<u16>,
    #[serde(default)]
    pub(crate) offloads: bool,
    #[serde(default)]
    pub(crate) secret: Option<String>,
    #[serde(default)]
    pub(crate) ratio: f64,
    #[serde(default)]
    pub(crate) shift: i8,
    #[serde(default)]
    pub(crate) pools: BTreeMap<Located<Name>, Pool>,
    #[serde(default)]
    pub(crate) links: Vec<Located<Vec<Name>>>,
    #[serde(default)]
    pub(crate) steps: Vec<Step>,
    #[serde(default)]
    pub(crate) tunnel: Option<Tunnel>,
}

#[derive(Debug, FromYaml, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pool {
    pub(crate) members: Vec<Name>,
    pub(crate) port: u16,
    #[serde(default)]
    pub(crate) profile: Option<Located<Profile>>,
}

#[derive(Debug, FromYaml, PartialEq)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Profile {
    Ipip,
    Gre,
}

#[derive(Debug, FromYaml, PartialEq)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Step {
    Wait,
    Ping(Name),
    Login(Login),
    Move(Vec<Name>),
}

#[derive(Debug, FromYaml, PartialEq)]
pub(crate) struct Login {
    pub(crate) user: Name,
    pub(crate) password: String,
}

/// A type whose own check looks at two keys together.
#[derive(Debug, FromYaml, PartialEq)]
#[serde(try_from = "RawTunnel")]
pub(crate) struct Tunnel(u8, u8);

#[derive(FromYaml)]
#[serde(deny_unknown_fields)]
struct RawTunnel {
    low: u8,
    high: u8,
}

impl TryFrom<RawTunnel> for Tunnel {
    type Error = String;

    fn try_from(raw: RawTunnel) -> Result<Self, String> {
        if raw.low < raw.high {
            Ok(Self(raw.low, raw.high))
        } else {
            Err("`low` must be less than `high`; exchange them".to_owned())
        }
    }
}

#[derive(Debug, Clone, FromYaml, PartialEq, Eq, PartialOrd, Ord)]
#[serde(try_from = "String")]
pub(crate) struct Name(String);

impl TryFrom<String> for Name {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.len() <= 4 && !text.is_empty() {
            Ok(Self(text))
        } else {
            Err(format!("the name `{text}` has {} bytes; give it 1 to 4", text.len()))
        }
    }
}

/// Scalars, or lists of the same, as deep as the file has them.
#[derive(Debug, FromYaml)]
#[serde(untagged)]
pub(crate) enum Deep {
    Scalar(String),
    List(Vec<Deep>),
    Map(BTreeMap<String, Deep>),
}

/// The errors in `text`: line, column and message of each.
pub(crate) fn diagnostics(text: &str) -> Vec<(usize, usize, String)> {
    diagnostics_as::<Lab>(text)
}

pub(crate) fn diagnostics_as<T: FromYaml>(text: &str) -> Vec<(usize, usize, String)> {
    match read::<T>(&Source::new("lab.yaml", text)) {
        Ok(_) => Vec::new(),
        Err(diagnostics) => {
            assert!(!diagnostics.is_empty(), "refused without a reason: {text:?}");
            diagnostics.into_iter().map(|m| (m.line, m.column, m.message)).collect()
        }
    }
}
