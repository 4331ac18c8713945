//! Packet sockets (packet(7)) on one interface: a ring to receive from, a batch to send with.
//!
//! There is no alternative. AF_XDP (Documentation/networking/af_xdp.rst) sends a frame for
//! a third less, but hides frames from captures: an XDP program, in a veth's driver or in
//! `__netif_receive_skb_core`, comes before packet sockets, and what an XDP socket sends in copy
//! mode goes to the driver past them (`__dev_direct_xmit`). It also needs bpf(2), which a user
//! namespace does not give. And the ring, with the rule of [`crate::ingress_drop`], moves as
//! much as the kernel's own `ip_forward` does (`cargo bench --bench forwarder`).

pub(crate) mod batch;
pub(crate) mod filter;
mod groups;
mod host;
pub(crate) mod offload;
pub(crate) mod receiver;

use crate::Error;
use std::os::fd::{BorrowedFd, OwnedFd};

/// A packet socket that receives nothing until it is bound to a protocol.
pub(crate) fn open() -> Result<OwnedFd, Error> {
    labsim_sys::packet::open().map_err(Error::system(
        "a packet socket, which needs CAP_NET_RAW in this network namespace",
    ))
}

/// Binds to an interface; protocol 0 is for a socket that only sends.
pub(crate) fn bind(socket: BorrowedFd<'_>, interface: u32, protocol: u16) -> Result<(), Error> {
    labsim_sys::packet::bind(socket, interface, protocol)
        .map_err(Error::system("binding a packet socket to the interface (bind(2), packet(7))"))
}

/// Whether the interface that it is bound to is still there.
pub(crate) fn check_bound(socket: BorrowedFd<'_>) -> Result<(), Error> {
    match labsim_sys::packet::bound_interface(socket) {
        Ok(Some(_)) => Ok(()),
        Ok(None) | Err(_) => Err(Error::InterfaceGone),
    }
}
