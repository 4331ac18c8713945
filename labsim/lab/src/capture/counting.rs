//! Counts frames without fetching them: while packets are in flight, interfaces see them, and those that are
//! not captured are no exception.
//!
//! The kernel counts every frame that passes a packet socket's filter, also where its queue is full
//! (`PACKET_STATISTICS`, packet(7)). The queue of these sockets holds one or two, and nothing reads them.

use labsim_sys::filter::{Instruction, attach};
use labsim_sys::{packet, socket};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::{Mutex, PoisonError};

/// The kernel makes it its least, some 2 KiB.
const QUEUE_BYTES: i32 = 1;

/// Sockets that count what is not captured.
#[derive(Debug, Default)]
pub(super) struct Uncaptured {
    sockets: Vec<OwnedFd>,
    /// Up to the last reading, which begins each socket's count anew.
    frames: Mutex<u64>,
}

/// Opens a socket of the calling thread's namespace that counts the frames which pass a program.
pub(super) fn open(program: &[Instruction]) -> io::Result<OwnedFd> {
    let opened = packet::open()?;
    attach(opened.as_fd(), program)?;
    socket::set_receive_queue(opened.as_fd(), QUEUE_BYTES)?;
    packet::bind(opened.as_fd(), 0, packet::ALL_PROTOCOLS)?;
    Ok(opened)
}

impl Uncaptured {
    pub(super) fn extend(&mut self, socket: Option<OwnedFd>) {
        self.sockets.extend(socket);
    }

    /// How many frames passed up to now.
    pub(super) fn frames(&self) -> u64 {
        let mut frames = self.frames.lock().unwrap_or_else(PoisonError::into_inner);
        for socket in &self.sockets {
            if let Ok(statistics) = packet::take_statistics(socket.as_fd()) {
                *frames += u64::from(statistics.received) + u64::from(statistics.dropped);
            }
        }
        *frames
    }

    /// The sockets, to be closed.
    pub(super) fn take_sockets(&mut self) -> Vec<OwnedFd> {
        std::mem::take(&mut self.sockets)
    }
}
