//! Packet filters of nodes: made by netlink (nf_tables), without nft(8), and their counters.

mod compile;

use crate::build::refusal_error;
use crate::error::BuildError;
use crate::lab::Node;
use crate::state::family_number;
use compile::{INET, changes, removal, table_name};
use labsim_scenario::model::filter::{
    Chain, Decided, Field, Filter, Hook, Match, Policy, Reject, Rule, Test, Verdict,
};
use labsim_scenario::model::{FilterName, NodeName, Place};
use labsim_sys::Errno;
use labsim_sys::netlink::Refusal;
use labsim_sys::netlink::attribute::{each, find};
use labsim_sys::netlink::nftables::{Change, rules, transact};
use std::collections::BTreeMap;
use std::io;

/// A filter of one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterPlan {
    /// The table's name.
    pub name: FilterName,
    /// Whether the node has it when it is built.
    pub present: bool,
    /// Its chains.
    pub chains: Vec<Chain>,
}

/// A filter of a running node, while steps put it in and take it out.
#[derive(Debug)]
pub(crate) struct FilterState {
    /// Whether it is in.
    pub(crate) present: bool,
    /// What its rules had counted when it was last taken out; nothing if it never was.
    pub(crate) before: Vec<u64>,
}

impl FilterState {
    /// As the plan has it.
    pub(crate) fn of(plan: &FilterPlan) -> Self {
        Self { present: plan.present, before: Vec::new() }
    }
}

impl FilterPlan {
    /// Those of a node.
    pub(crate) fn of_node(filters: &[Filter], node: &NodeName) -> Vec<Self> {
        let of_node = filters.iter().filter(|filter| filter.nodes.contains(node));
        let plan = |filter: &Filter| Self {
            name: filter.name.clone(),
            present: filter.present,
            chains: filter.chains.clone(),
        };
        of_node.map(plan).collect()
    }

    /// Makes it in the namespace of the calling thread, which is the named node's. It goes with the
    /// namespace.
    pub(crate) fn apply(&self, node: &NodeName) -> Result<(), BuildError> {
        let (changes, what): (Vec<_>, Vec<_>) = changes(self).into_iter().unzip();
        transact(&changes).map(drop).map_err(|refusal| {
            let position = refusal.what.and_then(|position| what.get(position));
            let what = position.map_or_else(|| format!("the filter {}", self.name), Clone::clone);
            refused(node, what, &refusal)
        })
    }

    /// Takes it out of the namespace of the calling thread, which is the named node's.
    fn remove(&self, node: &NodeName) -> Result<(), BuildError> {
        transact(&[removal(&self.name)])
            .map(drop)
            .map_err(|refusal| refused(node, format!("the filter {}", self.name), &refusal))
    }

    /// Its counters, in the namespace of the calling thread: for each chain those of the rules,
    /// and then the policy's.
    fn decided(&self, state: &FilterState) -> Result<Vec<Decided>, Errno> {
        let mut by_chain: BTreeMap<Vec<u8>, Vec<u64>> = BTreeMap::new();
        let rules = if state.present { rules(INET, &table_name(&self.name))? } else { Vec::new() };
        for rule in rules {
            let chain = find(&rule, compile::RULE_CHAIN).unwrap_or_default();
            by_chain.entry(chain.to_vec()).or_default().push(counted(&rule));
        }
        let mut counters = Vec::new();
        for chain in &self.chains {
            let counted = by_chain.remove(&compile::chain_name(chain.hook)).unwrap_or_default();
            let mut counted = counted.into_iter();
            let rules = chain.rules.iter();
            let rules = rules.map(|rule| (rule.text.clone(), rule.drops(), rule.alternatives()));
            let policy = (format!("policy {}", chain.policy), chain.policy == Policy::Drop, 1);
            for (by, drops, number) in rules.chain([policy]) {
                let packets = counted.by_ref().take(number).fold(0, u64::saturating_add);
                let (filter, hook) = (self.name.clone(), chain.hook);
                counters.push(Decided { filter, hook, by, drops, packets });
            }
        }
        for (now, before) in counters.iter_mut().zip(&state.before) {
            now.packets = now.packets.saturating_add(*before);
        }
        Ok(counters)
    }
}

fn refused(node: &NodeName, what: String, refusal: &Refusal<usize>) -> BuildError {
    match refusal.errno {
        // Of a socket, a subsystem, a family; and of a chain's or an expression's kind.
        Errno::EPROTONOSUPPORT | Errno::EOPNOTSUPP | Errno::EAFNOSUPPORT | Errno::ENOENT => {
            BuildError::NoFilter { node: node.to_string(), what, reason: refusal.to_string() }
        }
        _ => refusal_error(refusal, format!("{what} on {node}")),
    }
}

/// The packets of a rule's counter (`NFTA_COUNTER_PACKETS`).
fn counted(rule: &[u8]) -> u64 {
    let expressions = find(rule, compile::RULE_EXPRESSIONS).unwrap_or_default();
    let counter = each(expressions)
        .filter(|(_, one)| {
            find(one, compile::NAME).is_some_and(|name| name.starts_with(b"counter\0"))
        })
        .find_map(|(_, one)| find(one, compile::DATA));
    let packets = find(counter.unwrap_or_default(), 2).unwrap_or_default();
    packets.try_into().map(u64::from_be_bytes).unwrap_or_default()
}

impl Node {
    /// What the rules of its filters have decided about, in the plan's order.
    ///
    /// # Errors
    /// The kernel refuses to list them.
    pub fn filtered(&self) -> io::Result<Vec<Decided>> {
        let filters = &self.plan().filters;
        if filters.is_empty() {
            return Ok(Vec::new());
        }
        let read = || {
            let states = self.filter_states();
            let all = filters.iter().zip(states.iter());
            all.map(|(filter, state)| filter.decided(state)).collect::<Result<Vec<_>, _>>()
        };
        Ok(self.run_passive(read)??.into_iter().flatten().collect())
    }

    /// Puts a filter of the plan in, or takes it out, on a thread that is in the node.
    pub(crate) fn set_filter_here(
        &self,
        name: &FilterName,
        present: bool,
    ) -> Result<(), BuildError> {
        let mut states = self.filter_states();
        let mut all = self.plan().filters.iter().zip(states.iter_mut());
        let found = all.find(|(filter, state)| filter.name == *name && state.present != present);
        let Some((filter, state)) = found else { return Ok(()) };
        if present {
            filter.apply(self.name())?;
        } else {
            let counted = filter.decided(state).map_err(|errno| BuildError::Refused {
                operation: format!("the counters of the filter {name} on {}", self.name()),
                reason: errno.desc().to_owned(),
            })?;
            filter.remove(self.name())?;
            state.before = counted.into_iter().map(|one| one.packets).collect();
        }
        state.present = present;
        Ok(())
    }
}

impl Node {
    /// Takes note that these tables, by family and name, go: what their rules have counted stays counted.
    /// On a thread that is in the node.
    pub(crate) fn forget_filters_here(&self, gone: &[(String, String)]) -> Result<(), BuildError> {
        let mut states = self.filter_states();
        for (filter, state) in self.plan().filters.iter().zip(states.iter_mut()) {
            let goes = |(family, table): &(String, String)| {
                family == "inet" && table.as_bytes() == filter.name.as_str().as_bytes()
            };
            if gone.iter().any(goes) && state.present {
                let counted = filter.decided(state).map_err(|errno| BuildError::Refused {
                    operation: format!(
                        "the counters of the filter {} on {}",
                        filter.name,
                        self.name()
                    ),
                    reason: errno.desc().to_owned(),
                })?;
                state.before = counted.into_iter().map(|one| one.packets).collect();
                state.present = false;
            }
        }
        Ok(())
    }

    /// Makes the filters that the plan has and that are not in. On a thread that is in the node.
    pub(crate) fn make_filters_here(&self) -> Result<(), BuildError> {
        let planned = self.plan().filters.iter().filter(|filter| filter.present);
        planned.into_iter().try_for_each(|filter| self.set_filter_here(&filter.name, true))
    }
}

/// The removal of any table.
pub(crate) fn table_removal(family: &str, table: &str) -> Option<Change> {
    let name = [table.as_bytes(), b"\0"].concat();
    Some(compile::table_removal(family_number(family)?, &name))
}

/// Tries every kind of rule in the namespace of the calling thread.
pub(crate) fn try_here() -> Result<(), Errno> {
    let Ok(name) = FilterName::new("probe") else { return Ok(()) };
    let place = Place { file: String::new(), line: 0 };
    let rules =
        ["ct state", "ip frag-off", "tcp dport"].into_iter().filter_map(Field::find).map(|field| {
            Rule {
                text: field.words.to_owned(),
                matches: vec![Match {
                    field,
                    negated: false,
                    test: Test::Numbers { mask: Some(1), ranges: vec![(0, 1)] },
                }],
                dscp: None,
                verdict: Verdict::Reject(Reject::PortUnreachable),
                place: place.clone(),
            }
        });
    let chain =
        Chain { hook: Hook::Input, priority: 0, policy: Policy::Accept, rules: rules.collect() };
    let (changes, _): (Vec<_>, Vec<_>) =
        changes(&FilterPlan { name, present: true, chains: vec![chain] }).into_iter().unzip();
    transact(&changes).map(drop).map_err(|refusal| refusal.errno)
}
