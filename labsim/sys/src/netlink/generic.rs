//! Generic netlink (linux/genetlink.h): families by their names, requests with an answer, and lists.

use super::attribute::{encode, find, plain};
use super::listing::{Listing, list_on};
use super::{emit, open, receive_until, send_to_kernel};
use netlink_packet_core::{DefaultNla, NLM_F_ACK, NLM_F_REQUEST, NetlinkSerializable};
use nix::errno::Errno;
use nix::sys::socket::SockProtocol;
use std::ops::ControlFlow::{Break, Continue};
use std::os::fd::{AsFd, OwnedFd};

/// The controller: its number, a request, and two attributes.
const CONTROL: u16 = 0x10;
const GET_FAMILY: u8 = 3;
const FAMILY_ID: u16 = 1;
const FAMILY_NAME: u16 = 2;

/// `struct genlmsghdr`, and attributes.
pub(super) struct Message {
    kind: u16,
    command: u8,
    attributes: Vec<u8>,
}

impl Message {
    /// A command to the family of that number.
    pub(super) fn new(kind: u16, command: u8, attributes: &[DefaultNla]) -> Self {
        Self { kind, command, attributes: encode(attributes) }
    }
}

impl NetlinkSerializable for Message {
    fn message_type(&self) -> u16 {
        self.kind
    }

    fn buffer_len(&self) -> usize {
        4 + self.attributes.len()
    }

    fn serialize(&self, buffer: &mut [u8]) {
        let (header, attributes) = buffer.split_at_mut(4);
        header.copy_from_slice(&[self.command, 1, 0, 0]);
        attributes.copy_from_slice(&self.attributes);
    }
}

/// A socket for requests to one family, bound for its life to the network namespace that the thread was
/// in.
#[derive(Debug)]
pub(super) struct Family {
    socket: OwnedFd,
    number: u16,
}

impl Family {
    /// Finds the family; `name` ends with a 0. The kernel loads the module when it is asked for.
    ///
    /// # Errors
    /// `EOPNOTSUPP` on a kernel without it.
    pub(super) fn open(name: &[u8]) -> Result<Self, Errno> {
        let socket = open(SockProtocol::NetlinkGeneric)?;
        let question = Message::new(CONTROL, GET_FAMILY, &[plain(FAMILY_NAME, name)]);
        let found = ask(&socket, question);
        let found = found
            .map_err(|errno| if errno == Errno::ENOENT { Errno::EOPNOTSUPP } else { errno })?;
        let number = found.get(4..).and_then(|attributes| find(attributes, FAMILY_ID));
        let number = number.and_then(|number| number.try_into().ok()).ok_or(Errno::EBADMSG)?;
        Ok(Self { socket, number: u16::from_ne_bytes(number) })
    }

    /// Sends a command and waits until it is done; the attributes of its answer, if it has one.
    pub(super) fn ask(&self, command: u8, attributes: &[DefaultNla]) -> Result<Vec<u8>, Errno> {
        let answer = ask(&self.socket, Message::new(self.number, command, attributes))?;
        Ok(answer.get(4..).unwrap_or_default().to_vec())
    }

    /// Asks for a list: the attributes of each of its messages.
    pub(super) fn list(
        &self,
        command: u8,
        attributes: &[DefaultNla],
    ) -> Result<Vec<Vec<u8>>, Errno> {
        let question = Message::new(self.number, command, attributes);
        let Listing { messages, .. } = list_on(self.socket.as_fd(), question, usize::MAX)?;
        Ok(messages.iter().map(|it| it.get(4..).unwrap_or_default().to_vec()).collect())
    }
}

/// Sends a request and waits until it is done; the bytes of its answer, if it has one.
fn ask(socket: &OwnedFd, message: Message) -> Result<Vec<u8>, Errno> {
    let mut bytes = Vec::new();
    emit(message, NLM_F_REQUEST | NLM_F_ACK, 0, &mut bytes);
    send_to_kernel(socket.as_fd(), &bytes)?;
    let mut found = Vec::new();
    receive_until(socket.as_fd(), |answer| match answer.errno {
        None => {
            found = answer.payload.to_vec();
            Ok(Continue(()))
        }
        Some(0) => Ok(Break(std::mem::take(&mut found))),
        Some(errno) => Err(Errno::from_raw(errno)),
    })
}
