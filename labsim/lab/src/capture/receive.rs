//! Packet sockets: opened, read many frames at a time, and sent on.

use labsim_scenario::model::Direction;
use labsim_wire::decode::LinkType;
use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, setsockopt, socket, sockopt};
use std::io;
use std::mem::zeroed;
use std::os::fd::{AsRawFd, OwnedFd};

/// Frames that may wait in a socket, by the memory that the kernel counts for them.
const QUEUE_BYTES: usize = 16 << 20;
/// Frames that one system call fetches.
const BATCH: usize = 16;
/// Room for each: a whole segmentation-offload packet (64 KiB) and its headers.
const SLOT: usize = 66 << 10;
/// Room for a control message with a `timespec`, and one with a `tpacket_auxdata`.
const CONTROL: usize = 128;

/// A frame as it was received.
#[derive(Debug, Clone, Copy)]
pub(super) struct Received<'a> {
    pub(super) time_ns: u64,
    /// The device's number.
    pub(super) index: u32,
    pub(super) hardware: u16,
    pub(super) direction: Direction,
    pub(super) original_length: u32,
    /// Where the network header begins.
    pub(super) network: u16,
    pub(super) bytes: &'a [u8],
}

impl Received<'_> {
    /// Without what stands before the network header: a GRE device of the kernel's hands captures
    /// the outer header with the packet that it has taken out (net/ipv4/ip_gre.c, `__ipgre_rcv`).
    pub(super) fn network_layer(self) -> Self {
        let bytes = self.bytes.get(usize::from(self.network)..).unwrap_or(self.bytes);
        let cut = u32::try_from(self.bytes.len() - bytes.len()).unwrap_or(0);
        let original_length = self.original_length.saturating_sub(cut);
        Self { bytes, original_length, network: 0, ..self }
    }
}

/// Opens a socket that receives every frame of every interface of the calling thread's namespace.
pub(super) fn open() -> io::Result<OwnedFd> {
    let socket = open_sender()?;
    setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
    tell_headers(&socket)?;
    // Beyond the host's limit only for root of the machine; up to it for everybody.
    setsockopt(&socket, sockopt::RcvBufForce, &QUEUE_BYTES)
        .or_else(|_| setsockopt(&socket, sockopt::RcvBuf, &QUEUE_BYTES))?;
    bind(&socket, 0)?;
    Ok(socket)
}

/// Has a socket tell where each frame's network header begins (packet(7), `PACKET_AUXDATA`).
fn tell_headers(socket: &OwnedFd) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the option is a number that outlives the call, and its size is told.
    let set = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_AUXDATA,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    Ok(Errno::result(set).map(drop)?)
}

/// Has a socket receive every frame of a device; of every device if its number is 0.
pub(super) fn bind(socket: &OwnedFd, index: u32) -> io::Result<()> {
    let every = link_address(index, libc::ETH_P_ALL as u16);
    // SAFETY: the address is a sockaddr_ll that outlives the call, and its size is told.
    let bound =
        unsafe { libc::bind(socket.as_raw_fd(), (&raw const every).cast(), address_length()) };
    Ok(Errno::result(bound).map(drop)?)
}

/// Opens a socket that only sends.
pub(super) fn open_sender() -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    Ok(socket(AddressFamily::Packet, SockType::Raw, flags, None)?)
}

/// Sends a frame out of a device.
pub(super) fn send(socket: &OwnedFd, index: u32, link: LinkType, bytes: &[u8]) -> io::Result<()> {
    let protocol = match link {
        LinkType::Ethernet => labsim_wire::ethernet::ethertype::MARKER,
        LinkType::Raw => libc::ETH_P_IP as u16,
    };
    let to = link_address(index, protocol);
    // SAFETY: the bytes and the address outlive the call, and their sizes are told.
    let sent = unsafe {
        libc::sendto(
            socket.as_raw_fd(),
            bytes.as_ptr().cast(),
            bytes.len(),
            0,
            (&raw const to).cast(),
            address_length(),
        )
    };
    Errno::result(sent).map(drop).map_err(Into::into)
}

/// Frames that a socket's full queue has dropped since this was asked last.
pub(super) fn take_drops(socket: &OwnedFd) -> u64 {
    // SAFETY: all zeroes are a valid tpacket_stats: two numbers.
    let mut statistics: TpacketStats = unsafe { zeroed() };
    let mut length = size_of::<TpacketStats>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes into the structure, which outlives the call.
    let got = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_STATISTICS,
            (&raw mut statistics).cast(),
            &raw mut length,
        )
    };
    if got == 0 { u64::from(statistics.drops) } else { 0 }
}

/// `struct tpacket_stats` (packet(7)).
#[repr(C)]
struct TpacketStats {
    packets: u32,
    drops: u32,
}

fn address_length() -> libc::socklen_t {
    size_of::<libc::sockaddr_ll>() as libc::socklen_t
}

fn link_address(index: u32, protocol: u16) -> libc::sockaddr_ll {
    // SAFETY: all zeroes are a valid sockaddr_ll.
    let mut address: libc::sockaddr_ll = unsafe { zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = protocol.to_be();
    address.sll_ifindex = index.cast_signed();
    address
}

/// Buffers for one system call's frames; pages that no frame has needed cost nothing.
pub(super) struct Buffers {
    bytes: Vec<u8>,
    controls: [[u64; CONTROL / 8]; BATCH],
    addresses: [libc::sockaddr_ll; BATCH],
}

impl Buffers {
    pub(super) fn new() -> Self {
        let addresses = [link_address(0, 0); BATCH];
        Self { bytes: vec![0; BATCH * SLOT], controls: [[0; CONTROL / 8]; BATCH], addresses }
    }

    /// Fetches what waits in a socket, up to a batch, and hands over each frame. Returns whether
    /// more may be waiting.
    pub(super) fn receive(
        &mut self,
        socket: &OwnedFd,
        mut take: impl FnMut(Received<'_>),
    ) -> io::Result<bool> {
        // SAFETY: all zeroes are valid for these structures: null pointers and no lengths.
        let mut vectors: [libc::iovec; BATCH] = unsafe { zeroed() };
        // SAFETY: as above.
        let mut messages: [libc::mmsghdr; BATCH] = unsafe { zeroed() };
        let slots = self.bytes.chunks_exact_mut(SLOT);
        let parts = slots.zip(&mut self.controls).zip(&mut self.addresses);
        for ((((slot, control), address), vector), message) in
            parts.zip(&mut vectors).zip(&mut messages)
        {
            vector.iov_base = slot.as_mut_ptr().cast();
            vector.iov_len = slot.len();
            message.msg_hdr.msg_iov = vector;
            message.msg_hdr.msg_iovlen = 1;
            message.msg_hdr.msg_name = (&raw mut *address).cast();
            message.msg_hdr.msg_namelen = address_length();
            message.msg_hdr.msg_control = control.as_mut_ptr().cast();
            message.msg_hdr.msg_controllen = CONTROL as _;
        }
        let flags = (libc::MSG_DONTWAIT | libc::MSG_TRUNC) as _;
        // SAFETY: every message points at buffers of its own that outlive the call, with their
        // sizes; no timeout is given.
        let received = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                messages.as_mut_ptr(),
                BATCH as libc::c_uint,
                flags,
                std::ptr::null_mut(),
            )
        };
        let received = match Errno::result(received) {
            Ok(received) => usize::try_from(received).unwrap_or(0),
            // A device that went down is told once (ENETDOWN); the others go on.
            Err(Errno::EAGAIN | Errno::EINTR) => return Ok(false),
            Err(Errno::ENETDOWN) => return Ok(true),
            Err(errno) => return Err(errno.into()),
        };
        for position in 0..received {
            let (Some(message), Some(address)) =
                (messages.get(position), self.addresses.get(position))
            else {
                break;
            };
            let length = message.msg_len as usize;
            let (time_ns, network) = told(&message.msg_hdr);
            let slot = &self.bytes[position * SLOT..(position + 1) * SLOT];
            take(Received {
                time_ns,
                index: address.sll_ifindex.cast_unsigned(),
                hardware: address.sll_hatype,
                direction: match address.sll_pkttype {
                    libc::PACKET_OUTGOING => Direction::Out,
                    _ => Direction::In,
                },
                original_length: message.msg_len,
                network,
                bytes: &slot[..length.min(SLOT)],
            });
        }
        Ok(received == BATCH)
    }
}

/// The time at which the kernel took the frame, in nanoseconds since 1970, and where its network
/// header begins; 0 where the kernel does not tell.
fn told(header: &libc::msghdr) -> (u64, u16) {
    let (mut time_ns, mut network) = (0, 0);
    // SAFETY: the kernel has filled the header and its control buffer, which is still there; the
    // macros stay inside the length that it wrote, and it writes whole structures.
    unsafe {
        let mut control = libc::CMSG_FIRSTHDR(header);
        while let Some(message) = control.as_ref() {
            let data = libc::CMSG_DATA(control);
            match (message.cmsg_level, message.cmsg_type) {
                (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => {
                    let time = data.cast::<libc::timespec>().read_unaligned();
                    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
                    time_ns = seconds * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0);
                }
                (libc::SOL_PACKET, libc::PACKET_AUXDATA) => {
                    network = data.cast::<libc::tpacket_auxdata>().read_unaligned().tp_net;
                }
                _ => {}
            }
            control = libc::CMSG_NXTHDR(header, control);
        }
    }
    (time_ns, network)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_before_the_network_header_is_left_out_and_never_more_than_there_is() {
        let frame = Received {
            time_ns: 0,
            index: 1,
            hardware: 0,
            direction: Direction::In,
            original_length: 9,
            network: 2,
            bytes: &[1, 2, 3, 4],
        };
        let inner = frame.network_layer();
        assert_eq!((inner.bytes, inner.original_length, inner.network), (&[3, 4][..], 7, 0));
        assert_eq!(Received { network: 0, ..frame }.network_layer().bytes, frame.bytes);
        let beyond = Received { network: 5, ..frame }.network_layer();
        assert_eq!((beyond.bytes, beyond.original_length), (frame.bytes, 9));
    }
}
