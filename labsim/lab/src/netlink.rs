//! A netlink socket of one namespace, and requests that travel many in one send.

mod batch;
mod message;
pub(crate) mod netem;
mod nsid;
mod tunnel;

pub(crate) use batch::{Batch, Refusal};
pub(crate) use message::Request;
pub(crate) use nsid::NsidWatch;

use netlink_packet_core::{NLM_F_ACK, NLM_F_ECHO, NLM_F_REQUEST, NetlinkBuffer};
use netlink_packet_route::RouteNetlinkMessage;
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket,
};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// What one receive can hold: more than the kernel puts into one datagram (`NLMSG_GOODSIZE`
/// and a dump's 32 KiB).
const RECEIVE_BYTES: usize = 64 * 1024;

/// A routing socket, bound for its life to the namespace that the thread was in.
#[derive(Debug)]
pub(crate) struct Netlink {
    socket: OwnedFd,
    sequence: u32,
}

impl AsFd for Netlink {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Netlink {
    /// Opens it in the namespace of the calling thread.
    pub(crate) fn open() -> Result<Self, Errno> {
        let socket = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::NetlinkRoute,
        )?;
        // Refusals in the kernel's own words, and without the request's copy.
        for option in [libc::NETLINK_EXT_ACK, libc::NETLINK_CAP_ACK] {
            let on: libc::c_int = 1;
            // SAFETY: the value is a c_int that lives through the call, and its size is told.
            // An old kernel without the option answers with an error, which costs only words.
            unsafe {
                libc::setsockopt(
                    socket.as_raw_fd(),
                    libc::SOL_NETLINK,
                    option,
                    (&raw const on).cast(),
                    size_of::<libc::c_int>() as libc::socklen_t,
                );
            }
        }
        Ok(Self { socket, sequence: 0 })
    }

    /// Sends a question that has one answer, and returns that: what follows its netlink header.
    /// `ENODATA` if the kernel acknowledges the question and does not answer it.
    pub(crate) fn ask(&mut self, request: Request) -> Result<Vec<u8>, Errno> {
        let sequence = self.next_sequence();
        let mut message = Message::from(request.message);
        // An answer about a queueing discipline is a notice, of which whoever asks gets a copy only
        // with NLM_F_ECHO (`qdisc_notify`); the acknowledgement ends the wait in any case.
        message.header.flags = NLM_F_REQUEST | NLM_F_ECHO | NLM_F_ACK | request.flags;
        message.header.sequence_number = sequence;
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.send(&bytes)?;
        let mut buffer = vec![0; RECEIVE_BYTES];
        let mut answer = None;
        loop {
            let mut rest = self.receive(&mut buffer)?;
            while let Ok(message) = NetlinkBuffer::new_checked(rest) {
                // Messages begin at multiples of four (netlink(7)).
                let length = (message.length() as usize).next_multiple_of(4);
                rest = rest.get(length..).unwrap_or_default();
                if message.sequence_number() != sequence {
                    continue;
                }
                let payload = message.payload();
                if i32::from(message.message_type()) != libc::NLMSG_ERROR {
                    answer = Some(payload.to_vec());
                    continue;
                }
                let code = payload.get(..4).and_then(|code| code.try_into().ok());
                return match code.map_or(-libc::EBADMSG, i32::from_ne_bytes) {
                    0 => answer.ok_or(Errno::ENODATA),
                    code => Err(Errno::from_raw(code.saturating_neg())),
                };
            }
        }
    }

    fn next_sequence(&mut self) -> u32 {
        self.sequence = self.sequence.wrapping_add(1);
        self.sequence
    }

    fn send(&self, bytes: &[u8]) -> Result<(), Errno> {
        loop {
            match send(self.socket.as_raw_fd(), bytes, MsgFlags::empty()) {
                Err(Errno::EINTR) => {}
                sent => return sent.map(drop),
            }
        }
    }

    fn receive<'a>(&self, buffer: &'a mut [u8]) -> Result<&'a [u8], Errno> {
        loop {
            match recv(self.socket.as_raw_fd(), buffer, MsgFlags::empty()) {
                Err(Errno::EINTR) => {}
                Ok(length) => return Ok(buffer.get(..length).unwrap_or_default()),
                Err(errno) => return Err(errno),
            }
        }
    }
}

/// Sets `lo` up in the namespace of the calling thread.
pub(crate) fn set_loopback_up() -> Result<(), Errno> {
    let mut netlink = Netlink::open()?;
    let mut batch = Batch::default();
    batch.push(Request::set_up(1, None), ());
    batch.send(&mut netlink).map_err(|refusal| refusal.errno)
}

type Message = netlink_packet_core::NetlinkMessage<RouteNetlinkMessage>;
