//! Routes and rules, and which route a packet takes.

use super::NodeState;
use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;

/// A route of any table (ip-route(8)).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// The table: 254 is main, 255 local, 253 default.
    pub table: u32,
    /// Where to; a prefix length of 0 for the default route.
    #[schemars(with = "String")]
    pub destination: IpNet,
    /// What becomes of packets.
    pub kind: RouteKind,
    /// The next hops: one, or several that share the packets; none of a route that only refuses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub next_hops: Vec<NextHop>,
    /// The source that the node takes for packets of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<IpAddr>,
    /// Less is preferred among routes to the same destination.
    #[serde(default)]
    pub metric: u32,
    /// The MTU that the route sets, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
    /// The MSS that the route has TCP announce, in bytes (`advmss`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advertised_mss: Option<u32>,
}

/// Where a route leads.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NextHop {
    /// The next hop's address; absent of a destination on the link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<IpAddr>,
    /// The device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The device is down, so that it is not used (`RTNH_F_DEAD`).
    pub dead: bool,
}

/// What becomes of packets that take a route (`rtm_type`, rtnetlink(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RouteKind {
    /// They go to the next hop.
    Unicast,
    /// They are the node's own.
    Local,
    /// They are a broadcast.
    Broadcast,
    /// They are the node's own, of an IPv6 anycast address.
    Anycast,
    /// They are for a group.
    Multicast,
    /// They are dropped without a word.
    Blackhole,
    /// They are refused: host unreachable.
    Unreachable,
    /// They are refused: administratively prohibited.
    Prohibit,
    /// The next rule is asked.
    Throw,
    /// Another one.
    Other,
}

impl fmt::Display for RouteKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unicast => "unicast",
            Self::Local => "local",
            Self::Broadcast => "broadcast",
            Self::Anycast => "anycast",
            Self::Multicast => "multicast",
            Self::Blackhole => "blackhole",
            Self::Unreachable => "unreachable",
            Self::Prohibit => "prohibit",
            Self::Throw => "throw",
            Self::Other => "other",
        })
    }
}

/// A rule: which table packets are looked up in (ip-rule(8)).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Whether it is for IPv4.
    pub ipv4: bool,
    /// Less is asked first.
    pub priority: u32,
    /// For sources in it; absent if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub from: Option<IpNet>,
    /// For destinations in it; absent if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub to: Option<IpNet>,
    /// For packets that came in by it; `lo` for the node's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// For packets whose mark it is, under the mask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<(u32, u32)>,
    /// Whether it applies to all others than those.
    #[serde(default)]
    pub inverted: bool,
    /// Whether it has further conditions, which were not read.
    #[serde(default)]
    pub further: bool,
    /// What it does.
    pub action: RuleAction,
}

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RuleAction {
    /// The table is asked.
    Table(u32),
    /// Packets are dropped without a word.
    Blackhole,
    /// Packets are refused: host unreachable.
    Unreachable,
    /// Packets are refused: administratively prohibited.
    Prohibit,
    /// Something else: another rule is next, or none.
    Other,
}

/// A packet whose route is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteQuery<'a> {
    /// Where to.
    pub destination: IpAddr,
    /// Its source; `None` of a packet of the node's own that has none yet.
    pub source: Option<IpAddr>,
    /// The device that it came in by; `None` of the node's own.
    pub input: Option<&'a str>,
    /// Its mark.
    pub mark: u32,
}

impl<'a> RouteQuery<'a> {
    /// To an address, from the node itself, unmarked.
    #[must_use]
    pub const fn to(destination: IpAddr) -> Self {
        Self { destination, source: None, input: None, mark: 0 }
    }

    /// From that source.
    #[must_use]
    pub const fn from(self, source: IpAddr) -> Self {
        Self { source: Some(source), ..self }
    }

    /// That came in by that device.
    #[must_use]
    pub const fn by(self, input: &'a str) -> Self {
        Self { input: Some(input), ..self }
    }
}

impl Rule {
    /// Whether it is for the packet. Conditions that were not read are not met.
    fn applies(&self, query: &RouteQuery<'_>) -> bool {
        let contains = |net: &Option<IpNet>, address: Option<IpAddr>| match net {
            Some(net) => address.is_some_and(|address| net.contains(&address)),
            None => true,
        };
        let input = self.input.as_deref().is_none_or(|name| name == query.input.unwrap_or("lo"));
        let mark = self.mark.is_none_or(|(mark, mask)| query.mark & mask == mark);
        let meets = contains(&self.from, query.source)
            && contains(&self.to, Some(query.destination))
            && input
            && mark
            && !self.further;
        self.ipv4 == query.destination.is_ipv4() && meets != self.inverted
    }
}

impl Route {
    fn is_usable(&self) -> bool {
        self.next_hops.is_empty() || self.next_hops.iter().any(|hop| !hop.dead)
    }

    /// Whether packets that take it go on, to the node itself or to another one.
    #[must_use]
    pub const fn refuses(&self) -> bool {
        matches!(self.kind, RouteKind::Blackhole | RouteKind::Unreachable | RouteKind::Prohibit)
    }
}

impl NodeState {
    /// The route that a packet takes: of the first rule's table that has one, the one with the
    /// longest prefix, and of those the one with the least metric. `None` without a route, or if a
    /// rule refuses. If no rules were read, the tables local, main and default are asked.
    ///
    /// It approximates what the kernel answers to `ip route get`: TOS, exceptions that the kernel
    /// has learned (redirects, path MTUs), and devices that lost their link are not looked at.
    #[must_use]
    pub fn route(&self, query: &RouteQuery<'_>) -> Option<&Route> {
        let usual = [255, 254, 253].map(RuleAction::Table);
        let ipv4 = query.destination.is_ipv4();
        let mut rules: Vec<&Rule> = self.rules.iter().filter(|rule| rule.ipv4 == ipv4).collect();
        rules.sort_by_key(|rule| rule.priority);
        let actions: Vec<RuleAction> = match rules.is_empty() {
            true => usual.to_vec(),
            false => {
                let applying = rules.into_iter().filter(|rule| rule.applies(query));
                applying.map(|rule| rule.action).collect()
            }
        };
        for action in actions {
            match action {
                RuleAction::Table(table) => match self.in_table(table, query.destination) {
                    Some(route) if route.kind == RouteKind::Throw => {}
                    Some(route) => return Some(route),
                    None => {}
                },
                RuleAction::Blackhole | RuleAction::Unreachable | RuleAction::Prohibit => {
                    return None;
                }
                RuleAction::Other => {}
            }
        }
        None
    }

    /// The route of one table.
    fn in_table(&self, table: u32, destination: IpAddr) -> Option<&Route> {
        self.routes
            .iter()
            .filter(|route| route.table == table && route.is_usable())
            .filter(|route| route.destination.contains(&destination))
            .min_by_key(|route| (std::cmp::Reverse(route.destination.prefix_len()), route.metric))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(table: u32, destination: &str, via: &str) -> Route {
        let hop = NextHop {
            gateway: Some(via.parse().unwrap()),
            device: Some("eth0".to_owned()),
            dead: false,
        };
        Route {
            table,
            destination: destination.parse().unwrap(),
            kind: RouteKind::Unicast,
            next_hops: vec![hop],
            source: None,
            metric: 0,
            mtu: None,
            advertised_mss: None,
        }
    }

    fn rule(priority: u32, table: u32) -> Rule {
        Rule {
            ipv4: true,
            priority,
            from: None,
            to: None,
            input: None,
            mark: None,
            inverted: false,
            further: false,
            action: RuleAction::Table(table),
        }
    }

    fn via(state: &NodeState, query: RouteQuery<'_>) -> Option<String> {
        let hop = state.route(&query)?.next_hops.first()?;
        hop.gateway.map(|gateway| gateway.to_string())
    }

    fn to(text: &str) -> RouteQuery<'static> {
        RouteQuery::to(text.parse().unwrap())
    }

    #[test]
    fn the_longest_prefix_wins_then_the_least_metric() {
        let mut backup = route(254, "10.2.0.0/16", "10.1.1.3");
        backup.metric = 100;
        let state = NodeState {
            routes: vec![
                route(254, "0.0.0.0/0", "10.1.1.1"),
                backup,
                route(254, "10.2.0.0/16", "10.1.1.2"),
            ],
            ..NodeState::default()
        };
        assert_eq!(via(&state, to("10.2.3.4")).as_deref(), Some("10.1.1.2"));
        assert_eq!(via(&state, to("10.3.3.4")).as_deref(), Some("10.1.1.1"));
        assert_eq!(via(&state, to("2001:db8::1")), None);
    }

    #[test]
    fn a_local_address_comes_before_the_main_table_and_dead_hops_are_passed_over() {
        let mut own = route(255, "10.2.3.4/32", "10.1.1.9");
        (own.kind, own.next_hops) = (RouteKind::Local, vec![NextHop::default()]);
        let mut dead = route(254, "10.2.0.0/16", "10.1.1.2");
        dead.next_hops.iter_mut().for_each(|hop| hop.dead = true);
        let state = NodeState {
            routes: vec![route(254, "0.0.0.0/0", "10.1.1.1"), dead, own],
            ..NodeState::default()
        };
        let found = state.route(&to("10.2.3.4")).map(|route| route.kind);
        assert_eq!(found, Some(RouteKind::Local));
        assert_eq!(via(&state, to("10.2.3.5")).as_deref(), Some("10.1.1.1"));
    }

    #[test]
    fn a_rule_sends_a_source_to_its_own_table_and_a_throw_back() {
        let mut from = rule(100, 7);
        from.from = Some("172.16.4.99/32".parse().unwrap());
        let mut throw = route(7, "10.2.0.0/16", "10.1.1.9");
        throw.kind = RouteKind::Throw;
        let state = NodeState {
            rules: vec![rule(32766, 254), rule(0, 255), from],
            routes: vec![
                route(254, "0.0.0.0/0", "10.1.1.1"),
                route(7, "0.0.0.0/0", "10.1.1.7"),
                throw,
            ],
            ..NodeState::default()
        };
        let vip = "172.16.4.99".parse().unwrap();
        assert_eq!(via(&state, to("10.9.9.9").from(vip)).as_deref(), Some("10.1.1.7"));
        assert_eq!(via(&state, to("10.2.9.9").from(vip)).as_deref(), Some("10.1.1.1"));
        assert_eq!(via(&state, to("10.9.9.9")).as_deref(), Some("10.1.1.1"));
    }

    #[test]
    fn a_rule_may_refuse_and_may_be_for_one_device_or_mark() {
        let mut refuses = rule(10, 0);
        (refuses.action, refuses.input) = (RuleAction::Prohibit, Some("eth1".to_owned()));
        let mut marked = rule(20, 7);
        marked.mark = Some((1, 0xff));
        let state = NodeState {
            rules: vec![refuses, marked, rule(32766, 254)],
            routes: vec![route(254, "0.0.0.0/0", "10.1.1.1"), route(7, "0.0.0.0/0", "10.1.1.7")],
            ..NodeState::default()
        };
        assert_eq!(state.route(&to("10.9.9.9").by("eth1")), None);
        assert_eq!(via(&state, to("10.9.9.9").by("eth0")).as_deref(), Some("10.1.1.1"));
        let marked = RouteQuery { mark: 0x101, ..to("10.9.9.9") };
        assert_eq!(via(&state, marked).as_deref(), Some("10.1.1.7"));
    }
}
