//! Packet filters: rules that let what was dropped pass.

use super::{Change, Fix, Subject, list, scalar};
use labsim_scenario::model::NodeName;
use labsim_scenario::model::filter::{Chain, Filter, Hook, Policy};
use labsim_wire::protocol as ip_protocol;

/// Let fragments pass.
pub(in crate::diagnose) fn fragments(subject: &Subject<'_>, node: &NodeName) -> Fix {
    let fix = Fix::new(format!(
        "let fragments pass {node}, or lower the MTU of the sender so that none are needed"
    ));
    match subject.flow.destination.is_ipv4() {
        true => accept(fix, subject, node, "ip frag-off & 0x3fff != 0 accept"),
        false => fix.not_in_scenario("IPv6's fragments have no rule of one line"),
    }
}

/// Let a flow pass of which a stateful filter sees one direction.
pub(in crate::diagnose) fn half_flow(subject: &Subject<'_>, node: &NodeName, is_back: bool) -> Fix {
    let fix = Fix::new(format!(
        "use a stateless rule for this traffic on {node}, or route both directions by it"
    ));
    let word = if subject.flow.protocol == ip_protocol::TCP { "tcp" } else { "udp" };
    let port = subject.flow.destination.port();
    let end = if is_back { "sport" } else { "dport" };
    accept(fix, subject, node, &format!("{word} {end} {port} accept"))
}

/// Let an IP protocol pass.
pub(in crate::diagnose) fn protocol(subject: &Subject<'_>, node: &NodeName, number: u8) -> Fix {
    let fix = Fix::new(format!("let IP protocol {number} pass the filter on {node}"));
    accept(fix, subject, node, &format!("meta l4proto {number} accept"))
}

/// The fix with a rule that accepts, in front of every rule and policy that may drop there.
pub(super) fn accept(fix: Fix, subject: &Subject<'_>, node: &NodeName, rule: &str) -> Fix {
    let forwards = subject.node(node).is_some_and(|node| node.forward);
    let hooks: [Hook; 3] = match forwards {
        true => [Hook::Prerouting, Hook::Forward, Hook::Postrouting],
        false => [Hook::Prerouting, Hook::Input, Hook::Output],
    };
    let fix = of_state(fix, subject, node, &hooks, rule);
    let mut change = Change::default();
    let mut without: Vec<Fix> = Vec::new();
    for filter in subject.context.scenario.filters.iter().filter(|it| it.nodes.contains(node)) {
        for chain in filter.chains.iter().filter(|chain| hooks.contains(&chain.hook)) {
            if !has_dropped(subject, node, filter, chain) {
                continue;
            }
            change.lay(&with_rules(filter, chain, Some(rule), None));
            without.extend(dropping_rules(subject, node, filter, chain).map(|(place, text)| {
                Fix::new(format!("take the rule `{text}` out of {} on {node}", filter.name))
                    .change(&with_rules(filter, chain, None, Some(place)))
            }));
        }
    }
    if change.is_empty() {
        let reason = foreign(subject, node, &hooks);
        return fix.not_in_scenario(reason);
    }
    without.into_iter().fold(fix.change(&change), Fix::or)
}

/// The command for each chain of the node's kernel that may drop.
fn of_state(fix: Fix, subject: &Subject<'_>, node: &NodeName, hooks: &[Hook], rule: &str) -> Fix {
    let state = subject.state(node);
    let chains = state.into_iter().flat_map(|state| {
        hooks.iter().flat_map(|hook| state.filters_at(hook.name())).filter(|it| it.may_drop())
    });
    let commands: Vec<String> = chains
        .map(|chain| {
            let (family, table, name) = (&chain.family, &chain.table, &chain.name);
            format!("nft insert rule {family} {table} {name} {rule}")
        })
        .collect();
    match commands.is_empty() {
        true => fix.linux(node, format!("nft insert rule TABLE CHAIN {rule}")),
        false => commands.into_iter().fold(fix, |fix, command| fix.linux(node, command)),
    }
}

/// Whether the chain dropped packets there, as its counters say, or may have if they were not read.
fn has_dropped(subject: &Subject<'_>, node: &NodeName, filter: &Filter, chain: &Chain) -> bool {
    let may = chain.policy == Policy::Drop || chain.rules.iter().any(|rule| rule.drops());
    let counted = subject.context.observations.filtered.get(node);
    may && counted.is_none_or(|decided| {
        decided.iter().any(|it| {
            it.filter == filter.name && it.hook == chain.hook && it.drops && it.packets > 0
        })
    })
}

/// The rules of the chain that dropped packets there, by their places.
fn dropping_rules<'a>(
    subject: &Subject<'a>,
    node: &NodeName,
    filter: &'a Filter,
    chain: &'a Chain,
) -> impl Iterator<Item = (usize, &'a str)> {
    let counted = subject.context.observations.filtered.get(node);
    chain.rules.iter().enumerate().filter(|(_, rule)| rule.drops()).filter_map(
        move |(place, rule)| {
            let has = counted?.iter().any(|it| {
                let same = it.filter == filter.name && it.hook == chain.hook;
                same && it.by == rule.text && it.packets > 0
            });
            has.then_some((place, rule.text.as_str()))
        },
    )
}

/// The chain with another rule in front, or without one.
fn with_rules(
    filter: &Filter,
    chain: &Chain,
    first: Option<&str>,
    without: Option<usize>,
) -> Change {
    let own = chain.rules.iter().enumerate().filter(|(place, _)| Some(*place) != without);
    let own = own.map(|(_, rule)| rule.text.as_str());
    rules(filter, chain, first.into_iter().chain(own).collect())
}

/// The chain with these rules.
fn rules(filter: &Filter, chain: &Chain, texts: Vec<&str>) -> Change {
    let keys = ["filters", filter.name.as_str(), chain.hook.name()];
    if texts.is_empty() && chain.policy == Policy::Accept {
        let whole = if filter.chains.len() == 1 { &keys[..2] } else { &keys };
        return Change::of(whole, "null");
    }
    let [filters, name, hook] = keys;
    let of = |key: &str, yaml: String| Change::of(&[filters, name, hook, key], yaml);
    let mut change = of("rules", list(texts.into_iter().map(scalar)));
    change.lay(&of("policy", chain.policy.to_string()));
    if chain.priority != 0 {
        change.lay(&of("priority", chain.priority.to_string()));
    }
    change
}

/// Let a DSCP mark stay as it came.
pub(in crate::diagnose) fn mark(subject: &Subject<'_>, node: &NodeName) -> Fix {
    let fix = Fix::new(format!("have {node} trust the DSCP mark and keep it"));
    let mut change = Change::default();
    for filter in subject.context.scenario.filters.iter().filter(|it| it.nodes.contains(node)) {
        for chain in &filter.chains {
            let kept = chain.rules.iter().filter(|rule| rule.dscp.is_none());
            let kept: Vec<&str> = kept.map(|rule| rule.text.as_str()).collect();
            if kept.len() < chain.rules.len() {
                change.lay(&rules(filter, chain, kept));
            }
        }
    }
    match change.is_empty() {
        true => fix.not_in_scenario(format!(
            "no filter of the scenario on {node} writes marks: a program does"
        )),
        false => fix.change(&change),
    }
}

/// Why the filter cannot be changed by the scenario.
fn foreign(subject: &Subject<'_>, node: &NodeName, hooks: &[Hook]) -> String {
    let tables: Vec<String> = subject
        .state(node)
        .into_iter()
        .flat_map(|state| hooks.iter().flat_map(|hook| state.filters_at(hook.name())))
        .filter(|chain| chain.may_drop())
        .map(|chain| format!("chain {} of table {} {}", chain.name, chain.family, chain.table))
        .collect();
    let what = match tables.is_empty() {
        true => format!("the filter on {node} is not known"),
        false => format!(
            "what may drop on {node} ({}) is not made by the scenario's `filters`",
            tables.join(", ")
        ),
    };
    let programs: Vec<String> = subject
        .context
        .scenario
        .processes
        .iter()
        .filter(|process| process.nodes.contains(node))
        .map(|process| format!("`{}`", process.name))
        .collect();
    match programs.is_empty() {
        true => what,
        false => {
            let word = if programs.len() == 1 { "program" } else { "programs" };
            format!("{what}; the {word} {} can have made it", programs.join(", "))
        }
    }
}
