//! How PAP's password is hidden in User-Password (RFC 2865, section 5.2).

use super::error::EncodeError;
use super::packet::Authenticator;
use crate::Secret;
use md5::{Digest, Md5};

/// Bytes of the longest password.
pub const MAX_PASSWORD: usize = 128;

/// Bytes that are hidden at a time.
const BLOCK: usize = 16;

/// The pad for a block: MD5 of the secret and what went before.
fn pad(secret: &Secret, before: &[u8]) -> [u8; BLOCK] {
    Md5::new_with_prefix(secret.expose()).chain_update(before).finalize().into()
}

fn xor(block: &[u8], pad: [u8; BLOCK]) -> impl Iterator<Item = u8> {
    block.iter().zip(pad).map(|(byte, pad)| byte ^ pad)
}

/// Hides a password: filled up with zeros to blocks of sixteen bytes, each of them masked with a
/// digest of the secret and the block before it, the first with the request's authenticator.
///
/// # Errors
/// [`EncodeError::Password`] for more than [`MAX_PASSWORD`] bytes.
pub fn hide(
    password: &Secret,
    secret: &Secret,
    authenticator: Authenticator,
) -> Result<Vec<u8>, EncodeError> {
    let length = password.expose().len();
    if length > MAX_PASSWORD {
        return Err(EncodeError::Password(length));
    }
    let mut clear = password.expose().to_vec();
    clear.resize(length.next_multiple_of(BLOCK).max(BLOCK), 0);
    let mut hidden: Vec<u8> = Vec::with_capacity(clear.len());
    let mut pad_now = pad(secret, &authenticator.0);
    for block in clear.chunks(BLOCK) {
        let start = hidden.len();
        hidden.extend(xor(block, pad_now));
        pad_now = pad(secret, hidden.get(start..).unwrap_or_default());
    }
    Ok(hidden)
}

/// Reads a hidden password. With another secret it is garbage. Zeros at its end are filling.
///
/// `None` if it is not 16 to [`MAX_PASSWORD`] bytes in whole blocks.
#[must_use]
pub fn reveal(hidden: &[u8], secret: &Secret, authenticator: Authenticator) -> Option<Secret> {
    let length = hidden.len();
    if length == 0 || length > MAX_PASSWORD || !length.is_multiple_of(BLOCK) {
        return None;
    }
    let before = std::iter::once(authenticator.0.as_slice()).chain(hidden.chunks(BLOCK));
    let blocks = hidden.chunks(BLOCK).zip(before);
    let mut clear: Vec<u8> =
        blocks.flat_map(|(block, before)| xor(block, pad(secret, before))).collect();
    let end = clear.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    clear.truncate(end);
    Some(Secret::new(clear))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NUMBER: Authenticator = Authenticator(*b"0123456789abcdef");

    #[test]
    fn a_password_of_129_bytes_is_refused() {
        let password = |length| Secret::new(vec![b'x'; length]);
        assert_eq!(hide(&password(128), &Secret::new("s"), NUMBER).unwrap().len(), 128);
        assert_eq!(
            hide(&password(129), &Secret::new("s"), NUMBER),
            Err(EncodeError::Password(129))
        );
    }

    #[test]
    fn only_whole_blocks_are_read() {
        for length in [0, 1, 15, 17, 127, 129, 144] {
            assert_eq!(reveal(&vec![1; length], &Secret::new("s"), NUMBER), None, "{length}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_hidden_comes_back(
            password in prop::collection::vec(1_u8.., 0..=128),
            secret in prop::collection::vec(any::<u8>(), 0..100),
            number: [u8; 16],
        ) {
            let (password, secret) = (Secret::new(password), Secret::new(secret));
            let hidden = hide(&password, &secret, Authenticator(number)).unwrap();
            prop_assert!(hidden.len().is_multiple_of(16) && hidden.len() >= 16);
            prop_assert_eq!(reveal(&hidden, &secret, Authenticator(number)), Some(password));
        }
    }
}
