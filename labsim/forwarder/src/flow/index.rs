//! An index by hash: open addressing, at most half full, without allocation after it is made.
//!
//! It holds numbers, and its caller knows what each number stands for.

/// The hash in the upper half, the number in the lower; 0 is empty.
#[derive(Debug)]
pub(crate) struct Index {
    cells: Box<[u64]>,
}

impl Index {
    /// An index for `capacity` numbers.
    pub(crate) fn new(capacity: usize) -> Self {
        let places = (capacity * 2).next_power_of_two().max(2);
        Self { cells: vec![0; places].into_boxed_slice() }
    }

    /// The number under `hash` that `is_it` recognises.
    #[inline]
    pub(crate) fn find(&self, hash: u32, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let mut at = self.home_cell(hash);
        loop {
            let cell = self.cells[at];
            if cell == 0 {
                return None;
            }
            if (cell >> 32) as u32 == hash && is_it(cell as u32) {
                return Some(cell as u32);
            }
            at = self.next_cell(at);
        }
    }

    /// Touches the memory where the search for `hash` begins.
    #[inline]
    pub(crate) fn prefetch(&self, hash: u32) -> u64 {
        self.cells[self.home_cell(hash)]
    }

    /// The first number under `hash`, which may be another's.
    #[inline]
    pub(crate) fn likely(&self, hash: u32) -> Option<u32> {
        self.find(hash, |_| true)
    }

    /// Adds a number from 1, of which there are never more than the capacity.
    pub(crate) fn insert(&mut self, hash: u32, number: u32) {
        let mut at = self.home_cell(hash);
        while self.cells[at] != 0 {
            at = self.next_cell(at);
        }
        self.cells[at] = u64::from(hash) << 32 | u64::from(number);
    }

    /// Takes a number out, and moves back those behind it that would no longer be found.
    pub(crate) fn remove(&mut self, hash: u32, number: u32) {
        let mut hole = self.home_cell(hash);
        while self.cells[hole] as u32 != number {
            hole = self.next_cell(hole);
        }
        let mask = self.cells.len() - 1;
        let mut at = hole;
        loop {
            at = self.next_cell(at);
            let cell = self.cells[at];
            if cell == 0 {
                break;
            }
            let from_home = at.wrapping_sub(self.home_cell((cell >> 32) as u32)) & mask;
            if from_home >= at.wrapping_sub(hole) & mask {
                self.cells[hole] = cell;
                hole = at;
            }
        }
        self.cells[hole] = 0;
    }

    #[inline]
    fn home_cell(&self, hash: u32) -> usize {
        hash as usize & (self.cells.len() - 1)
    }

    #[inline]
    fn next_cell(&self, at: usize) -> usize {
        (at + 1) & (self.cells.len() - 1)
    }
}
