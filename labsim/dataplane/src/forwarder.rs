//! `labsim forwarder`: the engine between a packet ring and the process's standard streams.

mod control;
mod path;

use crate::kernel::{Arm, LinkEvents};
use crate::{Error, Event, latency};
use control::{Command, Control};
use labsim_forwarder::{Config, Engine};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::time::TimeSpec;
use path::Path;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// How frames are moved, as [`Event::Ready`] tells.
const DATA_PLANE: &str = "packet-ring";

/// Runs the forwarder in the calling process's network namespace until SIGTERM, SIGINT or the end
/// of standard input, and then says the last counters.
///
/// Standard output carries one [`Event`] a line; standard input takes the line `counters`. Call it
/// while the process has one thread: it blocks the two signals in order to read them.
///
/// # Errors
/// [`Error`] says why it cannot start, or go on, and what to do.
pub fn run(config: &Config) -> Result<(), Error> {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGTERM);
    signals.add(Signal::SIGINT);
    signals.thread_block().map_err(system("blocking signals"))?;
    let signals = SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
        .map_err(system("a descriptor of signals (signalfd(2))"))?;
    let output = std::io::stdout().lock();
    run_with(config, std::io::stdin().as_fd(), signals.as_fd(), output)
}

/// [`run`] with other streams: commands come from `control`, events go to `events`, and it ends
/// when `control` ends or `stop` becomes readable.
///
/// # Errors
/// As [`run`].
pub fn run_with(
    config: &Config,
    control: BorrowedFd<'_>,
    stop: BorrowedFd<'_>,
    mut events: impl Write,
) -> Result<(), Error> {
    let links = LinkEvents::open()?;
    let arm = Arm::read(&config.interface)?;
    let engine = Engine::new(config, arm.port.clone(), &arm.routes).map_err(Error::Config)?;
    let mut path = Path::open(&arm, engine)?;
    let mut control = Control::new(control);
    // Only a matter of latency: a kernel that refuses it changes nothing else.
    let _ = latency::prefer_short_slices();
    // Requests for the members' next hops go out before anybody waits for them.
    path.work();
    say(
        &mut events,
        &Event::Ready { interface: config.interface.clone(), data_plane: DATA_PLANE.to_owned() },
    )?;
    loop {
        let ready = wait(&path, &links, control.as_fd(), stop)?;
        path.work();
        if ready.control {
            match control.read() {
                Command::Counters => say(&mut events, &path.counters())?,
                Command::Unknown(line) => say(&mut events, &Event::UnknownCommand { line })?,
                Command::Nothing => {}
                Command::End => break,
            }
        }
        if ready.stop {
            break;
        }
    }
    path.work();
    say(&mut events, &path.counters())
}

/// What can be done without waiting.
struct Ready {
    control: bool,
    stop: bool,
}

/// Waits for a frame, a command, the end, or the engine's next deadline.
fn wait(
    path: &Path,
    links: &LinkEvents,
    control: BorrowedFd<'_>,
    stop: BorrowedFd<'_>,
) -> Result<Ready, Error> {
    let timeout = path.time_left().map(|left| {
        // A deadline that has passed still lets the descriptors be looked at.
        TimeSpec::from_duration(left.min(Duration::from_secs(3600)))
    });
    let mut fds = [
        PollFd::new(path.as_fd(), PollFlags::POLLIN),
        PollFd::new(control, PollFlags::POLLIN),
        PollFd::new(stop, PollFlags::POLLIN),
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
    Ok(Ready { control: ready(&fds[1]), stop: ready(&fds[2]) })
}

fn say(events: &mut impl Write, event: &Event) -> Result<(), Error> {
    let mut line = serde_json::to_string(event)
        .map_err(|error| Error::system("an event as JSON")(error.into()))?;
    line.push('\n');
    let written = events.write_all(line.as_bytes()).and_then(|()| events.flush());
    written.map_err(Error::system("writing an event"))
}

fn system(what: &'static str) -> impl FnOnce(Errno) -> Error {
    move |errno| Error::system(what)(errno.into())
}
