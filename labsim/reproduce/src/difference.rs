//! What is different between the packets of two captures of one place.

use crate::flow::Flow;
use crate::packet::{Packet, Way};
use labsim_explain::Role;
use serde::Serialize;

/// Differences of a place that are named at most.
const MAX_NAMED: usize = 6;

/// Where captures of a network and of its lab differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The place.
    pub place: Role,
    /// What is different, in a sentence.
    pub text: String,
}

/// Everything that differs, place by place.
pub(crate) fn differences(captured: &Flow, lab: &Flow) -> Vec<Difference> {
    // Captures that end while a connection is open do not show how it ended.
    let lab = if captured.has_end() { lab.clone() } else { lab.clone().without_end() };
    let mut differences = Vec::new();
    for (place, packets) in &captured.at {
        // A lab captures everywhere: a place that is missing saw nothing.
        let others = lab.at.get(place).map(Vec::as_slice).unwrap_or_default();
        let mut texts: Vec<String> = [Way::Request, Way::Reply, Way::Error]
            .into_iter()
            .flat_map(|way| {
                let of_way = |packets: &[Packet]| -> Vec<Packet> {
                    packets.iter().filter(|it| it.way == way).cloned().collect()
                };
                compare(&of_way(packets), &of_way(others))
            })
            .collect();
        let more = texts.len().saturating_sub(MAX_NAMED);
        texts.truncate(MAX_NAMED);
        if more > 0 {
            texts.push(format!("{more} more"));
        }
        differences.extend(texts.into_iter().map(|text| Difference { place: *place, text }));
    }
    differences
}

/// Packets of one direction at one place, in their order.
fn compare(captured: &[Packet], lab: &[Packet]) -> Vec<String> {
    let common = common(captured, lab);
    // When a load balancer sends on what it received depends on when more is received.
    let is_in_order = |packet: &Packet| {
        let alike = |packets: &[Packet]| -> Vec<Packet> {
            packets.iter().filter(|it| it.has_form_of(packet)).cloned().collect()
        };
        let (captured, lab) = (alike(captured), alike(lab));
        self::common(&captured, &lab).len() == captured.len().min(lab.len())
    };
    let only = |packets: &[Packet], used: Vec<usize>| -> Vec<Packet> {
        let rest = packets.iter().enumerate().filter(|(place, _)| !used.contains(place));
        rest.map(|(_, packet)| packet.clone()).collect()
    };
    let captured = only(captured, common.iter().map(|it| it.0).collect());
    let mut lab = only(lab, common.iter().map(|it| it.1).collect());
    let mut texts = Vec::new();
    for packet in captured {
        let like = lab.iter().position(|it| packet.is_like(it));
        let other = like.or_else(|| lab.iter().position(|it| it.is_of_same_place(&packet)));
        match other.map(|place| lab.remove(place)) {
            Some(other) if packet.is_like(&other) && is_in_order(&packet) => {}
            Some(other) if packet.is_like(&other) => {
                texts.push(format!("in another order: {packet}"));
            }
            Some(other) => {
                let fields = packet
                    .differing(&other)
                    .into_iter()
                    .map(|(field, [own, other])| format!("{field} {own}, in the lab {other}"));
                texts.push(format!("{packet}: {}", fields.collect::<Vec<_>>().join("; ")));
            }
            None => texts.push(format!("not in the lab: {packet}")),
        }
    }
    texts.extend(lab.into_iter().map(|packet| format!("only in the lab: {packet}")));
    texts
}

/// The longest common sequence of two lists, as pairs of places.
fn common(one: &[Packet], other: &[Packet]) -> Vec<(usize, usize)> {
    let width = other.len() + 1;
    let mut lengths = vec![0_usize; (one.len() + 1) * width];
    let at = |row: usize, column: usize| row * width + column;
    let get = |lengths: &[usize], place: usize| lengths.get(place).copied().unwrap_or(0);
    for (row, first) in one.iter().enumerate().rev() {
        for (column, second) in other.iter().enumerate().rev() {
            let length = if first.is_like(second) {
                get(&lengths, at(row + 1, column + 1)) + 1
            } else {
                get(&lengths, at(row + 1, column)).max(get(&lengths, at(row, column + 1)))
            };
            if let Some(place) = lengths.get_mut(at(row, column)) {
                *place = length;
            }
        }
    }
    let (mut row, mut column) = (0, 0);
    let mut pairs = Vec::new();
    while let (Some(first), Some(second)) = (one.get(row), other.get(column)) {
        if first.is_like(second) {
            pairs.push((row, column));
            (row, column) = (row + 1, column + 1);
        } else if get(&lengths, at(row + 1, column)) >= get(&lengths, at(row, column + 1)) {
            row += 1;
        } else {
            column += 1;
        }
    }
    pairs
}
