//! Waits until no packet is in flight any more, without guessing how long that takes.
//!
//! Links are queues, and so are the forwarder's ring and the decapsulators' sockets. A round
//! empties each of them once: a marker frame across every link in both directions, and a flush of
//! every component.
//! Whatever is in flight gets at least one capture point further in a round; so when a round
//! passes and no frame was captured in it, nothing is in flight. Servers and clients of this thread
//! have a few turns in it, to read what has arrived, to log it and to answer. (What waits for a timer, such as
//! a retransmission, is no packet yet.)
//!
//! An impaired link drops, duplicates, reorders and delays frames, but not markers. The relay
//! between its ends (`labsim_dataplane::relay`) releases a marker when everything that was on the
//! link before has come out: of its own line it knows when that is, and netem it asks until it
//! holds nothing, and then sends the marker past it. So a marker that has arrived proves the same
//! of such a link as of any other. How long that may take is bounded by what a file may ask of a
//! link, and added to [`TIMEOUT`].
//!
//! Monitors send unprompted. At the end of a run they have been stopped, and which frames are
//! theirs is known; before that they go on, and a round between two probes is quiet.

use crate::component;
use crate::error::RunError;
use crate::steps::RunContext;
use labsim_lab::{Capture, ClosedBefore};
use std::time::{Duration, Instant};
use tracing::info;

/// A link's marker takes microseconds; this bounds a machine that is badly overloaded.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(20);

/// Turns of this thread's event loop after which every task has run whose socket had something to read:
/// one in which the sockets are asked, one in which the tasks run, and one for what these wake.
const TURNS: usize = 3;

/// Returns when nothing is in flight, or after [`TIMEOUT`] if packets never stop. Everything that
/// was sent before the time that it returns (nanoseconds since 1970, the captures' clock) has
/// arrived or never will; `None` if packets never stopped.
pub(crate) async fn wait(context: &mut RunContext<'_>) -> Result<Option<u64>, RunError> {
    until_closed().await;
    let RunContext { capture, components, longest_delay, .. } = context;
    let deadline = Instant::now() + TIMEOUT + *longest_delay;
    let mut before = frames(capture, deadline)?;
    while Instant::now() < deadline {
        let began = labsim_lab::now_ns();
        component::flush(*components, deadline).await?;
        for _ in 0..TURNS {
            tokio::task::yield_now().await;
        }
        let now = frames(capture, deadline)?;
        // A marker that did not arrive in time proves nothing.
        if now == before && Instant::now() < deadline {
            return Ok(Some(began));
        }
        before = now;
    }
    info!("packets are still in flight after {TIMEOUT:?}");
    Ok(None)
}

/// Waits until what this process has closed is closed: child processes that other labs start may hold
/// copies for some milliseconds.
pub(crate) async fn until_closed() {
    let closed = ClosedBefore::now();
    while !closed.holds() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Frames captured up to now, after everything on the links has arrived.
fn frames(capture: &Capture, deadline: Instant) -> Result<u64, RunError> {
    capture.flush(deadline)?;
    Ok(capture.frames())
}
