//! One direction of a link: frames in, frames out later, or never.

use crate::settings::{Impairment, Share};
use labsim_model::Random;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Bits of a byte and nanoseconds of a second, for the time that a frame takes at a rate.
const BITS: u64 = 8;
const SECOND: u64 = 1_000_000_000;

/// One direction of a link. Times are nanoseconds of any clock that does not go back.
#[derive(Debug)]
pub struct Line<F> {
    impairment: Impairment,
    waiting: BinaryHeap<Reverse<Waiting<F>>>,
    /// Of the frames that wait, markers not among them.
    frames: usize,
    bytes: usize,
    /// When the last frame comes out that was put behind the others.
    last: u64,
    /// Counts what went in, so that frames of one time come out in that order.
    order: u64,
    loss: Random,
    duplicate: Random,
    reorder: Random,
    jitter: Random,
    counters: Counters,
}

/// What became of frames. Markers are not counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames received by the line.
    pub received: u64,
    /// Lost by chance, copies among them.
    pub lost: u64,
    /// Lost because too many waited.
    pub queue_full: u64,
    /// Copies that were made.
    pub duplicated: u64,
    /// Not delayed, and so before others that had gone in earlier.
    pub reordered: u64,
    /// Came out.
    pub released: u64,
}

#[derive(Debug)]
struct Waiting<F> {
    release: u64,
    order: u64,
    /// `None` of a marker.
    length: Option<usize>,
    frame: F,
}

impl<F: Clone> Line<F> {
    /// An empty line.
    #[must_use]
    pub fn new(impairment: Impairment) -> Self {
        let stream = |purpose| Random::new(impairment.seed, purpose);
        Self {
            impairment,
            waiting: BinaryHeap::new(),
            frames: 0,
            bytes: 0,
            last: 0,
            order: 0,
            loss: stream(1),
            duplicate: stream(2),
            reorder: stream(3),
            jitter: stream(4),
            counters: Counters::default(),
        }
    }

    /// Takes a frame of `length` bytes. Decisions come in netem's order (`netem_enqueue`): whether
    /// it is doubled, whether it is lost (of a doubled frame one copy), whether there is room,
    /// whether it overtakes, and else when it comes out. The copy goes through the same after it,
    /// and is not doubled again.
    pub fn take(&mut self, frame: F, length: usize, now: u64) {
        self.counters.received += 1;
        let doubled = draw(self.impairment.duplicate, &mut self.duplicate);
        if doubled {
            self.counters.duplicated += 1;
            self.admit(frame.clone(), length, now);
        }
        self.admit(frame, length, now);
    }

    /// Takes a marker, which is for observers of the link and not part of its traffic: it is
    /// neither lost nor doubled nor counted, uses no queue space and no random number, and comes
    /// out after all frames that are on the line now.
    pub fn take_marker(&mut self, frame: F, now: u64) {
        let latest = self.waiting.iter().map(|Reverse(it)| it.release).max();
        let release = latest.map_or(now, |latest| latest.max(now));
        self.wait(release, None, frame);
    }

    /// When the next frame comes out.
    #[must_use]
    pub fn next_release(&self) -> Option<u64> {
        self.waiting.peek().map(|Reverse(it)| it.release)
    }

    /// The next frame that has come out by `now`; never one whose time is not there yet.
    pub fn release(&mut self, now: u64) -> Option<F> {
        self.next_release().filter(|release| *release <= now)?;
        let Reverse(out) = self.waiting.pop()?;
        if let Some(length) = out.length {
            self.frames -= 1;
            self.bytes -= length;
            self.counters.released += 1;
        }
        Some(out.frame)
    }

    /// How many frames are on the line, markers not among them.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.frames
    }

    /// What became of frames up to now. `received + duplicated` is `lost + queue_full + released`
    /// and what waits.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    fn admit(&mut self, frame: F, length: usize, now: u64) {
        if draw(self.impairment.loss, &mut self.loss) {
            self.counters.lost += 1;
            return;
        }
        let Impairment { queue_frames, queue_bytes, .. } = self.impairment;
        if self.frames >= queue_frames || self.bytes + length > queue_bytes {
            self.counters.queue_full += 1;
            return;
        }
        let release = self.release_of(length, now);
        self.frames += 1;
        self.bytes += length;
        self.wait(release, Some(length), frame);
    }

    fn release_of(&mut self, length: usize, now: u64) -> u64 {
        if draw(self.impairment.reorder, &mut self.reorder) {
            self.counters.reordered += u64::from(self.frames > 0);
            return now;
        }
        let on_the_way = now.saturating_add(self.delay());
        let Some(rate) = self.impairment.rate else { return on_the_way };
        // A frame is sent when the one before has been; its delay may run meanwhile. (netem takes
        // what is left of the last frame's wait off the delay, which is the same.)
        self.last = self.last.max(on_the_way).saturating_add(sending_time(length, rate));
        self.last
    }

    /// From `delay - jitter` on and below `delay + jitter`, evenly (`tabledist` without a table).
    fn delay(&mut self) -> u64 {
        let Impairment { delay, jitter, .. } = self.impairment;
        match jitter.saturating_mul(2) {
            0 => delay,
            width => delay.saturating_sub(jitter).saturating_add(self.jitter.next_number() % width),
        }
    }

    fn wait(&mut self, release: u64, length: Option<usize>, frame: F) {
        let order = self.order;
        self.order += 1;
        self.waiting.push(Reverse(Waiting { release, order, length, frame }));
    }
}

/// How long a frame is sent at a rate of so many bits a second, rounded up.
fn sending_time(length: usize, rate: u64) -> u64 {
    let bits = (length as u64).saturating_mul(BITS);
    bits.saturating_mul(SECOND).div_ceil(rate.max(1))
}

/// Draws whether a frame is one of a share. A share of none draws nothing, so that a setting that
/// is not there has no part in what the others draw.
fn draw(share: Share, random: &mut Random) -> bool {
    share != Share::NONE && share.takes(random.word())
}

impl<F> Ord for Waiting<F> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.release, self.order).cmp(&(other.release, other.order))
    }
}

impl<F> PartialOrd for Waiting<F> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<F> PartialEq for Waiting<F> {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}

impl<F> Eq for Waiting<F> {}
