//! The userspace stand-in for the kernel's `ipip` and `ip_gre` on a real server: packets of protocol
//! 4 or 47 come in through a raw socket, lose their outer headers here, and go back to the kernel
//! through a device named `tunl0`, `gre0` or `gre1`.
//!
//! What stays the kernel's work, and therefore behaves as with its own tunnel: delivery of the
//! outer packet only if its destination is one of the node's own addresses, reassembly of outer
//! fragments, and for the inner packet rp_filter, the lookup of its destination, its header
//! checks and all their counters.
//!
//! What differs from the kernel's `ipip` (net/ipv4/ipip.c, net/ipv4/ip_tunnel.c):
//!
//! - The device's receive counters are of the TUN (or veth) driver: a packet that is refused here
//!   is in [`Counters`] and not in `rx_errors` of `tunl0`.
//! - A tunnel is not looked up by its outer addresses: whatever reaches the node is taken, as the
//!   kernel's fallback device `tunl0` takes what no other tunnel matches.
//! - ICMP errors about the outer packet are not turned into errors of the tunnel.
//! - Packets that the node routes *into* the device are dropped and counted (`tx_dropped`): the
//!   kernel's fallback device does the same, with `tx_errors`, because it has no remote address.
//! - While the raw socket is open, the kernel answers no `protocol 4 unreachable` and counts no
//!   `IpInUnknownProtos`; a socket whose queue is full drops (`rx_queue_dropped`) where the
//!   kernel's tunnel would not queue at all.
//! - Inner IPv6 packets (protocol 41) are not taken, as `ipip` does not take them.
//!
//! For GRE (net/ipv4/gre_demux.c, net/ipv4/ip_gre.c) there is besides:
//!
//! - [`Gre`] says what the kernel checks and what becomes of a packet that it refuses. A packet
//!   with the wrong key goes to `gre0` there if that device is up, and else is answered with ICMP
//!   port unreachable; here it is dropped and counted (`rx_key_mismatch`), because a raw socket is
//!   open and the kernel therefore answers nothing.
//! - Inner packets that are not IPv4 (`ip_gre` takes IPv6 as well) are dropped and counted.
//! - Sequence numbers are read over, as by a device without `iseq`.

mod gre;
mod inner;
mod protocol;
mod worker;

pub use protocol::{DrainError, Gre, Protocol};

use crate::Error;
use serde::{Deserialize, Serialize};
use std::os::fd::OwnedFd;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::eventfd::{EfdFlags, EventFd};

/// Where inner packets go: the far side of `tunl0`.
#[derive(Debug)]
pub enum InnerEnd {
    /// The TUN device itself (`IFF_TUN | IFF_NO_PI`).
    Tun(OwnedFd),
    /// For machines without `/dev/net/tun`: a packet socket (`SOCK_RAW`), bound to the peer of a
    /// veth pair whose other end is the `tunl0` in the node. That device shows Ethernet frames in
    /// captures where the kernel's shows bare IP packets.
    VethPeer {
        /// Bound to the peer interface, with protocol `ETH_P_ALL`.
        socket: OwnedFd,
        /// The link address of the end in the node.
        tunnel: [u8; 6],
    },
}

/// What a decapsulator counted. The names follow the device's own counters: `rx` is towards the
/// node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Inner packets handed to the node.
    pub rx_packets: u64,
    /// Their bytes, outer header not included.
    pub rx_bytes: u64,
    /// Too short for an inner IPv4 header.
    pub rx_truncated: u64,
    /// The inner packet is not IPv4, by its version or by GRE's protocol type.
    pub rx_not_ipv4: u64,
    /// The inner header's length is impossible, or the total length is beyond the packet's end.
    pub rx_header_malformed: u64,
    /// A GRE header that is cut short, of version 1, or with source routing.
    #[serde(default)]
    pub rx_gre_malformed: u64,
    /// A GRE key other than this end's, or none where this end has one.
    #[serde(default)]
    pub rx_key_mismatch: u64,
    /// A GRE checksum that is wrong, missing where this end wants one, or there where it wants
    /// none (`rx_crc_errors` of the kernel's device for the last two).
    #[serde(default)]
    pub rx_checksum: u64,
    /// Congestion experienced outside, and an inner packet that cannot tell it (RFC 6040 4.2).
    pub rx_ecn_dropped: u64,
    /// The device is down.
    pub rx_device_down: u64,
    /// The device refused the packet for another reason, such as its size.
    pub rx_device_refused: u64,
    /// The kernel dropped it because the socket's queue was full.
    pub rx_queue_dropped: u64,
    /// Packets that the node routed into the device, read and dropped.
    pub tx_dropped: u64,
    /// Their bytes.
    pub tx_dropped_bytes: u64,
}

/// A running decapsulator: a thread that ends when this is stopped or dropped.
#[derive(Debug)]
pub struct Decapsulator {
    wake: Arc<EventFd>,
    /// Who waits for the socket's queue to be empty; closing it ends the thread.
    requests: Option<Sender<worker::Drained>>,
    counters: Arc<Mutex<Counters>>,
    thread: Option<JoinHandle<()>>,
}

impl Decapsulator {
    /// Starts moving packets from `outer` to `inner`.
    ///
    /// `outer` is a raw socket (`SOCK_RAW`, [`Protocol::number`]) made in the node's namespace. Both
    /// descriptors are made non-blocking and belong to the decapsulator from here on. It can be
    /// called from any thread in any namespace.
    ///
    /// # Errors
    /// The kernel refuses an event descriptor, a socket option or a thread.
    pub fn start(protocol: Protocol, outer: OwnedFd, inner: InnerEnd) -> Result<Self, Error> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let wake = EventFd::from_value_and_flags(0, flags)
            .map_err(|error| Error::system("an event descriptor (eventfd(2))")(error.into()))?;
        let wake = Arc::new(wake);
        let counters = Arc::new(Mutex::new(Counters::default()));
        let (requests, orders) = mpsc::channel();
        let orders = worker::Orders::new(Arc::clone(&wake), orders);
        let worker = worker::Worker::new(protocol, outer, inner, orders, Arc::clone(&counters))?;
        let thread = std::thread::Builder::new()
            .name("decapsulate".to_owned())
            .stack_size(64 * 1024)
            .spawn(move || worker.run())
            .map_err(Error::system("a thread for the decapsulator"))?;
        Ok(Self { wake, requests: Some(requests), counters, thread: Some(thread) })
    }

    /// Returns when every packet that was in the socket's queue at this call has been handed to
    /// the device or refused, and is counted.
    ///
    /// # Errors
    /// [`DrainError`]: its thread has ended, or it took longer than `deadline`.
    pub fn drain(&self, deadline: Duration) -> Result<(), DrainError> {
        let (answer, drained) = mpsc::sync_channel(1);
        let requests = self.requests.as_ref().ok_or(DrainError::Ended)?;
        requests.send(answer).map_err(|_| DrainError::Ended)?;
        // An event descriptor takes as many as there can be calls: this cannot fail.
        let _ = self.wake.write(1);
        match drained.recv_timeout(deadline) {
            Ok(()) => Ok(()),
            Err(RecvTimeoutError::Timeout) => Err(DrainError::Deadline),
            Err(RecvTimeoutError::Disconnected) => Err(DrainError::Ended),
        }
    }

    /// What was counted so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        *self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether its thread still runs. It ends by itself only if one of its descriptors fails, as
    /// a TUN does whose device was deleted.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// Ends it, closes its descriptors, and tells what was counted. Packets that are already in
    /// the socket's queue are still moved.
    #[must_use]
    pub fn stop(mut self) -> Counters {
        self.end();
        self.counters()
    }

    fn end(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.requests = None;
            // An event descriptor takes as many as there can be calls: this cannot fail.
            let _ = self.wake.write(1);
            let _ = thread.join();
        }
    }
}

impl Drop for Decapsulator {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
#[path = "decapsulate/drain_tests.rs"]
mod drain_tests;
