//! A timer wheel: which flows to look at when, at the price of a link each.
//!
//! A flow's packets do not move it; when its place on the wheel comes up, the table looks at its
//! last packet and puts it where it belongs now.

use crate::Instant;

/// A place's width: 2^28 ns, about 0.27 s.
const WIDTH_BITS: u32 = 28;
/// Places: 550 s around. Later deadlines wait at the far end and are looked at again there.
const PLACES: usize = 2048;

/// Where a deadline falls, and which places hold something.
#[derive(Debug)]
pub(super) struct Wheel {
    /// First flow of each place; 0 is none.
    heads: Box<[u32; PLACES]>,
    occupied: [u64; PLACES / 64],
    /// The turn that was looked at last.
    cursor: u64,
}

impl Wheel {
    pub(super) fn new() -> Self {
        Self { heads: Box::new([0; PLACES]), occupied: [0; PLACES / 64], cursor: 0 }
    }

    /// The place of a deadline.
    pub(super) fn place(&self, deadline: Instant) -> u16 {
        let turn = deadline.as_nanos() >> WIDTH_BITS;
        // Never the cursor's own place: that one comes up a whole round later.
        let turn = turn.clamp(self.cursor + 1, self.cursor + PLACES as u64 - 1);
        (turn % PLACES as u64) as u16
    }

    pub(super) fn head(&self, place: u16) -> u32 {
        self.heads[usize::from(place) % PLACES]
    }

    pub(super) fn set_head(&mut self, place: u16, head: u32) {
        let place = usize::from(place) % PLACES;
        self.heads[place] = head;
        let bit = 1 << (place % 64);
        if head == 0 {
            self.occupied[place / 64] &= !bit;
        } else {
            self.occupied[place / 64] |= bit;
        }
    }

    /// Moves the cursor to the next place that holds something and whose time is over.
    pub(super) fn advance(&mut self, now: Instant) -> Option<u16> {
        let current = now.as_nanos() >> WIDTH_BITS;
        match self.next_turn() {
            Some(turn) if turn < current => {
                self.cursor = turn - 1;
                Some((turn % PLACES as u64) as u16)
            }
            _ => {
                self.cursor = self.cursor.max(current.saturating_sub(1));
                None
            }
        }
    }

    /// When [`Self::advance`] next finds something.
    pub(super) fn next(&self) -> Option<Instant> {
        let turn = self.next_turn()?;
        Some(Instant::from_nanos((turn + 1) << WIDTH_BITS))
    }

    fn next_turn(&self) -> Option<u64> {
        let start = self.cursor + 1;
        let mut distance = 0;
        while distance < PLACES as u64 {
            let place = ((start + distance) % PLACES as u64) as usize;
            let rest = self.occupied[place / 64] >> (place % 64);
            if rest != 0 {
                let found = distance + u64::from(rest.trailing_zeros());
                return (found < PLACES as u64).then_some(start + found);
            }
            distance += 64 - (place % 64) as u64;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::{PLACES, WIDTH_BITS, Wheel};
    use crate::Instant;

    fn at(turn: u64) -> Instant {
        Instant::from_nanos(turn << WIDTH_BITS)
    }

    #[test]
    fn a_deadline_comes_up_after_its_time_and_never_before() {
        for turn in [1, 2, 63, 64, 65, 127, 500, 1999, 2046, 2047] {
            let mut wheel = Wheel::new();
            let place = wheel.place(at(turn));
            wheel.set_head(place, 7);
            assert_eq!(wheel.next(), Some(at(turn + 1)));
            assert_eq!(wheel.advance(Instant::from_nanos(at(turn + 1).as_nanos() - 1)), None);
            let mut wheel = Wheel::new();
            wheel.set_head(place, 7);
            assert_eq!(wheel.advance(at(turn + 1)), Some(place), "turn {turn}");
        }
    }

    #[test]
    fn places_come_up_in_order_round_after_round() {
        let mut wheel = Wheel::new();
        let mut expected = Vec::new();
        for round in 0..3u64 {
            for turn in [10u64, 700, 2040] {
                let turn = round * PLACES as u64 + turn;
                let _ = wheel.advance(at(turn - 5));
                let place = wheel.place(at(turn));
                wheel.set_head(place, 1);
                let came = wheel.advance(at(turn + 1));
                expected.push(came == Some(place));
                wheel.set_head(place, 0);
            }
        }
        assert_eq!(expected, [true; 9]);
    }

    #[test]
    fn a_deadline_that_has_passed_comes_up_next() {
        let mut wheel = Wheel::new();
        let _ = wheel.advance(at(500));
        let place = wheel.place(at(3));
        wheel.set_head(place, 1);
        assert_eq!(wheel.advance(at(501)), Some(place));
    }

    #[test]
    fn a_deadline_beyond_the_wheel_waits_at_its_far_end() {
        let wheel = Wheel::new();
        assert_eq!(wheel.place(at(1_000_000)), (PLACES - 1) as u16);
    }
}
