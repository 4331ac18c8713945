//! Answers of the kernel's: acknowledgements, refusals, and everything else.

use super::ALIGNMENT;
use super::attribute;

/// `struct nlmsghdr`, in bytes; `struct nlmsgerr` begins with the error and a copy of one.
const HEADER: usize = 16;
/// `NLM_F_CAPPED` and `NLM_F_ACK_TLVS`: attributes follow right after the copied header.
const EXPLAINED: u16 = 0x300;
/// `NLMSGERR_ATTR_MSG`: the refusal in the kernel's words (linux/netlink.h).
const MESSAGE_ATTRIBUTE: u16 = 1;

/// A message from the kernel.
pub(super) struct Answer<'a> {
    /// Its kind, such as `NLMSG_DONE` at the end of a list.
    pub(super) kind: u16,
    /// The sequence number of the request that it answers.
    pub(super) sequence: u32,
    /// Of an `NLMSG_ERROR` message: 0 for an acknowledgement, otherwise the refusal's number
    /// (netlink(7)); `None` of any other message.
    pub(super) errno: Option<i32>,
    /// A refusal's explanation.
    pub(super) words: Option<String>,
    /// What follows the netlink header.
    pub(super) payload: &'a [u8],
}

impl<'a> Answer<'a> {
    /// Takes the first message off the front; `None` if there is no whole one.
    pub(super) fn split(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let length = usize::try_from(u32::from_ne_bytes(word(bytes, 0)?)).ok()?;
        let message = bytes.get(..length).filter(|_| length >= HEADER)?;
        let rest = bytes.get(length.next_multiple_of(ALIGNMENT)..).unwrap_or_default();
        let kind = u16::from_ne_bytes(message.get(4..6)?.try_into().ok()?);
        let sequence = u32::from_ne_bytes(word(message, 8)?);
        let payload = message.get(HEADER..)?;
        if i32::from(kind) != libc::NLMSG_ERROR {
            return Some((Self { kind, sequence, errno: None, words: None, payload }, rest));
        }
        let flags = u16::from_ne_bytes(message.get(6..8)?.try_into().ok()?);
        let attributes = match flags & EXPLAINED {
            EXPLAINED => payload.get(4 + HEADER..).unwrap_or_default(),
            _ => &[],
        };
        let errno = i32::from_ne_bytes(word(payload, 0)?).saturating_neg();
        let words = attribute::find(attributes, MESSAGE_ATTRIBUTE).map(|value| {
            let text = value.split(|byte| *byte == 0).next().unwrap_or_default();
            String::from_utf8_lossy(text).into_owned()
        });
        Some((Self { kind, sequence, errno: Some(errno), words, payload }, rest))
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
        let found = (first.sequence, first.errno, first.words.as_deref());
        assert_eq!(found, (7, Some(17), Some("exists")));
        let (second, rest) = Answer::split(rest).unwrap();
        assert_eq!((second.sequence, second.errno, second.words), (8, Some(0), None));
        assert!(Answer::split(rest).is_none());
    }

    #[test]
    fn a_message_that_is_not_an_error_has_its_payload() {
        let mut bytes = error_message(7, 0, None);
        bytes[4] = 24;
        let (answer, _) = Answer::split(&bytes).unwrap();
        assert_eq!((answer.errno, answer.payload.len()), (None, 20));
        assert!(Answer::split(&[20, 0, 0, 0, 2]).is_none());
        assert!(Answer::split(&[0; 36]).is_none(), "a length of 0 never ends");
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
