//! CHAP's response, which TACACS+ and RADIUS carry alike.

use crate::Secret;
use md5::{Digest, Md5};

/// RFC 1994, section 4.1: the MD5 digest of id, secret and challenge.
pub(crate) fn response(id: u8, challenge: &[u8], password: &Secret) -> [u8; 16] {
    let digest = Md5::new_with_prefix([id]);
    digest.chain_update(password.expose()).chain_update(challenge).finalize().into()
}
