//! Selects connections of each kind.

use super::Survey;
use super::flow::{Flow, HAS_ISN, IS_UDP, Parts, WANTED, key};
use crate::connection::Connection;
use crate::trace::Row;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Connections with the same first sequence number that are taken as one that was translated, at most.
const MAX_TRANSLATED: usize = 8;

/// The connections that are explained, and how many are like them.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    keys: BTreeSet<u64>,
    /// Of each kind with further connections, those that are explained, and how many are not.
    kinds: Vec<(Vec<u64>, usize)>,
    /// TCP connections and UDP exchanges that are not explained.
    pub(crate) further: [usize; 2],
    /// Those of them whose kind has none that is explained.
    pub(crate) of_other_kinds: usize,
    /// Those of them that have more packets than are kept.
    pub(crate) too_long: BTreeSet<u64>,
    /// Packets of each point.
    pub(crate) packets: Vec<usize>,
    /// Packets of connections that were not even told apart.
    pub(crate) beyond: u64,
}

impl Selection {
    /// Whether a packet is of a connection that is explained.
    #[must_use]
    pub fn has(&self, row: &Row) -> bool {
        Parts::of(row).is_some_and(|parts| self.keys.contains(&parts.key()))
    }

    /// Whether a packet is of a connection that has more of them than are kept.
    #[must_use]
    pub fn is_too_long(&self, row: &Row) -> bool {
        !self.too_long.is_empty()
            && Parts::of(row).is_some_and(|parts| self.too_long.contains(&parts.key()))
    }

    pub(crate) fn has_connection(&self, it: &Connection) -> bool {
        self.keys.contains(&key(it.protocol, it.client, it.server))
    }

    /// How many connections are of the same kind as each of these, and are not explained; each kind is counted
    /// once.
    pub(crate) fn alike<'a>(&self, all: impl Iterator<Item = &'a Connection>) -> Vec<usize> {
        let mut kinds: BTreeMap<u64, usize> = BTreeMap::new();
        for (kind, (keys, _)) in self.kinds.iter().enumerate() {
            kinds.extend(keys.iter().map(|key| (*key, kind)));
        }
        let mut found = BTreeSet::new();
        all.map(|it| {
            let kind = kinds.get(&key(it.protocol, it.client, it.server));
            let kind = kind.filter(|kind| found.insert(**kind));
            kind.and_then(|kind| self.kinds.get(*kind)).map_or(0, |(_, further)| *further)
        })
        .collect()
    }
}

impl Survey {
    /// Selects so many connections and packets at most: of each kind one, and then another, the rarest kind and
    /// the most common one first. With them go those that may be the same ones after a translation.
    #[must_use]
    pub fn select(self, most_connections: usize, most_rows: usize) -> Selection {
        let Self { places, flows, wanted, packets, beyond, .. } = self;
        drop(places);
        let is_wanted = |flow: &Flow| wanted.is_empty() || flow.has(WANTED);
        let translated = Translated::new(&flows);
        let kinds = Kinds::new(&flows, &translated, most_connections, is_wanted);
        let mut taken = Taken {
            is_taken: vec![false; flows.len()],
            rows: most_rows,
            connections: most_connections,
        };
        for place in kinds.in_turn() {
            if taken.connections == 0 {
                break;
            }
            taken.take(&flows, &translated.with(&flows, place));
        }
        taken.take_companions(&flows);
        let mut selection = Selection { packets, beyond, ..Selection::default() };
        for members in kinds.members() {
            let is_taken = |place: &u32| taken.has(*place);
            let (own, others): (Vec<u32>, Vec<u32>) = members.iter().partition(|it| is_taken(it));
            let flow = |place: &u32| flows.get(index(*place));
            for flow in others.iter().filter_map(flow) {
                let [tcp, udp] = &mut selection.further;
                *if flow.has(IS_UDP) { udp } else { tcp } += 1;
                if usize::try_from(flow.rows).is_ok_and(|rows| rows > most_rows) {
                    selection.too_long.insert(flow.key);
                }
            }
            if own.is_empty() {
                selection.of_other_kinds += others.len();
            } else if !others.is_empty() {
                let keys = own.iter().filter_map(flow).map(|it| it.key).collect();
                selection.kinds.push((keys, others.len()));
            }
        }
        let own = flows.iter().zip(&taken.is_taken).filter(|(_, is_taken)| **is_taken);
        selection.keys = own.map(|(flow, _)| flow.key).collect();
        selection
    }
}

fn index(place: u32) -> usize {
    usize::try_from(place).unwrap_or(usize::MAX)
}

/// The places of flows.
fn places(flows: &[Flow]) -> impl Iterator<Item = (u32, &Flow)> {
    flows.iter().enumerate().filter_map(|(place, flow)| Some((u32::try_from(place).ok()?, flow)))
}

/// Flows by their first sequence number.
struct Translated {
    by_isn: Vec<(u32, u32)>,
}

impl Translated {
    fn new(flows: &[Flow]) -> Self {
        let with_isn = places(flows).filter(|(_, flow)| flow.has(HAS_ISN));
        let mut by_isn: Vec<(u32, u32)> = with_isn.map(|(place, flow)| (flow.isn, place)).collect();
        by_isn.sort_unstable();
        Self { by_isn }
    }

    /// A flow, and those that begin with the same number.
    fn with(&self, flows: &[Flow], place: u32) -> Vec<u32> {
        let Some(flow) = flows.get(index(place)).filter(|it| it.has(HAS_ISN)) else {
            return vec![place];
        };
        let start = self.by_isn.partition_point(|(isn, _)| *isn < flow.isn);
        let alike = self.by_isn.iter().skip(start).take_while(|(isn, _)| *isn == flow.isn);
        let others = alike.map(|(_, other)| *other).filter(|other| *other != place);
        std::iter::once(place).chain(others.take(MAX_TRANSLATED)).collect()
    }
}

/// Flows by their kinds.
struct Kinds {
    /// By kind, and by their first packets.
    order: Vec<u32>,
    /// Where the flows of each kind are in `order`, the rarest kind first.
    ranges: Vec<Range<usize>>,
}

impl Kinds {
    /// Kinds that differ by how often each packet was seen, unless those are too many.
    fn new(
        flows: &[Flow],
        translated: &Translated,
        most: usize,
        is_wanted: impl Fn(&Flow) -> bool,
    ) -> Self {
        let counted = Self::of(flows, translated, true, &is_wanted);
        if counted.ranges.len() <= most / 2 {
            return counted;
        }
        drop(counted);
        Self::of(flows, translated, false, &is_wanted)
    }

    fn of(
        flows: &[Flow],
        translated: &Translated,
        is_counted: bool,
        is_wanted: &impl Fn(&Flow) -> bool,
    ) -> Self {
        let mut kinds: Vec<u64> = flows.iter().map(|flow| flow.kind(is_counted)).collect();
        // What was translated is of one kind with what became of it.
        for same in translated.by_isn.chunk_by(|(one, _), (other, _)| one == other) {
            let members = || same.iter().map(|(_, place)| index(*place));
            if same.len() > 1 {
                let sum = members()
                    .filter_map(|place| kinds.get(place))
                    .fold(0, |sum: u64, kind| sum.wrapping_add(*kind));
                for place in members() {
                    if let Some(kind) = kinds.get_mut(place) {
                        *kind = sum;
                    }
                }
            }
        }
        let kind = |place: &u32| kinds.get(index(*place)).copied().unwrap_or(0);
        let first = |place: &u32| flows.get(index(*place)).map_or(0, |flow| flow.first);
        let mut order: Vec<u32> =
            places(flows).filter(|(_, flow)| is_wanted(flow)).map(|(place, _)| place).collect();
        order.sort_unstable_by_key(|place| (kind(place), first(place)));
        let mut ranges = Vec::new();
        let mut start = 0;
        for members in order.chunk_by(|one, other| kind(one) == kind(other)) {
            ranges.push(start..start + members.len());
            start += members.len();
        }
        let rows = |place: &u32| flows.get(index(*place)).map_or(0, |flow| flow.rows);
        // Among kinds of one size the short ones first: a long connection may leave no room.
        ranges.sort_by_key(|range: &Range<usize>| {
            let earliest = order.get(range.start);
            (range.len(), earliest.map(rows), earliest.map(first))
        });
        Self { order, ranges }
    }

    /// The flows of each kind.
    fn members(&self) -> impl Iterator<Item = &[u32]> {
        self.ranges.iter().filter_map(|range| self.order.get(range.clone()))
    }

    /// One flow of each kind, another one of each, and so on: from both ends, the rarest and the most common.
    fn in_turn(&self) -> impl Iterator<Item = u32> {
        let (mut rare, mut common) = (0, self.ranges.len());
        let mut kinds = Vec::new();
        while rare < common {
            kinds.extend(self.ranges.get(rare).cloned());
            rare += 1;
            if rare < common {
                common -= 1;
                kinds.extend(self.ranges.get(common).cloned());
            }
        }
        std::iter::from_fn(move || {
            kinds.retain(|range| !range.is_empty());
            if kinds.is_empty() {
                return None;
            }
            let next: Vec<usize> = kinds.iter_mut().filter_map(Iterator::next).collect();
            Some(next)
        })
        .flatten()
        .filter_map(|place| self.order.get(place).copied())
    }
}

/// What is selected, and the room that is left.
struct Taken {
    is_taken: Vec<bool>,
    rows: usize,
    connections: usize,
}

impl Taken {
    fn has(&self, place: u32) -> bool {
        self.is_taken.get(index(place)).copied().unwrap_or(false)
    }

    /// Takes all of them, or none if there is no room.
    fn take(&mut self, flows: &[Flow], them: &[u32]) {
        let new: Vec<u32> = them.iter().copied().filter(|place| !self.has(*place)).collect();
        let rows: usize =
            new.iter().filter_map(|it| flows.get(index(*it))).map(|it| index(it.rows)).sum();
        let (Some(rows), Some(connections)) =
            (self.rows.checked_sub(rows), self.connections.checked_sub(new.len()))
        else {
            return;
        };
        (self.rows, self.connections) = (rows, connections);
        for place in new {
            if let Some(is_taken) = self.is_taken.get_mut(index(place)) {
                *is_taken = true;
            }
        }
    }

    /// Takes what may be answers from other addresses: flows of the same clients' ports whose beginning was not
    /// captured, or that have none.
    fn take_companions(&mut self, flows: &[Flow]) {
        let own = flows.iter().zip(&self.is_taken).filter(|(_, is_taken)| **is_taken);
        let clients: BTreeSet<u32> = own.map(|(flow, _)| flow.client).collect();
        // They have a budget of their own: what is explained must not lack its answers.
        self.connections = clients.len();
        for (place, flow) in places(flows) {
            if !flow.has(HAS_ISN) && clients.contains(&flow.client) {
                self.take(flows, &[place]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(flows: &[Flow], most: usize) -> Kinds {
        Kinds::new(flows, &Translated::new(flows), most, |_| true)
    }

    #[test]
    fn each_connection_is_looked_at_once_and_one_of_each_kind_before_another_of_any() {
        // Seven kinds of many, and as many kinds of one.
        let many = (0..7000).map(|number| Flow::of_kind(number, u64::from(number % 7)));
        let alone = (7000..7500).map(|number| Flow::of_kind(number, u64::from(number)));
        let flows: Vec<Flow> = many.chain(alone).collect();
        let mut order: Vec<u32> = kinds(&flows, usize::MAX).in_turn().collect();
        let kind = |place: &u32| if *place < 7000 { place % 7 } else { *place };
        let first: BTreeSet<u32> = order.iter().take(507).map(kind).collect();
        assert_eq!(first.len(), 507);
        // The rarest and the most common one first.
        assert_eq!(order.iter().take(4).map(kind).collect::<Vec<_>>(), [7000, 6, 7001, 5]);
        order.sort_unstable();
        assert!(order.into_iter().eq(0..7500));
    }

    #[test]
    fn what_was_translated_is_selected_together() {
        let mut flows: Vec<Flow> = (0..4).map(|number| Flow::of_kind(number, 0)).collect();
        for place in [1, 3] {
            flows[place].isn = 77;
            flows[place].bits = HAS_ISN;
        }
        let translated = Translated::new(&flows);
        assert_eq!(
            [0, 1, 3].map(|it| translated.with(&flows, it)),
            [vec![0], vec![1, 3], vec![3, 1]]
        );
        let mut taken = Taken { is_taken: vec![false; 4], rows: 3, connections: 3 };
        for place in 0..4 {
            taken.take(&flows, &translated.with(&flows, place));
        }
        // Of two that belong together none is taken alone.
        assert_eq!(taken.is_taken, [true, true, false, true]);
    }
}
