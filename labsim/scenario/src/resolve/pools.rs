//! Pools: their members, the tunnel to them, and which of them gets a new flow.

use super::lookup::Lookup;
use super::{Report, address, monitors};
use crate::file::{
    GreFields, MaglevFields, MaglevHashWord, MemberForm, ModeForm, PoolFields, ProfileForm,
};
use crate::model::{
    Encapsulation, GreOptions, LoadBalancingMode, Maglev, MaglevHash, Member, Pool,
};
use crate::text::quoted;
use labsim_yaml::{Located, Span};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

/// Most members of a pool.
const MEMBERS: usize = 4096;
/// Places of Maglev's table unless it is said.
const TABLE_SIZE: u32 = 65_537;
/// Largest table of Maglev's, a prime.
const LARGEST_TABLE: u32 = 5_000_011;

/// Resolves one pool.
pub(super) fn pool(
    name: &Located<String>,
    fields: &PoolFields,
    lookup: &Lookup<'_>,
    report: &mut Report<'_>,
) -> Pool {
    let written = &fields.members;
    if written.value.is_empty() {
        report.empty(
            name.span,
            format!("the pool {} has no members; add one such as 10.1.1.51:49", quoted(name)),
        );
    }
    report.limit(written.span, written.value.len(), MEMBERS, "member");
    let mut members = Vec::new();
    let mut seen: HashMap<(IpAddr, u16), Span> = HashMap::new();
    for form in written.value.iter().take(MEMBERS) {
        let ratio = ratio(&form.value, report);
        let (span, text) = written_address(form);
        let Some(socket) = report.take(span, address::one_port(text)) else { continue };
        let member = Member { address: socket.ip(), port: socket.port(), ratio };
        if let Some(first) = seen.insert((member.address, member.port), span) {
            let line = report.line(first, span);
            report.at(span, format!("{socket} is a member already ({line}); keep one"));
        } else if lookup.knows_addresses() && lookup.owner(member.address).is_none() {
            report.at(
                span,
                format!(
                    "no node has the member's address {}; name a real server's",
                    member.address
                ),
            );
        } else {
            members.push(member);
        }
    }
    Pool {
        name: name.value.clone(),
        encapsulation: encapsulation(fields.profile.as_ref(), report),
        load_balancing_mode: mode(fields.load_balancing_mode.as_ref(), members.len(), report),
        monitor: monitors::monitor(fields, report),
        action_on_down: monitors::action_on_down(fields),
        members,
    }
}

/// Places of the pool's Maglev table, if it has one.
pub(super) fn table_places(pool: &Pool) -> u64 {
    match pool.load_balancing_mode {
        LoadBalancingMode::Maglev(Maglev { table_size, .. }) => table_size.into(),
        _ => 0,
    }
}

/// Where a member's address stands, and what it is.
fn written_address(form: &Located<MemberForm>) -> (Span, &str) {
    match &form.value {
        MemberForm::Text(text) => (form.span, text),
        MemberForm::Map(map) => (map.address.span, &map.address),
    }
}

/// A member's address and port, if they can be read, and their place.
pub(super) fn member_address(form: &Located<MemberForm>) -> Option<(Span, SocketAddr)> {
    let (span, text) = written_address(form);
    Some((span, address::one_port(text).ok()?))
}

fn ratio(form: &MemberForm, report: &mut Report<'_>) -> u16 {
    let MemberForm::Map(map) = form else { return 1 };
    let Some(ratio) = &map.ratio else { return 1 };
    ratio.value.try_into().unwrap_or_else(|_| {
        report.at(ratio.span, format!("a ratio of {}; write 0 to {}", ratio.value, u16::MAX));
        1
    })
}

fn mode(
    mode: Option<&Located<ModeForm>>,
    members: usize,
    report: &mut Report<'_>,
) -> LoadBalancingMode {
    let Some(mode) = mode else { return LoadBalancingMode::RoundRobin };
    let options = match &mode.value {
        ModeForm::Text(word) => match word.as_str() {
            "round_robin" => return LoadBalancingMode::RoundRobin,
            "ratio" => return LoadBalancingMode::Ratio,
            "least_connections" => return LoadBalancingMode::LeastConnections,
            "ratio_least_connections" => return LoadBalancingMode::RatioLeastConnections,
            "maglev" => MaglevFields::default(),
            other => {
                report.at(
                    mode.span,
                    format!(
                        "{} is no load balancing mode; write `round_robin`, `ratio`, \
                         `least_connections`, `ratio_least_connections` or `maglev`",
                        quoted(other)
                    ),
                );
                return LoadBalancingMode::RoundRobin;
            }
        },
        ModeForm::Map(map) => map.maglev,
    };
    LoadBalancingMode::Maglev(Maglev {
        hash: match options.hash {
            MaglevHashWord::FiveTuple => MaglevHash::FiveTuple,
            MaglevHashWord::SourceAddress => MaglevHash::SourceAddress,
        },
        table_size: table_size(options.table_size, members, report),
    })
}

fn table_size(size: Option<Located<u64>>, members: usize, report: &mut Report<'_>) -> u32 {
    let Some(size) = size else { return TABLE_SIZE };
    let number = u32::try_from(size.value).unwrap_or(u32::MAX);
    let message = if !(2..=LARGEST_TABLE).contains(&number) {
        format!("a table of {} places; write a prime from 2 to {LARGEST_TABLE}", size.value)
    } else if !is_prime(number) {
        let next = (number..LARGEST_TABLE).find(|one| is_prime(*one)).unwrap_or(LARGEST_TABLE);
        format!("{number} is no prime; write one such as {next}")
    } else if (number as usize) < members {
        format!(
            "{number} places are too few for {members} members; write a prime of {} or more",
            members * 100
        )
    } else {
        return number;
    };
    report.at(size.span, message);
    TABLE_SIZE
}

fn is_prime(number: u32) -> bool {
    (2..=number.isqrt()).all(|divisor| !number.is_multiple_of(divisor))
}

fn encapsulation(profile: Option<&Located<ProfileForm>>, report: &mut Report<'_>) -> Encapsulation {
    let Some(profile) = profile else { return Encapsulation::None };
    match &profile.value {
        ProfileForm::Text(word) => match word.as_str() {
            "none" => Encapsulation::None,
            "ipip" => Encapsulation::Ipip,
            "gre" => Encapsulation::Gre(GreOptions::default()),
            other => {
                report.at(
                    profile.span,
                    format!(
                        "{} is no tunnel profile; write `none`, `ipip` or `gre`",
                        quoted(other)
                    ),
                );
                Encapsulation::None
            }
        },
        ProfileForm::Map(map) => {
            let GreFields { key, checksum } = map.gre;
            Encapsulation::Gre(GreOptions { key, checksum })
        }
    }
}
