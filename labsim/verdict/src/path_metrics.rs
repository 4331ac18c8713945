//! Judges what became of packets between two points: delay, loss, copies, order.
//!
//! A packet is known again by what routers and tunnels leave as it is. Several may look the same, a
//! datagram that is sent again for one. A time is then never believed to be better than it may have
//! been: a lower bound is held against the shortest time, from the last that was sent before, and
//! an upper bound against the longest, from the first.

use crate::check_result::{CheckContext, CheckResult, unverified};
use crate::frames::Frame;
use crate::matching::{describe, matches};
use crate::messages::count as say;
use crate::observe::{Point, PointId};
use labsim_scenario::model::{CapturePoint, Count, DelayBounds, PathCheck, PathPoint, PointNode};
use labsim_wire::decode::Transport;
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

/// What makes frames the same packet.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Identity {
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    id: Option<u32>,
    fragment: u16,
    /// Ports; of ICMP its type and code.
    ports: (u16, u16),
    /// TCP's numbers and flags; of ICMP an echo's.
    numbers: (u32, u32, u8),
    length: u32,
}

/// The frames of one packet, or of several that look the same: index and time.
#[derive(Debug, Default)]
struct Seen {
    sent: Vec<(usize, u64)>,
    arrived: Vec<(usize, u64)>,
}

/// Judges a check.
pub(crate) fn path_metrics(context: &CheckContext<'_>, check: &PathCheck) -> CheckResult {
    let PathCheck { from, to, matching, .. } = check;
    let mut expected =
        vec![format!("packets from {} to {} with: {}", name(from), name(to), describe(matching))];
    expected.extend(wanted(check));
    let points = point(context, from).and_then(|here| Ok((here, point(context, to)?)));
    let ((here, sender), (there, receiver)) = match points {
        Ok(points) => points,
        Err(why) => return CheckResult::failed(expected, vec![why]),
    };
    let Some(settled) = context.observations.settled_ns else {
        let seen = "packets were still in flight at the end, so that their fate is unknown";
        return CheckResult::failed(expected, vec![seen.to_owned()]);
    };
    let packets = packets(context, check, here, there, settled);
    let sent: usize = packets.iter().map(|seen| seen.sent.len()).sum();
    let mut findings = Findings { seen: Vec::new(), wrong: Vec::new(), holds: true };
    if sent == 0 {
        let seen = format!("no such packet was seen at {}", name(from));
        return CheckResult::failed(expected, vec![seen]);
    }
    let arrived: usize = packets.iter().map(|seen| seen.arrived.len()).sum();
    findings.seen.push(format!(
        "{} at {}, {} at {}",
        say(sent as u64, "packet"),
        name(from),
        say(arrived as u64, "packet"),
        name(to)
    ));
    if let Some(bounds) = check.delay {
        findings.delays(&packets, bounds);
    }
    findings.count("lost", check.lost, lost(&packets));
    findings.count("duplicates", check.duplicates, duplicates(&packets));
    findings.count("reordered", check.reordered, reordered(&packets));
    // What was not captured was not there only if both captures were alive all the time.
    let unproven: Vec<String> = [sender, receiver].into_iter().filter_map(unverified).collect();
    findings.holds &= unproven.is_empty();
    findings.seen.extend(unproven);
    if findings.holds {
        return CheckResult::passed(findings.seen);
    }
    findings.wrong.sort_unstable();
    findings.wrong.dedup();
    CheckResult::failed(expected, findings.seen).with_frames(context.frames.list(&findings.wrong))
}

/// What was found.
struct Findings {
    seen: Vec<String>,
    /// Frames that are not as they should be.
    wrong: Vec<usize>,
    holds: bool,
}

impl Findings {
    fn delays(&mut self, packets: &[Seen], bounds: DelayBounds) {
        let mut times: Vec<(u64, u64)> = Vec::new();
        for packet in packets {
            for (index, arrived) in &packet.arrived {
                let before = || packet.sent.iter().filter(|(_, sent)| sent <= arrived);
                let Some((last, first)) = before().next_back().zip(before().next()) else {
                    continue;
                };
                let (shortest, longest) = (arrived - last.1, arrived - first.1);
                times.push((shortest, longest));
                let short = bounds.at_least.is_some_and(|it| u128::from(shortest) < it.as_nanos());
                let long = bounds.at_most.is_some_and(|it| u128::from(longest) > it.as_nanos());
                if short || long {
                    self.wrong.extend([if short { last.0 } else { first.0 }, *index]);
                    self.holds = false;
                }
            }
        }
        let shortest = times.iter().map(|(shortest, _)| *shortest).min();
        let longest = times.iter().map(|(_, longest)| *longest).max();
        let (Some(shortest), Some(longest)) = (shortest, longest) else {
            self.seen.push("none arrived, so there is no delay".to_owned());
            self.holds = false;
            return;
        };
        let times = say(times.len() as u64, "time");
        self.seen.push(format!("delay: {} to {} ({times})", exact(shortest), exact(longest)));
    }

    fn count(&mut self, what: &str, wanted: Option<Count>, found: (u64, Vec<usize>)) {
        let Some(wanted) = wanted else { return };
        let (number, frames) = found;
        self.seen.push(format!("{what}: {number}"));
        if !wanted.holds(number) {
            self.holds = false;
            self.wrong.extend(frames);
        }
    }
}

/// What is asked for, in words.
fn wanted(check: &PathCheck) -> impl Iterator<Item = String> {
    let bound = |word: &str, time: Option<Duration>| time.map(|time| format!("{word} {time:?}"));
    let delay = check.delay.map(|DelayBounds { at_least, at_most }| {
        let delays: Vec<String> =
            bound("at least", at_least).into_iter().chain(bound("at most", at_most)).collect();
        format!("delay of each that arrived: {}", delays.join(", "))
    });
    let count = |what: &str, count: Option<Count>| count.map(|count| format!("{what}: {count}"));
    let counts = [
        count("lost", check.lost),
        count("duplicates", check.duplicates),
        count("reordered", check.reordered),
    ];
    delay.into_iter().chain(counts.into_iter().flatten())
}

/// The packets that passed the first point, by identity, in the order of their sending. What was
/// sent after the lab had come to rest, such as a retransmission whose timer ended then, is left
/// out: it may be on its way.
fn packets(
    context: &CheckContext<'_>,
    check: &PathCheck,
    here: PointId,
    there: PointId,
    settled: u64,
) -> Vec<Seen> {
    let mut places: HashMap<Identity, usize> = HashMap::new();
    let mut packets: Vec<Seen> = Vec::new();
    for frame in context.frames.at(here).filter(|it| it.record.direction == check.from.direction) {
        let Some(identity) = identity(&frame) else { continue };
        if frame.record.time_ns > settled || !matches(&check.matching, &frame) {
            continue;
        }
        let place = *places.entry(identity).or_insert_with(|| {
            packets.push(Seen::default());
            packets.len() - 1
        });
        packets[place].sent.push((frame.index, frame.record.time_ns));
    }
    for frame in context.frames.at(there).filter(|it| it.record.direction == check.to.direction) {
        let place = identity(&frame).and_then(|identity| places.get(&identity));
        if let Some(packet) = place.and_then(|place| packets.get_mut(*place)) {
            packet.arrived.push((frame.index, frame.record.time_ns));
        }
    }
    packets
}

fn identity(frame: &Frame<'_>) -> Option<Identity> {
    let packet = frame.decoded.packet()?;
    let header = packet.innermost();
    let (ports, numbers, length) = match &packet.transport {
        Transport::Tcp(tcp) => (
            (tcp.source_port, tcp.destination_port),
            (tcp.sequence, tcp.acknowledgement, tcp.flags.0),
            tcp.payload,
        ),
        Transport::Udp(udp) => ((udp.source_port, udp.destination_port), (0, 0, 0), udp.payload),
        Transport::Icmp(icmp) => {
            let (id, sequence) = icmp.echo.unwrap_or_default();
            let kind = (icmp.kind.into(), icmp.code.into());
            (kind, (id.into(), sequence.into(), 0), header.length)
        }
        _ => ((0, 0), (0, 0, 0), header.length),
    };
    Some(Identity {
        source: header.source,
        destination: header.destination,
        protocol: header.protocol,
        id: header.id,
        fragment: header.fragment_offset,
        ports,
        numbers,
        length,
    })
}

/// How many never arrived, and the last frames of those.
fn lost(packets: &[Seen]) -> (u64, Vec<usize>) {
    let mut number = 0;
    let mut frames = Vec::new();
    for packet in packets {
        let missing = packet.sent.len().saturating_sub(packet.arrived.len());
        number += missing as u64;
        frames.extend(packet.sent.iter().rev().take(missing).map(|(index, _)| *index));
    }
    (number, frames)
}

/// How many arrived more often than they were sent, and those frames.
fn duplicates(packets: &[Seen]) -> (u64, Vec<usize>) {
    let mut number = 0;
    let mut frames = Vec::new();
    for packet in packets {
        let more = packet.arrived.len().saturating_sub(packet.sent.len());
        number += more as u64;
        frames.extend(packet.arrived.iter().rev().take(more).map(|(index, _)| *index));
    }
    (number, frames)
}

/// How many arrived after one that had been sent later, and those frames. Packets that look like
/// others have no place in this order.
fn reordered(packets: &[Seen]) -> (u64, Vec<usize>) {
    let mut frames = Vec::new();
    let mut earliest_later = u64::MAX;
    for packet in packets.iter().rev() {
        let ([_], Some((index, arrived))) = (packet.sent.as_slice(), packet.arrived.first()) else {
            continue;
        };
        if *arrived > earliest_later {
            frames.push(*index);
        }
        earliest_later = earliest_later.min(*arrived);
    }
    (frames.len() as u64, frames)
}

fn point<'a>(
    context: &CheckContext<'a>,
    point: &PathPoint,
) -> Result<(PointId, &'a Point), String> {
    let node = PointNode::Named(point.node.clone());
    context.point(&CapturePoint { node, interface: point.interface.clone() })
}

/// `client:eth0 out`
fn name(point: &PathPoint) -> String {
    format!("{}:{} {}", point.node, point.interface, point.direction)
}

/// Milliseconds, to the microsecond below.
fn exact(ns: u64) -> String {
    format!("{}.{:03} ms", ns / 1_000_000, ns % 1_000_000 / 1000)
}
