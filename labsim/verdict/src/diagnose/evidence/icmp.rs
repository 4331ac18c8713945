//! What ICMP errors show.

use super::{at_first_place, came_in_at_client, place};
use crate::diagnose::{Cause, Evidence, Subject};
use labsim_wire::decode::{IpHeader, Packet, icmp_name};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// ICMP errors that quote the client's packets or the answers, by sender and kind.
pub(super) fn errors(subject: &Subject<'_>) -> Vec<Evidence> {
    let outers: BTreeSet<Outer> = subject
        .forward
        .iter()
        .filter_map(|index| subject.case.frames.get(*index))
        .filter_map(|frame| frame.decoded.outer().map(outer))
        .collect();
    let carriers = subject.case.frames.carriers(subject.flow);
    let ours = |quoted: &Packet| {
        quoted.flow().is_some_and(|flow| {
            carriers.iter().any(|carrier| [*carrier, carrier.reversed()].contains(&flow))
        })
            // A router may quote no more of a tunnel's packet than its outer header.
            || outers.contains(&outer(&quoted.outermost))
    };
    type Key = (IpAddr, IpAddr, u8, u8);
    let mut found: BTreeMap<Key, Vec<usize>> = BTreeMap::new();
    for frame in subject.case.frames.all() {
        let (Some(icmp), Some(header)) = (frame.decoded.icmp(), frame.decoded.innermost()) else {
            continue;
        };
        if icmp.quoted.as_deref().is_some_and(ours) {
            let key = (header.source, header.destination, icmp.kind, icmp.code);
            found.entry(key).or_default().push(frame.index);
        }
    }
    let mut errors: Vec<_> = found.into_iter().collect();
    errors.sort_by_key(|(_, frames)| frames.first().copied());
    errors
        .into_iter()
        .filter_map(|((from, to, kind, code), frames)| {
            let first = subject.case.frames.get(*frames.first()?)?;
            let name = icmp_name(kind, code, from.is_ipv4()).unwrap_or("unnamed");
            let cause = Cause::IcmpError {
                what: format!("{name} (type {kind}, code {code})"),
                mtu: first.decoded.icmp().and_then(|icmp| icmp.mtu),
                from,
                sender: subject.owner(from).cloned(),
                to,
                first_seen: place(subject, &first),
                reached_client: frames.iter().any(|index| came_in_at_client(subject, *index)),
                count: at_first_place(subject, &frames),
            };
            Some(subject.evidence(cause, &frames))
        })
        .collect()
}

/// What names one packet of a tunnel to whoever sees only its outer header.
type Outer = (IpAddr, IpAddr, u8, Option<u32>);

fn outer(header: &IpHeader) -> Outer {
    (header.source, header.destination, header.protocol, header.id)
}
