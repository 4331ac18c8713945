//! Netlink (netlink(7), rtnetlink(7)): one socket for a network namespace, and requests that travel
//! many in one send. Messages are those of the netlink-packet crates, which encode them.

mod answer;
pub mod attribute;
mod batch;
pub mod fou;
mod generic;
pub mod ipvs;
mod listing;
pub mod nftables;
mod notices;

pub use batch::{Batch, Refusal};
pub use listing::Listing;
pub use notices::Notices;

use answer::Answer;
use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_ECHO, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST,
    NetlinkPayload, NetlinkSerializable,
};
use netlink_packet_route::RouteNetlinkMessage;
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket,
};
use std::ops::ControlFlow::{self, Break, Continue};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// What one receive can hold: more than the kernel puts into one datagram (`NLMSG_GOODSIZE`
/// and a dump's 32 KiB).
const RECEIVE_BYTES: usize = 64 * 1024;

type Message<M = RouteNetlinkMessage> = netlink_packet_core::NetlinkMessage<M>;

/// A request and its flags beyond `NLM_F_REQUEST` and `NLM_F_ACK`.
#[derive(Debug)]
pub struct Request {
    message: RouteNetlinkMessage,
    flags: u16,
}

impl Request {
    /// Changes, asks for or deletes what exists.
    #[must_use]
    pub const fn new(message: RouteNetlinkMessage) -> Self {
        Self { message, flags: 0 }
    }

    /// Creates what must not exist yet: `EEXIST` if it does.
    #[must_use]
    pub const fn create(message: RouteNetlinkMessage) -> Self {
        Self { message, flags: NLM_F_CREATE | NLM_F_EXCL }
    }

    /// Creates it, or replaces what exists.
    #[must_use]
    pub const fn replace(message: RouteNetlinkMessage) -> Self {
        Self { message, flags: NLM_F_CREATE | NLM_F_REPLACE }
    }

    /// Creates it, or, where the kernel's kind of object allows that, adds to what exists.
    #[must_use]
    pub const fn add(message: RouteNetlinkMessage) -> Self {
        Self { message, flags: NLM_F_CREATE }
    }

    /// The message.
    #[must_use]
    pub const fn message(&self) -> &RouteNetlinkMessage {
        &self.message
    }
}

/// A routing socket, bound for its life to the network namespace that the thread was in.
#[derive(Debug)]
pub struct Socket {
    socket: OwnedFd,
    sequence: u32,
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Socket {
    /// Opens it in the namespace of the calling thread.
    ///
    /// # Errors
    /// Without a free descriptor.
    pub fn open() -> Result<Self, Errno> {
        let socket = open(SockProtocol::NetlinkRoute)?;
        // Refusals in the kernel's own words, and without the request's copy. An old kernel without
        // the options answers with an error, which costs only words.
        for option in [libc::NETLINK_EXT_ACK, libc::NETLINK_CAP_ACK] {
            let _ = crate::socket::set_int(socket.as_fd(), libc::SOL_NETLINK, option, 1);
        }
        Ok(Self { socket, sequence: 0 })
    }

    /// Sends one request and waits until it is done.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn execute(&mut self, request: Request) -> Result<(), Refusal<()>> {
        let mut batch = Batch::default();
        batch.push(request, ());
        batch.send(self)
    }

    /// Sends a question that has one answer, and returns that: the bytes behind its netlink header.
    ///
    /// # Errors
    /// `ENODATA` if the kernel acknowledges the question and does not answer it; the kernel's error
    /// otherwise.
    pub fn ask(&mut self, request: Request) -> Result<Vec<u8>, Errno> {
        let question = Trace::of(&request.message);
        let result = self.ask_untraced(request);
        question
            .outcome(result.as_ref().map(drop).map_err(|errno| errno as &dyn std::fmt::Display));
        result
    }

    fn ask_untraced(&mut self, request: Request) -> Result<Vec<u8>, Errno> {
        let sequence = self.next_sequence();
        // An answer about a queueing discipline is a notice, of which the asking socket gets a copy
        // only with NLM_F_ECHO (`qdisc_notify`); the acknowledgement ends the wait in any case.
        let flags = NLM_F_REQUEST | NLM_F_ECHO | NLM_F_ACK | request.flags;
        let mut bytes = Vec::new();
        emit(request.message, flags, sequence, &mut bytes);
        self.send(&bytes)?;
        let mut found = None;
        receive_until(self.socket.as_fd(), |answer| match answer {
            Answer { sequence: of, .. } if of != sequence => Ok(Continue(())),
            Answer { errno: None, payload, .. } => {
                found = Some(payload.to_vec());
                Ok(Continue(()))
            }
            Answer { errno: Some(0), .. } => found.take().ok_or(Errno::ENODATA).map(Break),
            Answer { errno: Some(errno), .. } => Err(Errno::from_raw(errno)),
        })
    }

    /// Asks for a whole list (`NLM_F_DUMP`).
    ///
    /// # Errors
    /// The kernel's error; `EBADMSG` for a list that cannot be read.
    pub fn dump(
        &mut self,
        request: RouteNetlinkMessage,
    ) -> Result<Vec<RouteNetlinkMessage>, Errno> {
        self.dump_at_most(request, usize::MAX).map(|(list, _)| list)
    }

    /// Asks for a list, and reads no more than its first entries; whether these are all. After a
    /// list that was not read to its end the socket serves no further request.
    ///
    /// # Errors
    /// As [`Self::dump`].
    pub fn dump_at_most(
        &mut self,
        request: RouteNetlinkMessage,
        most: usize,
    ) -> Result<(Vec<RouteNetlinkMessage>, bool), Errno> {
        let sequence = self.next_sequence();
        let mut bytes = Vec::new();
        emit(request, NLM_F_REQUEST | NLM_F_DUMP, sequence, &mut bytes);
        self.send(&bytes)?;
        let mut list = Vec::new();
        let mut buffer = vec![0; RECEIVE_BYTES];
        loop {
            let mut rest = self.receive(&mut buffer)?;
            while !rest.is_empty() {
                let message = Message::<RouteNetlinkMessage>::deserialize(rest)
                    .map_err(|_| Errno::EBADMSG)?;
                let length = (message.header.length as usize).next_multiple_of(ALIGNMENT);
                rest = rest.get(length..).unwrap_or_default();
                match message.payload {
                    NetlinkPayload::InnerMessage(_) if list.len() >= most => {
                        return Ok((list, false));
                    }
                    NetlinkPayload::InnerMessage(inner) => list.push(inner),
                    NetlinkPayload::Done(_) => return Ok((list, true)),
                    NetlinkPayload::Error(error) => {
                        return Err(Errno::from_raw(error.raw_code().saturating_neg()));
                    }
                    _ => {}
                }
            }
        }
    }

    fn next_sequence(&mut self) -> u32 {
        self.sequence = self.sequence.wrapping_add(1);
        self.sequence
    }

    fn send(&self, bytes: &[u8]) -> Result<(), Errno> {
        send_to_kernel(self.socket.as_fd(), bytes)
    }

    fn receive<'a>(&self, buffer: &'a mut [u8]) -> Result<&'a [u8], Errno> {
        receive(self.socket.as_fd(), buffer, MsgFlags::empty())
    }
}

/// Messages and attributes begin at multiples of four (netlink(7)).
const ALIGNMENT: usize = 4;

/// Adds a message to others.
fn emit<M: NetlinkSerializable>(message: M, flags: u16, sequence: u32, bytes: &mut Vec<u8>) {
    let mut message = Message::new(
        netlink_packet_core::NetlinkHeader::default(),
        NetlinkPayload::InnerMessage(message),
    );
    message.header.flags = flags;
    message.header.sequence_number = sequence;
    message.finalize();
    let start = bytes.len();
    bytes.resize(start + message.buffer_len().next_multiple_of(ALIGNMENT), 0);
    message.serialize(bytes.get_mut(start..).unwrap_or_default());
}

fn open(protocol: SockProtocol) -> Result<OwnedFd, Errno> {
    socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)
}

/// Reads answers until `each` has what it waits for.
fn receive_until<T>(
    socket: BorrowedFd<'_>,
    mut each: impl FnMut(Answer<'_>) -> Result<ControlFlow<T>, Errno>,
) -> Result<T, Errno> {
    let mut buffer = vec![0; RECEIVE_BYTES];
    loop {
        let received = receive(socket, &mut buffer, MsgFlags::empty())?;
        if let Break(found) = each_answer(received, &mut each)? {
            return Ok(found);
        }
    }
}

/// Reads the answers of one datagram until `each` has what it waits for.
fn each_answer<T>(
    mut rest: &[u8],
    mut each: impl FnMut(Answer<'_>) -> Result<ControlFlow<T>, Errno>,
) -> Result<ControlFlow<T>, Errno> {
    while !rest.is_empty() {
        let (answer, tail) = Answer::split(rest).ok_or(Errno::EBADMSG)?;
        rest = tail;
        if let Break(found) = each(answer)? {
            return Ok(Break(found));
        }
    }
    Ok(Continue(()))
}

fn send_to_kernel(socket: BorrowedFd<'_>, bytes: &[u8]) -> Result<(), Errno> {
    loop {
        match send(socket.as_raw_fd(), bytes, MsgFlags::empty()) {
            Err(Errno::EINTR) => {}
            sent => return sent.map(drop),
        }
    }
}

fn receive<'a>(
    socket: BorrowedFd<'_>,
    buffer: &'a mut [u8],
    flags: MsgFlags,
) -> Result<&'a [u8], Errno> {
    loop {
        match recv(socket.as_raw_fd(), buffer, flags) {
            Err(Errno::EINTR) => {}
            Ok(length) => return Ok(buffer.get(..length).unwrap_or_default()),
            Err(errno) => return Err(errno),
        }
    }
}

/// A request's text for the log; nothing is formatted where the log does not ask for it.
struct Trace(Option<String>);

impl Trace {
    fn of(message: &RouteNetlinkMessage) -> Self {
        Self(tracing::enabled!(tracing::Level::DEBUG).then(|| format!("{message:?}")))
    }

    fn outcome(&self, outcome: Result<(), &dyn std::fmt::Display>) {
        let Some(request) = &self.0 else { return };
        match outcome {
            Ok(()) => tracing::debug!(request, "netlink request done"),
            Err(error) => tracing::debug!(request, %error, "netlink request refused"),
        }
    }
}

/// Sets `lo` up in the namespace of the calling thread.
///
/// # Errors
/// `EPERM` without CAP_NET_ADMIN.
pub fn set_loopback_up() -> Result<(), Errno> {
    use netlink_packet_route::link::{LinkFlags, LinkMessage};
    let mut link = LinkMessage::default();
    link.header.index = 1;
    link.header.flags = LinkFlags::Up;
    link.header.change_mask = LinkFlags::Up;
    let request = Request::new(RouteNetlinkMessage::SetLink(link));
    Socket::open()?.execute(request).map_err(|refusal| refusal.errno)
}
