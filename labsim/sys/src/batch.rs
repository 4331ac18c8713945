//! Many frames or datagrams in one system call: sendmmsg(2) and recvmmsg(2).

use crate::packet::{ADDRESS_LENGTH, link_address};
use nix::errno::Errno;
use std::io;
use std::mem::zeroed;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Most frames of one [`send`].
pub const MAX_SENT: usize = 64;

/// Sends frames without waiting, up to [`MAX_SENT`], in their order; returns how many the kernel
/// took.
///
/// # Errors
/// The first frame's error: `EAGAIN` if the queue is full, `ENETDOWN` if the interface is down.
pub fn send<'a>(
    socket: BorrowedFd<'_>,
    frames: impl Iterator<Item = &'a [u8]>,
) -> io::Result<usize> {
    // SAFETY: all zeroes are an iovec and an mmsghdr: null pointers and lengths of 0.
    let mut vectors: [libc::iovec; MAX_SENT] = unsafe { zeroed() };
    // SAFETY: as above.
    let mut messages: [libc::mmsghdr; MAX_SENT] = unsafe { zeroed() };
    let mut count: libc::c_uint = 0;
    for ((vector, message), frame) in vectors.iter_mut().zip(&mut messages).zip(frames) {
        *vector = libc::iovec { iov_base: frame.as_ptr().cast_mut().cast(), iov_len: frame.len() };
        message.msg_hdr.msg_iov = vector;
        message.msg_hdr.msg_iovlen = 1;
        count += 1;
    }
    // SAFETY: `messages` holds at least `count` headers, whose vectors point at frames that outlive
    // the call; the call only reads the frames.
    let sent = unsafe {
        libc::sendmmsg(socket.as_raw_fd(), messages.as_mut_ptr(), count, libc::MSG_DONTWAIT)
    };
    Ok(usize::try_from(Errno::result(sent)?).unwrap_or(0))
}

/// Frames that one system call fetches.
const RECEIVED: usize = 16;
/// Room for each: a whole segmentation-offload packet (64 KiB) and its headers.
const SLOT: usize = 66 << 10;
/// Room for a control message with a `timespec`, and one with a `tpacket_auxdata`.
const CONTROL: usize = 128;

/// A frame as a packet socket received it.
#[derive(Debug, Clone, Copy)]
pub struct ReceivedFrame<'a> {
    /// When the kernel took it, in nanoseconds since 1970; 0 without `SO_TIMESTAMPNS`.
    pub time_ns: u64,
    /// The interface's number.
    pub interface: u32,
    /// The interface's hardware type (`ARPHRD_ETHER`, ...).
    pub hardware: u16,
    /// Whether the interface sent it.
    pub outgoing: bool,
    /// How long it was, in bytes, also where it did not fit, or where a filter cut it
    /// and [`crate::packet::set_auxdata`] is set.
    pub original_length: u32,
    /// Where the network header begins; 0 without [`crate::packet::set_auxdata`].
    pub network: u16,
    /// The frame, from its link-layer header on.
    pub bytes: &'a [u8],
}

impl ReceivedFrame<'_> {
    /// Whether the frame begins with an Ethernet header (`ARPHRD_ETHER`, `ARPHRD_LOOPBACK`).
    #[must_use]
    pub const fn is_ethernet(&self) -> bool {
        matches!(self.hardware, libc::ARPHRD_ETHER | libc::ARPHRD_LOOPBACK)
    }
}

/// Buffers of one system call's frames; pages that no frame has needed cost nothing.
pub struct ReceiveBuffers {
    bytes: Vec<u8>,
    controls: [[u64; CONTROL / 8]; RECEIVED],
    addresses: [libc::sockaddr_ll; RECEIVED],
}

impl Default for ReceiveBuffers {
    fn default() -> Self {
        let addresses = [link_address(0, 0); RECEIVED];
        Self { bytes: vec![0; RECEIVED * SLOT], controls: [[0; CONTROL / 8]; RECEIVED], addresses }
    }
}

impl ReceiveBuffers {
    /// Fetches what waits in a packet socket, up to 16 frames, and hands over each. Never waits.
    /// Returns whether more may be waiting.
    ///
    /// # Errors
    /// Those of recvmmsg(2). An interface that went down (`ENETDOWN`) is no error: the others of
    /// the socket go on.
    pub fn receive(
        &mut self,
        socket: BorrowedFd<'_>,
        mut take: impl FnMut(ReceivedFrame<'_>),
    ) -> io::Result<bool> {
        // SAFETY: all zeroes are valid for these structures: null pointers and no lengths.
        let mut vectors: [libc::iovec; RECEIVED] = unsafe { zeroed() };
        // SAFETY: as above.
        let mut messages: [libc::mmsghdr; RECEIVED] = unsafe { zeroed() };
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
            message.msg_hdr.msg_namelen = ADDRESS_LENGTH;
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
                RECEIVED as libc::c_uint,
                flags,
                std::ptr::null_mut(),
            )
        };
        let received = match Errno::result(received) {
            Ok(received) => usize::try_from(received).unwrap_or(0),
            Err(Errno::EAGAIN | Errno::EINTR) => return Ok(false),
            Err(Errno::ENETDOWN) => return Ok(true),
            Err(errno) => return Err(errno.into()),
        };
        let slots = self.bytes.chunks_exact(SLOT);
        for ((message, address), slot) in
            messages.iter().zip(&self.addresses).zip(slots).take(received)
        {
            let length = message.msg_len as usize;
            let Control { time_ns, network, length: original } = read_control(&message.msg_hdr);
            take(ReceivedFrame {
                time_ns,
                interface: address.sll_ifindex.cast_unsigned(),
                hardware: address.sll_hatype,
                outgoing: address.sll_pkttype == libc::PACKET_OUTGOING,
                original_length: message.msg_len.max(original),
                network,
                bytes: slot.get(..length).unwrap_or(slot),
            });
        }
        Ok(received == RECEIVED)
    }
}

/// What the kernel adds to a frame; 0 where it adds nothing.
#[derive(Default)]
struct Control {
    time_ns: u64,
    network: u16,
    /// Before a filter cut it.
    length: u32,
}

fn read_control(header: &libc::msghdr) -> Control {
    let mut found = Control::default();
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
                    let nanoseconds = u64::try_from(time.tv_nsec).unwrap_or(0);
                    found.time_ns = seconds * 1_000_000_000 + nanoseconds;
                }
                (libc::SOL_PACKET, libc::PACKET_AUXDATA) => {
                    let auxdata = data.cast::<libc::tpacket_auxdata>().read_unaligned();
                    (found.network, found.length) = (auxdata.tp_net, auxdata.tp_len);
                }
                _ => {}
            }
            control = libc::CMSG_NXTHDR(header, control);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{MAX_SENT, send};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixDatagram;

    #[test]
    fn frames_leave_in_their_order_and_no_more_than_one_call_takes() {
        let (near, far) = UnixDatagram::pair().unwrap();
        let frames: Vec<Vec<u8>> = (0..8_u8).map(|number| vec![number; 3]).collect();
        assert_eq!(send(near.as_fd(), frames.iter().map(Vec::as_slice)).unwrap(), 8);
        let mut buffer = [0; 8];
        for frame in &frames {
            let length = far.recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..length], frame);
        }
        far.set_nonblocking(true).unwrap();
        let endless = std::iter::repeat(&b"x"[..]);
        let sent = send(near.as_fd(), endless).unwrap();
        assert!((1..=MAX_SENT).contains(&sent));
    }

    #[test]
    fn a_full_queue_is_an_error_at_its_first_frame() {
        let (near, _far) = UnixDatagram::pair().unwrap();
        loop {
            match send(near.as_fd(), std::iter::repeat(&b"x"[..])) {
                Ok(_) => {}
                Err(error) => {
                    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
                    break;
                }
            }
        }
    }
}
