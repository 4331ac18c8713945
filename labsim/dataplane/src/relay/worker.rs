//! The relay's thread: waits for frames and for times, moves what is due, counts.

use super::direction::Direction;
use super::{Counters, Shared};
use labsim_sys::Errno;
use labsim_sys::packet::VNET_HEADER;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::eventfd::EventFd;
use nix::sys::time::TimeSpec;
use std::os::fd::AsFd;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

/// The largest frame that segmentation offload makes, and the note in front of it.
const LARGEST: usize = 65_536 + 14 + VNET_HEADER;
/// How often netem is asked while markers wait for it.
const ASK_AGAIN: Duration = Duration::from_millis(1);

/// Everything that the thread holds.
pub(super) struct Worker {
    /// Two of each link, one after the other.
    directions: Vec<Direction>,
    wake: Arc<EventFd>,
    shared: Shared,
    began: Instant,
}

impl Worker {
    pub(super) fn new(directions: Vec<Direction>, wake: Arc<EventFd>, shared: Shared) -> Self {
        Self { directions, wake, shared, began: Instant::now() }
    }

    pub(super) fn run(mut self) {
        crate::forwarder::prefer_short_slices();
        // Only a matter of latency as well.
        let _ = nix::sys::prctl::set_timerslack(1);
        let mut buffer = vec![0; LARGEST].into_boxed_slice();
        let began = self.began;
        let now = || nanoseconds(began.elapsed());
        while let Ok(ready) = self.wait(now()) {
            if ready.first() == Some(&true) {
                break;
            }
            for (direction, _) in
                self.directions.iter_mut().zip(ready.iter().skip(1)).filter(|(_, ready)| **ready)
            {
                direction.read(&mut buffer, now);
            }
            let shared = &self.shared;
            for (place, direction) in self.directions.iter_mut().enumerate() {
                direction.send(now(), |direction| publish(shared, place, direction.counters()));
            }
        }
        for (place, direction) in self.directions.iter_mut().enumerate() {
            publish(&self.shared, place, direction.counters());
        }
    }

    /// Waits until a descriptor is ready, the wake's first, or the next frame is due.
    fn wait(&self, now: u64) -> nix::Result<Vec<bool>> {
        let due = self.directions.iter().filter_map(Direction::next).min();
        let due = due.map(|due| Duration::from_nanos(due.saturating_sub(now)));
        let asks = self.directions.iter().any(Direction::asks).then_some(ASK_AGAIN);
        let timeout = [due, asks].into_iter().flatten().min().map(TimeSpec::from_duration);
        let sockets = self.directions.iter().map(Direction::socket);
        let all = std::iter::once(self.wake.as_fd()).chain(sockets);
        let mut fds: Vec<_> = all.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        match ppoll(&mut fds, timeout, None) {
            Ok(_) => Ok(fds.iter().map(|fd| fd.any().unwrap_or(true)).collect()),
            Err(Errno::EINTR) => Ok(Vec::new()),
            Err(errno) => Err(errno),
        }
    }
}

fn publish(shared: &Shared, place: usize, counters: Counters) {
    let mut all = shared.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(one) = all.get_mut(place / 2).and_then(|link| link.get_mut(place % 2)) {
        *one = counters;
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
