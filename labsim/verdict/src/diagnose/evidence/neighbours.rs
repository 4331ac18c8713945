//! What ARP, neighbour discovery and link-layer addresses show.

use super::{place, sender};
use crate::diagnose::{Cause, Evidence, Subject};
use crate::frames::Frame;
use crate::neighbourhood;
use labsim_scenario::model::{Direction, NodeName};
use labsim_wire::decode::Content;
use labsim_wire::{arp, icmpv6};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// What a frame says about who has an address: by ARP, or by neighbour discovery.
enum Said {
    /// Asked for an address, by whoever has this one.
    Asked { target: IpAddr, by: IpAddr },
    /// Told that this address is here.
    Told(IpAddr),
}

/// `None` for what is neither, and for duplicate address detection, which expects no answer.
fn said(frame: &Frame<'_>) -> Option<Said> {
    if let Content::Arp(packet) = &frame.decoded.content {
        let by = packet.sender_ip.into();
        return Some(match packet.operation {
            arp::operation::REQUEST => Said::Asked { target: packet.target_ip.into(), by },
            _ => Said::Told(by),
        });
    }
    let message = neighbourhood::message(frame.decoded)?;
    let source = frame.decoded.innermost().map(|header| header.source);
    let source = source.filter(|source| !source.is_unspecified());
    match (message.kind, message.target) {
        (icmpv6::kind::NEIGHBOUR_SOLICITATION, Some(target)) => {
            source.map(|by| Said::Asked { target: target.into(), by })
        }
        (icmpv6::kind::NEIGHBOUR_ADVERTISEMENT, Some(target)) => Some(Said::Told(target.into())),
        _ => None,
    }
}

/// Addresses that the node asked for without ever getting an answer.
pub(super) fn silent(subject: &Subject<'_>, node: &NodeName) -> Vec<Evidence> {
    let mut asked: BTreeMap<IpAddr, Vec<usize>> = BTreeMap::new();
    let mut answered: BTreeSet<IpAddr> = BTreeSet::new();
    for frame in subject.case.frames.all() {
        let Some(said) = said(&frame) else { continue };
        if subject.case.frames.node(&frame) != Some(node) {
            continue;
        }
        match (said, frame.record.direction) {
            (Said::Asked { target, .. }, Direction::Out) => {
                asked.entry(target).or_default().push(frame.index);
            }
            (Said::Asked { by: address, .. } | Said::Told(address), Direction::In) => {
                answered.insert(address);
            }
            (Said::Told(_), Direction::Out) => {}
        }
    }
    asked
        .into_iter()
        .filter(|(address, _)| !answered.contains(address))
        .map(|(address, frames)| {
            let requests = frames.len() as u64;
            let cause = Cause::NeighbourSilent { node: node.clone(), address, requests };
            subject.evidence(cause, &frames)
        })
        .collect()
}

/// Packets of the client for a VIP that went straight to a server which had claimed it as its own:
/// an answer, or a question that carries it as its sender (arp_announce).
///
/// What a load balancer hands to a server by its link-layer address (L2 DSR) looks the same, but
/// for who sends it and who claimed the VIP.
pub(super) fn passed_by(subject: &Subject<'_>) -> Vec<Evidence> {
    let balancers = &subject.case.scenario.load_balancers;
    let address = subject.flow.destination.ip();
    if subject.owner(address).is_some() {
        // No VIP: it is a node's own.
        return Vec::new();
    }
    let mut claims: BTreeMap<&NodeName, Vec<usize>> = BTreeMap::new();
    for frame in subject.case.frames.all() {
        let claimed = match said(&frame) {
            // A question by ARP says where its sender is; one by neighbour discovery may too.
            Some(Said::Asked { by: address, .. } | Said::Told(address)) => Some(address),
            None => None,
        };
        let Some(node) = sender(subject, &frame) else { continue };
        if claimed == Some(address) && !balancers.contains_key(node) {
            claims.entry(node).or_default().push(frame.index);
        }
    }
    let mut passed: BTreeMap<&NodeName, Vec<usize>> = BTreeMap::new();
    for frame in subject.forward.iter().filter_map(|index| subject.case.frames.get(*index)) {
        let by_balancer = sender(subject, &frame).is_none_or(|node| balancers.contains_key(node));
        let to_vip = frame.decoded.packet().map(|packet| packet.outermost.destination);
        let Some(link) = frame.decoded.link.filter(|_| to_vip == Some(address)) else { continue };
        let Some(point) = subject.case.frames.stations().find(link.destination) else { continue };
        let Some(node) = subject.case.frames.point(point).map(|point| &point.node) else {
            continue;
        };
        if !by_balancer && claims.contains_key(node) {
            passed.entry(node).or_default().push(frame.index);
        }
    }
    passed
        .into_iter()
        .filter_map(|(node, frames)| {
            let first = subject.case.frames.get(*frames.first()?)?;
            let mac = first.decoded.link?.destination;
            let count = frames.len() as u64;
            let claimed = claims.get(node).map_or(&[][..], Vec::as_slice);
            let cause = Cause::PassedBy {
                node: node.clone(),
                address,
                mac: mac.to_string(),
                claims: claimed.len() as u64,
                sent_by: place(subject, &first),
                count,
            };
            let mut shown: Vec<usize> = claimed.iter().chain(&frames).copied().collect();
            shown.sort_unstable();
            Some(subject.evidence(cause, &shown))
        })
        .collect()
}
