//! What was changed in a node since its lab was built: two states of it against each other. Pure.

use labsim_lab::Setup;
use labsim_model::node_state::{
    Address, AddressScope, Device, FilterChain, Neighbour, NeighbourState, NextHop, Route,
    RouteKind, Rule, RuleAction,
};
use labsim_model::{NodeState, StatePart};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// The kernel's own table of routes (rtnetlink(7)): what is in it follows from the addresses.
const LOCAL_TABLE: u32 = 255;
/// The table that routes are in unless another is named.
const MAIN_TABLE: u32 = 254;

/// Compares a part of two states.
type Compare = fn(&NodeState, &NodeState) -> Vec<String>;

/// What `now` differs in from `built`: devices, addresses, routes, rules, neighbours that were set by hand,
/// sysctls and packet filters, a phrase each. A part that was not read as a whole is named instead.
#[must_use]
pub fn changes(built: &NodeState, now: &NodeState) -> Vec<String> {
    let mut found = Vec::new();
    let parts: [(StatePart, Compare); 8] = [
        (StatePart::Devices, devices),
        (StatePart::Qdiscs, qdiscs),
        (StatePart::Addresses, |built, now| sets(&addresses(built), &addresses(now))),
        (StatePart::Routes, |built, now| sets(&routes(built), &routes(now))),
        (StatePart::Rules, |built, now| sets(&rules(built), &rules(now))),
        (StatePart::Neighbours, |built, now| sets(&neighbours(built), &neighbours(now))),
        (StatePart::Sysctls, sysctls),
        (StatePart::Filters, |built, now| sets(&filters(built), &filters(now))),
    ];
    for (part, compare) in parts {
        match [built, now].iter().find_map(|state| state.incomplete.get(&part)) {
            Some(reason) => found.push(format!("{part} cannot be compared: {reason}")),
            None => found.extend(compare(built, now)),
        }
    }
    found
}

/// What has gone, and what is new.
fn sets(built: &BTreeSet<String>, now: &BTreeSet<String>) -> Vec<String> {
    let gone = built.difference(now).map(|it| format!("gone: {it}"));
    gone.chain(now.difference(built).map(|it| format!("new: {it}"))).collect()
}

fn devices(built: &NodeState, now: &NodeState) -> Vec<String> {
    let names = |state: &NodeState| {
        state.devices.iter().map(|it| format!("device {}", it.name)).collect::<BTreeSet<_>>()
    };
    let mut found = sets(&names(built), &names(now));
    for device in &now.devices {
        let name = &device.name;
        let Some(was) = built.devices.iter().find(|was| was.name == *name) else { continue };
        if device.up != was.up {
            found.push(format!("{name} is {}", if device.up { "up" } else { "down" }));
        }
        if device.mtu != was.mtu {
            found.push(format!("the MTU of {name} is {}, was {}", device.mtu, was.mtu));
        }
        if device.mac != was.mac {
            let [is, had] = [device, was].map(|it| it.mac.as_deref().unwrap_or("none"));
            found.push(format!("the MAC address of {name} is {is}, was {had}"));
        }
        if device.noarp != was.noarp {
            let resolves =
                if device.noarp { "resolves no neighbours" } else { "resolves neighbours" };
            found.push(format!("{name} {resolves}"));
        }
        if device.tunnel != was.tunnel {
            found.push(format!("the tunnel {name} has other settings"));
        }
        // The same name, and another device.
        if device.index != was.index {
            found.push(format!("{name} was made anew"));
        }
    }
    found
}

/// The queueing disciplines that devices themselves have; one that is down has none of its own.
fn qdiscs(built: &NodeState, now: &NodeState) -> Vec<String> {
    let root = |device: &Device| {
        let root = device.qdiscs.iter().find(|qdisc| qdisc.root);
        root.map_or_else(|| "none".to_owned(), |qdisc| qdisc.kind.clone())
    };
    let changed = now.devices.iter().filter_map(|device| {
        let was = built.devices.iter().find(|was| was.name == device.name)?;
        let (is, had) = (root(device), root(was));
        let changed = device.up && was.up && is != had;
        changed.then(|| format!("the queueing discipline of {} is {is}, was {had}", device.name))
    });
    changed.collect()
}

/// The rules in the words of ip-rule(8).
fn rules(state: &NodeState) -> BTreeSet<String> {
    state.rules.iter().map(show_rule).collect()
}

fn show_rule(rule: &Rule) -> String {
    let Rule { ipv4, priority, from, to, input, mark, inverted, further, action } = rule;
    let mut text = format!("{} rule {priority}:", if *ipv4 { "IPv4" } else { "IPv6" });
    let mut add = |word: &str, value: Option<String>| {
        if let Some(value) = value {
            text.extend([" ", word, if word.is_empty() { "" } else { " " }, value.as_str()]);
        }
    };
    add("", inverted.then(|| "not".to_owned()));
    add("from", Some(from.map_or_else(|| "all".to_owned(), |it| it.to_string())));
    add("to", to.map(|it| it.to_string()));
    add("iif", input.clone());
    add("fwmark", mark.map(|(mark, mask)| format!("{mark:#x}/{mask:#x}")));
    add("", further.then(|| "(and other conditions)".to_owned()));
    add(
        "",
        Some(match action {
            RuleAction::Table(table) => format!("lookup {table}"),
            RuleAction::Blackhole => "blackhole".to_owned(),
            RuleAction::Unreachable => "unreachable".to_owned(),
            RuleAction::Prohibit => "prohibit".to_owned(),
            RuleAction::Other => "another action".to_owned(),
        }),
    );
    text
}

/// Those that were set by hand: the others come and go.
fn neighbours(state: &NodeState) -> BTreeSet<String> {
    let by_hand = state.neighbours.iter().filter(|it| it.state == NeighbourState::Permanent);
    let show = |it: &Neighbour| {
        let mac = it.mac.as_deref().unwrap_or("none");
        format!("neighbour {} dev {} lladdr {mac}", it.address, it.device)
    };
    by_hand.map(show).collect()
}

/// Chains and their rules, by the numbers that `nft -a list ruleset` shows: a rule that is replaced gets
/// another one.
fn filters(state: &NodeState) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for FilterChain { family, table, name, hook, priority, policy, rules } in &state.filters {
        let mut text = format!("chain {family} {table} {name}");
        let at = hook.as_ref().map(|hook| format!(" at {hook}"));
        let priority = priority.map(|it| format!(" priority {it}"));
        let policy = policy.as_ref().map(|it| format!(" policy {it}"));
        text.extend([at, priority, policy].into_iter().flatten());
        all.insert(text);
        for rule in rules {
            let verdict = rule.verdict.as_ref().map(|it| format!(": {it}")).unwrap_or_default();
            let number = rule.handle;
            all.insert(format!("rule {number} of chain {family} {table} {name}{verdict}"));
        }
    }
    all
}

/// The addresses, but for those that the kernel makes of a link-layer address.
fn addresses(state: &NodeState) -> BTreeSet<String> {
    let is_made = |it: &&Address| it.address.addr().is_ipv6() && it.scope == AddressScope::Link;
    let addresses = state.addresses.iter().filter(|it| !is_made(it));
    addresses.map(|it| format!("address {} on {}", it.address, it.device)).collect()
}

/// The routes, but for the kernel's own.
fn routes(state: &NodeState) -> BTreeSet<String> {
    let is_own = |route: &&Route| match route.destination.addr() {
        _ if route.table == LOCAL_TABLE => true,
        IpAddr::V6(address) => {
            let to_link = address.is_unicast_link_local() || address.is_multicast();
            to_link && route.destination.prefix_len() > 0
        }
        IpAddr::V4(_) => false,
    };
    state.routes.iter().filter(|route| !is_own(route)).map(show).collect()
}

/// A route in the words of ip-route(8).
fn show(route: &Route) -> String {
    let Route { table, destination, kind, next_hops, source, metric, mtu, .. } = route;
    let mut text = String::from("route");
    let mut add = |word: &str, value: Option<String>| {
        if let Some(value) = value {
            text.extend([" ", word, if word.is_empty() { "" } else { " " }, value.as_str()]);
        }
    };
    add("", (*kind != RouteKind::Unicast).then(|| kind.to_string()));
    add("", Some(destination.to_string()));
    for NextHop { gateway, device, .. } in next_hops {
        add("via", gateway.map(|it| it.to_string()));
        add("dev", device.clone());
    }
    add("src", source.map(|it| it.to_string()));
    add("metric", (*metric != 0).then(|| metric.to_string()));
    add("mtu", mtu.map(|it| it.to_string()));
    add("table", (*table != MAIN_TABLE).then(|| table.to_string()));
    text
}

/// The settings that are there in both; those of a device come and go with it.
fn sysctls(built: &NodeState, now: &NodeState) -> Vec<String> {
    let own = now.sysctls.0.iter().filter(|(name, _)| !Setup::follows(name));
    let changed = own.filter_map(|(name, value)| {
        let was = built.sysctls.0.get(name).filter(|was| *was != value)?;
        // The kernel separates several numbers with tabs.
        let [value, was] = [value, was].map(|it| it.replace('\t', " "));
        Some(format!("{name} is {value}, was {was}"))
    });
    changed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(name: &str, up: bool, mtu: u32) -> Device {
        Device { name: name.to_owned(), up, mtu, ..Device::default() }
    }

    fn route(destination: &str, gateway: &str, table: u32) -> Route {
        let gateway = Some(gateway.parse().unwrap());
        Route {
            table,
            destination: destination.parse().unwrap(),
            kind: RouteKind::Unicast,
            next_hops: vec![NextHop { gateway, device: Some("eth0".to_owned()), dead: false }],
            source: None,
            metric: 0,
            mtu: None,
            advertised_mss: None,
        }
    }

    fn state(devices: Vec<Device>, routes: Vec<Route>, sysctls: &[(&str, &str)]) -> NodeState {
        let mut state = NodeState { devices, routes, ..NodeState::default() };
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        state.sysctls.0 = sysctls.iter().map(pair).collect();
        state
    }

    #[test]
    fn what_is_gone_new_or_other_is_named_and_nothing_else() {
        let kernels = || route("10.1.1.51/32", "10.1.1.1", LOCAL_TABLE);
        let built = state(
            vec![device("lo", true, 65536), device("eth0", true, 1500)],
            vec![route("0.0.0.0/0", "10.1.1.1", MAIN_TABLE)],
            &[
                ("net.ipv4.ip_forward", "1"),
                ("net.ipv4.conf.eth0.rp_filter", "0"),
                ("net.ipv6.conf.eth0.mtu", "1500"),
            ],
        );
        let now = state(
            vec![device("eth0", false, 1400), device("dummy0", true, 1500)],
            vec![
                route("0.0.0.0/0", "10.1.1.9", MAIN_TABLE),
                route("::/0", "fe80::1", 7),
                kernels(),
            ],
            &[
                ("net.ipv4.ip_forward", "0"),
                ("net.ipv4.conf.dummy0.rp_filter", "0"),
                ("net.ipv6.conf.eth0.mtu", "1400"),
            ],
        );
        assert_eq!(
            changes(&built, &now),
            [
                "gone: device lo",
                "new: device dummy0",
                "eth0 is down",
                "the MTU of eth0 is 1400, was 1500",
                "gone: route 0.0.0.0/0 via 10.1.1.1 dev eth0",
                "new: route 0.0.0.0/0 via 10.1.1.9 dev eth0",
                "new: route ::/0 via fe80::1 dev eth0 table 7",
                "net.ipv4.ip_forward is 0, was 1",
            ]
        );
        assert_eq!(changes(&now, &now), [""; 0]);
    }

    #[test]
    fn a_part_that_was_not_read_is_named_and_not_compared() {
        let built = state(vec![], vec![route("0.0.0.0/0", "10.1.1.1", MAIN_TABLE)], &[]);
        let mut now = NodeState::default();
        now.incomplete.insert(StatePart::Routes, "there are more than 4096".to_owned());
        assert_eq!(changes(&built, &now), ["routes cannot be compared: there are more than 4096"]);
    }
}
