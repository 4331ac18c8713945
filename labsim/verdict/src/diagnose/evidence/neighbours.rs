//! What ARP and link-layer addresses show.

use super::{place, sender};
use crate::diagnose::{Cause, Evidence, Subject};
use labsim_scenario::model::{Direction, NodeName};
use labsim_wire::arp;
use labsim_wire::decode::Content;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Addresses that the node asked for by ARP without ever getting an answer.
pub(super) fn silent(subject: &Subject<'_>, node: &NodeName) -> Vec<Evidence> {
    let mut asked: BTreeMap<IpAddr, Vec<usize>> = BTreeMap::new();
    let mut answered: BTreeSet<IpAddr> = BTreeSet::new();
    for frame in subject.case.frames.all() {
        let Content::Arp(packet) = &frame.decoded.content else { continue };
        if subject.case.frames.node(&frame) != Some(node) {
            continue;
        }
        match (packet.operation, frame.record.direction) {
            (arp::operation::REQUEST, Direction::Out) => {
                asked.entry(packet.target_ip.into()).or_default().push(frame.index);
            }
            (_, Direction::In) => {
                answered.insert(packet.sender_ip.into());
            }
            _ => {}
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

/// Packets of the client for a VIP that went straight to a server which had claimed it by ARP:
/// an answer, or a question that carries it as its sender (arp_announce).
///
/// What a load balancer hands to a server by its link-layer address (L2 DSR) looks the same, but
/// for who sends it and who claimed the VIP.
pub(super) fn passed_by(subject: &Subject<'_>) -> Vec<Evidence> {
    let balancers = &subject.case.scenario.load_balancers;
    let address = subject.flow.destination.ip();
    let mut claims: BTreeMap<&NodeName, Vec<usize>> = BTreeMap::new();
    for frame in subject.case.frames.all() {
        let Content::Arp(packet) = &frame.decoded.content else { continue };
        let Some(node) = sender(subject, &frame) else { continue };
        if IpAddr::from(packet.sender_ip) == address && !balancers.contains_key(node) {
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
