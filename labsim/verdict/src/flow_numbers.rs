//! What flows were seen with, as a number, and from which frame on.

use crate::frames::FlowId;

/// The numbers that each flow had in turn, such as its initial sequence numbers where ports were used again. Most
/// flows have one or none, so all lists are in one vector.
#[derive(Debug, Default)]
pub(crate) struct FlowNumbers {
    entries: Vec<Entry>,
    /// By flow: its latest entry.
    latest: Vec<u32>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    /// The first frame with the number.
    since: u32,
    number: u32,
    /// The flow's entry before it.
    before: u32,
}

/// Stands for no entry.
const NONE: u32 = u32::MAX;

impl FlowNumbers {
    /// Records a number, unless it is the flow's latest; frames have to come in time's order.
    pub(crate) fn record(&mut self, flow: FlowId, since: usize, number: u32) {
        let before = self.latest.get(flow.index()).copied().unwrap_or(NONE);
        if self.get(before).is_some_and(|latest| latest.number == number) {
            return;
        }
        if self.latest.len() <= flow.index() {
            self.latest.resize(flow.index() + 1, NONE);
        }
        if let Some(latest) = self.latest.get_mut(flow.index()) {
            *latest = self.entries.len() as u32;
            self.entries.push(Entry { since: since as u32, number, before });
        }
    }

    /// The flow's number at a frame; before its first one, the first.
    pub(crate) fn at(&self, flow: FlowId, frame: usize) -> Option<u32> {
        let mut first = None;
        for entry in self.of(flow) {
            first = Some(entry.number);
            if entry.since as usize <= frame {
                break;
            }
        }
        first
    }

    /// All numbers of a flow, the latest first.
    pub(crate) fn all(&self, flow: FlowId) -> impl Iterator<Item = u32> {
        self.of(flow).map(|entry| entry.number)
    }

    fn of(&self, flow: FlowId) -> impl Iterator<Item = Entry> {
        let latest = self.latest.get(flow.index()).and_then(|latest| self.get(*latest));
        std::iter::successors(latest, |entry| self.get(entry.before))
    }

    fn get(&self, place: u32) -> Option<Entry> {
        self.entries.get(place as usize).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_holds_from_its_frame_to_the_next_and_the_first_before_that_too() {
        let (one, other) = (FlowId(4), FlowId(0));
        let mut numbers = FlowNumbers::default();
        for (flow, since, number) in [(one, 3, 70), (other, 4, 80), (one, 5, 70), (one, 9, 71)] {
            numbers.record(flow, since, number);
        }
        let at = [0, 3, 8, 9, 20].map(|frame| numbers.at(one, frame));
        assert_eq!(at, [Some(70), Some(70), Some(70), Some(71), Some(71)]);
        assert_eq!(numbers.all(one).collect::<Vec<_>>(), [71, 70]);
        assert_eq!((numbers.at(other, 9), numbers.at(FlowId(3), 9)), (Some(80), None));
    }
}
