//! Requests of one namespace, sent together; the first refusal tells which one it was.

use super::{Message, Netlink, RECEIVE_BYTES, Request};
use netlink_packet_core::{NLM_F_ACK, NLM_F_REQUEST};
use nix::errno::Errno;
use std::fmt;

/// At most this much in one send, so that any socket buffer takes it.
const SEND_BYTES: usize = 32 * 1024;
/// `struct nlmsghdr`, in bytes; `struct nlmsgerr` begins with the error and a copy of one.
const HEADER: usize = 16;
/// `NLM_F_CAPPED` and `NLM_F_ACK_TLVS`: attributes follow right after the copied header.
const EXPLAINED: u16 = 0x300;
/// `NLMSGERR_ATTR_MSG`: the refusal in the kernel's words (linux/netlink.h).
const MESSAGE_ATTRIBUTE: u16 = 1;

/// Requests with what each is for (`T`, which says it in words).
#[derive(Debug)]
pub(crate) struct Batch<T> {
    requests: Vec<(Request, T)>,
}

impl<T> Default for Batch<T> {
    fn default() -> Self {
        Self { requests: Vec::new() }
    }
}

/// A request that the kernel refused.
#[derive(Debug)]
pub(crate) struct Refusal<T> {
    /// What the request was for; `None` if the socket itself failed.
    pub(crate) what: Option<T>,
    pub(crate) errno: Errno,
    /// The kernel's words, where it has any.
    pub(crate) words: Option<String>,
}

impl<T> fmt::Display for Refusal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.errno.desc())?;
        match &self.words {
            Some(words) => write!(f, " ({words})"),
            None => Ok(()),
        }
    }
}

impl<T> From<Errno> for Refusal<T> {
    fn from(errno: Errno) -> Self {
        Self { what: None, errno, words: None }
    }
}

impl<T> Batch<T> {
    /// Adds a request.
    pub(crate) fn push(&mut self, request: Request, what: T) {
        self.requests.push((request, what));
    }

    /// Sends all of them, in order, in as few sends as fit, and waits until each is done.
    ///
    /// Only the last request of a send asks for an acknowledgement: the kernel works through a
    /// send in order and reports refusals in any case, so a good send costs one receive.
    pub(crate) fn send(self, netlink: &mut Netlink) -> Result<(), Refusal<T>> {
        let mut bytes = Vec::with_capacity(SEND_BYTES);
        let mut sent = Vec::new();
        let mut requests = self.requests.into_iter().peekable();
        while let Some((request, what)) = requests.next() {
            let sequence = netlink.next_sequence();
            let Request { message, flags } = request;
            let mut message = Message::from(message);
            let start = bytes.len();
            let room = requests.peek().is_some() && start < SEND_BYTES - 2048;
            message.header.flags = NLM_F_REQUEST | flags | if room { 0 } else { NLM_F_ACK };
            message.header.sequence_number = sequence;
            message.finalize();
            bytes.resize(start + message.buffer_len().next_multiple_of(4), 0);
            message.serialize(bytes.get_mut(start..).unwrap_or_default());
            sent.push((sequence, what));
            if !room {
                netlink.send(&bytes)?;
                collect(netlink, sequence, &mut sent)?;
                bytes.clear();
                sent.clear();
            }
        }
        Ok(())
    }
}

/// Waits for the answer to the last request of a send; keeps the first refusal.
fn collect<T>(netlink: &Netlink, last: u32, sent: &mut Vec<(u32, T)>) -> Result<(), Refusal<T>> {
    let mut buffer = vec![0; RECEIVE_BYTES];
    let mut first: Option<Refusal<T>> = None;
    loop {
        let mut rest = netlink.receive(&mut buffer)?;
        while let Some((answer, tail)) = Answer::split(rest) {
            rest = tail;
            if answer.errno != 0 && first.is_none() {
                let position = sent.iter().position(|(sequence, _)| *sequence == answer.sequence);
                first = Some(Refusal {
                    what: position.map(|position| sent.swap_remove(position).1),
                    errno: Errno::from_raw(answer.errno),
                    words: answer.words,
                });
            }
            if answer.sequence == last {
                return first.map_or(Ok(()), Err);
            }
        }
    }
}

/// An `NLMSG_ERROR` message: an acknowledgement (0) or a refusal (netlink(7)).
struct Answer {
    sequence: u32,
    errno: i32,
    words: Option<String>,
}

impl Answer {
    /// Takes messages off the front until one is an answer.
    fn split(mut bytes: &[u8]) -> Option<(Self, &[u8])> {
        loop {
            let length = usize::try_from(u32::from_ne_bytes(word(bytes, 0)?)).ok()?;
            let message = bytes.get(..length).filter(|_| length >= HEADER)?;
            bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
            let kind = u16::from_ne_bytes(message.get(4..6)?.try_into().ok()?);
            if i32::from(kind) == libc::NLMSG_ERROR {
                let flags = u16::from_ne_bytes(message.get(6..8)?.try_into().ok()?);
                let attributes = match flags & EXPLAINED {
                    EXPLAINED => message.get(HEADER + 4 + HEADER..).unwrap_or_default(),
                    _ => &[],
                };
                let answer = Self {
                    sequence: u32::from_ne_bytes(word(message, 8)?),
                    errno: i32::from_ne_bytes(word(message, HEADER)?).saturating_neg(),
                    words: words(attributes),
                };
                return Some((answer, bytes));
            }
        }
    }
}

fn words(mut attributes: &[u8]) -> Option<String> {
    loop {
        let length = usize::from(u16::from_ne_bytes(attributes.get(..2)?.try_into().ok()?));
        let kind = u16::from_ne_bytes(attributes.get(2..4)?.try_into().ok()?);
        let value = attributes.get(4..length)?;
        if kind == MESSAGE_ATTRIBUTE {
            let text = value.split(|byte| *byte == 0).next().unwrap_or_default();
            return Some(String::from_utf8_lossy(text).into_owned());
        }
        attributes = attributes.get(length.next_multiple_of(4)..)?;
    }
}

fn word(bytes: &[u8], at: usize) -> Option<[u8; 4]> {
    bytes.get(at..at + 4)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_message(sequence: u32, errno: i32, words: Option<&str>) -> Vec<u8> {
        let mut attribute = Vec::new();
        if let Some(words) = words {
            let length = u16::try_from(4 + words.len() + 1).unwrap();
            attribute.extend(length.to_ne_bytes());
            attribute.extend(MESSAGE_ATTRIBUTE.to_ne_bytes());
            attribute.extend(words.bytes().chain([0]));
            attribute.resize(attribute.len().next_multiple_of(4), 0);
        }
        let mut bytes = Vec::new();
        bytes.extend(u32::try_from(36 + attribute.len()).unwrap().to_ne_bytes());
        bytes.extend(2_u16.to_ne_bytes());
        bytes.extend(EXPLAINED.to_ne_bytes());
        bytes.extend(sequence.to_ne_bytes());
        bytes.extend([0; 4]);
        bytes.extend((-errno).to_ne_bytes());
        bytes.extend([0; 16]);
        bytes.extend(attribute);
        bytes
    }

    #[test]
    fn two_answers_in_one_receive_are_both_read() {
        let bytes = [error_message(7, 17, Some("exists")), error_message(8, 0, None)].concat();
        let (first, rest) = Answer::split(&bytes).unwrap();
        assert_eq!((first.sequence, first.errno, first.words.as_deref()), (7, 17, Some("exists")));
        let (second, rest) = Answer::split(rest).unwrap();
        assert_eq!((second.sequence, second.errno, second.words), (8, 0, None));
        assert!(Answer::split(rest).is_none());
    }

    #[test]
    fn any_cut_or_zeroed_answer_is_read_without_a_panic() {
        let whole = error_message(1, 1, Some("a long explanation of the refusal"));
        for cut in 0..whole.len() {
            let _ = Answer::split(&whole[..cut]);
            let mut zeroed = whole.clone();
            zeroed[cut] = 0;
            let _ = Answer::split(&zeroed);
        }
    }
}
