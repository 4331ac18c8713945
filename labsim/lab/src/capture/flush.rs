//! Markers through the lab: proofs that an interface captures, and that links and queues are empty.

use super::marker::{Marked, Marker, MarkerKind};
use super::{Capture, CaptureError, Links, receive};
use labsim_wire::ethernet::Mac;
use std::io;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// After which time a link is flushed again: a queue that was full has dropped the marker.
const REPEAT: Duration = Duration::from_millis(200);

/// Markers that are on their way.
struct Sent {
    round: u32,
    /// Whether they have to arrive at the other end of their link, too.
    across: bool,
    /// Points that have not seen theirs.
    waiting: Vec<usize>,
    /// Points at which none could be sent.
    silent: Vec<usize>,
}

impl Links {
    /// Where a point's markers arrive.
    fn far_end(&self, point: usize) -> Option<Mac> {
        self.far.get(point).copied().flatten()
    }
}

impl Capture {
    /// Sends a marker out of every interface of every node and waits until each capture point has
    /// seen its own, or the deadline has passed. The marker's time is the point's proof of life.
    ///
    /// # Errors
    /// The reader has failed. A point whose marker was not seen is not an error: the result names
    /// it.
    pub fn mark(&self, kind: MarkerKind, deadline: Instant) -> Result<Marked, CaptureError> {
        let links = self.links();
        self.send_and_wait(kind, &links, 0..self.points(), deadline)
    }

    /// Sends a marker across every link in both directions and waits until each has arrived, or
    /// the deadline has passed: whatever was on a link before has arrived then, too. These
    /// markers are not kept among the frames. A queue that is full drops them as it drops frames, so they
    /// are sent again and again.
    ///
    /// # Errors
    /// The reader has failed.
    pub fn flush(&self, deadline: Instant) -> Result<Marked, CaptureError> {
        let links = self.links();
        let mut sent = self.send(None, &links, 0..self.points());
        loop {
            self.wait(&mut sent, &links, deadline.min(Instant::now() + REPEAT))?;
            if sent.waiting.is_empty() || Instant::now() >= deadline {
                return Ok(self.marked(sent));
            }
            // One that was sent later proves the same.
            self.send(None, &links, 0..self.points());
        }
    }

    /// How many markers every device that is up was given to send; its kernel has counted them.
    #[must_use]
    pub fn markers(&self) -> u64 {
        self.round.load(Ordering::Relaxed).into()
    }

    /// Sends a marker of a new round at each point.
    fn send(
        &self,
        kind: Option<MarkerKind>,
        links: &Links,
        points: impl Iterator<Item = usize>,
    ) -> Sent {
        let round = self.round.fetch_add(1, Ordering::Relaxed) + 1;
        let mut sent =
            Sent { round, across: kind.is_none(), waiting: Vec::new(), silent: Vec::new() };
        for point in points {
            let Some(plan) = self.layout.points.get(point) else { continue };
            let Some(sender) = self.senders.get(plan.node) else { continue };
            if links.dead.contains(&point) {
                sent.silent.push(point);
                continue;
            }
            let bytes = Marker { kind, round, point }.emit(plan, links.far_end(point));
            match receive::send(sender, plan.index, plan.link, &bytes) {
                Ok(()) => sent.waiting.push(point),
                // A device that is down sends nothing, and sees nothing.
                Err(_) => sent.silent.push(point),
            }
        }
        sent
    }

    /// Waits until every marker of that round, or of a later one, was seen, or the time has come.
    fn wait(&self, sent: &mut Sent, links: &Links, until: Instant) -> Result<(), CaptureError> {
        let Sent { round, across, waiting, .. } = sent;
        let mut state = self.progress.lock();
        loop {
            waiting.retain(|point| {
                let seen = state.seen.get(*point).copied().unwrap_or_default();
                let crosses = *across && links.far_end(*point).is_some();
                seen.left < *round || (crosses && seen.arrived < *round)
            });
            let now = Instant::now();
            if waiting.is_empty() || state.ended || now >= until {
                break;
            }
            let waited = self.progress.changed.wait_timeout(state, until - now);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        if state.ended {
            return Err(io::Error::other("it has ended").into());
        }
        Ok(())
    }

    /// Sends markers that are kept among the frames, and waits.
    pub(super) fn send_and_wait(
        &self,
        kind: MarkerKind,
        links: &Links,
        points: impl Iterator<Item = usize>,
        deadline: Instant,
    ) -> Result<Marked, CaptureError> {
        let mut sent = self.send(Some(kind), links, points);
        self.wait(&mut sent, links, deadline)?;
        Ok(self.marked(sent))
    }

    fn marked(&self, Sent { mut silent, waiting, .. }: Sent) -> Marked {
        silent.extend(waiting);
        silent.sort_unstable();
        let names = silent.iter().filter_map(|point| self.layout.points.get(*point));
        Marked { silent: names.map(|it| it.name.clone()).collect() }
    }
}
