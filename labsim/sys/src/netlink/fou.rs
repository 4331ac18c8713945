//! UDP ports that the kernel takes tunnel packets at (linux/fou.h), by generic netlink.

use super::attribute::{encode, find, plain};
use super::{emit, open, receive_until, send_to_kernel};
use netlink_packet_core::{DefaultNla, NLM_F_ACK, NLM_F_REQUEST, NetlinkSerializable};
use nix::errno::Errno;
use nix::sys::socket::SockProtocol;
use std::ops::ControlFlow::{Break, Continue};
use std::os::fd::{AsFd, OwnedFd};

/// The controller of generic netlink (linux/genetlink.h): its number, a request, and two attributes.
const CONTROL: u16 = 0x10;
const GET_FAMILY: u8 = 3;
const FAMILY_ID: u16 = 1;
const FAMILY_NAME: u16 = 2;
/// `FOU_CMD_ADD`, its attributes, and `FOU_ENCAP_GUE`.
const ADD: u8 = 1;
const PORT: u16 = 1;
const FAMILY: u16 = 2;
const TYPE: u16 = 4;
const GUE: u8 = 2;

/// `struct genlmsghdr`, and attributes.
struct Message {
    kind: u16,
    command: u8,
    attributes: Vec<u8>,
}

impl Message {
    fn new(kind: u16, command: u8, attributes: &[DefaultNla]) -> Self {
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

/// Has the kernel take GUE packets to a UDP port, in the namespace of the calling thread for as long as
/// that is there: what is inside goes to the handlers of protocol 4 and 41, so that a tunnel's device
/// gets it.
///
/// # Errors
/// `EOPNOTSUPP` on a kernel without fou, `EADDRINUSE` for a port that has a socket, `EPERM` without
/// CAP_NET_ADMIN.
pub fn add_gue(ipv4: bool, port: u16) -> Result<(), Errno> {
    let socket = open(SockProtocol::NetlinkGeneric)?;
    let name = plain(FAMILY_NAME, b"fou\0");
    let found = ask(&socket, Message::new(CONTROL, GET_FAMILY, &[name]));
    // The kernel loads the module when it is asked for.
    let found =
        found.map_err(|errno| if errno == Errno::ENOENT { Errno::EOPNOTSUPP } else { errno })?;
    let id = found.get(4..).and_then(|attributes| find(attributes, FAMILY_ID));
    let id = id.and_then(|id| id.try_into().ok()).ok_or(Errno::EBADMSG)?;
    let result = ask(&socket, request(u16::from_ne_bytes(id), ipv4, port)).map(drop);
    tracing::debug!(port, ipv4, ?result, "fou port");
    result
}

fn request(kind: u16, ipv4: bool, port: u16) -> Message {
    let family = if ipv4 { libc::AF_INET } else { libc::AF_INET6 };
    let attributes = [
        plain(PORT, &port.to_be_bytes()),
        plain(FAMILY, &[family.to_le_bytes()[0]]),
        plain(TYPE, &[GUE]),
    ];
    Message::new(kind, ADD, &attributes)
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

#[cfg(test)]
mod tests {
    use super::{emit, request};

    #[test]
    fn a_request_names_port_family_and_encapsulation() {
        let mut bytes = Vec::new();
        emit(request(0x1b, false, 6080), 5, 0, &mut bytes);
        let pair = |a: u16, b: u16| [a.to_ne_bytes(), b.to_ne_bytes()].concat();
        assert_eq!(bytes[..4], 44_u32.to_ne_bytes());
        assert_eq!(bytes[4..8], pair(0x1b, 5));
        let attributes = [
            vec![1, 1, 0, 0],
            pair(6, 1),
            vec![0x17, 0xc0, 0, 0],
            pair(5, 2),
            vec![10, 0, 0, 0],
            pair(5, 4),
            vec![2, 0, 0, 0],
        ];
        assert_eq!(bytes[16..], attributes.concat());
    }
}
