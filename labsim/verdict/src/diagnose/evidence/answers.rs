//! What answers and RSTs show: who sent them, from which address, and whether they arrived.

use super::{at_first_place, came_in_at_client, place, sender};
use crate::diagnose::cause::WrongSource;
use crate::diagnose::{Cause, Evidence, Subject, Trace};
use labsim_scenario::model::{Direction, NodeName};
use labsim_wire::decode::Flow;
use labsim_wire::tcp::Flags;
use labsim_wire::{icmpv4, icmpv6, protocol};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;

/// RSTs that were sent to the client, by their source as the client knows it.
pub(super) fn resets(subject: &Subject<'_>) -> Vec<Evidence> {
    let mut found: BTreeMap<SocketAddr, Vec<usize>> = BTreeMap::new();
    let mut accepted = BTreeSet::new();
    for frame in subject.back.iter().filter_map(|index| subject.case.frames.get(*index)) {
        let (Some(flow), Some(tcp)) = (frame.flow(), frame.decoded.tcp()) else { continue };
        // What is on its way to a translation carries another source until it is there.
        let source = if flow.destination == subject.flow.source {
            flow.source
        } else {
            subject.flow.destination
        };
        if tcp.flags.contains(Flags::RST) {
            found.entry(source).or_default().push(frame.index);
        } else if tcp.flags.contains(Flags::SYN) {
            accepted.insert(source);
        }
    }
    found
        .into_iter()
        .filter_map(|(source, frames)| {
            let first = subject.case.frames.get(*frames.first()?)?;
            let by = sender(subject, &first).cloned();
            let balancers = &subject.case.scenario.load_balancers;
            let cause = Cause::Reset {
                source,
                first_seen: place(subject, &first),
                by_balancer: by.as_ref().is_some_and(|node| balancers.contains_key(node)),
                by,
                refused: !accepted.contains(&source),
                count: at_first_place(subject, &frames),
            };
            Some(subject.evidence(cause, &frames))
        })
        .collect()
}

/// RSTs of the client's side that the client did not send: a kernel on the way has no socket for
/// what comes back to its address.
pub(super) fn foreign_resets(subject: &Subject<'_>) -> Vec<Evidence> {
    let mut packets: HashMap<(u32, Option<u32>), Vec<usize>> = HashMap::new();
    for frame in subject.forward.iter().filter_map(|index| subject.case.frames.get(*index)) {
        let Some(tcp) = frame.decoded.tcp().filter(|tcp| tcp.flags.contains(Flags::RST)) else {
            continue;
        };
        let id = frame.decoded.innermost().and_then(|header| header.id);
        packets.entry((tcp.sequence, id)).or_default().push(frame.index);
    }
    let mut found: BTreeMap<(NodeName, SocketAddr, SocketAddr), Vec<usize>> = BTreeMap::new();
    for frames in packets.into_values() {
        let Some(first) = frames.first().and_then(|index| subject.case.frames.get(*index)) else {
            continue;
        };
        let (Some(flow), Some(node)) = (first.flow(), sender(subject, &first)) else { continue };
        if node != subject.client {
            let key = (node.clone(), flow.source, flow.destination);
            found.entry(key).or_default().extend(frames);
        }
    }
    found
        .into_iter()
        .filter_map(|((node, source, to), mut frames)| {
            frames.sort_unstable();
            let first = subject.case.frames.get(*frames.first()?)?;
            let first_seen = place(subject, &first);
            let count = at_first_place(subject, &frames);
            let cause = Cause::ResetToServer { node, source, to, first_seen, count };
            Some(subject.evidence(cause, &frames))
        })
        .collect()
}

/// A server refused a port that is not its pool member's, and nothing had translated it.
pub(super) fn untranslated_ports(subject: &Subject<'_>) -> Vec<Evidence> {
    let asked = subject.flow.destination;
    let mut found = Vec::new();
    for (balancer, config) in &subject.case.scenario.load_balancers {
        let servers = config.virtual_servers.iter();
        for server in servers.filter(|server| server.destination.ip() == asked.ip()) {
            if ![0, asked.port()].contains(&server.destination.port()) {
                continue;
            }
            let pool = config.pools.iter().find(|pool| pool.name == server.pool);
            for member in pool.into_iter().flat_map(|pool| &pool.members) {
                let Some(node) = subject.owner(member.address) else { continue };
                let frames = refused_at(subject, node);
                if member.port == asked.port() || frames.is_empty() {
                    continue;
                }
                let cause = Cause::PortNotTranslated {
                    balancer: balancer.clone(),
                    node: node.clone(),
                    asked: asked.port(),
                    member: SocketAddr::new(member.address, member.port),
                };
                found.push(subject.evidence(cause, &frames));
            }
        }
    }
    found
}

/// The client's SYNs that came in at the node as the client had sent them, and the RSTs that it
/// answered; none if it did not.
fn refused_at(subject: &Subject<'_>, node: &NodeName) -> Vec<usize> {
    let at_node = |flow: Flow, direction: Direction, flag: Flags| -> Vec<usize> {
        let frames = subject.case.frames.of_flow(flow).iter().copied();
        frames
            .filter(|index| {
                subject.case.frames.get(*index).is_some_and(|frame| {
                    frame.record.direction == direction
                        && subject.case.frames.node(&frame) == Some(node)
                        && frame.decoded.tcp().is_some_and(|tcp| tcp.flags.contains(flag))
                })
            })
            .collect()
    };
    let mut frames = at_node(subject.flow, Direction::In, Flags::SYN);
    let resets = at_node(subject.flow.reversed(), Direction::Out, Flags::RST);
    if frames.is_empty() || resets.is_empty() {
        return Vec::new();
    }
    frames.extend(resets);
    frames.sort_unstable();
    frames
}

/// Answers from an address or port that the client did not connect to.
pub(super) fn other_sources(subject: &Subject<'_>) -> Vec<Evidence> {
    let mut found: BTreeMap<SocketAddr, Vec<usize>> = BTreeMap::new();
    let mut answered = false;
    for frame in subject.back.iter().filter_map(|index| subject.case.frames.get(*index)) {
        let Some(flow) = frame.flow().filter(|flow| flow.destination == subject.flow.source) else {
            continue;
        };
        if flow.source == subject.flow.destination {
            answered = true;
        } else {
            found.entry(flow.source).or_default().push(frame.index);
        }
    }
    // What a load balancer still has to translate back is not what the client gets.
    found.retain(|_, frames| {
        !answered || frames.iter().any(|index| came_in_at_client(subject, *index))
    });
    found
        .into_iter()
        .filter_map(|(source, mut frames)| {
            let first = subject.case.frames.get(*frames.first()?)?;
            let count = at_first_place(subject, &frames);
            let (why, shown) = why_other(subject, source);
            let refusals = refusals(subject, source);
            let cause = Cause::OtherSource {
                source,
                sender: subject.owner(source.ip()).cloned(),
                expected: subject.flow.destination,
                protocol: subject.flow.protocol,
                first_seen: place(subject, &first),
                count,
                refused_by_client: refusals.len() as u64,
                why,
            };
            frames.extend(refusals);
            frames.extend(shown);
            frames.sort_unstable();
            frames.dedup();
            Some(subject.evidence(cause, &frames))
        })
        .collect()
}

/// What the client sent to refuse answers of that source: RSTs, or ICMP port unreachable.
fn refusals(subject: &Subject<'_>, source: SocketAddr) -> Vec<usize> {
    let own = Flow { destination: source, ..subject.flow };
    let by_client = |index: &usize| {
        subject.case.frames.get(*index).is_some_and(|frame| {
            frame.record.direction == Direction::Out
                && subject.case.frames.node(&frame) == Some(subject.client)
        })
    };
    if subject.flow.protocol == protocol::TCP {
        let reset = |index: &usize| {
            let frame = subject.case.frames.get(*index);
            frame.is_some_and(|frame| {
                frame.decoded.tcp().is_some_and(|tcp| tcp.flags.contains(Flags::RST))
            })
        };
        let sent = subject.case.frames.of_flow(own).iter().copied();
        return sent.filter(by_client).filter(reset).collect();
    }
    let unreachable = match source.is_ipv4() {
        true => icmpv4::kind::UNREACHABLE,
        false => icmpv6::kind::UNREACHABLE,
    };
    let quoting = subject.case.frames.all().filter(|frame| {
        frame.decoded.icmp().is_some_and(|icmp| {
            icmp.kind == unreachable
                && icmp.quoted.as_deref().and_then(|quoted| quoted.flow()) == Some(own.reversed())
        })
    });
    quoting.map(|frame| frame.index).filter(by_client).collect()
}

/// Why answers come from there, if frames show it, and which do.
fn why_other(subject: &Subject<'_>, source: SocketAddr) -> (Option<WrongSource>, Vec<usize>) {
    let frames = subject.case.frames;
    let went_to = subject.case.frames.carriers(subject.flow);
    if let Some(carrier) = went_to.iter().skip(1).find(|flow| flow.destination == source) {
        let translated = frames.of_flow(*carrier).first().and_then(|index| frames.get(*index));
        let Some(first) = translated else { return (None, Vec::new()) };
        let Some(node) = sender(subject, &first) else { return (None, Vec::new()) };
        let passed = frames
            .of_flow(carrier.reversed())
            .iter()
            .any(|index| frames.get(*index).is_some_and(|frame| frames.node(&frame) == Some(node)));
        let why = (!passed).then(|| WrongSource::PassedBalancerBy { balancer: node.clone() });
        return (why, vec![first.index]);
    }
    let Some(node) = subject.owner(source.ip()) else { return (None, Vec::new()) };
    let asked = frames.of_flow(subject.flow).iter().copied().find(|index| {
        frames.get(*index).is_some_and(|frame| {
            frame.record.direction == Direction::In && frames.node(&frame) == Some(node)
        })
    });
    let why = asked.map(|_| WrongSource::NotWhereAsked { node: node.clone() });
    (why, asked.into_iter().collect())
}

/// Answers that were sent, none of which came in at the client.
pub(super) fn answers_lost(subject: &Subject<'_>, trace: &Trace) -> Option<Evidence> {
    if trace.last_node == *subject.client && trace.last_direction == Direction::In {
        return None;
    }
    let arrived = subject.back.iter().any(|index| came_in_at_client(subject, *index));
    if arrived && !trace.others_got_further {
        return None;
    }
    let cause = Cause::AnswersLost {
        last_seen: trace.last_seen.clone(),
        count: if arrived { 1 } else { at_first_place(subject, &subject.back) },
    };
    Some(Evidence { cause, frames: trace.frames.clone() })
}
