//! Packet sockets (packet(7)) of a bench's nodes.

use labsim_lab::Node;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

/// `ETH_P_IP` and `ETH_P_ARP`.
pub(super) const IP: u16 = 0x0800;
pub(super) const ARP: u16 = 0x0806;

/// A packet socket for one protocol; with protocol 0 it only sends, with interface 0 it hears all.
pub(super) fn open(node: &Node, interface: u32, protocol: u16) -> OwnedFd {
    let socket = node.packet_socket().expect("a packet socket");
    // SAFETY: all-zero bytes are a sockaddr_ll.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = protocol.to_be();
    address.sll_ifindex = interface.cast_signed();
    let length = size_of_val(&address) as libc::socklen_t;
    // SAFETY: `address` is a sockaddr_ll of the length that is told.
    let bound = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) };
    assert_eq!(bound, 0, "{}", io::Error::last_os_error());
    socket
}

/// Sets an option of packet(7) to 1.
pub(super) fn switch_on(socket: &OwnedFd, option: libc::c_int) {
    let one = 1i32;
    let length = size_of_val(&one) as libc::socklen_t;
    // SAFETY: `one` is readable for the length that is told.
    let set = unsafe {
        let value = (&raw const one).cast();
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_PACKET, option, value, length)
    };
    assert_eq!(set, 0, "{}", io::Error::last_os_error());
}
