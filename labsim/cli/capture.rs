//! `labsim capture`: the frames of a lab that is up, as they come, or those that it has kept. The sockets
//! are this process's own: what becomes of it does not touch the lab.

mod kept;
mod lines;
mod output;
mod select;
mod stream;

pub(crate) use kept::write_all as write_kept;

use crate::args;
use crate::exit::Exit;
use crate::live::fail;
use crate::output as print;
use labsim_lab::{TappedFrame, TappedPoint, Taps};
use labsim_live::{Lab, LabsFolder, LiveError};
use labsim_model::count_of;
use labsim_scenario::model::FrameMatch;
use labsim_sys::pidfd::PidFd;
use labsim_verdict::frame_matches;
use labsim_wire::decode::{Decoded, decode};
use lines::Lines;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use output::{Queue, Target};
use select::Selection;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use stream::Stream;

/// Signals that end a capture in good order; a second one ends the process.
const ENDING: [Signal; 3] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];
/// How soon frames that wait for others, or for the output, are looked at again, in milliseconds.
const SOON: u16 = 2;

/// Captures what was kept up to now, or until a signal, the lab's end, or the reader's end.
pub(crate) fn capture(args: &args::Capture) -> Exit {
    let filter = args.filter.as_deref().map(|text| labsim_scenario::frame_match("--filter", text));
    let filter = match filter.transpose() {
        Ok(filter) => filter,
        Err(diagnostics) => return crate::load::reject(&diagnostics),
    };
    if let Some(since) = args.since {
        return kept::write(args, since, filter.as_ref());
    }
    let found = Lab::find(&LabsFolder::of_user(), args.name.as_ref());
    let opened = found.and_then(|lab| {
        let holder = lab.holder().ok_or_else(|| LiveError::EndedMeanwhile(lab.name().clone()))?;
        Ok((Selection::new(&args.points).open(&lab)?, holder, lab))
    });
    let (taps, holder, lab) = match opened {
        Ok(opened) => opened,
        Err(error) => return fail(&error),
    };
    let target = match Target::open(args) {
        Ok(target) => target,
        Err(exit) => return exit,
    };
    match follow(taps, &holder, filter.as_ref(), target) {
        Ok(ended) => {
            ended.tell(lab.name().as_str());
            if ended.written.is_err() { Exit::Failed } else { Exit::Success }
        }
        Err(error) => {
            print::error(format_args!("the capture has failed: {error}"));
            Exit::CannotRun
        }
    }
}

/// How a capture ended.
struct Ended {
    why: Why,
    packets: u64,
    /// Frames that the kernel had no room for, by node.
    dropped: Vec<(String, u64)>,
    written: io::Result<()>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    Signal,
    LabEnded,
    /// Nobody reads any more, or nothing can be written.
    Output,
}

impl Ended {
    fn tell(&self, lab: &str) {
        if let Err(error) = &self.written {
            print::error(format_args!("the packets cannot be written: {error}"));
        }
        for (node, dropped) in &self.dropped {
            let frames = count_of(usize::try_from(*dropped).unwrap_or(usize::MAX), "frame");
            print::error(format_args!(
                "{node}: {frames} dropped, as more came than could be written"
            ));
        }
        let packets = count_of(usize::try_from(self.packets).unwrap_or(usize::MAX), "packet");
        let dropped = if self.dropped.is_empty() { ", none dropped" } else { "" };
        let why = match self.why {
            Why::LabEnded => format!("; the lab `{lab}` has ended"),
            Why::Signal | Why::Output => String::new(),
        };
        print::error(format_args!("{packets} captured{dropped}{why}"));
    }
}

/// Takes frames in the form of the output, which is bytes.
trait Form {
    /// A frame; it is decoded if that is needed.
    fn frame(&mut self, point: &TappedPoint, frame: &TappedFrame<'_>);

    /// What is to be written since the last call.
    fn take(&mut self) -> Vec<u8>;

    /// The end, with what was dropped in each node.
    fn finish(&mut self, dropped: &[(String, u64)]);
}

/// Reads frames, and has them written, until there is a reason to end.
fn follow(
    mut taps: Taps,
    holder: &PidFd,
    filter: Option<&FrameMatch>,
    target: Target,
) -> io::Result<Ended> {
    let mask: SigSet = ENDING.into_iter().collect();
    let signals = SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
    mask.thread_block()?;
    let mut form: Box<dyn Form> = match &target {
        Target::Lines => Box::new(Lines::default()),
        Target::Packets(_) => Box::new(Stream::new(taps.points().iter().enumerate())?),
    };
    let output = target.into_file()?;
    let queue = Queue::start(output.try_clone()?)?;
    queue.write(form.take());
    let mut packets = 0;
    let mut put = |form: &mut dyn Form, point: &TappedPoint, frame: TappedFrame<'_>| {
        let is_wanted = |filter| frame_matches(filter, frame.direction, &decoded(point, &frame));
        if filter.is_none_or(is_wanted) {
            packets += 1;
            form.frame(point, &frame);
        }
    };
    let why = loop {
        if queue.has_ended() {
            break Why::Output;
        }
        // Meanwhile the kernel keeps frames, as many as its queues have room for, and counts the others.
        let is_full = queue.is_full();
        let others = [signals.as_fd(), holder.as_fd(), output.as_fd()];
        if let Some(why) = wait(&taps, is_full, others)? {
            break why;
        }
        if !is_full {
            taps.read(&mut |point, frame| put(&mut *form, point, frame))?;
            queue.write(form.take());
        }
    };
    // From here on a second signal ends the process.
    while signals.read_signal()?.is_some() {}
    mask.thread_unblock()?;
    let dropped = taps.finish(&mut |point, frame| put(&mut *form, point, frame));
    form.finish(&dropped);
    queue.write(form.take());
    let written = queue.finish();
    Ok(Ended { why, packets, dropped, written })
}

/// Waits for frames, or for a reason to end.
fn wait(taps: &Taps, is_full: bool, others: [BorrowedFd<'_>; 3]) -> io::Result<Option<Why>> {
    let [signals, holder, output] = others;
    let mut polled = vec![
        PollFd::new(signals, PollFlags::POLLIN),
        PollFd::new(holder, PollFlags::POLLIN),
        // POLLERR of a pipe, POLLHUP of a socket or a terminal: they need not be asked for.
        PollFd::new(output, PollFlags::empty()),
    ];
    if !is_full {
        polled.extend(taps.sockets().map(|socket| PollFd::new(socket, PollFlags::POLLIN)));
    }
    let timeout = match is_full || taps.is_waiting() {
        true => PollTimeout::from(SOON),
        false => PollTimeout::NONE,
    };
    match poll(&mut polled, timeout) {
        Ok(_) | Err(Errno::EINTR) => {}
        Err(errno) => return Err(errno.into()),
    }
    let reasons = [Why::Signal, Why::LabEnded, Why::Output];
    let found = polled.iter().zip(reasons).find(|(one, _)| one.any().unwrap_or(false));
    Ok(found.map(|(_, why)| why))
}

fn decoded(point: &TappedPoint, frame: &TappedFrame<'_>) -> Decoded {
    let length = usize::try_from(frame.original_length).unwrap_or(usize::MAX);
    decode(point.link, frame.bytes, length)
}
