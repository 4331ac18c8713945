//! Packet filters: the chains and rules of nftables (linux/netfilter/nf_tables.h).

use super::{MOST, Reader};
use labsim_model::StatePart;
use labsim_model::node_state::{FilterChain, FilterRule};
use labsim_sys::Errno;
use labsim_sys::netlink::attribute::{each, find};
use labsim_sys::netlink::{Listing, nftables};
use std::collections::BTreeMap;

/// `struct nfgenmsg`, in bytes.
const HEADER: usize = 4;
/// Expressions of a rule that are named at most.
const MOST_EXPRESSIONS: usize = 32;

/// `NFTA_CHAIN_*`, `NFTA_HOOK_*`.
mod chain {
    pub(super) const TABLE: u16 = 1;
    pub(super) const NAME: u16 = 3;
    pub(super) const HOOK: u16 = 4;
    pub(super) const POLICY: u16 = 5;
    pub(super) const HOOK_NUMBER: u16 = 1;
    pub(super) const HOOK_PRIORITY: u16 = 2;
}

/// `NFTA_RULE_*`, `NFTA_EXPR_*`, and those of expressions.
mod rule {
    pub(super) const TABLE: u16 = 1;
    pub(super) const CHAIN: u16 = 2;
    pub(super) const HANDLE: u16 = 3;
    pub(super) const EXPRESSIONS: u16 = 4;
    pub(super) const NAME: u16 = 1;
    pub(super) const DATA: u16 = 2;
    pub(super) const COUNTER_PACKETS: u16 = 2;
    pub(super) const IMMEDIATE_DATA: u16 = 2;
    pub(super) const DATA_VERDICT: u16 = 2;
    pub(super) const VERDICT_CODE: u16 = 1;
    pub(super) const VERDICT_CHAIN: u16 = 2;
    pub(super) const TARGET_NAME: u16 = 1;
}

/// Reads them in the calling thread's namespace.
pub(super) fn read(reader: &mut Reader) -> Vec<FilterChain> {
    for file in ["ip_tables_names", "ip6_tables_names"] {
        let names = reader.file(StatePart::Filters, file);
        let names: Vec<_> = names.split_whitespace().collect();
        if !names.is_empty() {
            let names = names.join(", ");
            let reason = format!("tables of the older iptables ({names}) are not read");
            reader.lacks(StatePart::Filters, reason);
        }
    }
    let mut list = |listed: Result<Listing, Errno>| match listed {
        Ok(Listing { messages, complete }) => {
            if !complete {
                reader.lacks(StatePart::Filters, format!("there are more than {MOST}"));
            }
            messages
        }
        // A kernel without nftables has none: NETLINK_NETFILTER is unknown, or its subsystem.
        Err(Errno::EPROTONOSUPPORT | Errno::EINVAL | Errno::EOPNOTSUPP) => Vec::new(),
        Err(errno) => {
            reader.lacks(StatePart::Filters, errno.desc());
            Vec::new()
        }
    };
    let chains = list(nftables::all_chains(MOST));
    let rules = if chains.is_empty() { Vec::new() } else { list(nftables::all_rules(MOST)) };
    combine(&chains, &rules)
}

/// Puts each rule into its chain.
fn combine(chains: &[Vec<u8>], rules: &[Vec<u8>]) -> Vec<FilterChain> {
    let mut found: Vec<_> = chains.iter().filter_map(|message| to_chain(message)).collect();
    let key = |family: &str, table: &str, name: &str| format!("{family} {table} {name}");
    let places: BTreeMap<_, _> = found
        .iter()
        .enumerate()
        .map(|(at, chain)| (key(&chain.family, &chain.table, &chain.name), at))
        .collect();
    for message in rules {
        let Some((family, table, name, rule)) = to_rule(message) else { continue };
        let place = places.get(&key(family, &table, &name));
        if let Some(chain) = place.and_then(|at| found.get_mut(*at)) {
            chain.rules.push(rule);
        }
    }
    found
}

fn to_chain(message: &[u8]) -> Option<FilterChain> {
    let number = *message.first()?;
    let attributes = message.get(HEADER..)?;
    let hook = find(attributes, chain::HOOK);
    let hook_number = hook.and_then(|hook| word(find(hook, chain::HOOK_NUMBER)?));
    let priority = hook.and_then(|hook| word(find(hook, chain::HOOK_PRIORITY)?));
    let policy = find(attributes, chain::POLICY).and_then(word);
    Some(FilterChain {
        family: family(number).to_owned(),
        table: text(find(attributes, chain::TABLE)?),
        name: text(find(attributes, chain::NAME)?),
        hook: hook_number.map(|hook| hook_name(number, hook)),
        priority: priority.map(u32::cast_signed),
        policy: policy.map(|code| verdict(code.cast_signed(), None)),
        rules: Vec::new(),
    })
}

fn to_rule(message: &[u8]) -> Option<(&'static str, String, String, FilterRule)> {
    let family = family(*message.first()?);
    let attributes = message.get(HEADER..)?;
    let table = text(find(attributes, rule::TABLE)?);
    let chain = text(find(attributes, rule::CHAIN)?);
    let handle = find(attributes, rule::HANDLE).and_then(long).unwrap_or_default();
    let mut found = FilterRule { handle, ..FilterRule::default() };
    let expressions = find(attributes, rule::EXPRESSIONS).unwrap_or_default();
    for (_, expression) in each(expressions).take(MOST_EXPRESSIONS) {
        let Some(name) = find(expression, rule::NAME).map(text) else { continue };
        let data = find(expression, rule::DATA).unwrap_or_default();
        match name.as_str() {
            "counter" => found.packets = find(data, rule::COUNTER_PACKETS).and_then(long),
            "reject" => found.verdict = Some("reject".to_owned()),
            "queue" => found.verdict = Some("queue".to_owned()),
            "immediate" => found.verdict = immediate(data).or(found.verdict),
            "target" => {
                let target = find(data, rule::TARGET_NAME).map(text);
                found.verdict = target.map(|name| name.to_lowercase()).or(found.verdict);
            }
            _ => {}
        }
        found.expressions.push(name);
    }
    Some((family, table, chain, found))
}

/// What an `immediate` expression decides, if it is a verdict.
fn immediate(data: &[u8]) -> Option<String> {
    let inside = find(data, rule::IMMEDIATE_DATA)?;
    let found = find(inside, rule::DATA_VERDICT)?;
    let code = word(find(found, rule::VERDICT_CODE)?)?.cast_signed();
    Some(verdict(code, find(found, rule::VERDICT_CHAIN).map(text)))
}

/// `NF_*` of linux/netfilter.h and `NFT_*` of nf_tables.h.
fn verdict(code: i32, chain: Option<String>) -> String {
    let to = |word: &str| match &chain {
        Some(chain) => format!("{word} {chain}"),
        None => word.to_owned(),
    };
    match code {
        0 => "drop".to_owned(),
        1 => "accept".to_owned(),
        3 => "queue".to_owned(),
        -1 => "continue".to_owned(),
        -2 => "break".to_owned(),
        -3 => to("jump"),
        -4 => to("goto"),
        -5 => "return".to_owned(),
        other => format!("verdict {other}"),
    }
}

/// `NFPROTO_*` of linux/netfilter.h.
const FAMILIES: [(u8, &str); 6] =
    [(1, "inet"), (2, "ip"), (3, "arp"), (5, "netdev"), (7, "bridge"), (10, "ip6")];

fn family(number: u8) -> &'static str {
    FAMILIES.iter().find(|(one, _)| *one == number).map_or("other", |(_, word)| word)
}

/// The number of a family.
pub(crate) fn family_number(word: &str) -> Option<u8> {
    FAMILIES.iter().find(|(_, one)| *one == word).map(|(number, _)| *number)
}

/// The hooks' numbers depend on the family (linux/netfilter.h, netfilter_arp.h, netdev's).
fn hook_name(family: u8, hook: u32) -> String {
    let name = match (family, hook) {
        (3, 0) | (1 | 2 | 7 | 10, 1) => "input",
        (3, 1) | (1 | 2 | 7 | 10, 3) => "output",
        (3, 2) | (1 | 2 | 7 | 10, 2) => "forward",
        (5, 0) | (1, 5) => "ingress",
        (5, 1) => "egress",
        (1 | 2 | 7 | 10, 0) => "prerouting",
        (1 | 2 | 7 | 10, 4) => "postrouting",
        _ => return format!("hook {hook}"),
    };
    name.to_owned()
}

fn word(value: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(value.try_into().ok()?))
}

fn long(value: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(value.try_into().ok()?))
}

/// Up to the zero byte at the end.
fn text(value: &[u8]) -> String {
    let name = value.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(name).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use labsim_sys::netlink::attribute::{encode, nested, plain};

    fn chain_message() -> Vec<u8> {
        let hook = nested(
            chain::HOOK,
            &[
                plain(chain::HOOK_NUMBER, &2_u32.to_be_bytes()),
                plain(chain::HOOK_PRIORITY, &(-10_i32).to_be_bytes()),
            ],
        );
        let attributes = encode(&[
            plain(chain::TABLE, b"filter\0"),
            plain(chain::NAME, b"forward\0"),
            hook,
            plain(chain::POLICY, &1_u32.to_be_bytes()),
        ]);
        [vec![1, 0, 0, 0], attributes].concat()
    }

    fn rule_message() -> Vec<u8> {
        let counter = [plain(1, &[0; 8]), plain(rule::COUNTER_PACKETS, &42_u64.to_be_bytes())];
        let counter = [plain(rule::NAME, b"counter\0"), nested(rule::DATA, &counter)];
        let code = [plain(rule::VERDICT_CODE, &0_u32.to_be_bytes())];
        let data =
            [plain(1, &[0; 4]), nested(rule::IMMEDIATE_DATA, &[nested(rule::DATA_VERDICT, &code)])];
        let drops = [plain(rule::NAME, b"immediate\0"), nested(rule::DATA, &data)];
        let attributes = encode(&[
            plain(rule::TABLE, b"filter\0"),
            plain(rule::CHAIN, b"forward\0"),
            plain(rule::HANDLE, &7_u64.to_be_bytes()),
            nested(rule::EXPRESSIONS, &[nested(1, &counter), nested(1, &drops)]),
        ]);
        [vec![1, 0, 0, 0], attributes].concat()
    }

    #[test]
    fn a_chain_has_its_hook_priority_policy_and_rules() {
        let found = combine(&[chain_message()], &[rule_message()]);
        let [chain] = &found[..] else { panic!("{found:?}") };
        assert_eq!((chain.family.as_str(), chain.name.as_str()), ("inet", "forward"));
        assert_eq!((chain.hook.as_deref(), chain.priority), (Some("forward"), Some(-10)));
        assert_eq!(chain.policy.as_deref(), Some("accept"));
        let rule = FilterRule {
            handle: 7,
            packets: Some(42),
            verdict: Some("drop".to_owned()),
            expressions: vec!["counter".to_owned(), "immediate".to_owned()],
        };
        assert_eq!(chain.rules, [rule]);
        assert!(chain.may_drop());
    }

    #[test]
    fn any_cut_or_zeroed_message_is_read_without_a_panic() {
        for whole in [chain_message(), rule_message()] {
            for cut in 0..whole.len() {
                let _ = combine(&[whole[..cut].to_vec()], &[whole[..cut].to_vec()]);
                let mut zeroed = whole.clone();
                zeroed[cut] = 0;
                let _ = combine(&[zeroed.clone()], &[zeroed]);
            }
        }
    }
}
