//! What proves that a packet comes from one who knows the shared secret: the authenticators of
//! RFC 2865, section 3, and RFC 2866, section 3, and the Message-Authenticator of RFC 3579,
//! section 3.2.

use super::attribute::AttributeType;
use super::packet::{Authenticator, HEADER_LEN, attributes, write_authenticator};
use crate::Secret;
use hmac::{Hmac, KeyInit, Mac};
use labsim_model::constant_time_eq;
use md5::{Digest, Md5};

/// Bytes of MD5's block, to which HMAC fills its key up (RFC 2104, section 2).
const BLOCK: usize = 64;

/// What a packet's Message-Authenticator says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageAuthenticator {
    /// There is none.
    Absent,
    /// It is right.
    Right,
    /// It is wrong, has not sixteen bytes, or is there twice.
    Wrong,
}

/// MD5 over the packet with that authenticator in its header, and the secret behind it.
fn digest(packet: &[u8], authenticator: Authenticator, secret: &Secret) -> Authenticator {
    let (head, attributes) = packet.split_at_checked(HEADER_LEN).unwrap_or((packet, &[]));
    let digest = Md5::new_with_prefix(head.get(..4).unwrap_or_default());
    let digest = digest.chain_update(authenticator.0).chain_update(attributes);
    Authenticator(digest.chain_update(secret.expose()).finalize().into())
}

/// The Response Authenticator of a reply to the request with that authenticator (RFC 2865,
/// section 3). `reply` is a framed packet; the authenticator in its header does not count.
#[must_use]
pub fn response(reply: &[u8], request: Authenticator, secret: &Secret) -> Authenticator {
    digest(reply, request, secret)
}

/// The Request Authenticator of an Accounting-Request (RFC 2866, section 3). `packet` is framed;
/// the authenticator in its header does not count.
#[must_use]
pub fn accounting_request(packet: &[u8], secret: &Secret) -> Authenticator {
    digest(packet, Authenticator::default(), secret)
}

/// Whether two authenticators are the same, without stopping at the first difference.
#[must_use]
pub fn matches(left: Authenticator, right: Authenticator) -> bool {
    constant_time_eq(&left.0, &right.0)
}

/// HMAC-MD5 over the packet with that authenticator in its header and zeros for the
/// Message-Authenticator whose value begins at `at`.
fn hmac(packet: &[u8], authenticator: Authenticator, at: usize, secret: &Secret) -> [u8; 16] {
    // HMAC shortens a longer key in the same way (RFC 2104, section 2).
    let shortened: [u8; 16];
    let secret = if secret.expose().len() > BLOCK {
        shortened = Md5::digest(secret.expose()).into();
        &shortened
    } else {
        secret.expose()
    };
    let mut key = hmac::digest::Key::<Hmac<Md5>>::default();
    key.iter_mut().zip(secret).for_each(|(key, byte)| *key = *byte);
    let mut mac = Hmac::<Md5>::new(&key);
    mac.update(packet.get(..4).unwrap_or_default());
    mac.update(&authenticator.0);
    mac.update(packet.get(HEADER_LEN..at).unwrap_or_default());
    mac.update(&[0; 16]);
    mac.update(packet.get(at + 16..).unwrap_or_default());
    mac.finalize().into_bytes().into()
}

/// Where a framed packet's Message-Authenticators lie: the place of each value, if it has sixteen
/// bytes.
fn message_authenticators(packet: &[u8]) -> impl Iterator<Item = Option<usize>> {
    let found = attributes(packet).map_while(Result::ok);
    let found = found.filter(|found| found.kind == AttributeType::MESSAGE_AUTHENTICATOR);
    found.map(|found| (found.value.len() == 16).then_some(found.at))
}

/// Checks a framed packet's Message-Authenticator. `authenticator` is what counts as the header's:
/// the request's own for Access-Request and Status-Server, the request's for a reply, zeros for an
/// Accounting-Request.
#[must_use]
pub fn check_message(
    packet: &[u8],
    authenticator: Authenticator,
    secret: &Secret,
) -> MessageAuthenticator {
    let mut places = message_authenticators(packet);
    match (places.next(), places.next()) {
        (None, _) => MessageAuthenticator::Absent,
        (Some(Some(at)), None) => {
            let expected = hmac(packet, authenticator, at, secret);
            let right = constant_time_eq(packet.get(at..at + 16).unwrap_or_default(), &expected);
            if right { MessageAuthenticator::Right } else { MessageAuthenticator::Wrong }
        }
        (Some(_), _) => MessageAuthenticator::Wrong,
    }
}

/// Fills in the Message-Authenticator, if the packet has a place for one.
fn write_message(packet: &mut [u8], authenticator: Authenticator, secret: &Secret) {
    let place = message_authenticators(packet).flatten().next();
    if let Some(at) = place {
        let value = hmac(packet, authenticator, at, secret);
        if let Some(place) = packet.get_mut(at..at + 16) {
            place.copy_from_slice(&value);
        }
    }
}

/// Makes an encoded request genuine: its Message-Authenticator, if it has a place for one. The
/// random authenticator is in its header already.
pub(super) fn sign_request(packet: &mut [u8], authenticator: Authenticator, secret: &Secret) {
    write_message(packet, authenticator, secret);
}

/// Makes an encoded Accounting-Request genuine, and returns its authenticator.
pub(super) fn sign_accounting_request(packet: &mut [u8], secret: &Secret) -> Authenticator {
    write_message(packet, Authenticator::default(), secret);
    let authenticator = accounting_request(packet, secret);
    write_authenticator(packet, authenticator);
    authenticator
}

/// Makes an encoded reply genuine: its Message-Authenticator first, for the Response Authenticator
/// covers it (RFC 3579, section 3.2).
pub(super) fn sign_reply(reply: &mut [u8], request: Authenticator, secret: &Secret) {
    write_message(reply, request, secret);
    let authenticator = response(reply, request, secret);
    write_authenticator(reply, authenticator);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::radius::attribute::Attribute;
    use crate::radius::code::Code;
    use crate::radius::packet::Packet;

    const NUMBER: Authenticator = Authenticator([9; 16]);

    /// A question of life under that secret.
    fn sealed(secret: &Secret) -> Vec<u8> {
        let zeros = Attribute::digest(AttributeType::MESSAGE_AUTHENTICATOR, [0; 16]);
        let (code, attributes) = (Code::StatusServer, vec![zeros]);
        let packet = Packet { code, identifier: 1, authenticator: NUMBER, attributes };
        let mut bytes = packet.encode().unwrap();
        sign_request(&mut bytes, NUMBER, secret);
        bytes
    }

    #[test]
    fn a_secret_of_more_than_64_bytes_counts_by_its_digest() {
        // RFC 2104, section 2, and what RustCrypto makes of the key itself.
        for length in [63, 64, 65, 128, 200] {
            let secret = vec![7; length];
            let bytes = sealed(&Secret::new(secret.as_slice()));
            let mut mac = <Hmac<Md5> as KeyInit>::new_from_slice(&secret).unwrap();
            let place = bytes.len() - 16;
            mac.update(&bytes[..place]);
            mac.update(&[0; 16]);
            assert_eq!(mac.finalize().into_bytes().as_slice(), &bytes[place..], "{length}");
            let digest: [u8; 16] = Md5::digest(&secret).into();
            let by_digest = check_message(&bytes, NUMBER, &Secret::new(digest));
            assert_eq!(by_digest == MessageAuthenticator::Right, length > 64, "{length}");
        }
    }

    #[test]
    fn two_message_authenticators_are_wrong_even_if_both_are_the_same() {
        let secret = Secret::new("s");
        let mut bytes = sealed(&secret);
        assert_eq!(check_message(&bytes, NUMBER, &secret), MessageAuthenticator::Right);
        bytes.extend_from_within(20..);
        assert_eq!(check_message(&bytes, NUMBER, &secret), MessageAuthenticator::Wrong);
    }
}
