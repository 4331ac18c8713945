//! Which packets of several points are the same.

use crate::segment::{Segment, Sighting};
use crate::trace::Trace;
use labsim_captures::{Header, Known, Packet};
use std::collections::BTreeMap;

/// A segment at one point: first and last time of what may be several rows, such as before and after a
/// tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The first row's time.
    pub first_ns: i64,
    /// The last row's time.
    pub last_ns: i64,
    /// Rows.
    pub rows: usize,
    /// The largest and the smallest TTL of the innermost header, if all rows show it.
    pub ttl: Option<(u8, u8)>,
}

/// Segments and where each was seen.
#[derive(Debug, Clone, Default)]
pub struct Matching {
    /// The rows of each segment, by their points.
    segments: BTreeMap<Segment, Vec<(usize, Rows)>>,
    points: usize,
}

/// The rows of a segment at a point.
#[derive(Debug, Clone)]
struct Rows {
    seen: Seen,
    /// Forms of the packet that were seen: TTL and number of headers.
    forms: Vec<(Option<u8>, usize)>,
    /// Whether one form was seen twice, or two packets have different identifications: the segment was sent
    /// again.
    is_repeated: bool,
    id: Option<u16>,
}

impl Matching {
    /// Matches what was seen. What is no TCP, or has numbers that are only relative, is left out.
    #[must_use]
    pub fn new(sightings: &[Sighting]) -> Self {
        let mut matching = Self::default();
        for sighting in sightings {
            match &sighting.known {
                Known::Ip(packet) => matching.add(sighting.point, sighting.time_ns, packet),
                _ => matching.count(sighting.point),
            }
        }
        matching
    }

    /// Matches the rows that have a time.
    pub(crate) fn of_trace(trace: &Trace) -> Self {
        let mut matching = Self::default();
        for row in &trace.rows {
            if let Some(time_ns) = row.time_ns {
                matching.add(row.point, time_ns, &row.packet);
            }
        }
        matching
    }

    fn count(&mut self, point: usize) {
        self.points = self.points.max(point.saturating_add(1));
    }

    fn add(&mut self, point: usize, time_ns: i64, packet: &Packet) {
        self.count(point);
        let Some(segment) = Segment::of_packet(packet) else { return };
        let points = self.segments.entry(segment).or_default();
        let (header, depth) = (packet.innermost(), packet.inner.len());
        match points.binary_search_by_key(&point, |(point, _)| *point) {
            Ok(place) => {
                if let Some((_, rows)) = points.get_mut(place) {
                    rows.add(time_ns, header, depth);
                }
            }
            Err(place) => points.insert(place, (point, Rows::new(time_ns, header, depth))),
        }
    }

    /// How many points there are.
    #[must_use]
    pub fn points(&self) -> usize {
        self.points
    }

    /// Segments that passed once, with the points that saw them. A segment that was sent again is left out:
    /// which of its sightings belong together is not known.
    pub fn unique(&self) -> impl Iterator<Item = (&Segment, Vec<(usize, Seen)>)> {
        self.segments.iter().filter(|(_, points)| is_unique(points)).map(|(segment, points)| {
            (segment, points.iter().map(|(point, rows)| (*point, rows.seen)).collect())
        })
    }

    /// All segments at all points, and whether each passed once.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&Segment, usize, Seen, bool)> {
        self.segments.iter().flat_map(|(segment, points)| {
            let is_unique = is_unique(points);
            points.iter().map(move |(point, rows)| (segment, *point, rows.seen, is_unique))
        })
    }

    /// Segments that were sent more than once, and so match in several ways.
    #[must_use]
    pub fn repeated(&self) -> usize {
        self.segments.values().filter(|points| !is_unique(points)).count()
    }
}

/// Whether all sightings are those of one packet. Its identification is the same everywhere.
fn is_unique(points: &[(usize, Rows)]) -> bool {
    let mut ids = points.iter().filter_map(|(_, it)| it.id);
    let first = ids.next();
    points.iter().all(|(_, it)| !it.is_repeated) && ids.all(|id| Some(id) == first)
}

impl Rows {
    fn new(time_ns: i64, header: &Header, depth: usize) -> Self {
        Self {
            seen: Seen {
                first_ns: time_ns,
                last_ns: time_ns,
                rows: 1,
                ttl: header.ttl.map(|ttl| (ttl, ttl)),
            },
            forms: vec![(header.ttl, depth)],
            is_repeated: false,
            id: header.id,
        }
    }

    fn add(&mut self, time_ns: i64, header: &Header, depth: usize) {
        let form = (header.ttl, depth);
        self.is_repeated |= self.forms.contains(&form) || self.id != header.id;
        // A segment that is sent again has the forms of the first.
        if !self.is_repeated {
            self.forms.push(form);
        }
        let seen = &mut self.seen;
        seen.first_ns = seen.first_ns.min(time_ns);
        seen.last_ns = seen.last_ns.max(time_ns);
        seen.rows += 1;
        seen.ttl = seen
            .ttl
            .zip(header.ttl)
            .map(|((largest, smallest), ttl)| (largest.max(ttl), smallest.min(ttl)));
    }
}
