//! From a packet to frames: rewriting, encapsulation, fragments.

use super::Outcome;
use super::rewrite::Rewrite;
use crate::{Gre, OuterSource, Transmit};
use labsim_wire::ethernet::{self, Mac, ethertype};
use labsim_wire::{EmitError, gre, ipv4, protocol};
use std::net::Ipv4Addr;

/// The outer header's TTL, as F5 sends it.
const OUTER_TTL: u8 = 255;

/// How packets reach a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Path {
    /// As they are.
    Plain,
    /// In a tunnel.
    Tunnel {
        /// The outer source; `None` takes the inner packet's.
        source: Option<Ipv4Addr>,
        /// The forwarder's own address on the way.
        own: Option<Ipv4Addr>,
        /// The member.
        destination: Ipv4Addr,
        kind: Tunnel,
        /// Bytes of outer headers, from `kind` once and for all.
        overhead: u8,
        /// The longest outer packet that the way is known to take.
        mtu: u16,
    },
}

/// What stands between the outer and the inner IP header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tunnel {
    /// Nothing (RFC 2003).
    Ipip,
    /// A GRE header (RFC 2784, RFC 2890).
    Gre(Gre),
}

/// The header of these options around an IPv4 packet.
const fn gre_header(options: Gre) -> gre::Header {
    let Gre { key, checksum } = options;
    gre::Header { protocol: ethertype::IPV4, checksum, key, sequence: None }
}

impl Tunnel {
    /// Bytes between the two IP headers.
    fn length(self) -> usize {
        match self {
            Self::Ipip => 0,
            Self::Gre(options) => gre_header(options).length(),
        }
    }

    /// The protocol number in the outer header.
    pub(super) const fn protocol(self) -> u8 {
        match self {
            Self::Ipip => protocol::IPIP,
            Self::Gre(_) => protocol::GRE,
        }
    }
}

impl Path {
    /// The MTU of a way that nothing was said about.
    pub(super) const UNKNOWN_MTU: u16 = u16::MAX;

    /// Through a tunnel.
    pub(super) fn tunnel(
        outer_source: OuterSource,
        own: Option<Ipv4Addr>,
        destination: Ipv4Addr,
        kind: Tunnel,
    ) -> Self {
        let source = match outer_source {
            OuterSource::Client => None,
            OuterSource::Egress => own,
        };
        let overhead = (ipv4::MIN_HEADER_LEN + kind.length()) as u8;
        Self::Tunnel { source, own, destination, kind, overhead, mtu: Self::UNKNOWN_MTU }
    }

    /// The same way for a packet that is no client's: its source may be a router on the way, which
    /// drops what comes from its own address.
    pub(super) const fn with_own_source(self) -> Self {
        match self {
            Self::Tunnel { own, destination, kind, overhead, mtu, .. } => {
                Self::Tunnel { source: own, own, destination, kind, overhead, mtu }
            }
            Self::Plain => Self::Plain,
        }
    }

    /// Bytes that a packet grows by.
    pub(super) const fn overhead(self) -> usize {
        match self {
            Self::Plain => 0,
            Self::Tunnel { overhead, .. } => overhead as usize,
        }
    }
}

/// Writes frames for members; counts their outer IDs.
#[derive(Debug)]
pub(super) struct Encapsulator {
    mac: Mac,
    mtu: usize,
    /// The last one used. Every tunnel packet takes the next.
    id: u16,
}

impl Encapsulator {
    pub(super) const fn new(mac: Mac, mtu: usize) -> Self {
        Self { mac, mtu, id: 0 }
    }

    /// Whether a packet of `length` bytes can go this way uncut.
    pub(super) const fn fits(&self, path: &Path, length: usize) -> bool {
        length <= self.inner_mtu(path)
    }

    /// The longest packet that can go this way uncut.
    pub(super) const fn inner_mtu(&self, path: &Path) -> usize {
        let outer = match path {
            Path::Tunnel { mtu, .. } if (*mtu as usize) < self.mtu => *mtu as usize,
            _ => self.mtu,
        };
        outer - path.overhead()
    }

    /// Sends `packet` to a member, in fragments if it is too long and may be cut. The caller has
    /// told the sender of a packet that may not; one that waited while its way became narrower
    /// ends here.
    #[inline]
    pub(super) fn send(
        &mut self,
        path: Path,
        next_hop: Mac,
        packet: &ipv4::View<'_>,
        rewrite: &Rewrite,
        tx: &mut impl Transmit,
    ) -> Outcome {
        let length = packet.bytes().len();
        if !self.fits(&path, length) {
            if packet.dont_fragment() {
                return Outcome::FragmentationNeeded;
            }
            return self.send_fragments(path, next_hop, packet, rewrite, tx);
        }
        let client = rewrite.ends.source.unwrap_or(packet.source());
        let fill = |inner: &mut [u8]| rewrite.copy(packet, inner);
        if self.frame(path, next_hop, client, length, fill, tx) {
            Outcome::Forwarded
        } else {
            Outcome::TransmitFull
        }
    }

    /// One frame around an inner packet that `fill` writes.
    #[inline]
    fn frame(
        &mut self,
        path: Path,
        next_hop: Mac,
        client: Ipv4Addr,
        inner_length: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<(), EmitError>,
        tx: &mut impl Transmit,
    ) -> bool {
        let link = ethernet::Header {
            destination: next_hop,
            source: self.mac,
            ethertype: ethertype::IPV4,
        };
        let start = ethernet::HEADER_LEN + path.overhead();
        let id = self.id.wrapping_add(1);
        let sent = tx.transmit(start + inner_length, |frame| {
            link.emit(frame)?;
            if let Path::Tunnel { source, destination, kind, .. } = path {
                let outer = ipv4::Header {
                    source: source.unwrap_or(client),
                    destination,
                    protocol: kind.protocol(),
                    ttl: OUTER_TTL,
                    tos: 0,
                    id,
                    dont_fragment: true,
                    more_fragments: false,
                    fragment_offset: 0,
                    options: &[],
                    payload_length: path.overhead() - ipv4::MIN_HEADER_LEN + inner_length,
                };
                outer.emit(&mut frame[ethernet::HEADER_LEN..])?;
            }
            fill(&mut frame[start..])?;
            match path {
                // Its checksum covers the inner packet.
                Path::Tunnel { kind: Tunnel::Gre(options), .. } => gre_header(options)
                    .emit(&mut frame[ethernet::HEADER_LEN + ipv4::MIN_HEADER_LEN..]),
                _ => Ok(()),
            }
        });
        if sent && path.overhead() > 0 {
            self.id = id;
        }
        sent
    }

    /// Cuts the inner packet, which may be a fragment itself (RFC 791 3.2), so that the outer ones can keep their DF: the member
    /// puts it together after decapsulation.
    fn send_fragments(
        &mut self,
        path: Path,
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
        let most = (self.inner_mtu(&path) - packet.header_length()) / 8 * 8;
        let client = rewrite.ends.source.unwrap_or(packet.source());
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
            if !self.frame(path, next_hop, client, length + part.len(), fill, tx) {
                return Outcome::TransmitFull;
            }
            if offset == 0 {
                blank_uncopied(options);
            }
            offset += part.len();
        }
        Outcome::ForwardedInFragments
    }
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
