//! From a filter to nf_tables' messages (linux/netfilter/nf_tables.h): pure.
//!
//! A set is no set of nf_tables but a rule for each of its values, so that a kernel needs no more
//! than the expressions; their counters are added up.

use super::FilterPlan;
use labsim_scenario::model::filter::{
    Bytes, Chain, DscpRewrite, Family, Field, Hook, Location, Match, Policy, Reject, Rule, Test,
    Verdict,
};
use labsim_scenario::model::{FilterName, InterfaceName};
use labsim_sys::netlink::attribute::{DefaultNla, nested, plain};
use labsim_sys::netlink::nftables::Change;

/// `NFT_MSG_NEWTABLE`, `NFT_MSG_DELTABLE`, `NFT_MSG_NEWCHAIN`, `NFT_MSG_NEWRULE`.
const NEW_TABLE: u8 = 0;
const DELETE_TABLE: u8 = 2;
const NEW_CHAIN: u8 = 3;
const NEW_RULE: u8 = 6;
/// `NFPROTO_INET`: IPv4 and IPv6.
pub(super) const INET: u8 = 1;
/// `NFTA_RULE_CHAIN`, `NFTA_RULE_EXPRESSIONS`, `NFTA_EXPR_NAME`, `NFTA_EXPR_DATA`.
pub(super) const RULE_CHAIN: u16 = 2;
pub(super) const RULE_EXPRESSIONS: u16 = 4;
pub(super) const NAME: u16 = 1;
pub(super) const DATA: u16 = 2;

/// `NFT_REG_1` and `NFT_REG_VERDICT`; `NF_DROP` and `NF_ACCEPT`.
const REGISTER: u32 = 1;
const VERDICT: u32 = 0;
const DROP: u32 = 0;
const ACCEPT: u32 = 1;
/// `NFT_CMP_EQ` and `NFT_CMP_NEQ`, which are a range's operators as well.
const EQUAL: u32 = 0;
const DIFFERENT: u32 = 1;
/// `enum nft_payload_bases`.
const NETWORK_HEADER: u32 = 1;
const TRANSPORT_HEADER: u32 = 2;
/// `enum nft_meta_keys`.
const META_IIFNAME: u32 = 6;
const META_OIFNAME: u32 = 7;
const META_NFPROTO: u32 = 15;
const META_L4PROTO: u32 = 16;
/// `NFT_CT_STATE`.
const CT_STATE: u32 = 0;
/// `NFT_REJECT_TCP_RST`, `NFT_REJECT_ICMPX_UNREACH`.
const REJECT_TCP_RESET: u32 = 1;
const REJECT_ICMPX: u32 = 2;
const TCP: u8 = 6;
/// `IFNAMSIZ`: the kernel compares names with the zeros behind them.
const NAME_LENGTH: usize = 16;

/// A table's name as the kernel has it.
pub(super) fn table_name(name: &FilterName) -> Vec<u8> {
    terminated(name.as_str())
}

/// A chain's.
pub(super) fn chain_name(hook: Hook) -> Vec<u8> {
    terminated(hook.name())
}

fn terminated(text: &str) -> Vec<u8> {
    text.bytes().chain([0]).collect()
}

/// Everything that makes a filter, each with what it is for messages.
pub(super) fn changes(filter: &FilterPlan) -> Vec<(Change, String)> {
    let table = table_name(&filter.name);
    let new_table = Change { kind: NEW_TABLE, family: INET, attributes: vec![plain(1, &table)] };
    let mut changes = vec![(new_table, format!("the filter {}", filter.name))];
    for chain in &filter.chains {
        let what = format!("the chain {} of the filter {}", chain.hook, filter.name);
        changes.push((new_chain(&table, chain), what));
        for rule in &chain.rules {
            for expressions in of_rule(rule) {
                let what = format!("the rule `{}`", rule.text);
                changes.push((new_rule(&table, chain.hook, &expressions), what));
            }
        }
        // Counts what the policy decides about.
        let what = "the chain's policy".to_owned();
        changes.push((new_rule(&table, chain.hook, &[counter()]), what));
    }
    changes
}

/// What takes a filter out, with everything in it.
pub(super) fn removal(name: &FilterName) -> Change {
    table_removal(INET, &table_name(name))
}

/// The removal of any table, by its name with a zero byte.
pub(super) fn table_removal(family: u8, name: &[u8]) -> Change {
    Change { kind: DELETE_TABLE, family, attributes: vec![plain(1, name)] }
}

fn new_chain(table: &[u8], chain: &Chain) -> Change {
    // `enum nf_inet_hooks` (linux/netfilter.h).
    let hook = match chain.hook {
        Hook::Prerouting => 0,
        Hook::Input => 1,
        Hook::Forward => 2,
        Hook::Output => 3,
        Hook::Postrouting => 4,
    };
    let policy = match chain.policy {
        Policy::Accept => ACCEPT,
        Policy::Drop => DROP,
    };
    let hook = [number(1, hook), number(2, chain.priority.cast_unsigned())];
    let attributes = vec![
        plain(1, table),
        plain(3, &chain_name(chain.hook)),
        nested(4, &hook),
        number(5, policy),
        plain(7, b"filter\0"),
    ];
    Change { kind: NEW_CHAIN, family: INET, attributes }
}

fn new_rule(table: &[u8], hook: Hook, expressions: &[DefaultNla]) -> Change {
    let attributes = vec![
        plain(1, table),
        plain(RULE_CHAIN, &chain_name(hook)),
        nested(RULE_EXPRESSIONS, expressions),
    ];
    Change { kind: NEW_RULE, family: INET, attributes }
}

/// The expressions of each way in which a rule can match, in the order of [`Rule::alternatives`].
pub(super) fn of_rule(rule: &Rule) -> Vec<Vec<DefaultNla>> {
    let mut ways = vec![dependencies(rule)];
    for one in &rule.matches {
        let load = load(one.field);
        let conditions = conditions(one);
        ways = ways
            .into_iter()
            .flat_map(|before| {
                let load = &load;
                conditions
                    .iter()
                    .map(move |condition| [&before[..], &load[..], &condition[..]].concat())
            })
            .collect();
    }
    let rewrite = rule.dscp.map(rewrite_dscp).unwrap_or_default();
    let verdict = verdict(rule.verdict);
    for way in &mut ways {
        way.extend(rewrite.iter().cloned());
        way.push(counter());
        way.extend(verdict.clone());
    }
    ways
}

/// What a packet has to be for its fields to be there: nft(8) adds the same.
fn dependencies(rule: &Rule) -> Vec<DefaultNla> {
    let fields = || rule.matches.iter().map(|one| one.field);
    let mut expressions = Vec::new();
    let rewritten = rule.dscp.map(|rewrite| rewrite.family);
    if let Some(family) = fields().find_map(|field| field.family).or(rewritten) {
        let family = match family {
            Family::Ipv4 => 2,
            Family::Ipv6 => 10,
        };
        expressions.extend([meta(META_NFPROTO), compare(EQUAL, &[family])]);
    }
    let resets = matches!(rule.verdict, Verdict::Reject(Reject::TcpReset)).then_some(TCP);
    if let Some(protocol) = fields().find_map(|field| field.protocol).or(resets) {
        expressions.extend([meta(META_L4PROTO), compare(EQUAL, &[protocol])]);
    }
    expressions
}

/// Loads a field into the register.
fn load(field: &Field) -> Vec<DefaultNla> {
    match field.at {
        Location::InputName => vec![meta(META_IIFNAME)],
        Location::OutputName => vec![meta(META_OIFNAME)],
        Location::Protocol => vec![meta(META_L4PROTO)],
        Location::Connection => {
            vec![expression(b"ct\0", &[number(1, REGISTER), number(2, CT_STATE)])]
        }
        Location::Network(bytes) => vec![payload(NETWORK_HEADER, bytes)],
        Location::Transport(bytes) => vec![payload(TRANSPORT_HEADER, bytes)],
    }
}

/// The comparisons of a match: one of them has to hold, and of each list all. What must not be one
/// of several values is compared with all of them.
fn conditions(one: &Match) -> Vec<Vec<DefaultNla>> {
    let (masked, each): (Vec<DefaultNla>, Vec<DefaultNla>) = match &one.test {
        Test::Interfaces(names) => {
            let compare = |name: &InterfaceName| compare(operator(one.negated), &padded(name));
            (Vec::new(), names.iter().map(compare).collect())
        }
        Test::Numbers { mask, ranges } => {
            let compare = |range: &(u128, u128)| in_range(one, *range);
            (bits_of(one.field, *mask), ranges.iter().map(compare).collect())
        }
    };
    if one.negated {
        vec![[masked, each].concat()]
    } else {
        let with_mask = |condition| masked.iter().cloned().chain([condition]).collect();
        each.into_iter().map(with_mask).collect()
    }
}

fn operator(negated: bool) -> u32 {
    if negated { DIFFERENT } else { EQUAL }
}

fn padded(name: &InterfaceName) -> [u8; NAME_LENGTH] {
    let mut bytes = [0; NAME_LENGTH];
    bytes.iter_mut().zip(name.as_str().bytes()).for_each(|(place, byte)| *place = byte);
    bytes
}

fn in_range(one: &Match, (first, last): (u128, u128)) -> DefaultNla {
    let (first, last) = (bytes(one.field, first), bytes(one.field, last));
    if first == last {
        return compare(operator(one.negated), &first);
    }
    let parts = [
        number(1, REGISTER),
        number(2, operator(one.negated)),
        nested(3, &[plain(1, &first)]),
        nested(4, &[plain(1, &last)]),
    ];
    expression(b"range\0", &parts)
}

/// Leaves in the register what belongs to the field, and to the rule's mask.
fn bits_of(field: &Field, mask: Option<u128>) -> Vec<DefaultNla> {
    let own = match field.at {
        Location::Network(bytes) | Location::Transport(bytes) => bytes.mask,
        _ => None,
    };
    if own.is_none() && mask.is_none() {
        return Vec::new();
    }
    let every = bytes(field, u128::MAX);
    let mut mask = mask.map_or(every, |mask| bytes(field, mask));
    if let (Some(own), [byte]) = (own, mask.as_mut_slice()) {
        *byte &= own;
    }
    let length = u32::try_from(mask.len()).unwrap_or_default();
    let parts = [
        number(1, REGISTER),
        number(2, REGISTER),
        number(3, length),
        nested(4, &[plain(1, &mask)]),
        nested(5, &[plain(1, &vec![0; mask.len()])]),
    ];
    vec![expression(b"bitwise\0", &parts)]
}

/// A number as the register has it.
fn bytes(field: &Field, value: u128) -> Vec<u8> {
    let (width, shift) = match field.at {
        Location::Connection => return (value as u32).to_ne_bytes().to_vec(),
        Location::Protocol => (1, 0),
        Location::Network(Bytes { width, shift, .. })
        | Location::Transport(Bytes { width, shift, .. }) => (width as usize, shift),
        // Names are no numbers.
        Location::InputName | Location::OutputName => (NAME_LENGTH, 0),
    };
    let all = (value << shift).to_be_bytes();
    all.get(all.len().saturating_sub(width)..).unwrap_or_default().to_vec()
}

/// Nothing of a rule that goes on with the next.
fn verdict(verdict: Verdict) -> Option<DefaultNla> {
    let code = match verdict {
        Verdict::Continue => return None,
        Verdict::Accept => ACCEPT,
        Verdict::Drop => DROP,
        Verdict::Reject(reject) => return Some(rejection(reject)),
    };
    let verdict = nested(2, &[number(1, code)]);
    Some(expression(b"immediate\0", &[number(1, VERDICT), nested(2, &[verdict])]))
}

/// Writes the DSCP into the first two bytes of the IP header, as nft(8) does: IPv4's checksum is
/// kept right (`NFT_PAYLOAD_CSUM_INET`), and the congestion mark stays.
fn rewrite_dscp(DscpRewrite { family, value }: DscpRewrite) -> Vec<DefaultNla> {
    const WIDTH: u32 = 2;
    const CHECKSUM: u32 = 10;
    let value = u16::from(value);
    let (kept, new, checksum) = match family {
        Family::Ipv4 => (0xff03_u16, value << 2, 1),
        Family::Ipv6 => (0xf03f, value << 6, 0),
    };
    let bits = [
        number(1, REGISTER),
        number(2, REGISTER),
        number(3, WIDTH),
        nested(4, &[plain(1, &kept.to_be_bytes())]),
        nested(5, &[plain(1, &new.to_be_bytes())]),
    ];
    let mut write = vec![(5, REGISTER), (2, NETWORK_HEADER), (3, 0), (4, WIDTH), (6, checksum)];
    if checksum == 1 {
        write.push((7, CHECKSUM));
    }
    let write: Vec<DefaultNla> =
        write.into_iter().map(|(kind, value)| number(kind, value)).collect();
    vec![
        payload(NETWORK_HEADER, Bytes { offset: 0, width: WIDTH, mask: None, shift: 0 }),
        expression(b"bitwise\0", &bits),
        expression(b"payload\0", &write),
    ]
}

/// `enum nft_reject_inet_code`.
fn rejection(reject: Reject) -> DefaultNla {
    let code: u8 = match reject {
        Reject::TcpReset => {
            return expression(b"reject\0", &[number(1, REJECT_TCP_RESET)]);
        }
        Reject::NoRoute => 0,
        Reject::PortUnreachable => 1,
        Reject::HostUnreachable => 2,
        Reject::AdminProhibited => 3,
    };
    expression(b"reject\0", &[number(1, REJECT_ICMPX), plain(2, &[code])])
}

fn counter() -> DefaultNla {
    expression(b"counter\0", &[])
}

fn meta(key: u32) -> DefaultNla {
    expression(b"meta\0", &[number(1, REGISTER), number(2, key)])
}

fn payload(base: u32, Bytes { offset, width, .. }: Bytes) -> DefaultNla {
    let parts = [(1, REGISTER), (2, base), (3, offset), (4, width)];
    expression(b"payload\0", &parts.map(|(kind, value)| number(kind, value)))
}

/// Leaves the rule unless the register compares so.
fn compare(operator: u32, with: &[u8]) -> DefaultNla {
    let parts = [number(1, REGISTER), number(2, operator), nested(3, &[plain(1, with)])];
    expression(b"cmp\0", &parts)
}

/// nf_tables has its numbers in network order.
fn number(kind: u16, value: u32) -> DefaultNla {
    plain(kind, &value.to_be_bytes())
}

/// An element of a rule: its name and what belongs to it.
fn expression(name: &[u8], parts: &[DefaultNla]) -> DefaultNla {
    nested(1, &[plain(NAME, name), nested(DATA, parts)])
}
