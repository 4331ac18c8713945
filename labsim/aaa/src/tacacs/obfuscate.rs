//! The pad that hides a body (RFC 8907, section 4.5). It hides, it does not protect.

use super::header::Header;
use crate::Secret;
use md5::{Digest, Md5};

/// XORs `body` with the pad of its header and the shared secret; twice is not at all.
pub(super) fn obfuscate(header: &Header, secret: &Secret, body: &mut [u8]) {
    let mut start = Md5::new();
    start.update(header.session.0.to_be_bytes());
    start.update(secret.expose());
    start.update([header.version(), header.sequence.get()]);
    let mut pad = start.clone().finalize();
    for chunk in body.chunks_mut(16) {
        for (byte, hidden) in chunk.iter_mut().zip(&pad) {
            *byte ^= hidden;
        }
        pad = start.clone().chain_update(pad).finalize();
    }
}
