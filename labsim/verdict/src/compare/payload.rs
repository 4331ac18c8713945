//! A payload without what is random in it: TACACS+'s session and hidden body (RFC 8907, section
//! 4), RADIUS's authenticators and hidden attributes (RFC 2865, RFC 2869).

use std::cmp::Ordering;
use std::hash::{DefaultHasher, Hash, Hasher};

/// A TACACS+ header's length.
const TACACS_HEADER: usize = 12;
/// Where its session's number begins, and ends.
const TACACS_SESSION: std::ops::Range<usize> = 4..8;
/// `TAC_PLUS_UNENCRYPTED_FLAG`.
const TACACS_CLEAR: u8 = 0x01;
/// A RADIUS header's length, its authenticator included.
const RADIUS_HEADER: usize = 20;
/// Where the authenticator begins.
const RADIUS_AUTHENTICATOR: usize = 4;
/// The identifier, by which a client knows its answers.
const RADIUS_IDENTIFIER: usize = 1;
/// User-Password, CHAP-Password, State, CHAP-Challenge, Message-Authenticator.
const RADIUS_RANDOM: [u8; 5] = [2, 3, 24, 60, 80];
/// The codes of RFC 2865, RFC 2866 and RFC 5997 that are sent.
const RADIUS_CODES: [u8; 7] = [1, 2, 3, 4, 5, 11, 12];

/// A payload in a word: equal words are equal payloads but for what is random.
pub(super) fn word(bytes: &[u8]) -> String {
    let mut bytes = bytes.to_vec();
    let what = if mask_tacacs(&mut bytes) {
        "TACACS+ "
    } else if mask_radius(&mut bytes) {
        "RADIUS "
    } else {
        ""
    };
    let mut hash = DefaultHasher::new();
    bytes.hash(&mut hash);
    format!("{what}#{:016x}", hash.finish())
}

fn mask_tacacs(bytes: &mut [u8]) -> bool {
    let Some((header, body)) = bytes.split_at_mut_checked(TACACS_HEADER) else { return false };
    let length = u32::from_be_bytes([header[8], header[9], header[10], header[11]]);
    let is_one = header[0] >> 4 == 0xc
        && (1..=3).contains(&header[1])
        && usize::try_from(length) == Ok(body.len());
    if is_one {
        header[TACACS_SESSION].fill(0);
        if header[3] & TACACS_CLEAR == 0 {
            body.fill(0);
        }
    }
    is_one
}

fn mask_radius(bytes: &mut [u8]) -> bool {
    if bytes.len() < RADIUS_HEADER {
        return false;
    }
    let length = usize::from(u16::from_be_bytes([bytes[2], bytes[3]]));
    // Of a fragment only the beginning is there.
    let all = match length.cmp(&bytes.len()) {
        Ordering::Less => return false,
        Ordering::Equal => true,
        Ordering::Greater => false,
    };
    if !RADIUS_CODES.contains(&bytes[0]) || !are_attributes(bytes, all) {
        return false;
    }
    bytes[RADIUS_IDENTIFIER] = 0;
    bytes[RADIUS_AUTHENTICATOR..RADIUS_HEADER].fill(0);
    let mut at = RADIUS_HEADER;
    while let Some(&[kind, length]) = bytes.get(at..at + 2) {
        let end = at + usize::from(length);
        let there = end.min(bytes.len());
        if RADIUS_RANDOM.contains(&kind) {
            bytes[at + 2..there].fill(0);
        }
        at = end;
    }
    true
}

/// Whether attributes fill the rest: exactly, if all of it is there.
fn are_attributes(bytes: &[u8], all: bool) -> bool {
    let mut at = RADIUS_HEADER;
    while at < bytes.len() {
        match bytes.get(at + 1) {
            Some(&length) if length >= 2 => at += usize::from(length),
            None if !all => return true,
            _ => return false,
        }
    }
    !all || at == bytes.len()
}

#[cfg(test)]
mod tests {
    use super::word;

    fn tacacs(sequence: u8, flags: u8, session: u8, body: &[u8]) -> Vec<u8> {
        let length = u8::try_from(body.len()).unwrap();
        let mut bytes = vec![0xc0, 1, sequence, flags, session, 2, 3, 4, 0, 0, 0, length];
        bytes.extend(body);
        bytes
    }

    #[test]
    fn of_tacacs_only_the_session_and_the_hidden_body_are_not_compared() {
        let word_of =
            |sequence, flags, session, body: &[u8]| word(&tacacs(sequence, flags, session, body));
        assert_eq!(word_of(1, 0, 7, b"abc"), word_of(1, 0, 8, b"xyz"));
        assert_ne!(word_of(1, 0, 7, b"abc"), word_of(3, 0, 7, b"abc"));
        assert_ne!(word_of(1, 0, 7, b"abc"), word_of(1, 0, 7, b"abcd"));
        assert_ne!(word_of(1, 1, 7, b"abc"), word_of(1, 1, 7, b"xyz"), "it is not hidden");
    }

    #[test]
    fn of_radius_the_authenticators_and_hidden_attributes_are_not_compared() {
        let request = |code, identifier, authenticator, user: u8, password: u8| {
            let mut bytes = vec![code, identifier, 0, 27];
            bytes.extend([authenticator; 16]);
            bytes.extend([1, 3, user, 2, 4, password, password]);
            word(&bytes)
        };
        assert_eq!(request(1, 1, 1, b'v', 1), request(1, 2, 2, b'v', 2));
        assert_ne!(request(1, 1, 1, b'v', 1), request(1, 1, 1, b'w', 1));
        assert_ne!(request(1, 1, 1, b'v', 1), request(2, 1, 1, b'v', 1));
    }

    #[test]
    fn the_beginning_of_a_radius_packet_is_one_too() {
        let beginning = |authenticator, user: u8, password: u8| {
            let mut bytes = vec![2, 1, 2, 0];
            bytes.extend([authenticator; 16]);
            bytes.extend([1, 3, user, 80, 18, password]);
            word(&bytes)
        };
        assert_eq!(beginning(1, b'v', 1), beginning(2, b'v', 2));
        assert_ne!(beginning(1, b'v', 1), beginning(1, b'w', 1));
    }

    #[test]
    fn what_is_neither_is_compared_byte_by_byte() {
        assert_eq!(word(b"hello"), word(b"hello"));
        assert_ne!(word(b"hello"), word(b"hellp"));
        let mut lying = tacacs(1, 0, 7, b"abc");
        lying[11] = 9;
        let mut other = lying.clone();
        other[13] ^= 1;
        assert_ne!(word(&lying), word(&other));
        assert_ne!(word(b""), word(b"\0"));
    }
}
