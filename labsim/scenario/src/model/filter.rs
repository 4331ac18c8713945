//! Packet filters in nftables' terms: what a node's kernel drops, and where (nft(8)).

mod field;

pub use field::{Bytes, Family, Field, Kind, Location};

use super::{FilterName, InterfaceName, NodeName, Place};
use labsim_yaml::FromYaml;
use schemars::JsonSchema;
use std::fmt;

/// A packet filter of some nodes: a table of the family `inet` in each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// Unique in the scenario; the table's name.
    pub name: FilterName,
    /// The nodes that have it, at least one.
    pub nodes: Vec<NodeName>,
    /// Whether they have it when the steps begin.
    pub present: bool,
    /// At most one for each hook, in the order of [`Hook::ALL`].
    pub chains: Vec<Chain>,
}

/// The rules of one hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// Where packets come by.
    pub hook: Hook,
    /// Among the kernel's own work at that hook: lower is earlier.
    pub priority: i32,
    /// What becomes of packets that no rule decides about.
    pub policy: Policy,
    /// In order; the first that matches decides.
    pub rules: Vec<Rule>,
}

/// Where a chain sees packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hook {
    /// Everything that comes in.
    Prerouting,
    /// What is for the node.
    Input,
    /// What a router sends on.
    Forward,
    /// What the node sends.
    Output,
    /// Everything that goes out.
    Postrouting,
}

impl Hook {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Prerouting, Self::Input, Self::Forward, Self::Output, Self::Postrouting];

    /// As nftables names it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Prerouting => "prerouting",
            Self::Input => "input",
            Self::Forward => "forward",
            Self::Output => "output",
            Self::Postrouting => "postrouting",
        }
    }

    /// Whether a packet has come in by an interface there: at postrouting those that are forwarded
    /// (Linux 5.7, `ip_output` hands the interface on).
    #[must_use]
    pub const fn knows_input(self) -> bool {
        !matches!(self, Self::Output)
    }

    /// Whether it is decided there by which interface a packet goes out.
    #[must_use]
    pub const fn knows_output(self) -> bool {
        matches!(self, Self::Forward | Self::Output | Self::Postrouting)
    }
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What becomes of packets that no rule decides about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, FromYaml, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Policy {
    /// They go on.
    #[default]
    Accept,
    /// They are dropped.
    Drop,
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Accept => "accept",
            Self::Drop => "drop",
        })
    }
}

/// What is done with packets that match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// As it is written.
    pub text: String,
    /// All of them have to hold.
    pub matches: Vec<Match>,
    /// The DSCP that is written then, in packets of one family.
    pub dscp: Option<DscpRewrite>,
    /// And then this.
    pub verdict: Verdict,
    /// Its place in the file.
    pub place: Place,
}

impl Rule {
    /// In how many ways a packet can match: each value of a set is one.
    #[must_use]
    pub fn alternatives(&self) -> usize {
        let of_one = |one: &Match| if one.negated { 1 } else { one.test.values().max(1) };
        self.matches.iter().map(of_one).fold(1, usize::saturating_mul)
    }

    /// Whether it takes packets away.
    #[must_use]
    pub const fn drops(&self) -> bool {
        !matches!(self.verdict, Verdict::Accept | Verdict::Continue)
    }
}

/// `ip dscp set VALUE`, `ip6 dscp set VALUE` (RFC 2474).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DscpRewrite {
    /// The packets' family.
    pub family: Family,
    /// 0 to 63.
    pub value: u8,
}

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The packet goes on to the next rule.
    Continue,
    /// The packet goes on.
    Accept,
    /// It is dropped.
    Drop,
    /// It is dropped, and its sender is told.
    Reject(Reject),
}

/// What the sender is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reject {
    /// A TCP reset.
    TcpReset,
    /// ICMP or ICMPv6: no route.
    NoRoute,
    /// ICMP or ICMPv6: port unreachable.
    PortUnreachable,
    /// ICMP or ICMPv6: host unreachable.
    HostUnreachable,
    /// ICMP or ICMPv6: administratively prohibited.
    AdminProhibited,
}

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// What is looked at.
    pub field: &'static Field,
    /// Whether it must not be one of the values.
    pub negated: bool,
    /// What it must be.
    pub test: Test,
}

/// What a rule, or a chain's policy, has decided about in one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// The filter.
    pub filter: FilterName,
    /// The chain.
    pub hook: Hook,
    /// The rule as it is written; `policy drop` or `policy accept` of packets that none matched.
    pub by: String,
    /// Whether it takes packets away.
    pub drops: bool,
    /// How many packets.
    pub packets: u64,
}

/// The values that a field is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// One of these interfaces.
    Interfaces(Vec<InterfaceName>),
    /// In one of these ranges, after the mask.
    Numbers {
        /// Only these bits are looked at.
        mask: Option<u128>,
        /// First and last; of addresses, their bits.
        ranges: Vec<(u128, u128)>,
    },
}

impl Test {
    /// How many values or ranges it has.
    #[must_use]
    pub const fn values(&self) -> usize {
        match self {
            Self::Interfaces(names) => names.len(),
            Self::Numbers { ranges, .. } => ranges.len(),
        }
    }
}
