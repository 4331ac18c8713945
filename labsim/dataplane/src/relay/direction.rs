//! One direction of a link: read, decided about, sent on.

use super::{Backlog, Counters, Onward};
use labsim_impairment::{Impairment, Line};
use labsim_sys::Errno;
use labsim_sys::packet::set_qdisc_bypass;
use labsim_sys::socket::receive_drops;
use labsim_wire::ethernet::ethertype;
use nix::sys::socket::{MsgFlags, recv};
use std::collections::VecDeque;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// Frames that are read before another direction has its turn.
const TURN: usize = 64;
/// Where Ethernet's type stands in a frame.
const ETHERTYPE: std::ops::Range<usize> = 12..14;
/// How often netem has to be found empty before a marker goes round it: the first time its last
/// frame may have left it and not yet arrived.
const EMPTY: u32 = 2;

/// One direction of a link.
pub(super) struct Direction {
    from: Arc<OwnedFd>,
    to: Arc<OwnedFd>,
    /// How many bytes of the kernel's note precede a frame.
    note: usize,
    line: Line<Frame>,
    netem: Option<Netem>,
    received: Unread,
    sent: u64,
    send_refused: u64,
}

/// netem on the device there, and the markers that wait for it.
struct Netem {
    backlog: Backlog,
    /// How often it was found empty since the first marker waits.
    empty: u32,
    markers: VecDeque<Frame>,
    dropped: u64,
}

/// A frame with the kernel's note in front.
#[derive(Clone)]
struct Frame {
    bytes: Vec<u8>,
    marker: bool,
}

/// Frames that could not be read.
#[derive(Default)]
struct Unread(u64);

impl Direction {
    pub(super) fn new(from: Arc<OwnedFd>, to: Arc<OwnedFd>, onward: Onward, note: usize) -> Self {
        let (impairment, netem) = match onward {
            Onward::Impaired(impairment) => (impairment, None),
            Onward::Netem(backlog) => {
                let markers = VecDeque::new();
                (Impairment::default(), Some(Netem { backlog, empty: 0, markers, dropped: 0 }))
            }
        };
        let line = Line::new(impairment);
        let received = Unread::default();
        Self { from, to, note, line, netem, received, sent: 0, send_refused: 0 }
    }

    /// Where frames come in.
    pub(super) fn socket(&self) -> BorrowedFd<'_> {
        self.from.as_fd()
    }

    /// Reads what waits in the socket, up to a turn. `now` is read after each frame is.
    pub(super) fn read(&mut self, buffer: &mut [u8], now: impl Fn() -> u64) {
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_TRUNC;
        for _ in 0..TURN {
            let length = match recv(self.from.as_raw_fd(), buffer, flags) {
                Ok(length) => length,
                Err(Errno::EINTR) => continue,
                // A device that went down or was deleted is reported once.
                Err(Errno::EAGAIN | Errno::ENETDOWN | Errno::EBADF) => return,
                // A frame for which the kernel has no note.
                Err(_) => {
                    self.received.0 += 1;
                    continue;
                }
            };
            let Some(bytes) = buffer.get(..length).filter(|bytes| bytes.len() > self.note) else {
                self.received.0 += 1;
                continue;
            };
            let bytes = bytes.to_vec();
            let marker = bytes.get(self.note..).and_then(|frame| frame.get(ETHERTYPE))
                == Some(&ethertype::MARKER.to_be_bytes());
            let now = now();
            let length = bytes.len() - self.note;
            let frame = Frame { bytes, marker };
            match &mut self.netem {
                Some(netem) if marker => netem.markers.push_back(frame),
                None if marker => self.line.take_marker(frame, now),
                _ => self.line.take(frame, length, now),
            }
        }
    }

    /// Sends what is due. `publish` is called before a marker is sent, so that
    /// a reader that waits for the marker finds the counters before it.
    pub(super) fn send(&mut self, now: u64, mut publish: impl FnMut(&mut Self)) {
        while let Some(frame) = self.line.release(now) {
            if frame.marker {
                publish(self);
                let _ = nix::unistd::write(&self.to, &frame.bytes);
                continue;
            }
            match nix::unistd::write(&self.to, &frame.bytes) {
                Ok(_) => self.sent += 1,
                // netem has dropped and counted it.
                Err(Errno::ENOBUFS) if self.netem.is_some() => self.sent += 1,
                Err(_) => self.send_refused += 1,
            }
        }
        if self.is_empty_behind_markers() {
            publish(self);
            self.send_round();
        }
    }

    /// When there is something to send next.
    pub(super) fn next(&self) -> Option<u64> {
        self.line.next_release()
    }

    /// Whether markers wait for netem, which only answers questions.
    pub(super) fn asks(&self) -> bool {
        self.netem.as_ref().is_some_and(|netem| !netem.markers.is_empty())
    }

    pub(super) fn counters(&mut self) -> Counters {
        let line = self.line.counters();
        if let Some(netem) = &mut self.netem
            && let Ok(queued) = (netem.backlog)()
        {
            netem.dropped = queued.dropped;
        }
        let unread = receive_drops(self.from.as_fd()).unwrap_or(0);
        Counters {
            taken: line.received,
            lost: line.lost,
            queue_full: line.queue_full,
            duplicated: line.duplicated,
            reordered: line.reordered,
            netem_dropped: self.netem.as_ref().map_or(0, |netem| netem.dropped),
            sent: self.sent,
            send_refused: self.send_refused,
            receive_dropped: self.received.0 + unread,
        }
    }

    /// Whether markers wait and netem holds nothing any more.
    fn is_empty_behind_markers(&mut self) -> bool {
        let Some(netem) = self.netem.as_mut().filter(|netem| !netem.markers.is_empty()) else {
            return false;
        };
        // A netem that does not answer holds nothing: its device is gone.
        let waiting = (netem.backlog)().map_or(0, |queued| queued.waiting);
        netem.empty = if waiting == 0 { netem.empty + 1 } else { 0 };
        netem.empty >= EMPTY
    }

    /// Sends the markers that wait, past netem.
    fn send_round(&mut self) {
        let Some(netem) = &mut self.netem else { return };
        netem.empty = 0;
        let to = self.to.as_fd();
        let bypass = |bypass: bool| {
            // A kernel that refuses has no such queue either (Linux 3.14).
            let _ = set_qdisc_bypass(to, bypass);
        };
        bypass(true);
        for marker in netem.markers.drain(..) {
            let _ = nix::unistd::write(&self.to, &marker.bytes);
        }
        bypass(false);
    }
}
