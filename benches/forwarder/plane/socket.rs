//! Packet sockets (packet(7)) of a bench's nodes.

use labsim_lab::Node;
use std::os::fd::{AsFd, OwnedFd};

/// `ETH_P_IP` and `ETH_P_ARP`.
pub(super) const IP: u16 = 0x0800;
pub(super) const ARP: u16 = 0x0806;
/// `ETH_P_ALL`.
pub(super) const EVERY: u16 = 3;

/// A packet socket for one protocol; with protocol 0 it only sends, with interface 0 it hears all.
pub(super) fn open(node: &Node, interface: u32, protocol: u16) -> OwnedFd {
    let socket = node.packet_socket().expect("a packet socket");
    labsim_sys::packet::bind(socket.as_fd(), interface, protocol).expect("an interface");
    socket
}
