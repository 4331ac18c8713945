//! Connections that passed the load balancer by: a server answers ARP for the VIP, or is routed to.

use crate::devices::FULL_TTLS;
use crate::known::Known;
use crate::sentence::{Place, Sentence, list};
use crate::trace::{Claim, Role};
use crate::tunnel;
use crate::verdict::{Kind, Verdict};
use labsim_captures::Mac;
use labsim_codes::cause;
use std::collections::{BTreeMap, BTreeSet};

/// Adds to a verdict what shows that the connection passed the load balancer by.
pub(crate) fn with_bypass(known: &Known<'_>, verdict: Verdict) -> Verdict {
    // What translates is a load balancer itself.
    if verdict.cause.is_some() || !known.siblings.is_empty() {
        return verdict;
    }
    let passed = passed_by(known);
    let by_arp = answering(known).and_then(|(mac, rows)| {
        let (own, others): (Vec<&Claim>, Vec<&Claim>) =
            claims(known).partition(|claim| claim.mac == mac);
        (!own.is_empty()).then_some((mac, rows, own, others))
    });
    let server = known.connection.server;
    let is_vip = known.trace.is_vip(server) || known.balanced.contains(&server);
    match (by_arp, passed) {
        (Some((mac, rows, own, others)), passed) if is_vip || !others.is_empty() => {
            let server = server.ip();
            let how = if server.is_ipv4() { "ARP" } else { "neighbour discovery" };
            let text = format!(
                "{mac} claims {server} by {how}, and the client's packets went to it and were answered by it"
            );
            let mut because = vec![with_claims(known, text, &own, rows)];
            because.extend(claimed_by_others(known, &others));
            match passed {
                Some(sentence) => {
                    because.push(sentence);
                    because.extend(verdict.because);
                    Verdict::shown(cause::SERVER_ANSWERS_ARP, Vec::new(), because)
                }
                None if !others.is_empty() => {
                    let next = "which of them is the load balancer: a capture on it, given as `--role \
                                NAME=load-balancer`";
                    possible(verdict, because, next)
                }
                None => verdict,
            }
        }
        (_, Some(sentence)) if is_vip && known.tunnels.is_empty() && is_at_server(known) => {
            let next = "on the link of the servers `tcpdump -eni DEVICE arp`: it tells whether a server answers for \
                        the VIP; else the route to the VIP on the last router";
            possible(verdict, vec![sentence], next)
        }
        _ => verdict,
    }
}

fn possible(verdict: Verdict, mut because: Vec<Sentence>, next: &str) -> Verdict {
    because.extend(verdict.because);
    let mut possible = vec![cause::SERVER_ANSWERS_ARP, cause::BALANCER_BYPASSED];
    possible.extend(verdict.possible);
    let next = std::iter::once(next.to_owned()).chain(verdict.next).collect();
    let kind = Kind::NotDecidable;
    Verdict { kind, cause: None, possible, because, next, is_by_absence: true }
}

/// Who claims the server's address.
fn claims<'a>(known: &'a Known<'_>) -> impl Iterator<Item = &'a Claim> {
    let server = known.connection.server.ip();
    known.trace.claims.iter().filter(move |claim| server == claim.address)
}

/// Who was sent the client's packets and answered them itself, with the rows that show it.
fn answering(known: &Known<'_>) -> Option<(Mac, [usize; 2])> {
    let mut answered: BTreeMap<(usize, Mac), usize> = BTreeMap::new();
    for index in &known.connection.replies {
        let Some(row) = known.row(*index) else { continue };
        let is_own = tunnel::ttl(row).is_some_and(|ttl| FULL_TTLS.contains(&ttl));
        if let Some((source, _)) = row.link.filter(|_| is_own) {
            answered.entry((row.point, source)).or_insert(*index);
        }
    }
    known.connection.requests.iter().find_map(|request| {
        let row = known.row(*request).filter(|row| row.packet.inner.is_empty())?;
        let (_, mac) = row.link?;
        Some((mac, [*request, *answered.get(&(row.point, mac))?]))
    })
}

/// That no point of a load balancer saw the connection, if there is one.
fn passed_by(known: &Known<'_>) -> Option<Sentence> {
    let points = 0..known.trace.points.len();
    let balancers: Vec<usize> =
        points.filter(|it| known.has_role(*it, Role::LoadBalancer)).collect();
    let ways = [&known.ways.requests, &known.ways.replies];
    let is_seen = ways.iter().flat_map(|way| &way.points).any(|point| balancers.contains(point));
    if balancers.is_empty() || is_seen {
        return None;
    }
    let text = format!(
        "{}, which is the load balancer's, saw none of the connection's packets",
        known.names(&balancers)
    );
    Some(known.sentence(text, []))
}

fn is_at_server(known: &Known<'_>) -> bool {
    known.ways.requests.points.iter().any(|point| known.has_role(*point, Role::ServerSide))
}

fn claimed_by_others(known: &Known<'_>, others: &[&Claim]) -> Option<Sentence> {
    let macs: BTreeSet<String> = others.iter().map(|claim| claim.mac.to_string()).collect();
    if macs.is_empty() {
        return None;
    }
    let text =
        format!("The address is claimed by {} as well", list(macs.iter().map(String::as_str)));
    Some(with_claims(known, text, others, []))
}

fn with_claims(
    known: &Known<'_>,
    text: String,
    claims: &[&Claim],
    rows: impl IntoIterator<Item = usize>,
) -> Sentence {
    let place = |claim: &&Claim| {
        let point = known.trace.points.get(claim.point)?;
        let (file, unit) = (point.file.clone(), point.unit);
        Some(Place { point: claim.point, file, unit, number: claim.number })
    };
    let mut sentence = known.sentence(text, rows);
    // A few show it as well as all do.
    sentence.evidence.extend(claims.iter().take(3).filter_map(place));
    sentence
}
