//! IPv4 packets: what a router checks before it looks further (RFC 1812 5.2).

use super::Engine;
use crate::{Instant, Outcome, Transmit};
use labsim_wire::{Malformed, ipv4};
use std::net::Ipv4Addr;

impl Engine {
    #[inline]
    pub(super) fn ipv4(
        &mut self,
        now: Instant,
        frame: usize,
        bytes: &[u8],
        to_many: bool,
        tx: &mut impl Transmit,
    ) -> Outcome {
        let ip = match ipv4::View::new_truncated(bytes) {
            Ok(ip) => ip,
            Err(Malformed::Truncated { .. }) => return Outcome::FrameTruncated,
            Err(Malformed::Length { .. }) => return Outcome::Ipv4LengthMismatch,
            Err(_) => return Outcome::Ipv4HeaderMalformed,
        };
        if !ip.checksum_ok() {
            return Outcome::Ipv4HeaderChecksum;
        }
        if ip.is_truncated() {
            return Outcome::Ipv4LengthMismatch;
        }
        if to_many {
            return Outcome::NotAddressedToUs;
        }
        if is_martian(ip.source()) {
            return Outcome::Ipv4SourceMartian;
        }
        if !ip.options().is_empty() && has_source_route(ip.options()) {
            return Outcome::Ipv4SourceRoute;
        }
        self.demux(now, frame, &ip, tx)
    }
}

/// A source that no single host on a network can have (RFC 1812 5.3.7, RFC 6890).
#[inline]
fn is_martian(source: Ipv4Addr) -> bool {
    let first = source.octets()[0];
    first == 0 || first == 127 || first >= 224
}

/// Loose or strict source routing (RFC 791: types 131 and 137) among the options; a list that
/// contradicts itself ends where it does.
fn has_source_route(options: &[u8]) -> bool {
    let mut rest = options;
    while let [kind, after @ ..] = rest {
        rest = match kind {
            0 => return false,
            1 => after,
            131 | 137 => return true,
            _ => match after.first().map(|length| usize::from(*length)) {
                Some(length) if length >= 2 && length <= rest.len() => &rest[length..],
                _ => return false,
            },
        };
    }
    false
}
