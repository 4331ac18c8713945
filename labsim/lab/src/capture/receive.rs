//! Packet sockets of a capture: opened for all frames, or for one device's, or to send markers.

use labsim_model::is_fast_path_device;
use labsim_sys::batch::ReceivedFrame;
use labsim_sys::filter::Instruction;
use labsim_sys::{device, packet, socket};
use labsim_wire::decode::LinkType;
use labsim_wire::ethernet::ethertype;
use nix::sys::socket::{setsockopt, sockopt};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// Frames that may wait in a socket, by the memory that the kernel counts for them.
const QUEUE_BYTES: i32 = 16 << 20;

/// Leaves out what stands before the network header: a GRE device of the kernel's hands captures
/// the outer header with the packet that it has taken out (net/ipv4/ip_gre.c, `__ipgre_rcv`).
pub(super) fn network_layer(frame: ReceivedFrame<'_>) -> ReceivedFrame<'_> {
    let bytes = frame.bytes.get(usize::from(frame.network)..).unwrap_or(frame.bytes);
    let cut = u32::try_from(frame.bytes.len() - bytes.len()).unwrap_or(0);
    let original_length = frame.original_length.saturating_sub(cut);
    ReceivedFrame { bytes, original_length, network: 0, ..frame }
}

/// Opens a socket that receives every frame of every interface of the calling thread's namespace.
pub(super) fn open() -> io::Result<OwnedFd> {
    open_filtered(None)
}

/// The same with a program that chooses frames, and how much of each.
pub(super) fn open_filtered(program: Option<&[Instruction]>) -> io::Result<OwnedFd> {
    let opened = packet::open()?;
    if let Some(program) = program {
        labsim_sys::filter::attach(opened.as_fd(), program)?;
    }
    setsockopt(&opened, sockopt::ReceiveTimestampns, &true)?;
    packet::set_auxdata(opened.as_fd())?;
    socket::set_receive_queue(opened.as_fd(), QUEUE_BYTES)?;
    packet::bind(opened.as_fd(), 0, packet::ALL_PROTOCOLS)?;
    Ok(opened)
}

/// Opens a packet socket for every frame of one device of the calling thread's namespace.
pub(crate) fn open_bound(index: u32) -> io::Result<OwnedFd> {
    let opened = packet::open()?;
    packet::bind(opened.as_fd(), index, packet::ALL_PROTOCOLS)?;
    Ok(opened)
}

/// Sends a marker out of a device.
pub(super) fn send(socket: &OwnedFd, index: u32, link: LinkType, bytes: &[u8]) -> io::Result<()> {
    let protocol = match link {
        LinkType::Ethernet => ethertype::MARKER,
        LinkType::Raw => ethertype::IPV4,
    };
    packet::send_to(socket.as_fd(), index, protocol, bytes)
}

/// Whether a device, by its number, is a fast path's own: what passes it is captured at the interface already.
pub(super) fn is_of_fast_path(socket: &OwnedFd, interface: u32) -> bool {
    device::name_of(socket, interface).is_ok_and(|name| is_fast_path_device(&name))
}

/// Frames that a socket's full queue has dropped since the last call.
pub(super) fn take_drops(socket: &OwnedFd) -> u64 {
    packet::take_statistics(socket.as_fd()).map_or(0, |statistics| statistics.dropped.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_before_the_network_header_is_left_out_and_never_more_than_there_is() {
        let frame = ReceivedFrame {
            time_ns: 0,
            interface: 1,
            hardware: 0,
            outgoing: false,
            original_length: 9,
            network: 2,
            bytes: &[1, 2, 3, 4],
        };
        let inner = network_layer(frame);
        assert_eq!((inner.bytes, inner.original_length, inner.network), (&[3, 4][..], 7, 0));
        assert_eq!(network_layer(ReceivedFrame { network: 0, ..frame }).bytes, frame.bytes);
        let beyond = network_layer(ReceivedFrame { network: 5, ..frame });
        assert_eq!((beyond.bytes, beyond.original_length), (frame.bytes, 9));
    }
}
