//! Lists of subsystems whose messages the netlink-packet crates have no types for.

use super::{Answer, emit, open, receive_until, send_to_kernel};
use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkSerializable};
use nix::errno::Errno;
use nix::sys::socket::SockProtocol;
use std::ops::ControlFlow::{self, Break, Continue};
use std::os::fd::{AsFd, BorrowedFd};

/// Messages of a list.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Listing {
    /// What follows each message's netlink header.
    pub messages: Vec<Vec<u8>>,
    /// Whether these are all.
    pub complete: bool,
}

/// Asks for a list, and reads no more than its first messages.
pub(super) fn list(
    protocol: SockProtocol,
    request: impl NetlinkSerializable,
    most: usize,
) -> Result<Listing, Errno> {
    list_on(open(protocol)?.as_fd(), request, most)
}

/// The same on a socket, which serves no further request after a list that was not read to its end.
pub(super) fn list_on(
    socket: BorrowedFd<'_>,
    request: impl NetlinkSerializable,
    most: usize,
) -> Result<Listing, Errno> {
    let mut bytes = Vec::new();
    emit(request, NLM_F_REQUEST | NLM_F_DUMP, 1, &mut bytes);
    send_to_kernel(socket, &bytes)?;
    let mut listing = Listing::default();
    receive_until(socket, |answer| add(&mut listing, &answer, most))?;
    Ok(listing)
}

/// Adds a message; breaks at the end of the list, or when there are enough.
fn add(listing: &mut Listing, answer: &Answer<'_>, most: usize) -> Result<ControlFlow<()>, Errno> {
    match (i32::from(answer.kind), answer.errno) {
        // A list's end has the error that ended it, or 0.
        (libc::NLMSG_DONE, _) => {
            let errno = answer.payload.get(..4).and_then(|bytes| bytes.try_into().ok());
            match i32::from_ne_bytes(errno.ok_or(Errno::EBADMSG)?) {
                0 => listing.complete = true,
                errno => return Err(Errno::from_raw(errno.saturating_neg())),
            }
            Ok(Break(()))
        }
        (_, Some(0)) => {
            listing.complete = true;
            Ok(Break(()))
        }
        (_, Some(errno)) => Err(Errno::from_raw(errno)),
        _ if listing.messages.len() >= most => Ok(Break(())),
        _ => {
            listing.messages.push(answer.payload.to_vec());
            Ok(Continue(()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::each_answer;

    /// `struct nlmsghdr`, in bytes.
    const HEADER: usize = 16;

    fn read(listing: &mut Listing, bytes: &[u8], most: usize) -> Result<bool, Errno> {
        each_answer(bytes, |answer| add(listing, &answer, most)).map(|it| it == Continue(()))
    }

    fn message(kind: u16, payload: &[u8]) -> Vec<u8> {
        let mut bytes = u32::try_from(HEADER + payload.len()).unwrap().to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([0; 10]);
        bytes.extend(payload);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn a_list_ends_at_its_end_and_at_its_bound() {
        let done = message(3, &[0; 4]);
        let bytes = [message(0xa03, b"one"), message(0xa03, b"two"), done].concat();
        let mut whole = Listing::default();
        assert_eq!(read(&mut whole, &bytes, 2), Ok(false));
        assert!(whole.complete);
        assert_eq!(whole.messages, [b"one", b"two"]);
        let mut cut = Listing::default();
        assert_eq!(read(&mut cut, &bytes, 1), Ok(false));
        assert_eq!((cut.messages.len(), cut.complete), (1, false));
        let mut begun = Listing::default();
        assert_eq!(read(&mut begun, &message(0xa03, b"one"), 2), Ok(true));
    }

    #[test]
    fn a_refusal_is_its_error_and_a_cut_message_none() {
        let refused = message(2, &[(-1_i32).to_ne_bytes().as_slice(), &[0; HEADER]].concat());
        assert_eq!(read(&mut Listing::default(), &refused, 9), Err(Errno::EPERM));
        let whole = message(0xa03, b"three");
        for cut in 1..HEADER + 5 {
            assert_eq!(read(&mut Listing::default(), &whole[..cut], 9), Err(Errno::EBADMSG));
        }
    }
}
