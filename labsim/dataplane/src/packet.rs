//! Packet sockets (packet(7)) on one interface: a ring to receive from, a batch to send with.
//!
//! There is no second way beside it. AF_XDP (Documentation/networking/af_xdp.rst) sends a frame for
//! a third less, but hides frames from captures: an XDP program, in a veth's driver or in
//! `__netif_receive_skb_core`, comes before packet sockets, and what an XDP socket sends in copy
//! mode goes to the driver past them (`__dev_direct_xmit`). It also needs bpf(2), which a user
//! namespace does not give. And the ring, with the kernel relieved ([`crate::relief`]), moves as
//! much as the kernel's own `ip_forward` does (`cargo bench --bench forwarder`).

pub(crate) mod batch;
pub(crate) mod filter;
mod groups;
pub(crate) mod offload;
pub(crate) mod ring;

use crate::Error;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

/// A packet socket that receives nothing until it is bound to a protocol.
pub(crate) fn open() -> Result<OwnedFd, Error> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    socket(AddressFamily::Packet, SockType::Raw, flags, None).map_err(|errno| Error::System {
        what: "a packet socket, which needs CAP_NET_RAW in this network namespace".to_owned(),
        source: errno.into(),
    })
}

/// Binds to an interface; protocol 0 is for a socket that only sends.
pub(crate) fn bind(socket: BorrowedFd<'_>, interface: u32, protocol: u16) -> Result<(), Error> {
    // SAFETY: all-zero bytes are a sockaddr_ll.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = protocol.to_be();
    address.sll_ifindex = interface as i32;
    let length = size_of_val(&address) as libc::socklen_t;
    // SAFETY: `address` is a sockaddr_ll of the length that is told.
    let result = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) };
    if result == 0 {
        Ok(())
    } else {
        Err(Error::system("binding a packet socket to the interface")(io::Error::last_os_error()))
    }
}
