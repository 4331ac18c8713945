//! What ARP, neighbour discovery and link-layer addresses show.

use super::{Found, links, place, sender};
use crate::arp_nd;
use crate::diagnose::{Cause, Fix, Subject, fix};
use crate::frames::Frame;
use crate::messages::{count, times};
use labsim_codes::cause;
use labsim_scenario::model::{Direction, NodeName};
use labsim_wire::decode::Content;
use labsim_wire::{arp, icmpv6};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// A message of ARP or of neighbour discovery.
enum Message {
    /// A request for an address, by the owner of this one.
    Request { target: IpAddr, by: IpAddr },
    /// The sender has this address.
    Claim(IpAddr),
}

/// `None` for what is neither, and for duplicate address detection, which expects no answer.
fn neighbour_message(frame: &Frame<'_>) -> Option<Message> {
    if let Content::Arp(packet) = &frame.decoded.content {
        let by = packet.sender_ip.into();
        return Some(match packet.operation {
            arp::operation::REQUEST => Message::Request { target: packet.target_ip.into(), by },
            _ => Message::Claim(by),
        });
    }
    let message = arp_nd::message(frame.decoded)?;
    let source = frame.decoded.innermost().map(|header| header.source);
    let source = source.filter(|source| !source.is_unspecified());
    match (message.kind, message.target) {
        (icmpv6::kind::NEIGHBOUR_SOLICITATION, Some(target)) => {
            source.map(|by| Message::Request { target: target.into(), by })
        }
        (icmpv6::kind::NEIGHBOUR_ADVERTISEMENT, Some(target)) => {
            Some(Message::Claim(target.into()))
        }
        _ => None,
    }
}

/// The address that the sender of a message of ARP or of neighbour discovery says it has.
pub(super) fn claimed(frame: &Frame<'_>) -> Option<IpAddr> {
    // A question by ARP says where its sender is; one by neighbour discovery may too.
    match neighbour_message(frame)? {
        Message::Request { by: address, .. } | Message::Claim(address) => Some(address),
    }
}

/// Addresses that the node asked for without ever getting an answer.
pub(super) fn silent(found: &Found<'_, '_>, node: &NodeName) -> Vec<Cause> {
    let subject = found.subject;
    let mut asked: BTreeMap<IpAddr, Vec<usize>> = BTreeMap::new();
    let mut answered: BTreeSet<IpAddr> = BTreeSet::new();
    for frame in subject.context.frames.all() {
        let Some(message) = neighbour_message(&frame) else { continue };
        if subject.context.frames.node(&frame) != Some(node) {
            continue;
        }
        match (message, frame.record.direction) {
            (Message::Request { target, .. }, Direction::Out) => {
                asked.entry(target).or_default().push(frame.index);
            }
            (Message::Request { by: address, .. } | Message::Claim(address), Direction::In) => {
                answered.insert(address);
            }
            (Message::Claim(_), Direction::Out) => {}
        }
    }
    asked
        .into_iter()
        .filter(|(address, _)| !answered.contains(address))
        .filter_map(|(address, frames)| {
            if let Some(cause) = links::silent(found, address, &frames) {
                return Some(cause);
            }
            // A node whose kernel has no room for the one that asks does not answer either.
            if subject.context.observations.refused_neighbours > 0 {
                return None;
            }
            let requests = match address.is_ipv4() {
                true => count(frames.len(), "ARP request"),
                false => count(frames.len(), "neighbour solicitation"),
            };
            let sentence = format!("{node} sent {requests} for {address} and got no reply");
            let fix = Fix::new(cause::NEIGHBOUR_SILENT.remedy());
            let cause = Cause::new(cause::NEIGHBOUR_SILENT, sentence, fix).at(node);
            Some(subject.shown(cause, &frames))
        })
        .collect()
}

/// Packets of the client for a VIP that went straight to a server which had claimed it as its own:
/// an answer, or a question that carries it as its sender (arp_announce).
///
/// What a load balancer hands to a server by its link-layer address (L2 DSR) looks the same, but
/// for who sends it and who claimed the VIP.
pub(super) fn server_answers_for_vip(subject: &Subject<'_>) -> Vec<Cause> {
    let balancers = &subject.context.scenario.load_balancers;
    let address = subject.flow.destination.ip();
    if subject.owner(address).is_some() {
        // No VIP: it is a node's own.
        return Vec::new();
    }
    let mut claims: BTreeMap<&NodeName, Vec<usize>> = BTreeMap::new();
    for frame in subject.context.frames.all() {
        let Some(node) = sender(subject, &frame) else { continue };
        if claimed(&frame) == Some(address) && !balancers.contains_key(node) {
            claims.entry(node).or_default().push(frame.index);
        }
    }
    let mut passed: BTreeMap<&NodeName, Vec<usize>> = BTreeMap::new();
    for frame in subject.forward.iter().filter_map(|index| subject.context.frames.get(*index)) {
        let by_balancer = sender(subject, &frame).is_none_or(|node| balancers.contains_key(node));
        let to_vip = frame.decoded.packet().map(|packet| packet.outermost.destination);
        let Some(link) = frame.decoded.link.filter(|_| to_vip == Some(address)) else { continue };
        let Some(point) = subject.context.frames.mac_table().find(link.destination) else {
            continue;
        };
        let Some(node) = subject.context.frames.point(point).map(|point| &point.node) else {
            continue;
        };
        if !by_balancer && claims.contains_key(node) {
            passed.entry(node).or_default().push(frame.index);
        }
    }
    passed
        .into_iter()
        .filter_map(|(node, frames)| {
            let first = subject.context.frames.get(*frames.first()?)?;
            let mac = first.decoded.link?.destination;
            let number = frames.len() as u64;
            let claimed = claims.get(node).map_or(&[][..], Vec::as_slice);
            let resolution = if address.is_ipv4() { "ARP" } else { "neighbour discovery" };
            let sentence = format!(
                "{node} claimed {address} by {resolution} {}, and {} went directly to its \
                 link-layer address {mac}, first at {}: they bypassed the load balancer",
                times(claimed.len() as u64),
                count(number, "packet"),
                place(subject, &first)
            );
            let fix = fix::arp(subject, node, address);
            let cause = Cause::new(cause::SERVER_ANSWERS_ARP, sentence, fix);
            let mut shown: Vec<usize> = claimed.iter().chain(&frames).copied().collect();
            shown.sort_unstable();
            Some(subject.shown(cause.at(node).packets(number), &shown))
        })
        .collect()
}
