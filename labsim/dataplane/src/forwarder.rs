//! `labsim forwarder`: the engine between a packet ring and whoever gives it orders.

mod orders;
mod path;
mod told;

pub use orders::{Handle, Orders, Refusal, orders};
pub use told::{Ready, Snapshot, SocketCounters};

use crate::kernel::{Arm, LinkEvents, refuse_kernel_forwarding};
use crate::{Error, latency};
use labsim_forwarder::{Config, Engine};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::time::TimeSpec;
use orders::Order;
use path::Path;
use std::os::fd::AsFd;
use std::time::Duration;

/// How frames are moved, as [`Ready`] tells.
const DATA_PLANE: &str = "packet-ring";

/// The signals that end a forwarder in order: SIGTERM and SIGINT.
#[derive(Debug)]
pub struct StopSignals(SignalFd);

impl StopSignals {
    /// Takes them from here on. Call it while the process has one thread: it blocks them in order
    /// to read them.
    ///
    /// # Errors
    /// The kernel has no descriptor left.
    pub fn take() -> Result<Self, Error> {
        let mut signals = SigSet::empty();
        signals.add(Signal::SIGTERM);
        signals.add(Signal::SIGINT);
        signals.thread_block().map_err(system("blocking signals"))?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        let signals = SignalFd::with_flags(&signals, flags);
        signals.map(Self).map_err(system("a descriptor of signals (signalfd(2))"))
    }
}

/// Runs the forwarder in the calling process's network namespace until a signal, or an order, ends
/// it; returns what was counted at the end. `ready` is told how frames are moved once they can
/// flow.
///
/// # Errors
/// [`Error`] says why it cannot start, or go on, and what to do.
pub fn run(
    config: &Config,
    orders: &Orders,
    stop: &StopSignals,
    ready: impl FnOnce(Ready),
) -> Result<Snapshot, Error> {
    let links = LinkEvents::open()?;
    let ipv6 = config.virtual_servers.values().any(|server| server.destination.is_ipv6());
    refuse_kernel_forwarding(&config.interface, ipv6)?;
    let arm = Arm::read(&config.interface)?;
    let engine = Engine::new(config, arm.port.clone(), &arm.routes).map_err(Error::Config)?;
    let mut path = Path::open(arm, engine)?;
    // Only a matter of latency: a kernel that refuses it changes nothing else.
    let _ = latency::prefer_short_slices();
    // Requests for the members' next hops go out before anybody waits for them.
    path.work();
    ready(Ready { interface: config.interface.clone(), data_plane: DATA_PLANE.to_owned() });
    loop {
        let woken = wait(&path, &links, orders, stop)?;
        path.work();
        if woken.stop || (woken.order && obey(orders, &mut path)) {
            break;
        }
    }
    path.work();
    Ok(path.counters())
}

/// Does what was ordered; returns whether the end was.
fn obey(orders: &Orders, path: &mut Path) -> bool {
    orders.hear();
    while let Some(order) = orders.next() {
        // Whoever asked may be gone.
        match order {
            Order::Count(answer) => drop(answer.send(path.counters())),
            Order::Reconfigure(plan, answer) => drop(answer.send(path.reconfigure(*plan))),
            Order::Stop => return true,
        }
        path.work();
    }
    false
}

/// What can be done without waiting.
struct Woken {
    order: bool,
    stop: bool,
}

/// Waits for a frame, an order, the end, or the engine's next deadline.
fn wait(
    path: &Path,
    links: &LinkEvents,
    orders: &Orders,
    stop: &StopSignals,
) -> Result<Woken, Error> {
    let timeout = path.time_left().map(|left| {
        // A deadline that has passed still lets the descriptors be looked at.
        TimeSpec::from_duration(left.min(Duration::from_secs(3600)))
    });
    let mut fds = [
        PollFd::new(path.as_fd(), PollFlags::POLLIN),
        PollFd::new(orders.as_fd(), PollFlags::POLLIN),
        PollFd::new(stop.0.as_fd(), PollFlags::POLLIN),
        PollFd::new(links.as_fd(), PollFlags::POLLIN),
    ];
    match ppoll(&mut fds, timeout, None) {
        Ok(_) | Err(Errno::EINTR) => {}
        Err(errno) => return Err(system("waiting for frames (ppoll(2))")(errno)),
    }
    let ready = |fd: &PollFd<'_>| fd.any().unwrap_or(true);
    let error = PollFlags::POLLERR | PollFlags::POLLHUP | PollFlags::POLLNVAL;
    let broken = fds[0].revents().is_some_and(|events| events.intersects(error));
    if broken || ready(&fds[3]) {
        links.clear();
        path.take_error()?;
    }
    Ok(Woken { order: ready(&fds[1]), stop: ready(&fds[2]) })
}

fn system(what: &'static str) -> impl FnOnce(Errno) -> Error {
    move |errno| Error::system(what)(errno.into())
}
