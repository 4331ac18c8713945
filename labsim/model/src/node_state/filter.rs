//! Packet filters of a node, as nftables lists them.

use super::NodeState;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A chain of nftables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FilterChain {
    /// The family: `ip`, `ip6`, `inet`, `arp`, `bridge`, `netdev`.
    pub family: String,
    /// The table.
    pub table: String,
    /// The chain.
    pub name: String,
    /// Where packets come to it: `prerouting`, `input`, `forward`, `output`, `postrouting`,
    /// `ingress`, `egress`; absent of a chain that only others jump to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hook: Option<String>,
    /// Its place among the chains of the hook: less comes first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
    /// What becomes of packets that no rule decides on: `accept` or `drop`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Its rules, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<FilterRule>,
}

/// A rule: what it counts and decides. What it matches is not read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FilterRule {
    /// The number that `nft -a list ruleset` shows.
    pub handle: u64,
    /// Packets that reached its counter; absent without one. They may be of any step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packets: Option<u64>,
    /// What it decides: `accept`, `drop`, `reject`, `jump NAME`, `goto NAME`, `return`; absent if
    /// nothing of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
    /// The names of its expressions, in their order: `meta`, `cmp`, `counter`, `immediate`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expressions: Vec<String>,
}

impl FilterChain {
    /// Whether it may drop or reject a packet: by its policy, or a rule of its own.
    #[must_use]
    pub fn may_drop(&self) -> bool {
        let drops = |verdict: &Option<String>| {
            matches!(verdict.as_deref(), Some("drop" | "reject" | "queue"))
        };
        drops(&self.policy) || self.rules.iter().any(|rule| drops(&rule.verdict))
    }
}

impl NodeState {
    /// The chains that packets come to at a hook of IP's, in the order of their priority.
    #[must_use]
    pub fn filters_at(&self, hook: &str) -> Vec<&FilterChain> {
        let at_hook = |chain: &&FilterChain| {
            let of_ip = matches!(chain.family.as_str(), "ip" | "ip6" | "inet");
            of_ip && chain.hook.as_deref() == Some(hook)
        };
        let mut chains: Vec<_> = self.filters.iter().filter(at_hook).collect();
        chains.sort_by_key(|chain| chain.priority);
        chains
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(name: &str, priority: i32, policy: &str) -> FilterChain {
        FilterChain {
            family: "inet".to_owned(),
            table: "filter".to_owned(),
            name: name.to_owned(),
            hook: Some("forward".to_owned()),
            priority: Some(priority),
            policy: Some(policy.to_owned()),
            rules: Vec::new(),
        }
    }

    #[test]
    fn a_hooks_chains_are_ordered_and_those_that_drop_are_known() {
        let mut late = chain("late", 10, "accept");
        let rule = FilterRule { verdict: Some("drop".to_owned()), ..FilterRule::default() };
        late.rules.push(rule);
        let state = NodeState {
            filters: vec![late, chain("early", -10, "accept"), chain("middle", 0, "drop")],
            ..NodeState::default()
        };
        let found: Vec<_> = state
            .filters_at("forward")
            .iter()
            .map(|chain| (chain.name.as_str(), chain.may_drop()))
            .collect();
        assert_eq!(found, [("early", false), ("middle", true), ("late", true)]);
        assert!(state.filters_at("input").is_empty());
    }
}
