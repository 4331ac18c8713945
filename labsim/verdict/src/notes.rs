//! What was noted of flows, in time's order.

use crate::frames::FlowId;

/// Numbers that were noted of flows, each since a frame. Most flows have one or none: all lists are in one vector.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    notes: Vec<Note>,
    /// By flow: its latest note.
    latest: Vec<u32>,
}

#[derive(Debug, Clone, Copy)]
struct Note {
    since: u32,
    number: u32,
    /// The flow's note before it.
    before: u32,
}

/// Stands for no note.
const NONE: u32 = u32::MAX;

impl Notes {
    /// Notes a number, unless it is the flow's latest; frames have to come in time's order.
    pub(crate) fn add(&mut self, flow: FlowId, since: usize, number: u32) {
        let before = self.latest.get(flow.index()).copied().unwrap_or(NONE);
        if self.get(before).is_some_and(|latest| latest.number == number) {
            return;
        }
        if self.latest.len() <= flow.index() {
            self.latest.resize(flow.index() + 1, NONE);
        }
        if let Some(latest) = self.latest.get_mut(flow.index()) {
            *latest = self.notes.len() as u32;
            self.notes.push(Note { since: since as u32, number, before });
        }
    }

    /// The number that was noted last up to a frame; before all, the first one.
    pub(crate) fn at(&self, flow: FlowId, frame: usize) -> Option<u32> {
        let mut first = None;
        for note in self.of(flow) {
            first = Some(note.number);
            if note.since as usize <= frame {
                break;
            }
        }
        first
    }

    /// All numbers of a flow, the latest first.
    pub(crate) fn all(&self, flow: FlowId) -> impl Iterator<Item = u32> {
        self.of(flow).map(|note| note.number)
    }

    fn of(&self, flow: FlowId) -> impl Iterator<Item = Note> {
        let latest = self.latest.get(flow.index()).and_then(|latest| self.get(*latest));
        std::iter::successors(latest, |note| self.get(note.before))
    }

    fn get(&self, place: u32) -> Option<Note> {
        self.notes.get(place as usize).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_holds_from_its_frame_to_the_next_and_the_first_before_that_too() {
        let (one, other) = (FlowId(4), FlowId(0));
        let mut notes = Notes::default();
        for (flow, since, number) in [(one, 3, 70), (other, 4, 80), (one, 5, 70), (one, 9, 71)] {
            notes.add(flow, since, number);
        }
        let at = [0, 3, 8, 9, 20].map(|frame| notes.at(one, frame));
        assert_eq!(at, [Some(70), Some(70), Some(70), Some(71), Some(71)]);
        assert_eq!(notes.all(one).collect::<Vec<_>>(), [71, 70]);
        assert_eq!((notes.at(other, 9), notes.at(FlowId(3), 9)), (Some(80), None));
    }
}
