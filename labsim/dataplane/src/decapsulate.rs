//! The userspace stand-in for the kernel's `ipip`, `sit`, `ip6_tunnel`, `ip_gre` and `ip6_gre` on a
//! real server: packets of protocol 4, 41 or 47 come in through a raw socket, lose their outer
//! headers here, and go back to the kernel through a device of the name that the module gives, such
//! as `tunl0`. GUE, which the kernel's `fou` takes off, comes in through a UDP socket of its port.
//!
//! What stays the kernel's work, and therefore behaves as with its own tunnel: delivery of the
//! outer packet only if its destination is one of the node's own addresses, reassembly of outer
//! fragments, outer IPv6 extension headers such as one with an encapsulation limit (RFC 2473), and
//! for the inner packet rp_filter, the lookup of its destination, its header checks and all their
//! counters.
//!
//! What is this module's work and done as net/ipv4/ipip.c, ip_tunnel.c, ip_gre.c and tunnel4.c, and
//! net/ipv6/sit.c, ip6_tunnel.c, ip6_gre.c and tunnel6.c do it: the GRE header's checks in their
//! order, congestion marks (RFC 6040), the inner TTL left alone, inner packets handed over whole,
//! for the kernel to check; and ICMP port unreachable, within the kernel's limit, where there is no
//! tunnel: its device is down, or no device has the key. What a device of the kernel's counts as
//! errors is in [`Counters`], and is put to the device's own counters where a run reports them.
//!
//! What stays different, and why:
//!
//! - *A protocol without a handler.* Where the kernel's modules are loaded, protocol 4, 41 or 47
//!   has a handler in every namespace, and a node without a matching tunnel answers *port*
//!   unreachable. Where they are not, which is where this module is of use, it answers *protocol*
//!   unreachable, and counts `IpInUnknownProtos`; over IPv6 it is *unrecognised next header*, and
//!   `Ip6InUnknownProtos`. That is the machine's doing, and nothing of ours.
//! - *Congestion marks in captures.* The kernel writes a mark into the packet where it lies, and
//!   captures on its way in show it changed. Here it is changed in a copy.
//! - *GUE's outer length in captures.* The kernel's `fou` takes its own headers off an IPv4 packet by
//!   shortening the total length where the packet lies, without a new checksum: captures at the
//!   server and at the last router show the shortened header. Here the packet is read from a socket.
//! - *Inner packets that are not what the header in front says* (its protocol, or GRE's type), or
//!   that are not IP, are dropped and counted here (`rx_not_ip`). `ipip` hands such a packet to
//!   IPv4, which counts `IpInHdrErrors`; a TUN device would hand it to IPv6.
//! - *Outer addresses do not distinguish tunnels.* Whatever reaches the node is taken, as
//!   `tunl0` and `gre0` take what no other tunnel matches; a node has one tunnel. A GRE device of
//!   the kernel's without a key and with another name than `gre0` ends at the node's own address
//!   alone, and takes no packet with a key; and one of `ip6_tunnel`'s at its own address alone.
//!   `sit` drops packets whose addresses of 2002::/16 (6to4) are not the outer ones.
//! - *ICMPv6 errors* quote the outer packet without its extension headers and its flow label, which
//!   a raw socket does not give; and a host is answered once a second after a burst, where the
//!   kernel asks its routing table how often. The kernel does not count them by type
//!   (`Icmp6OutDestUnreachs`): they leave by a raw socket with their header.
//! - *Where a TOS is set outside,* the kernel's ICMP error carries it on beside its precedence.
//! - *ICMP errors about tunnel packets that the node has sent* are nothing to this module: it sends
//!   none. Packets that the node routes into the device are dropped, as the kernel's fallback
//!   device drops them, which has no remote address (`tx_errors`).
//! - *GUE's outer headers* are made anew in ICMP errors from what a UDP socket gives. Both variants
//!   are taken; control messages, flags and other protocols than IP count as `rx_not_ip`, where fou
//!   drops them and counts them nowhere.
//! - *A queue.* The raw socket's may be full (`rx_queue_dropped`); the kernel's tunnel has none.
//! - *Behind a veth end,* where there is no TUN device, captures show Ethernet frames, the device's
//!   MTU is the greatest that there is, as a veth end takes in no longer packets, and a device that
//!   goes down after it was up is not noticed: its packets are lost without an answer.
//! - GRE's sequence numbers are read over, as by a device without `iseq`.

mod drain;
mod gre;
mod inner;
mod outer;
mod refuse;
mod worker;

pub use drain::DrainError;

use crate::Error;
use labsim_model::TunnelKind;
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
    /// Nothing is inside.
    pub rx_truncated: u64,
    /// The inner packet is neither IPv4 nor IPv6, or not the one that the header in front of it
    /// says.
    #[serde(alias = "rx_not_ipv4")]
    pub rx_not_ip: u64,
    /// A GRE header that is cut short, of version 1, or with source routing.
    #[serde(default)]
    pub rx_gre_malformed: u64,
    /// A GRE key other than this end's, or none where this end has one.
    #[serde(default)]
    pub rx_key_mismatch: u64,
    /// A GRE checksum that is wrong: the kernel counts it nowhere.
    #[serde(default)]
    pub rx_checksum: u64,
    /// A GRE checksum that is missing where this end wants one, or there where it wants none:
    /// `rx_errors` and `rx_crc_errors` of the kernel's device.
    #[serde(default)]
    pub rx_checksum_unwanted: u64,
    /// Congestion experienced outside, and an inner packet that cannot carry the mark (RFC 6040
    /// 4.2).
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
    /// `outer` are raw sockets (`SOCK_RAW`) made in the node's namespace, one for each of
    /// [`TunnelKind::ip_protocols`], of the outer header's family, or GUE's UDP socket, and
    /// `answers` one for whole packets (`IPPROTO_RAW`), by which a packet is refused whose tunnel is not there. All
    /// descriptors belong to the decapsulator from here on, and those that it reads are made
    /// non-blocking. It can be called from any thread in any namespace.
    ///
    /// # Errors
    /// The kernel refuses an event descriptor, a socket option or a thread.
    pub fn start(
        protocol: TunnelKind,
        outer: Vec<OwnedFd>,
        answers: OwnedFd,
        inner: InnerEnd,
    ) -> Result<Self, Error> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let wake = EventFd::from_value_and_flags(0, flags)
            .map_err(|error| Error::system("an event descriptor (eventfd(2))")(error.into()))?;
        let wake = Arc::new(wake);
        let counters = Arc::new(Mutex::new(Counters::default()));
        let (requests, commands) = mpsc::channel();
        let commands = worker::Commands::new(Arc::clone(&wake), commands);
        let worker =
            worker::Worker::new(protocol, outer, answers, inner, commands, Arc::clone(&counters))?;
        let thread = std::thread::Builder::new()
            .name("decapsulate".to_owned())
            .stack_size(64 * 1024)
            .spawn(move || worker.run())
            .map_err(Error::system("a thread for the decapsulator"))?;
        Ok(Self { wake, requests: Some(requests), counters, thread: Some(thread) })
    }

    /// Returns when every packet that was in the socket's queue at this call has been handed to
    /// the device or refused, and is counted; and every one that the node had routed into the
    /// device is dropped and counted.
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

    /// Ends it, closes its descriptors, and returns its counters. Packets that are already in
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
