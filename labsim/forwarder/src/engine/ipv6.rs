//! IPv6 packets: what a router checks before it looks further (RFC 8200 3 and 4).

use super::Engine;
use super::ip::Ipv6;
use crate::{Instant, Outcome, Transmit};
use labsim_wire::ipv6::{Extension, Transport, extension};
use labsim_wire::{Malformed, ethernet, icmpv6, ipv6, protocol};
use std::net::Ipv6Addr;

impl Engine {
    // Beside IPv4's way through the engine, not in it.
    #[inline(never)]
    pub(super) fn ipv6(
        &mut self,
        now: Instant,
        frame: usize,
        link: &ethernet::View<'_>,
        tx: &mut impl Transmit,
    ) -> Outcome {
        let view = match ipv6::View::new_truncated(link.payload()) {
            Ok(view) => view,
            Err(Malformed::Truncated { .. }) => return Outcome::FrameTruncated,
            Err(_) => return Outcome::Ipv6HeaderMalformed,
        };
        if view.is_truncated() {
            return Outcome::Ipv6LengthMismatch;
        }
        if view.next_header() == protocol::ICMPV6 && is_neighbours(view.payload()) {
            return self.neighbour_discovery(now, link, &view, tx);
        }
        if link.destination().is_multicast() {
            return Outcome::NotAddressedToUs;
        }
        let source = view.source();
        if is_martian(source) {
            return Outcome::Ipv6SourceMartian;
        }
        let transport = match check_extensions(&view) {
            Ok(transport) => transport,
            Err(outcome) => return outcome,
        };
        // RFC 4291 2.5.6: it is known on its own link alone, from where only errors come.
        if source.is_unicast_link_local() && transport.protocol != protocol::ICMPV6 {
            return Outcome::Ipv6SourceMartian;
        }
        self.demux(now, frame, &Ipv6 { view, transport }, tx)
    }
}

/// Whether a packet is of neighbour discovery.
#[inline]
pub(super) fn is_discovery(packet: &[u8]) -> bool {
    ipv6::View::new_truncated(packet)
        .is_ok_and(|view| view.next_header() == protocol::ICMPV6 && is_neighbours(view.payload()))
}

/// Whether an ICMPv6 message is a neighbour solicitation or advertisement.
fn is_neighbours(message: &[u8]) -> bool {
    use icmpv6::kind::{NEIGHBOUR_ADVERTISEMENT, NEIGHBOUR_SOLICITATION};
    matches!(message.first(), Some(&(NEIGHBOUR_SOLICITATION | NEIGHBOUR_ADVERTISEMENT)))
}

/// A source that no single host on a network can have (RFC 4291 2.5 and 2.7): unspecified,
/// loopback, a group's, and what holds an IPv4 address, mapped or "compatible".
#[inline]
fn is_martian(source: Ipv6Addr) -> bool {
    let [high, middle] = [source.to_bits() >> 64, (source.to_bits() >> 32) & 0xffff_ffff];
    source.is_multicast() || high == 0 && matches!(middle, 0 | 0xffff)
}

/// Looks at each extension header on the way to the transport, as far as a node may that is not
/// the destination: routing headers that would lead elsewhere (RFC 5095; RFC 8200 4.4), options
/// that run over their header, and hop-by-hop options that are not first. Whether an option is
/// known is the member's to judge (RFC 8200 4.8).
#[inline]
fn check_extensions<'a>(view: &ipv6::View<'a>) -> Result<Transport<'a>, Outcome> {
    let mut walk = view.extensions();
    let mut first = true;
    let mut fragments = 0;
    for header in &mut walk {
        let Ok(Extension { kind, bytes }) = header else {
            // RFC 7112: a first fragment has to hold the whole chain.
            let more = walk.transport().fragment.is_some_and(|fragment| fragment.more);
            return Err(if more {
                Outcome::FragmentTooSmall
            } else {
                Outcome::Ipv6ExtensionMalformed
            });
        };
        let right = match kind {
            extension::HOP_BY_HOP => first && options_fit(&bytes[2..]),
            extension::DESTINATION_OPTIONS => options_fit(&bytes[2..]),
            extension::ROUTING => {
                let [kind, left] = [bytes[2], bytes[3]];
                if kind == 0 || left > 0 {
                    return Err(Outcome::Ipv6SourceRoute);
                }
                true
            }
            extension::FRAGMENT => {
                fragments += 1;
                fragments == 1
            }
            _ => true,
        };
        if !right {
            return Err(Outcome::Ipv6ExtensionMalformed);
        }
        first = false;
    }
    Ok(walk.transport())
}

/// Whether options fill their header to its end (RFC 8200 4.2).
fn options_fit(options: &[u8]) -> bool {
    const PAD1: u8 = 0;
    let mut rest = options;
    while let [kind, after @ ..] = rest {
        let length = match (*kind, after.first()) {
            (PAD1, _) => 1,
            (_, Some(length)) => 2 + usize::from(*length),
            (_, None) => return false,
        };
        let Some(next) = rest.get(length..) else { return false };
        rest = next;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::{is_martian, options_fit};

    #[test]
    fn sources_that_no_single_host_has_are_martians() {
        let martians = ["::", "::1", "ff02::1", "ff0e::9", "::ffff:10.1.1.1", "::10.1.1.1"];
        assert!(martians.iter().all(|text| is_martian(text.parse().unwrap())));
        let others = ["2001:db8::1", "fd00::1", "fe80::1", "64:ff9b::a01:101", "::1:0:0:0"];
        assert!(!others.iter().any(|text| is_martian(text.parse().unwrap())));
    }

    #[test]
    fn options_end_where_their_header_does() {
        for right in [&[1, 4, 0, 0, 0, 0][..], &[0; 6], &[5, 2, 0, 0, 1, 0], &[0, 0, 0, 0, 7, 0]] {
            assert!(options_fit(right), "{right:?}");
        }
        for wrong in [&[1, 5, 0, 0, 0, 0][..], &[0, 0, 0, 0, 0, 1], &[5, 5, 0, 0, 1, 0]] {
            assert!(!options_fit(wrong), "{wrong:?}");
        }
    }
}
