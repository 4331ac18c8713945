//! The free ports of one address and protocol, in the order in which they were given back: a
//! port rests as long as it can before the next client gets it (RFC 6191's reason, and
//! TIME-WAIT's).

use crate::SnatPorts;

/// A ring of links; 0 is its beginning, and a taken port is linked to itself.
#[derive(Debug)]
pub(super) struct Ports {
    first: u16,
    next: Box<[u16]>,
    previous: Box<[u16]>,
}

impl Ports {
    /// All of `range` free, the lowest first.
    pub(super) fn new(range: SnatPorts) -> Self {
        let count = range.last.saturating_sub(range.first).saturating_add(1);
        let next = (0..=count).map(|link| if link == count { 0 } else { link + 1 });
        let previous = (0..=count).map(|link| if link == 0 { count } else { link - 1 });
        Self { first: range.first, next: next.collect(), previous: previous.collect() }
    }

    /// Takes the port that has been free for longest.
    pub(super) fn take(&mut self) -> Option<u16> {
        let link = self.next[0];
        (link != 0).then(|| {
            self.unlink(link);
            self.first + (link - 1)
        })
    }

    /// Takes this one, if it is of the range and free.
    pub(super) fn take_exact(&mut self, port: u16) -> bool {
        let free = self.link(port).filter(|link| self.next[usize::from(*link)] != *link);
        free.map(|link| self.unlink(link)).is_some()
    }

    /// Gives a taken port back.
    pub(super) fn release(&mut self, port: u16) {
        let taken = self.link(port).filter(|link| self.next[usize::from(*link)] == *link);
        let Some(link) = taken else { return };
        let last = self.previous[0];
        self.next[usize::from(last)] = link;
        self.previous[usize::from(link)] = last;
        self.next[usize::from(link)] = 0;
        self.previous[0] = link;
    }

    fn link(&self, port: u16) -> Option<u16> {
        let link = port.checked_sub(self.first)?.checked_add(1)?;
        (usize::from(link) < self.next.len()).then_some(link)
    }

    fn unlink(&mut self, link: u16) {
        let (next, previous) = (self.next[usize::from(link)], self.previous[usize::from(link)]);
        self.next[usize::from(previous)] = next;
        self.previous[usize::from(next)] = previous;
        self.next[usize::from(link)] = link;
        self.previous[usize::from(link)] = link;
    }
}

#[cfg(test)]
mod tests {
    use super::Ports;
    use crate::SnatPorts;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    #[test]
    fn every_port_of_the_largest_range_is_given_once() {
        let mut ports = Ports::new(SnatPorts { first: 1, last: u16::MAX });
        for port in 1..=u16::MAX {
            assert_eq!(ports.take(), Some(port));
        }
        assert_eq!(ports.take(), None);
        ports.release(u16::MAX);
        assert_eq!(ports.take(), Some(u16::MAX));
    }

    proptest! {
        #[test]
        fn ports_come_back_in_the_order_in_which_they_were_given_back(
            actions in prop::collection::vec((0..3u8, 95..110u16), 0..300),
        ) {
            let mut ports = Ports::new(SnatPorts { first: 100, last: 105 });
            let mut free: VecDeque<u16> = (100..=105).collect();
            for (action, port) in actions {
                match action {
                    0 => assert_eq!(ports.take(), free.pop_front()),
                    1 => {
                        let place = free.iter().position(|free| *free == port);
                        assert_eq!(ports.take_exact(port), place.is_some());
                        place.map(|place| free.remove(place));
                    }
                    _ => {
                        ports.release(port);
                        if (100..=105).contains(&port) && !free.contains(&port) {
                            free.push_back(port);
                        }
                    }
                }
            }
        }
    }
}
