//! Packets that are longer than their way: an IPv4 packet is cut before it is encapsulated, and a
//! tunnel packet over IPv6 after.

use super::{Encapsulator, Endpoints, Inner, Path, is_ipv4, outer_v6};
use crate::engine::ip::{Address, Ip, v4};
use crate::engine::rewrite::Rewrite;
use crate::{Outcome, Transmit, TunnelHeader, TunnelProtocol};
use labsim_wire::checksum::AddressPair;
use labsim_wire::ethernet::{Mac, ethertype};
use labsim_wire::ipv6::extension;
use labsim_wire::{ipv4, ipv6};
use std::net::Ipv6Addr;

/// Length of a fragment header.
const FRAGMENT_LEN: usize = 8;
/// The longest tunnel packet that is cut, without its IP header: GRE's longest header, and the
/// longest packet that every link has to take.
const MOST: usize = 12 + 1280;

impl Encapsulator {
    /// Cuts the inner packet, which may be a fragment itself (RFC 791 3.2), so that the outer ones
    /// can keep their DF: the member puts it together after decapsulation.
    pub(super) fn send_fragments(
        &mut self,
        path: &Path,
        next_hop: Mac,
        packet: &ipv4::View<'_>,
        rewrite: &Rewrite,
        tx: &mut impl Transmit,
    ) -> Outcome {
        let (payload, came) = (packet.payload(), ipv4::Header::parse(packet));
        let mut options = [0; ipv4::MAX_HEADER_LEN - ipv4::MIN_HEADER_LEN];
        let options = &mut options[..packet.options().len()];
        options.copy_from_slice(packet.options());
        // At least 48: the port's MTU is 128 or more.
        let most = (self.inner_mtu(path) - packet.header_length()) / 8 * 8;
        let source = rewrite.addresses.source.and_then(v4).unwrap_or(packet.source());
        let mut offset = 0;
        while offset < payload.len() {
            let part = &payload[offset..payload.len().min(offset + most)];
            let last = offset + part.len() == payload.len();
            let header = ipv4::Header {
                more_fragments: !last || came.more_fragments,
                fragment_offset: came.fragment_offset + offset as u16,
                options: &*options,
                payload_length: part.len(),
                ..rewrite.header(came)
            };
            let length = header.length();
            let fill = |inner: &mut [u8]| {
                header.emit(inner)?;
                inner[length..].copy_from_slice(part);
                if header.fragment_offset == 0 {
                    rewrite.first_payload(&came, &mut inner[length..]);
                }
                Ok(())
            };
            let inner = Inner { source, tos: came.tos, length: length + part.len() };
            if !self.frame::<ipv4::View<'_>>(path, next_hop, inner, fill, tx) {
                return Outcome::TransmitFull;
            }
            if offset == 0 {
                blank_uncopied(options);
            }
            offset += part.len();
        }
        Outcome::ForwardedInFragments
    }

    /// Encapsulates a packet that every link has to take, and cuts the tunnel packet, whose way
    /// takes less (RFC 2473 7.1 b): the member puts it together before decapsulation.
    pub(super) fn send_fragmented_outer<'a, I: Ip<'a>>(
        &mut self,
        path: &Path,
        outer: OuterTunnel<'_>,
        next_hop: Mac,
        packet: &I,
        rewrite: &Rewrite,
        tx: &mut impl Transmit,
    ) -> Outcome {
        let OuterTunnel { endpoints, kind, tos } = outer;
        let start = path.overhead() - ipv6::HEADER_LEN;
        let mut room = [0; MOST];
        let Some(whole) = room.get_mut(..start + packet.bytes().len()) else { return I::TOO_LONG };
        let client = packet.source_after(&rewrite.addresses);
        let source = endpoints.source_or(client.v6());
        let addresses = AddressPair::V6(source, endpoints.destination);
        let written = rewrite.copy(packet, &mut whole[start..]);
        if written.and_then(|()| kind.emit(&addresses, is_ipv4::<I>(), whole)).is_err() {
            return I::TOO_LONG;
        }
        let most = (self.outer_mtu(path) - ipv6::HEADER_LEN - FRAGMENT_LEN) / 8 * 8;
        self.fragment_id = self.fragment_id.wrapping_add(1);
        let id = self.fragment_id.to_be_bytes();
        for (part, number) in whole.chunks(most).zip(0..) {
            let offset = number * most;
            let more = offset + part.len() < whole.len();
            let place = (offset as u16 | u16::from(more)).to_be_bytes();
            let length = FRAGMENT_LEN + part.len();
            let next_header = extension::FRAGMENT;
            let outer = outer_v6(source, endpoints.destination, next_header, tos, length);
            let write = |packet: &mut [u8]| {
                outer.emit(packet)?;
                let (header, rest) = packet[ipv6::HEADER_LEN..].split_at_mut(FRAGMENT_LEN);
                header[..2].copy_from_slice(&[kind.outer_protocol(is_ipv4::<I>()), 0]);
                header[2..4].copy_from_slice(&place);
                header[4..].copy_from_slice(&id);
                rest.copy_from_slice(part);
                Ok(())
            };
            let length = ipv6::HEADER_LEN + length;
            let sent = self.link(ethertype::IPV6, next_hop, length, write, tx);
            if !sent {
                return Outcome::TransmitFull;
            }
        }
        Outcome::ForwardedInFragments
    }
}

/// An IPv6 tunnel, whose packets are cut.
#[derive(Clone, Copy)]
pub(super) struct OuterTunnel<'a> {
    pub(super) endpoints: &'a Endpoints<Ipv6Addr>,
    pub(super) kind: TunnelProtocol,
    /// The outer header's traffic class.
    pub(super) tos: u8,
}

/// Turns options that only the first fragment carries (copied flag 0, RFC 791 3.1) into "no
/// operation", as Linux does, so that every fragment's header has the same length.
fn blank_uncopied(options: &mut [u8]) {
    const END: u8 = 0;
    const NO_OPERATION: u8 = 1;
    const COPIED: u8 = 0x80;
    let mut at = 0;
    while at < options.len() && options[at] != END {
        let length = match options[at] {
            NO_OPERATION => 1,
            _ => options.get(at + 1).map_or(0, |length| usize::from(*length)),
        };
        let Some(option) = options.get_mut(at..at + length).filter(|option| !option.is_empty())
        else {
            return;
        };
        if option[0] & COPIED == 0 {
            option.fill(NO_OPERATION);
        }
        at += length;
    }
}
