//! `labsim forwarder`: the engine between a packet ring and the threads that command it, and the kernel's
//! fast path beside it.

mod commands;
mod fast_path;
mod path;
mod routed;
mod status;

pub use commands::{Commands, Handle, MemberId, ReconfigureError, commands};
pub use status::{
    DataPlane, DataPlaneChoice, IngressDrop, Lifetime, Ready, Snapshot, SocketCounters,
};

use crate::Error;
use crate::kernel::{Interface, link_notices};
use crate::packet::receiver::Place;
use labsim_forwarder::{Config, Engine};
use labsim_sys::netlink::Notices;
use labsim_sys::{Errno, sched};

use commands::Command;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::time::TimeSpec;
use path::Path;
use std::os::fd::AsFd;
use std::time::Duration;
use tracing::{debug, info};

/// The signals that end a forwarder cleanly: SIGTERM and SIGINT.
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

/// Runs the forwarder in the calling process's network namespace until a signal or a command
/// ends it; returns the counters at the end. `ready` is called once frames can flow.
///
/// # Errors
/// [`Error`] says why it cannot start, or go on, and what to do.
pub fn run(
    config: &Config,
    commands: &Commands,
    stop: &StopSignals,
    data_plane: DataPlaneChoice,
    lifetime: Lifetime,
    ready: impl FnOnce(Ready),
) -> Result<Snapshot, Error> {
    let links = link_notices()?;
    let interface = Interface::read_with(&config.interface, &config.routed_interfaces)?;
    let engine =
        Engine::new(config, interface.port.clone(), &interface.routes).map_err(Error::Config)?;
    let place = match (data_plane, lifetime) {
        (DataPlaneChoice::Ring, _) | (_, Lifetime::Long) => Place::Ring,
        (DataPlaneChoice::Auto | DataPlaneChoice::Kernel, Lifetime::Short) => Place::Queue,
    };
    let mut path = Path::open(interface, engine, data_plane, place)?;
    prefer_short_slices();
    // Requests for the members' next hops go out before the first packet needs them.
    path.work();
    let data_plane = path.data_plane().clone();
    debug!(interface = config.interface, %data_plane, "frames can flow");
    ready(Ready { interface: config.interface.clone(), data_plane });
    loop {
        let woken = wait(&path, &links, commands, stop)?;
        path.work();
        if woken.stop || (woken.command && execute(commands, &mut path)) {
            break;
        }
    }
    path.work();
    let counters = path.counters();
    path.close();
    Ok(counters)
}

/// Executes the commands that are there; returns whether one is to stop.
fn execute(commands: &Commands, path: &mut Path) -> bool {
    commands.drain();
    while let Some(command) = commands.next() {
        // The thread that asked may have ended.
        match command {
            Command::Count(answer) => drop(answer.send(path.counters())),
            Command::Reconfigure(checked, answer) => drop(answer.send(path.reconfigure(*checked))),
            Command::Probe(probe) => path.probe(&probe),
            Command::BeginAnew(answer) => drop(answer.send(path.begin_anew())),
            Command::SetDown(state, answer) => drop(answer.send(path.set_down(&state))),
            Command::MirroredFlows(from, answer) => drop(answer.send(path.mirrored_flows(from))),
            Command::AddMirroredFlows(flows, answer) => {
                let _ = answer.send(path.add_mirrored_flows(&flows));
            }
            Command::Stop => return true,
        }
        path.work();
    }
    false
}

/// Only a matter of latency: a kernel that refuses it changes nothing else.
pub(crate) fn prefer_short_slices() {
    if let Err(error) = sched::prefer_short_slices() {
        info!(%error, "the kernel grants no short time slices (sched_setattr(2)); latency may rise");
    }
}

/// What can be done without waiting.
struct Woken {
    command: bool,
    stop: bool,
}

/// Waits for a frame, a command, a signal, or the engine's next deadline.
fn wait(
    path: &Path,
    links: &Notices,
    commands: &Commands,
    stop: &StopSignals,
) -> Result<Woken, Error> {
    let timeout = path.time_left().map(|left| {
        // A deadline that has passed still lets the descriptors be looked at.
        TimeSpec::from_duration(left.min(Duration::from_secs(3600)))
    });
    let mut fds = [
        PollFd::new(path.as_fd(), PollFlags::POLLIN),
        PollFd::new(commands.as_fd(), PollFlags::POLLIN),
        PollFd::new(stop.0.as_fd(), PollFlags::POLLIN),
        PollFd::new(links.as_fd(), PollFlags::POLLIN),
        PollFd::new(path.routed().as_fd(), PollFlags::POLLIN),
    ];
    match ppoll(&mut fds, timeout, None) {
        Ok(_) | Err(Errno::EINTR) => {}
        Err(errno) => return Err(system("waiting for frames (ppoll(2))")(errno)),
    }
    let ready = |fd: &PollFd<'_>| fd.any().unwrap_or(true);
    let error = PollFlags::POLLERR | PollFlags::POLLHUP | PollFlags::POLLNVAL;
    let broken = fds[0].revents().is_some_and(|events| events.intersects(error));
    // Whether a ring of several has a frame or an error is not told.
    if broken || ready(&fds[3]) || ready(&fds[4]) {
        links.clear();
        path.take_error()?;
    }
    Ok(Woken { command: ready(&fds[1]), stop: ready(&fds[2]) })
}

fn system(what: &'static str) -> impl FnOnce(Errno) -> Error {
    move |errno| Error::system(what)(errno.into())
}
