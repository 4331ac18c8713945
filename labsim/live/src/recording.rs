//! The thread that reads the frames of a lab into its ring.

use crate::protocol::{KeptFrames, KeptPoint};
use crate::record::Record;
use crate::recorder::{Order, Snapshot};
use crate::ring::Ring;
use labsim_lab::{Lab, TappedFrame, Taps};
use labsim_wire::decode::LinkType;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::memfd::{MFdFlags, memfd_create};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, PipeReader, Read as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::sync::mpsc::Receiver;
use std::time::Duration;

/// Frames gather for so many milliseconds before they are read: few wake-ups read many.
const GATHER: u8 = 5;
/// How soon what somebody waits for is looked at again, in milliseconds.
const SOON: u8 = 2;
/// What has come before somebody asks can be read so long after that.
const SETTLED: Duration = Duration::from_millis(2);
/// Who asks waits so long at most for what has come before.
const CATCH_UP: Duration = Duration::from_millis(500);

/// What is kept, and where it comes from.
pub(crate) struct Recording {
    taps: Taps,
    ring: Ring,
    keep_mib: u32,
    began_ns: u64,
    /// By node.
    dropped: BTreeMap<String, u64>,
    /// Why no more frames are read.
    failed: Option<String>,
}

impl Recording {
    /// Everything that comes from now on, the last MiB of it.
    ///
    /// # Errors
    /// A node has no packet socket.
    pub(crate) fn new(lab: &Lab, keep_mib: u32) -> io::Result<Self> {
        let mut taps = Taps::default();
        for node in lab.nodes() {
            let (socket, points) = lab.tap(node).map_err(io::Error::other)?;
            taps.add(node.name().as_str(), socket, &points, None);
        }
        let bytes = usize::try_from(keep_mib).unwrap_or(usize::MAX).saturating_mul(1 << 20);
        Ok(Self {
            taps,
            ring: Ring::new(bytes),
            keep_mib,
            began_ns: labsim_lab::now_ns(),
            dropped: BTreeMap::new(),
            failed: None,
        })
    }

    /// Reads frames and answers orders, each of which comes with a byte of the pipe, until that is closed.
    pub(crate) fn run(mut self, orders: &Receiver<Order>, mut woken: PipeReader) {
        let mut waiting: Vec<Order> = Vec::new();
        while let Ok(is_woken) = self.wait(woken.as_fd(), !waiting.is_empty()) {
            if is_woken && !matches!(woken.read(&mut [0; 64]), Ok(1..)) {
                break;
            }
            waiting.extend(orders.try_iter());
            let behind = self.read();
            let (ready, rest) = waiting.into_iter().partition(|order: &Order| {
                let waits = order.asked.elapsed();
                waits >= CATCH_UP || (waits >= SETTLED && !behind)
            });
            waiting = rest;
            for Order { since_ns, answer, .. } in ready {
                // The client may be gone.
                let _ = answer.send(self.snapshot(since_ns));
            }
            if !behind && waiting.is_empty() {
                let _ = poll(&mut [PollFd::new(woken.as_fd(), PollFlags::POLLIN)], GATHER);
            }
        }
        self.taps.close();
    }

    /// Waits for frames or an order, and returns whether the pipe says something.
    fn wait(&self, woken: BorrowedFd<'_>, is_asked: bool) -> nix::Result<bool> {
        let mut polled = vec![PollFd::new(woken, PollFlags::POLLIN)];
        if self.failed.is_none() {
            polled.extend(self.taps.sockets().map(|it| PollFd::new(it, PollFlags::POLLIN)));
        }
        let timeout = if is_asked { PollTimeout::from(SOON) } else { PollTimeout::NONE };
        match poll(&mut polled, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
        Ok(polled.first().and_then(PollFd::any).unwrap_or(false))
    }

    /// Reads what has come into the ring, and returns whether more has come.
    fn read(&mut self) -> bool {
        if self.failed.is_some() {
            return false;
        }
        let ring = &mut self.ring;
        let read = self.taps.receive(&mut |_, frame| {
            let TappedFrame { time_ns, point, direction, original_length, bytes } = frame;
            let point = u32::try_from(point).unwrap_or(u32::MAX);
            let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            ring.push(Record { time_ns, point, original_length, length, direction }, bytes);
        });
        read.unwrap_or_else(|error| {
            self.failed = Some(error.to_string());
            false
        })
    }

    /// What there is of frames of a time and later.
    fn snapshot(&mut self, since_ns: Option<u64>) -> Snapshot {
        for (node, dropped) in self.taps.take_drops() {
            *self.dropped.entry(node.to_owned()).or_default() += dropped;
        }
        let memory = memfd_create(c"labsim-ring", MFdFlags::MFD_CLOEXEC);
        let written = memory.map_err(io::Error::from).and_then(|memory| {
            let mut memory = File::from(memory);
            self.ring.write(since_ns, &mut memory)?;
            Ok(OwnedFd::from(memory))
        });
        let memory = written.map_err(|error| {
            format!("the lab's packets cannot be passed on: no memory can be had for them: {error}")
        })?;
        let points = self.taps.points().iter().map(|point| KeptPoint {
            name: point.name.clone(),
            ethernet: point.link == LinkType::Ethernet,
        });
        let kept = KeptFrames {
            points: points.collect(),
            dropped: self.dropped.iter().map(|(node, count)| (node.clone(), *count)).collect(),
            reaches_ns: self.ring.cut_ns().unwrap_or(self.began_ns),
            cut: self.ring.cut(),
            keep_mib: self.keep_mib,
            failed: self.failed.clone(),
        };
        Ok((kept, memory))
    }
}
