//! The userspace stand-in for the kernel's `ipip` on a real server: packets of protocol 4 come in
//! through a raw socket, lose their outer header here, and go back to the kernel through a device
//! named `tunl0`.
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

mod inner;
mod worker;

use crate::Error;
use serde::{Deserialize, Serialize};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

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
    /// The inner packet's version is not 4.
    pub rx_not_ipv4: u64,
    /// The inner header's length is impossible, or the total length is beyond the packet's end.
    pub rx_header_malformed: u64,
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
    stop: Arc<EventFd>,
    counters: Arc<Mutex<Counters>>,
    thread: Option<JoinHandle<()>>,
}

impl Decapsulator {
    /// Starts moving packets from `outer` to `inner`.
    ///
    /// `outer` is a raw socket (`SOCK_RAW`, `IPPROTO_IPIP`) made in the node's namespace. Both
    /// descriptors are made non-blocking and belong to the decapsulator from here on. It can be
    /// called from any thread in any namespace.
    ///
    /// # Errors
    /// The kernel refuses an event descriptor, a socket option or a thread.
    pub fn start(outer: OwnedFd, inner: InnerEnd) -> Result<Self, Error> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let stop = EventFd::from_value_and_flags(0, flags)
            .map_err(|error| Error::system("an event descriptor (eventfd(2))")(error.into()))?;
        let stop = Arc::new(stop);
        let counters = Arc::new(Mutex::new(Counters::default()));
        let worker = worker::Worker::new(outer, inner, Arc::clone(&stop), Arc::clone(&counters))?;
        let thread = std::thread::Builder::new()
            .name("decapsulate".to_owned())
            .stack_size(64 * 1024)
            .spawn(move || worker.run())
            .map_err(Error::system("a thread for the decapsulator"))?;
        Ok(Self { stop, counters, thread: Some(thread) })
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
            // An event descriptor of value 0 takes one more: this cannot fail.
            let _ = self.stop.write(1);
            let _ = thread.join();
        }
    }
}

impl Drop for Decapsulator {
    fn drop(&mut self) {
        self.end();
    }
}
