//! Packet filters: who has them, and their chains. Rules are read in [`rule`].

mod rule;
mod tokens;
mod value;

use super::lookup::Lookup;
use super::{Report, address};
use crate::file::{Presence, RawChain, RawFilter};
use crate::model::filter::{Chain, Field, Filter, Hook, Policy, Rule, Test, Verdict};
use crate::model::{FilterName, InterfaceName, LoadBalancer, NodeName, RealServer};
use crate::text::{listed, quoted};
use labsim_codes::file;
use labsim_yaml::{Located, Scalar, Span, Table};
use std::collections::BTreeMap;

/// Most filters of a scenario.
const FILTERS: usize = 64;
/// Most rules of a filter, each counted once for every value of its sets: one transaction holds
/// them, with room to spare.
const RULES: usize = 256;
/// Longest rule in bytes.
const LONGEST: usize = 500;
/// Priorities reach from -this to this; the kernel's own are between.
const PRIORITY: i32 = 1000;

/// Resolves all filters.
pub(super) fn filters(
    table: &Table<Located<RawFilter>>,
    load_balancers: &BTreeMap<NodeName, LoadBalancer>,
    real_servers: &BTreeMap<NodeName, RealServer>,
    lookup: &Lookup<'_>,
    report: &mut Report<'_>,
) -> Vec<Filter> {
    if let Some((key, _)) = table.iter().nth(FILTERS) {
        report.limit(key.span, table.len(), FILTERS, "filter");
    }
    let mut filters = Vec::new();
    for (key, fields) in table.iter().take(FILTERS) {
        let name = report.take(key.span, FilterName::new(key));
        let nodes = lookup.nodes(&fields.value.nodes, report);
        // One that is a router or a server too, or has the VIP, has a kernel that filters.
        let is_balancer_alone = |node: &&Located<NodeName>| {
            let name = &node.value;
            let has_vip = |vip| lookup.owner(vip).is_some_and(|owner| owner.node == *name);
            load_balancers.get(name).is_some_and(|balancer| {
                let mut servers = balancer.virtual_servers.values();
                !real_servers.contains_key(name)
                    && !lookup.get(name).is_some_and(|node| node.forward)
                    && !servers.any(|server| has_vip(server.destination.ip()))
            })
        };
        for node in nodes.iter().filter(is_balancer_alone) {
            report.warn(
                node.span,
                file::NO_EFFECT,
                format!(
                    "the forwarder of `{}` takes packets before a filter of the node's kernel sees \
                     them; put the filter on a node beside it",
                    node.value
                ),
            );
        }
        let names: Vec<NodeName> = nodes.into_iter().map(|node| node.value).collect();
        let devices = Devices { nodes: &names, lookup, real_servers };
        let chains = chains(key.span, &fields.value, &devices, report);
        let Some(name) = name else { continue };
        let present = fields.value.state.is_none_or(|state| state.value == Presence::Present);
        filters.push(Filter { name, nodes: names, present, chains });
    }
    filters
}

/// A DSCP: a number, or one of nftables' names.
pub(super) fn dscp(text: &str) -> Result<u8, String> {
    let field = Field::find("ip dscp").ok_or_else(|| "a DSCP is from 0 to 63".to_owned())?;
    let number = value::number(field, text)?;
    u8::try_from(number).map_err(|error| error.to_string())
}

fn chains(
    key: Span,
    fields: &RawFilter,
    devices: &Devices<'_>,
    report: &mut Report<'_>,
) -> Vec<Chain> {
    let RawFilter { nodes: _, state: _, prerouting, input, forward, output, postrouting } = fields;
    let written = [prerouting, input, forward, output, postrouting];
    let mut chains = Vec::new();
    let mut number = 0;
    for (hook, written) in Hook::ALL.into_iter().zip(written) {
        let Some(written) = written else { continue };
        chains.push(chain(hook, written, devices, &mut number, report));
    }
    if chains.is_empty() {
        report.empty(
            key,
            "this filter has no chain; add `input`, `forward`, `output`, `prerouting` or `postrouting`",
        );
    }
    report.limit(key, number, RULES, "rule");
    chains
}

fn chain(
    hook: Hook,
    written: &Located<RawChain>,
    devices: &Devices<'_>,
    number: &mut usize,
    report: &mut Report<'_>,
) -> Chain {
    let fields = &written.value;
    let texts = fields.rules.as_ref().map(address::each).unwrap_or_default();
    let policy = fields.policy.as_ref().map_or(Policy::default(), |policy| policy.value);
    // A policy that could not be read is an error already.
    if texts.is_empty() && policy == Policy::Accept && report.is_whole() {
        report.empty(
            written.span,
            "this chain drops nothing; add a rule such as `ip protocol icmp drop`, or `policy: drop`",
        );
    }
    let priority = fields.priority.as_ref();
    let priority =
        priority.and_then(|text| report.take(text.span, self::priority(text))).unwrap_or_default();
    let mut rules: Vec<Rule> = Vec::new();
    if texts.len() > RULES {
        *number = number.saturating_add(texts.len());
        return Chain { hook, priority, policy, rules };
    }
    for text in &texts {
        let Some(rule) = rule(hook, text, report) else { continue };
        *number = number.saturating_add(rule.alternatives());
        devices.check(&rule, text.span, report);
        rules.push(rule);
    }
    Chain { hook, priority, policy, rules }
}

fn priority(text: &Located<Scalar>) -> Result<i32, String> {
    let number = text.value.0.parse().ok().filter(|it| (-PRIORITY..=PRIORITY).contains(it));
    number.ok_or_else(|| {
        format!(
            "{} is not a valid priority; write a number from -{PRIORITY} to {PRIORITY}",
            quoted(&text.value.0)
        )
    })
}

fn rule(hook: Hook, text: &Located<String>, report: &mut Report<'_>) -> Option<Rule> {
    if !report.plain(text, "rule", LONGEST) {
        return None;
    }
    let parsed = rule::parse(text).and_then(|parsed| {
        fits(hook, &parsed).map_err(|message| rule::Mistake { code: file::NO_EFFECT, message })?;
        Ok(parsed)
    });
    match parsed {
        Ok(rule::Parsed { matches, dscp, verdict }) => {
            let place = report.place(text.span);
            Some(Rule { text: text.value.clone(), matches, dscp, verdict, place })
        }
        Err(rule::Mistake { code, message }) => {
            report.at(text.span, code, message);
            None
        }
    }
}

/// Whether there is at a hook what a rule looks at, and what it does.
fn fits(hook: Hook, rule: &rule::Parsed) -> Result<(), String> {
    for one in &rule.matches {
        let words = one.field.words;
        if words == "iifname" && !hook.knows_input() {
            return Err(format!(
                "`iifname` never matches at `{hook}`, where packets have no incoming interface; write \
                 `oifname`, or put the rule at `input` or `forward`"
            ));
        }
        if words == "oifname" && !hook.knows_output() {
            return Err(format!(
                "`oifname` never matches at `{hook}`, where it is not known yet by which interface a \
                 packet goes out; write `iifname`, or put the rule at `forward` or `output`"
            ));
        }
    }
    match (rule.verdict, hook) {
        (Verdict::Reject(_), Hook::Postrouting) => Err(format!(
            "the kernel does not `reject` at `{hook}`; write `drop`, or put the rule at `forward` or \
             `output`"
        )),
        _ => Ok(()),
    }
}

/// The interfaces of a filter's nodes.
struct Devices<'a> {
    nodes: &'a [NodeName],
    lookup: &'a Lookup<'a>,
    real_servers: &'a BTreeMap<NodeName, RealServer>,
}

impl Devices<'_> {
    /// Warns of an interface that a node has not: the kernel takes it, and nothing matches. A
    /// module of the kernel's may still make one of that name.
    fn check(&self, rule: &Rule, span: Span, report: &mut Report<'_>) {
        if !self.lookup.knows_names() {
            return;
        }
        let tests = rule.matches.iter().filter_map(|one| match &one.test {
            Test::Interfaces(names) => Some(names),
            Test::Numbers { .. } => None,
        });
        for name in tests.flatten() {
            let lacks = |node: &&NodeName| self.of(node).is_some_and(|of| !of.contains(&name));
            let Some(node) = self.nodes.iter().find(lacks) else { continue };
            let known = self.of(node).unwrap_or_default();
            report.warn(
                span,
                file::UNKNOWN_NAME,
                format!("`{node}` has no interface `{name}`; it has {}", listed(known.iter())),
            );
        }
    }

    fn of(&self, node: &NodeName) -> Option<Vec<&InterfaceName>> {
        let found = self.lookup.get(node)?;
        let server = self.real_servers.get(node);
        let tunnels = server.into_iter().flat_map(|server| &server.tunnels).map(|it| &it.name);
        Some(found.interfaces.iter().map(|it| &it.name).chain(tunnels).collect())
    }
}
