//! Netlink messages as bytes (netlink(7)): requests to write, and the errors of answers.

use crate::Error;
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket,
};
use std::os::fd::{AsRawFd, OwnedFd};

/// `NLA_F_NESTED` (linux/netlink.h).
const NESTED: u16 = 0x8000;
/// `struct nlmsghdr`, in bytes, and where an answer's error is behind it.
const HEADER: usize = 16;

/// Messages one after the other.
#[derive(Debug, Default)]
pub(crate) struct Messages(Vec<u8>);

impl Messages {
    /// Adds a message with what `fill` puts behind its header.
    pub(crate) fn message(&mut self, kind: u16, flags: i32, fill: impl FnOnce(&mut Self)) {
        let start = self.0.len();
        self.0.extend([0; 4]);
        self.0.extend(kind.to_ne_bytes());
        self.0.extend((flags as u16).to_ne_bytes());
        // Sequence and port.
        self.0.extend([0; 8]);
        fill(self);
        let length = (self.0.len() - start) as u32;
        self.0[start..start + 4].copy_from_slice(&length.to_ne_bytes());
    }

    /// Adds bytes as they are: what a family has behind the header.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.0.extend(bytes);
    }

    /// Adds an attribute.
    pub(crate) fn attribute(&mut self, kind: u16, value: &[u8]) {
        self.0.extend((4 + value.len() as u16).to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }

    /// Adds an attribute of attributes.
    pub(crate) fn nested(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) {
        let start = self.0.len();
        self.attribute(kind | NESTED, &[]);
        fill(self);
        let length = (self.0.len() - start) as u16;
        self.0[start..start + 2].copy_from_slice(&length.to_ne_bytes());
    }

    /// All of them.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A routing socket (rtnetlink(7)) for one request at a time.
#[derive(Debug)]
pub(crate) struct Requests(OwnedFd);

impl Requests {
    /// In the calling thread's namespace.
    pub(crate) fn open() -> Result<Self, Error> {
        let (flags, protocol) = (SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkRoute);
        let socket = socket(AddressFamily::Netlink, SockType::Raw, flags, protocol);
        let failed = |errno: Errno| Error::system("a routing socket (rtnetlink(7))")(errno.into());
        socket.map(Self).map_err(failed)
    }

    /// Sends one and waits for the kernel's word on it.
    pub(crate) fn send(&self, message: &Messages) -> Result<(), Errno> {
        send(self.0.as_raw_fd(), message.bytes(), MsgFlags::empty())?;
        let mut answer = [0; 4096];
        let length = recv(self.0.as_raw_fd(), &mut answer, MsgFlags::empty())?;
        refusal(answer.get(..length).unwrap_or_default())
    }
}

/// The first error among answers: `struct nlmsghdr`, then a negative number.
pub(crate) fn refusal(mut answers: &[u8]) -> Result<(), Errno> {
    loop {
        let word = |at: usize| answers.get(at..at + 4)?.try_into().ok().map(i32::from_ne_bytes);
        let kind =
            answers.get(4..6).and_then(|kind| Some(u16::from_ne_bytes(kind.try_into().ok()?)));
        let (Some(length), Some(error)) = (word(0), word(HEADER)) else {
            return Err(Errno::EBADMSG);
        };
        if kind.map(i32::from) != Some(libc::NLMSG_ERROR) {
            return Err(Errno::EBADMSG);
        }
        if error != 0 {
            return Err(Errno::from_raw(error.wrapping_neg()));
        }
        let length = usize::try_from(length).unwrap_or(0).max(HEADER).next_multiple_of(4);
        answers = answers.get(length..).unwrap_or_default();
        if answers.is_empty() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Messages, refusal};
    use nix::errno::Errno;

    #[test]
    fn the_first_refusal_among_answers_counts() {
        let answer = |error: i32| {
            let mut bytes = vec![0; 36];
            bytes[..4].copy_from_slice(&36u32.to_ne_bytes());
            bytes[4..6].copy_from_slice(&(libc::NLMSG_ERROR as u16).to_ne_bytes());
            bytes[16..20].copy_from_slice(&error.to_ne_bytes());
            bytes
        };
        assert_eq!(refusal(&answer(0)), Ok(()));
        let both = [answer(0), answer(-libc::EPERM)].concat();
        assert_eq!(refusal(&both), Err(Errno::EPERM));
        assert_eq!(refusal(&[20, 0, 0, 0, 2]), Err(Errno::EBADMSG));
        assert_eq!(refusal(&[]), Err(Errno::EBADMSG));
        assert_eq!(refusal(&[0; 36]), Err(Errno::EBADMSG), "no answer to a request");
    }

    #[test]
    fn lengths_are_those_of_what_is_inside() {
        let mut messages = Messages::default();
        messages.message(7, libc::NLM_F_REQUEST, |it| {
            it.raw(&[9; 4]);
            it.nested(2, |inside| inside.attribute(1, b"abc"));
        });
        messages.message(8, 0, |_| {});
        let bytes = messages.bytes();
        assert_eq!(bytes.len(), 32 + 16);
        let word = |at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap());
        let half = |at: usize| u16::from_ne_bytes(bytes[at..at + 2].try_into().unwrap());
        assert_eq!((word(0), half(4), half(6), word(32)), (32, 7, 1, 16));
        assert_eq!((half(20), half(22)), (12, 0x8002));
        assert_eq!((half(24), half(26), &bytes[28..32]), (7, 1, &b"abc\0"[..]));
    }
}
