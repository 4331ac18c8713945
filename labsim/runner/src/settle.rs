//! Waits until no packet is in flight any more, without guessing how long that takes.
//!
//! Links are queues, and so are the forwarder's ring and the decapsulators' sockets. A round
//! empties each of them once, in the order in which a packet meets them: a marker frame across
//! every link in both directions, a question to every forwarder that runs, a check of every decapsulator.
//! Whatever is in flight gets at least one capture point further in a round; so when a round
//! passes and no frame was captured in it, nothing is in flight. (What waits for a timer, such as
//! a retransmission, is no packet yet.)
//!
//! An impaired link loses, doubles and reorders frames, and keeps them; markers it does not. The
//! relay between its ends (`labsim_dataplane::relay`) lets a marker out when everything has come out
//! that was on the link before it, whoever impairs: of its own line it knows when that is, and netem
//! it asks until it holds nothing, and then sends the marker past it. So a marker that has arrived
//! says of such a link what it says of any other. How long that may take is bounded by what a file
//! may ask of a link, and waited for besides [`PATIENCE`].
//!
//! Monitors send by themselves. At a run's end they have been stopped, and have told which frames are
//! theirs; in its midst they go on, and a round between two probes is quiet.

use crate::fault::Fault;
use crate::steps::Means;
use labsim_lab::Capture;
use std::time::{Duration, Instant, SystemTime};

/// A link's marker takes microseconds; this bounds a machine that is badly overloaded.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Returns when nothing is in flight, or after [`PATIENCE`] if packets never stop. Everything that
/// was sent before the time that it returns (nanoseconds since 1970, the captures' clock) has
/// arrived or never will; `None` if packets never stopped.
pub(crate) async fn settle(means: &mut Means<'_>) -> Result<Option<u64>, Fault> {
    let Means { capture, balancers, tunnels, longest_way, .. } = means;
    let deadline = Instant::now() + PATIENCE + *longest_way;
    let mut seen = frames(capture, deadline)?;
    while Instant::now() < deadline {
        let began = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        balancers.counted().await?;
        tunnels.drain(deadline)?;
        let now = frames(capture, deadline)?;
        // A marker that did not arrive in time proves nothing.
        if now == seen && Instant::now() < deadline {
            return Ok(began.ok().and_then(|began| u64::try_from(began.as_nanos()).ok()));
        }
        seen = now;
    }
    Ok(None)
}

/// Frames captured up to now, after everything on the links has arrived.
fn frames(capture: &Capture, deadline: Instant) -> Result<u64, Fault> {
    capture.flush(deadline).map_err(Fault::broken("the links cannot be flushed"))?;
    Ok(capture.frames())
}
