//! Compares what steps sent, packet by packet and hop by hop: the first place where two runs part.
//!
//! Of each step that is its first packet's flow. Packets of one direction are compared in their order, as
//! which direction's comes first is a matter of timing. Left out are packets that were sent again, and
//! acknowledgements without data but a handshake's, which a timer decides.

use super::canonical::{Fields, Reading};
use super::retransmissions::Repeated;
use super::{SavedRun, SavedStep, SeenFrame};
use crate::journey::{Journey, Journeys};
use labsim_wire::tcp::Flags;
use std::collections::BTreeSet;

/// Packets of a step, of each direction, that are compared.
const PACKETS: usize = 100;
/// Places of one packet that are compared.
const PLACES: usize = 300;
/// Rows of a step that are kept, the first different one among them.
const ROWS: usize = 400;

/// Two steps, one of each run, and how their packets went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StepComparison {
    /// Their names.
    pub names: [String; 2],
    /// What they did, in a sentence.
    pub what: [String; 2],
    /// How they ended, where they did.
    pub results: [Option<String>; 2],
    /// Their packets from place to place, in the order of time as far as both have it.
    pub rows: Vec<HopRow>,
    /// Rows before and after those that are kept.
    pub more: usize,
    /// Rows that are the same, also of those that are not kept.
    pub same: usize,
    /// The first row that is not the same, by its place among the rows.
    pub first: Option<usize>,
    /// Whether each run's capture has a packet that the step sent.
    pub has_packets: [bool; 2],
    /// Whether the step has more packets, or one has more places, than are compared.
    pub is_cut: bool,
}

/// One place of a packet, in both runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HopRow {
    /// Whether it is a packet of the other direction than the step's first.
    pub is_answer: bool,
    /// Where each run saw it.
    pub hops: [Option<SeenHop>; 2],
    /// What is not the same, if both saw it: a field and its two values.
    pub fields: Vec<(String, [String; 2])>,
}

/// A packet at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenHop {
    /// `rs1:tunl0 in`
    pub place: String,
    /// Its frame.
    pub frame: SeenFrame,
}

impl HopRow {
    /// Whether both runs saw the same.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.fields.is_empty() && self.hops.iter().all(Option::is_some)
    }
}

/// A place with all that is compared of it.
struct Place {
    place: String,
    time_ns: u64,
    frame: SeenFrame,
    fields: Fields,
}

/// The packets of one direction, each as its places, and whether there are more.
type Packets = (Vec<Vec<Place>>, bool);

/// Compares the steps of two runs, in their order.
pub(super) fn compare(runs: &[&SavedRun; 2]) -> Vec<StepComparison> {
    let journeys = runs.map(|run| Journeys::without_probes(&run.observations, &run.balancers));
    let steps = runs[0].steps.iter().zip(&runs[1].steps);
    steps.map(|(first, second)| of_step(&journeys, [first, second])).collect()
}

fn of_step(journeys: &[Journeys<'_>; 2], steps: [&SavedStep; 2]) -> StepComparison {
    let packets = [0, 1].map(|run| packets(&journeys[run], steps[run]));
    let mut rows: Vec<(u64, HopRow)> = Vec::new();
    let begins = steps.map(|step| step.from_ns);
    let has_packets = [0, 1].map(|run| packets[run].is_some());
    let [first, second] = packets.map(Option::unwrap_or_default);
    let mut is_cut = false;
    for (is_answer, one, other) in [(false, first.0, second.0), (true, first.1, second.1)] {
        is_cut |= one.1 || other.1;
        let (mut one, mut other) = (one.0.into_iter(), other.0.into_iter());
        loop {
            let pair = [one.next(), other.next()];
            if pair.iter().all(Option::is_none) {
                break;
            }
            lay(pair.map(Option::unwrap_or_default), is_answer, begins, &mut rows);
        }
    }
    rows.sort_by_key(|(time, _)| *time);
    let rows = rows.into_iter().map(|(_, row)| row).collect();
    let kept = keep(rows);
    StepComparison {
        names: steps.map(|step| step.name.clone()),
        what: steps.map(|step| step.what.clone()),
        results: steps.map(|step| step.result.clone()),
        has_packets,
        is_cut,
        ..kept
    }
}

/// Counts the rows, and keeps those around the first different one if it is not among the first.
fn keep(mut rows: Vec<HopRow>) -> StepComparison {
    let all = rows.len();
    let same = rows.iter().filter(|row| row.is_same()).count();
    let first = rows.iter().position(|row| !row.is_same());
    let from = first.filter(|first| *first >= ROWS).map_or(0, |first| first - ROWS / 2);
    rows.drain(..from);
    rows.truncate(ROWS);
    let (first, more) = (first.map(|first| first - from), all - rows.len());
    StepComparison { rows, more, same, first, ..StepComparison::default() }
}

/// What is said of a step of which not everything is compared.
pub(super) fn cut() -> String {
    format!("packets beyond {PACKETS} of each direction, and places of one beyond {PLACES}")
}

/// Lays the places of a packet of both runs beside each other. A row's time counts from its step's
/// beginning, in the run that was first there.
fn lay(pair: [Vec<Place>; 2], is_answer: bool, begins: [u64; 2], rows: &mut Vec<(u64, HopRow)>) {
    let [mut one, mut other] = pair.map(Vec::into_iter);
    loop {
        let places = [one.next(), other.next()];
        let since =
            |run: usize| places[run].as_ref().map(|it| it.time_ns.saturating_sub(begins[run]));
        let Some(time) = [since(0), since(1)].into_iter().flatten().min() else { break };
        let fields = match &places {
            [Some(a), Some(b)] if a.place != b.place => {
                vec![("place".to_owned(), [a.place.clone(), b.place.clone()])]
            }
            [Some(a), Some(b)] => differing(&a.fields, &b.fields),
            _ => Vec::new(),
        };
        let hops = places.map(|it| it.map(|Place { place, frame, .. }| SeenHop { place, frame }));
        rows.push((time, HopRow { is_answer, hops, fields }));
    }
}

fn differing(one: &Fields, other: &Fields) -> Vec<(String, [String; 2])> {
    let value = |of: &Fields, name: &String| {
        let found = of.iter().find(|(known, _)| known == name);
        found.map_or_else(|| "none".to_owned(), |(_, value)| value.clone())
    };
    let mut names: Vec<&String> = one.iter().map(|(name, _)| name).collect();
    names.extend(
        other
            .iter()
            .map(|(name, _)| name)
            .filter(|name| !one.iter().any(|(known, _)| known == *name)),
    );
    names
        .into_iter()
        .map(|name| (name.clone(), [value(one, name), value(other, name)]))
        .filter(|(_, [one, other])| one != other)
        .collect()
}

/// The packets of a step's first flow, there and back; `None` if it sent none.
fn packets(journeys: &Journeys<'_>, step: &SavedStep) -> Option<(Packets, Packets)> {
    let first = journeys.first_sent(step.client, step.from_ns, step.to_ns)?;
    let (there, back) = journeys.first_sendings(first);
    let of = |indices: Vec<usize>| -> Packets {
        let mut found = indices
            .into_iter()
            .filter_map(|index| journeys.of_frame(index).filter(|journey| !is_spare(journey)));
        let first: Vec<Journey> = found.by_ref().take(PACKETS).collect();
        let is_long = |journey: &Journey| journey.sightings.len() > PLACES;
        let is_cut = first.iter().any(is_long) || found.next().is_some();
        (first.iter().map(|journey| places(journeys, journey)).collect(), is_cut)
    };
    Some((of(there), of(back)))
}

/// Whether it is an acknowledgement without data that is no handshake's.
fn is_spare(journey: &Journey) -> bool {
    let Some(first) = journey.sightings.first() else { return true };
    first.decoded.tcp().is_some_and(|tcp| {
        tcp.flags == Flags::ACK && tcp.payload == 0 && first.relative.acknowledgement != Some(1)
    })
}

fn places(journeys: &Journeys<'_>, journey: &Journey) -> Vec<Place> {
    let (none, repeated) = (BTreeSet::new(), Repeated::default());
    let (frames, services) = journeys.read();
    let reading = Reading { frames, services, alike: &none, repeated: &repeated };
    let place = |seen: &crate::journey::Sighting| {
        let frame = frames.get(seen.index)?;
        let view = frames.view(&frame);
        let bytes = view.and_then(|view| labsim_wire::decode::payload(view.link, view.bytes));
        Some(Place {
            place: format!("{}:{} {}", seen.node, seen.interface, seen.direction),
            time_ns: seen.time_ns,
            frame: SeenFrame { number: seen.index + 1, line: frames.line(&frame) },
            fields: reading.fields(&frame, bytes),
        })
    };
    journey.sightings.iter().take(PLACES).filter_map(place).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    /// Rows that are the same but for those of the given places.
    fn rows(count: usize, different: &[usize]) -> Vec<HopRow> {
        let row = |place: usize| {
            let frame = SeenFrame { number: place + 1, line: String::new() };
            let hop = || Some(SeenHop { place: place.to_string(), frame: frame.clone() });
            let second = if different.contains(&place) { None } else { hop() };
            HopRow { is_answer: false, hops: [hop(), second], fields: Vec::new() }
        };
        (0..count).map(row).collect()
    }

    #[test]
    fn a_difference_beyond_the_rows_that_are_kept_is_found_and_kept_and_counted() {
        for first in [0, ROWS - 1, ROWS, 5 * ROWS, 6 * ROWS - 1] {
            let count = 6 * ROWS;
            let kept = keep(rows(count, &[first]));
            let row = &kept.rows[kept.first.unwrap()];
            assert_eq!(row.hops[0].as_ref().unwrap().frame.number, first + 1);
            assert!(kept.rows.len() <= ROWS);
            assert_eq!((kept.rows.len() + kept.more, kept.same), (count, count - 1));
        }
        let kept = keep(rows(ROWS + 1, &[]));
        assert_eq!((kept.first, kept.more, kept.same), (None, 1, ROWS + 1));
    }
}
