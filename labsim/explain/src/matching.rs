//! Which packets of several points are the same.

use crate::segment::{Segment, Sighting};
use labsim_captures::{Header, Known};
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
    segments: BTreeMap<Segment, BTreeMap<usize, Rows>>,
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
            matching.points = matching.points.max(sighting.point.saturating_add(1));
            let Some(segment) = Segment::of(&sighting.known) else { continue };
            let Known::Ip(packet) = &sighting.known else { continue };
            let points = matching.segments.entry(segment).or_default();
            let header = packet.innermost();
            match points.get_mut(&sighting.point) {
                Some(rows) => rows.add(sighting.time_ns, header, packet.inner.len()),
                None => {
                    points.insert(
                        sighting.point,
                        Rows::new(sighting.time_ns, header, packet.inner.len()),
                    );
                }
            }
        }
        matching
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
fn is_unique(points: &BTreeMap<usize, Rows>) -> bool {
    let mut ids = points.values().filter_map(|it| it.id);
    let first = ids.next();
    points.values().all(|it| !it.is_repeated) && ids.all(|id| Some(id) == first)
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
