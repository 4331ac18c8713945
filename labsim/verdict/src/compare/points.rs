//! Compares the frames of every capture point.

use super::canonical::{Fields, Reading, differences};
use super::concurrency;
use super::ports::Services;
use super::retransmissions::Repeated;
use super::streams::{Seen, Streams};
use super::{Comparison, Difference, FrameRow, SavedRun, SeenFrame, Side};
use crate::align::{Row, align};
use crate::frames::Frames;
use crate::observe::PointId;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

/// Rows of a point that are shown; the rest is counted.
const ROWS: usize = 8;
/// Alike from here on, two frames are not the same frame changed.
const ANOTHER: usize = 3;

/// What was set aside at a point, of the first and the second run.
#[derive(Debug, Default)]
pub(super) struct Aside {
    /// Packets that a timer sent or did not.
    pub(super) packets: [usize; 2],
    /// Everything that was set aside.
    pub(super) all: [usize; 2],
}

/// Compares all points; tells what was set aside, by `node:interface`.
pub(super) fn compare(
    runs: &[&SavedRun; 2],
    frames: &[Frames<'_>; 2],
    found: &mut Comparison,
) -> BTreeMap<String, Aside> {
    let services = [0, 1].map(|run| Services::of(&frames[run]));
    let places = [0, 1].map(|run| {
        let points = runs[run].observations.capture.points();
        let named = points
            .iter()
            .enumerate()
            .map(|(place, point)| (format!("{}:{}", point.node, point.interface), PointId(place)));
        named.collect::<BTreeMap<_, _>>()
    });
    let no_clients = BTreeSet::new();
    let [first, second] = [0, 1].map(|run| concurrency::clients(&frames[run]));
    let clients: BTreeSet<IpAddr> =
        if first.is_empty() || second.is_empty() { no_clients.clone() } else { &first | &second };
    let repeated = [0, 1].map(|run| {
        let (frames, services, alike) = (&frames[run], &services[run], &no_clients);
        let reading = Reading { frames, services, alike, repeated: &Repeated::default() };
        let ids = places[run].values();
        ids.flat_map(|id| Streams::at(&reading, *id).repeated).collect::<Repeated>()
    });
    let mut asides = BTreeMap::new();
    let names: BTreeSet<&String> = places.iter().flat_map(BTreeMap::keys).collect();
    for name in names {
        let ids = match [0, 1].map(|run| places[run].get(name).copied()) {
            [Some(first), Some(second)] => [first, second],
            [of_first, _] => {
                let only = if of_first.is_some() { Side::First } else { Side::Second };
                found.differences.push(Difference::Point { point: name.clone(), only });
                continue;
            }
        };
        let streams = |alike: &BTreeSet<IpAddr>| {
            [0, 1].map(|run| {
                let (frames, services) = (&frames[run], &services[run]);
                let repeated = &repeated[run];
                Streams::at(&Reading { frames, services, alike, repeated }, ids[run])
            })
        };
        let exact = streams(&no_clients);
        found.points += 1;
        for (sum, streams) in found.frames.iter_mut().zip(&exact) {
            *sum += streams.frames;
            found.set_aside += streams.aside();
        }
        asides.insert(
            name.clone(),
            Aside {
                packets: [0, 1].map(|run| exact[run].repeats + exact[run].spare),
                all: [0, 1].map(|run| exact[run].aside()),
            },
        );
        let mut rows = differing(&exact);
        if !rows.is_empty() && !clients.is_empty() && differing(&streams(&clients)).is_empty() {
            found.who_met_whom += 1;
            rows.clear();
        }
        if rows.is_empty() {
            continue;
        }
        rows.sort_by_key(|row| row.map(|seen| seen.map(|seen| seen.index)));
        let more = rows.len().saturating_sub(ROWS);
        rows.truncate(ROWS);
        let rows = rows.into_iter().map(|row| shown(row, frames)).collect();
        found.differences.push(Difference::Frames { point: name.clone(), rows, more });
    }
    asides
}

/// The frames of both runs that are beside each other.
type Pair<'a> = [Option<&'a Seen>; 2];

/// One way of one flow at a point.
type Stream<'a> = Vec<&'a Seen>;

/// The frames that differ. What a timer decides is left out only where the runs differ in it: of
/// two packets that a step sends alike, the time between them says whether the second looks sent
/// again.
fn differing(streams: &[Streams; 2]) -> Vec<Pair<'_>> {
    let mut rows = Vec::new();
    let names: BTreeSet<&String> = streams.iter().flat_map(|it| it.named.keys()).collect();
    for name in names {
        let named = |run: usize| streams[run].named.get(name).into_iter().flatten();
        let all = [0, 1].map(|run| named(run).map(|it| it.iter().collect()).collect::<Vec<_>>());
        if unequal(&all).iter().all(Vec::is_empty) {
            continue;
        }
        let firm = [0, 1].map(|run| named(run).map(|it| firm(it)).collect::<Vec<_>>());
        let [first, second] = unequal(&firm);
        for place in 0..first.len().max(second.len()) {
            let [first, second] =
                [&first, &second].map(|it| it.get(place).map_or(&[][..], |it| it.as_slice()));
            beside(first, second, &mut rows);
        }
    }
    rows
}

/// What no timer decides.
fn firm(stream: &[Seen]) -> Stream<'_> {
    stream.iter().filter(|seen| !seen.is_aside).collect()
}

/// The streams of a name that have no equal among the other run's.
fn unequal<'a, 'b>(all: &'b [Vec<Stream<'a>>; 2]) -> [Vec<&'b Stream<'a>>; 2] {
    let fields = |stream: &Stream<'a>| -> Vec<&'a Fields> {
        stream.iter().map(|seen| &seen.fields).collect()
    };
    let mut wanted: HashMap<Vec<&Fields>, usize> = HashMap::new();
    for stream in &all[0] {
        *wanted.entry(fields(stream)).or_default() += 1;
    }
    let mut matched: HashMap<Vec<&Fields>, usize> = HashMap::new();
    let second = all[1].iter().filter(|stream| {
        let fields = fields(stream);
        let left = wanted.get_mut(&fields).filter(|left| **left > 0);
        let found = left.is_some();
        if let Some(left) = left {
            *left -= 1;
            *matched.entry(fields).or_default() += 1;
        }
        !found
    });
    let second = second.collect();
    let first = all[0].iter().filter(|stream| {
        let left = matched.get_mut(&fields(stream)).filter(|left| **left > 0);
        let found = left.is_some();
        if let Some(left) = left {
            *left -= 1;
        }
        !found
    });
    [first.collect(), second]
}

/// Lays two streams beside each other, and keeps what is not the same.
fn beside<'a>(first: &[&'a Seen], second: &[&'a Seen], rows: &mut Vec<Pair<'a>>) {
    let cost = |i: usize, j: usize| match (first.get(i), second.get(j)) {
        (Some(one), Some(other)) => differences(&one.fields, &other.fields),
        _ => ANOTHER,
    };
    for row in align(first.len(), second.len(), cost) {
        let pair = match row {
            Row::Both(i, j) => [first.get(i).copied(), second.get(j).copied()],
            Row::Missing(i) => [first.get(i).copied(), None],
            Row::Extra(j) => [None, second.get(j).copied()],
        };
        if let [Some(one), Some(other)] = pair
            && one.fields == other.fields
        {
            continue;
        }
        rows.push(pair);
    }
}

fn shown(pair: Pair<'_>, frames: &[Frames<'_>; 2]) -> FrameRow {
    let line = |run: usize| {
        let frame = frames[run].get(pair[run]?.index)?;
        Some(SeenFrame { number: frame.index + 1, line: frames[run].line(&frame) })
    };
    let fields = match pair {
        [Some(one), Some(other)] => {
            let both = one.fields.iter().zip(&other.fields).filter(|(one, other)| one != other);
            both.map(|(one, other)| (one.0.clone(), [one.1.clone(), other.1.clone()])).collect()
        }
        _ => Vec::new(),
    };
    FrameRow { frames: [0, 1].map(line), fields }
}
