//! What answers and RSTs show: who sent them, from which address, and whether they arrived.

use super::{Found, at_first_place, came_in_at_client, place, sender};
use crate::diagnose::fix;
use crate::diagnose::{Cause, Fix, Subject, Trace};
use crate::messages::{count, times};
use labsim_codes::cause;
use labsim_model::Outcome;
use labsim_scenario::model::{Direction, NodeName};
use labsim_wire::decode::Flow;
use labsim_wire::tcp::Flags;
use labsim_wire::{icmpv4, icmpv6, protocol};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;

/// What the forwarder counts of packets that it leaves to its host's kernel, and of those that it gives
/// to it as a member.
const LEFT: &str = Outcome::LeftToHost.name();
const DELIVERED: &str = Outcome::DeliveredToHost.name();

/// RSTs that were sent to the client, by their source as the client knows it. One of a server that
/// accepted nothing before says that no socket listens there.
pub(super) fn resets(subject: &Subject<'_>) -> Vec<Cause> {
    let mut found: BTreeMap<SocketAddr, Vec<usize>> = BTreeMap::new();
    let mut accepted = BTreeSet::new();
    for frame in subject.back.iter().filter_map(|index| subject.frame(*index)) {
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
    let causes = found.into_iter().filter_map(|(source, frames)| {
        let first = subject.frame(*frames.first()?)?;
        let by = sender(subject, &first);
        let balancers = &subject.context.scenario.load_balancers;
        let number = at_first_place(subject, &frames);
        let (resets, seen) = (count(number, "RST"), place(subject, &first));
        let by_balancer = by.is_some_and(|node| balancers.contains_key(node));
        let refused = !accepted.contains(&source);
        let what = if refused { "refused the connection" } else { "reset the connection" };
        let said = format!("{source} {what} ({resets}), first seen at {seen}");
        let mut cause = match by {
            Some(node) if by_balancer && !(refused && host_refused(subject, node)) => {
                let sentence = format!("{said}; {node} sent it, not a server");
                Cause::new(cause::CONNECTION_RESET, sentence, reset_fix())
            }
            Some(node) if refused => not_listening(subject, node, &said),
            _ => Cause::new(cause::CONNECTION_RESET, said, reset_fix()),
        };
        cause.node = by.cloned();
        Some(subject.shown(cause.packets(number), &frames))
    });
    causes.collect()
}

/// Whether the load balancer's own kernel had the packet to refuse: the forwarder left it to the kernel,
/// or gave it the packet as a member.
fn host_refused(subject: &Subject<'_>, node: &NodeName) -> bool {
    let sent_itself = subject.forwarder(node, "tcp_reset") > 0;
    !sent_itself && (subject.forwarder(node, LEFT) > 0 || subject.forwarder(node, DELIVERED) > 0)
}

/// No socket on the node listens where the client asked; `said` says how that shows. A load balancer that
/// has the VIP itself is asked only where no virtual server takes the packet.
fn not_listening(subject: &Subject<'_>, node: &NodeName, said: &str) -> Cause {
    let asked = subject.flow.destination;
    let elsewhere = listening(subject, node);
    let left = subject.forwarder(node, LEFT);
    if left > 0 && subject.served().is_none() && subject.holds(node, asked.ip()) {
        let sentence = format!(
            "{said}; {node} has {} itself, no virtual server of {node} takes that protocol and port \
             ({LEFT} +{left}), and no socket on {node} listens there{elsewhere}",
            asked.ip()
        );
        let fix = fix::no_virtual_server(subject, node).or(fix::listen(subject, node));
        return Cause::new(cause::NOT_LISTENING_AT_VIP, sentence, fix).counted(LEFT, left);
    }
    let sentence = format!("{said}; no socket on {node} listens there{elsewhere}");
    Cause::new(cause::NOT_LISTENING_AT_VIP, sentence, fix::listen(subject, node))
}

/// Where sockets of the node take packets for the port instead: `: it listens at 10.1.1.51:49`.
fn listening(subject: &Subject<'_>, node: &NodeName) -> String {
    let (protocol, port) = (subject.flow.protocol, subject.flow.destination.port());
    let Some(state) = subject.state(node) else { return String::new() };
    if state.sockets_for(protocol, subject.flow.destination).next().is_some() {
        // The state is that at the end: something listens there by now.
        return String::new();
    }
    let sockets = state.sockets_at_port(protocol, port);
    let places: BTreeSet<String> = sockets.map(|socket| socket.local.to_string()).collect();
    let places: Vec<String> = places.into_iter().take(4).collect();
    match places.is_empty() {
        true => String::new(),
        false => format!(": it listens at {}", places.join(", ")),
    }
}

fn reset_fix() -> Fix {
    Fix::new(cause::CONNECTION_RESET.remedy())
}

/// A server whose kernel says that no UDP socket listens at the address and port that it was asked.
pub(super) fn unreachable_ports(found: &Found<'_, '_>) -> Vec<Cause> {
    let subject = found.subject;
    let of_server = found.errors.iter().filter(|error| {
        let quoted = error.quoted.flow();
        let asked = error.quoted.outermost.destination;
        error.is_port_unreachable()
            && error.quoted.outer().is_none()
            && error.sender.is_some_and(|node| node != subject.client && subject.holds(node, asked))
            && quoted.is_some_and(|flow| flow.source == subject.flow.source)
    });
    let causes = of_server.filter_map(|error| {
        let first = subject.frame(*error.frames.first()?)?;
        let node = sender(subject, &first)?;
        let asked = error.quoted.flow()?.destination;
        let number = at_first_place(subject, &error.frames);
        let said = format!("{node} refused {asked} by {} ({})", error.name(), times(number));
        let cause = not_listening(subject, node, &said).at(node);
        Some(subject.shown(cause.packets(number), &error.frames))
    });
    causes.collect()
}

/// RSTs of the client's side that the client did not send: a kernel on the way has no socket for
/// what comes back to its address.
pub(super) fn foreign_resets(subject: &Subject<'_>) -> Vec<Cause> {
    let mut packets: HashMap<(u32, Option<u32>), Vec<usize>> = HashMap::new();
    for frame in subject.forward.iter().filter_map(|index| subject.frame(*index)) {
        let Some(tcp) = frame.decoded.tcp().filter(|tcp| tcp.flags.contains(Flags::RST)) else {
            continue;
        };
        let id = frame.decoded.innermost().and_then(|header| header.id);
        packets.entry((tcp.sequence, id)).or_default().push(frame.index);
    }
    let mut found: BTreeMap<(NodeName, SocketAddr, SocketAddr), Vec<usize>> = BTreeMap::new();
    for frames in packets.into_values() {
        let Some(first) = frames.first().and_then(|index| subject.frame(*index)) else {
            continue;
        };
        let (Some(flow), Some(node)) = (first.flow(), sender(subject, &first)) else { continue };
        if node != subject.client {
            let key = (node.clone(), flow.source, flow.destination);
            found.entry(key).or_default().extend(frames);
        }
    }
    let causes = found.into_iter().filter_map(|((node, source, to), mut frames)| {
        frames.sort_unstable();
        let first = subject.frame(*frames.first()?)?;
        let number = at_first_place(subject, &frames);
        let sentence = format!(
            "{node} sent {} to {to} with the source {source}, first seen at {}: the client did not \
             send it",
            count(number, "RST"),
            place(subject, &first)
        );
        let fix = Fix::new(cause::RESET_TO_SERVER.remedy());
        let cause = Cause::new(cause::RESET_TO_SERVER, sentence, fix).at(&node).packets(number);
        Some(subject.shown(cause, &frames))
    });
    causes.collect()
}

/// A server refused a port that is not its pool member's, and nothing had translated it.
pub(super) fn untranslated_ports(subject: &Subject<'_>) -> Vec<Cause> {
    let asked = subject.flow.destination;
    let Some(served) = subject.served() else { return Vec::new() };
    let members = served.pool.into_iter().flat_map(|pool| &pool.members);
    let causes = members.filter_map(|member| {
        let node = subject.owner(member.address.ip())?;
        let frames = refused_at(subject, node);
        if [0, asked.port()].contains(&member.address.port()) || frames.is_empty() {
            return None;
        }
        let sentence = format!(
            "{node} refused port {}: {}'s pool member is {}, and the port was not translated",
            asked.port(),
            served.balancer,
            member.address
        );
        let fix = fix::port(subject, node, member.address);
        let cause = Cause::new(cause::PORT_DIFFERS, sentence, fix).at(node);
        Some(subject.shown(cause, &frames))
    });
    causes.collect()
}

/// The client's SYNs that came in at the node as the client had sent them, and the RSTs that it
/// answered; none if it did not.
fn refused_at(subject: &Subject<'_>, node: &NodeName) -> Vec<usize> {
    let at_node = |flow: Flow, direction: Direction, flag: Flags| -> Vec<usize> {
        let frames = subject.context.frames.of_flow(flow);
        frames
            .filter(|index| {
                subject.frame(*index).is_some_and(|frame| {
                    frame.record.direction == direction
                        && subject.context.frames.node(&frame) == Some(node)
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
pub(super) fn other_sources(subject: &Subject<'_>) -> Vec<Cause> {
    let mut found: BTreeMap<SocketAddr, Vec<usize>> = BTreeMap::new();
    let mut answered = false;
    for frame in subject.back.iter().filter_map(|index| subject.frame(*index)) {
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
    found.retain(|source, frames| {
        let is_answer = !frames.first().is_some_and(|first| was_asked(subject, *source, *first));
        is_answer && (!answered || frames.iter().any(|index| came_in_at_client(subject, *index)))
    });
    found.into_iter().filter_map(|(source, frames)| other_source(subject, source, frames)).collect()
}

fn other_source(
    subject: &Subject<'_>,
    source: SocketAddr,
    mut frames: Vec<usize>,
) -> Option<Cause> {
    let expected = subject.flow.destination;
    let first = subject.frame(*frames.first()?)?;
    let number = at_first_place(subject, &frames);
    let refusals = refusals(subject, source);
    let sender = subject.owner(source.ip());
    let replies = if number == 1 { "1 reply".to_owned() } else { format!("{number} replies") };
    let owner = sender.map_or(String::new(), |node| format!(" ({node})"));
    let mut sentence = format!(
        "{replies} came from {source}{owner} instead of {expected}, first seen at {}",
        place(subject, &first)
    );
    if !refusals.is_empty() {
        let what = match subject.flow.protocol {
            protocol::TCP => "RST",
            _ => "ICMP port unreachable",
        };
        sentence +=
            &format!("; the client rejected them with {what} {}", times(refusals.len() as u64));
    }
    let mut cause = match why_other(subject, source) {
        Why::Translated { balancer, shown } => {
            frames.push(shown);
            sentence += &format!(
                "; {balancer} translated {expected} to {source}, and the replies bypass it and stay \
                 untranslated"
            );
            if source.ip() == expected.ip() {
                // The packets were in a tunnel to the member whose port differs.
                let (code, fix) =
                    (cause::PORT_DIFFERS, fix::port(subject, answering(subject, &frames)?, source));
                Cause::new(code, sentence, fix).at(answering(subject, &frames)?)
            } else {
                let fix = fix::translate_address(subject);
                Cause::new(cause::DESTINATION_TRANSLATED, sentence, fix).at(balancer)
            }
        }
        Why::OtherLocalAddress { node, shown } => {
            frames.push(shown);
            sentence += &format!(
                "; {node} was addressed at {expected} and replied from another of its addresses"
            );
            let fix = fix::reply_address(subject, node);
            Cause::new(cause::REPLY_FROM_OTHER_ADDRESS, sentence, fix).at(node)
        }
        Why::Unknown => {
            let fix = Fix::new(cause::WRONG_REPLY_SOURCE.remedy());
            let mut cause = Cause::new(cause::WRONG_REPLY_SOURCE, sentence, fix);
            cause.node = sender.cloned();
            cause
        }
    };
    frames.extend(refusals);
    frames.sort_unstable();
    frames.dedup();
    cause.count = number;
    Some(subject.shown(cause, &frames))
}

/// The node that sent the first of the frames that go to the client.
fn answering<'a>(subject: &Subject<'a>, frames: &[usize]) -> Option<&'a NodeName> {
    let first = subject.frame(*frames.first()?)?;
    sender(subject, &first)
}

/// Whether the client had sent to that source before a frame came from it: the answer is another
/// request's, whose socket happened to get the same port.
fn was_asked(subject: &Subject<'_>, source: SocketAddr, first: usize) -> bool {
    let own = Flow { destination: source, ..subject.flow };
    let mut sent = subject.context.frames.of_flow(own);
    sent.any(|index| index < first && is_by_client(subject, index))
}

/// Whether the client sent a frame.
fn is_by_client(subject: &Subject<'_>, index: usize) -> bool {
    subject.context.frames.get(index).is_some_and(|frame| {
        frame.record.direction == Direction::Out
            && subject.context.frames.node(&frame) == Some(subject.client)
    })
}

/// What the client sent to refuse answers of that source: RSTs, or ICMP port unreachable.
fn refusals(subject: &Subject<'_>, source: SocketAddr) -> Vec<usize> {
    let own = Flow { destination: source, ..subject.flow };
    let by_client = |index: &usize| is_by_client(subject, *index);
    if subject.flow.protocol == protocol::TCP {
        let reset = |index: &usize| {
            let frame = subject.context.frames.get(*index);
            frame.is_some_and(|frame| {
                frame.decoded.tcp().is_some_and(|tcp| tcp.flags.contains(Flags::RST))
            })
        };
        let sent = subject.context.frames.of_flow(own);
        return sent.filter(by_client).filter(reset).collect();
    }
    let unreachable = match source.is_ipv4() {
        true => icmpv4::kind::UNREACHABLE,
        false => icmpv6::kind::UNREACHABLE,
    };
    let quoting = subject.context.frames.all().filter(|frame| {
        frame.decoded.icmp().is_some_and(|icmp| {
            icmp.kind == unreachable
                && icmp.quoted.as_deref().and_then(|quoted| quoted.flow()) == Some(own.reversed())
        })
    });
    quoting.map(|frame| frame.index).filter(by_client).collect()
}

/// Why answers come from another address or port.
enum Why<'a> {
    /// A load balancer translated the destination, as that frame shows, and the answers do not pass
    /// it.
    Translated { balancer: &'a NodeName, shown: usize },
    /// The packets came in as the client had sent them, as that frame shows, and the server
    /// answered from another address (a UDP socket that is bound to none, without IP_PKTINFO,
    /// ip(7)).
    OtherLocalAddress { node: &'a NodeName, shown: usize },
    /// Nothing shows it.
    Unknown,
}

fn why_other<'a>(subject: &Subject<'a>, source: SocketAddr) -> Why<'a> {
    let frames = subject.context.frames;
    let went_to = frames.carriers(subject.flow);
    if let Some(carrier) = went_to.iter().skip(1).find(|flow| flow.destination == source) {
        let translated = frames.of_flow(*carrier).next().and_then(|index| frames.get(index));
        let Some(first) = translated else { return Why::Unknown };
        let Some(balancer) = sender(subject, &first) else { return Why::Unknown };
        let passed = frames.of_flow(carrier.reversed()).any(|index| {
            frames.get(index).is_some_and(|frame| frames.node(&frame) == Some(balancer))
        });
        if passed {
            return Why::Unknown;
        }
        return Why::Translated { balancer, shown: first.index };
    }
    let Some(node) = subject.owner(source.ip()) else { return Why::Unknown };
    let asked =
        subject.seen_at(&frames.of_flow(subject.flow).collect::<Vec<_>>(), node, Direction::In);
    match asked.first() {
        Some(shown) => Why::OtherLocalAddress { node, shown: *shown },
        None => Why::Unknown,
    }
}

/// Answers that were sent, none of which came in at the client.
pub(super) fn answers_lost(subject: &Subject<'_>, trace: &Trace) -> Option<Cause> {
    if trace.last_node == *subject.client && trace.last_direction == Direction::In {
        return None;
    }
    let arrived = subject.back.iter().any(|index| came_in_at_client(subject, *index));
    if arrived && !trace.others_got_further {
        return None;
    }
    let number = if arrived { 1 } else { at_first_place(subject, &subject.back) };
    let replies = if number == 1 { "1 reply".to_owned() } else { format!("{number} replies") };
    let last = &trace.last_seen;
    let sentence = format!("{replies} sent to the client did not arrive, last seen at {last}");
    let fix = Fix::new(cause::REPLIES_LOST.remedy());
    let cause = Cause::new(cause::REPLIES_LOST, sentence, fix).at(&trace.last_node).packets(number);
    Some(cause.shown_by(trace.frames.clone()))
}
