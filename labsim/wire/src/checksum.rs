//! The internet checksum: RFC 1071's sum, pseudo-headers, and RFC 1624's incremental update.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A ones' complement sum under way. Slices may have odd lengths: the next slice goes on at the
/// odd byte, as if all of them were one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sum {
    total: u64,
    odd: bool,
}

impl Sum {
    /// Nothing summed yet.
    #[inline]
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `bytes`.
    #[inline]
    #[must_use]
    pub fn with(mut self, bytes: &[u8]) -> Self {
        let mut rest = bytes;
        if self.odd {
            let Some((first, tail)) = rest.split_first() else { return self };
            self.total += u64::from(*first);
            self.odd = false;
            rest = tail;
        }
        // Ones' complement sums of 16-bit words can be taken 32 bits at a time (RFC 1071, 2 C).
        let mut words = rest.chunks_exact(4);
        for word in &mut words {
            self.total += u64::from(u32::from_be_bytes([word[0], word[1], word[2], word[3]]));
        }
        match *words.remainder() {
            [a] => {
                self.total += u64::from(a) << 8;
                self.odd = true;
            }
            [a, b] => self.total += u64::from(u16::from_be_bytes([a, b])),
            [a, b, c] => {
                self.total += u64::from(u16::from_be_bytes([a, b]));
                self.total += u64::from(c) << 8;
                self.odd = true;
            }
            _ => {}
        }
        // Folded, so that the sum of no number of slices can leave the 64 bits.
        self.total = (self.total & 0xffff_ffff) + (self.total >> 32);
        self
    }

    /// Adds words of four bytes each, after an even number of bytes.
    #[inline]
    #[must_use]
    pub(crate) fn with_words(self, words: [u32; 5]) -> Self {
        let total = self.total + words.into_iter().map(u64::from).sum::<u64>();
        Self { total: (total & 0xffff_ffff) + (total >> 32), ..self }
    }

    /// The sum folded to 16 bits, not complemented: what a kernel leaves in the checksum field
    /// of a packet whose checksum the network card is to finish.
    #[inline]
    #[must_use]
    pub fn folded(self) -> u16 {
        let mut total = self.total;
        while total > 0xffff {
            total = (total & 0xffff) + (total >> 16);
        }
        u16::try_from(total).unwrap_or(u16::MAX)
    }

    /// The checksum: the folded sum's complement.
    #[inline]
    #[must_use]
    pub fn finish(self) -> u16 {
        !self.folded()
    }
}

/// The checksum of `bytes`; 0 if they hold their own right checksum.
#[inline]
#[must_use]
pub fn of(bytes: &[u8]) -> u16 {
    Sum::new().with(bytes).finish()
}

/// Source and destination of one family, as pseudo-headers need them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressPair {
    /// IPv4 source and destination.
    V4(Ipv4Addr, Ipv4Addr),
    /// IPv6 source and destination.
    V6(Ipv6Addr, Ipv6Addr),
}

impl AddressPair {
    /// The two addresses, if they are of one family.
    #[inline]
    #[must_use]
    pub fn new(source: IpAddr, destination: IpAddr) -> Option<Self> {
        match (source, destination) {
            (IpAddr::V4(a), IpAddr::V4(b)) => Some(Self::V4(a, b)),
            (IpAddr::V6(a), IpAddr::V6(b)) => Some(Self::V6(a, b)),
            _ => None,
        }
    }

    /// The sum over the pseudo-header (RFC 9293, 3.1; RFC 8200, 8.1) of a transport packet of
    /// `length` bytes.
    #[inline]
    #[must_use]
    pub fn pseudo_header(&self, protocol: u8, length: usize) -> Sum {
        let sum = match self {
            Self::V4(source, destination) => {
                Sum::new().with(&source.octets()).with(&destination.octets())
            }
            Self::V6(source, destination) => {
                Sum::new().with(&source.octets()).with(&destination.octets())
            }
        };
        // No IP packet is longer than 32 bits can say.
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        sum.with(&length.to_be_bytes()).with(&[0, protocol])
    }
}

/// The checksum after one 16-bit word that it covers went from `old` to `new` (RFC 1624,
/// equation 3).
#[inline]
#[must_use]
pub fn update(checksum: u16, old: u16, new: u16) -> u16 {
    let total = u32::from(!checksum) + u32::from(!old) + u32::from(new);
    let folded = (total & 0xffff) + (total >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    !u16::try_from(folded).unwrap_or(u16::MAX)
}

/// What a captured checksum is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChecksumState {
    /// Right.
    Good,
    /// The sender left it out, which UDP over IPv4 allows (RFC 768).
    Absent,
    /// Only the pseudo-header's sum is in the field: transmit checksum offload, which the card
    /// would have finished. Harmless on a sending host, fatal when such bytes are sent on as
    /// they are.
    HalfMade,
    /// Wrong.
    Bad,
    /// Part of what it covers is not in the capture, or in another fragment.
    Unknown,
}

/// Judges the field `found` of a transport packet that is whole.
#[inline]
pub(crate) fn judge(
    addresses: &AddressPair,
    protocol: u8,
    packet: &[u8],
    found: u16,
) -> ChecksumState {
    let pseudo = addresses.pseudo_header(protocol, packet.len());
    if pseudo.with(packet).finish() == 0 {
        ChecksumState::Good
    } else if pseudo.folded() == found {
        ChecksumState::HalfMade
    } else {
        ChecksumState::Bad
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_1071_sums_to_ddf2() {
        let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(Sum::new().with(&bytes).folded(), 0xddf2);
    }

    #[test]
    fn slices_of_odd_length_sum_as_if_they_were_one() {
        let bytes: Vec<u8> = (1..=23).collect();
        for cut in 0..=bytes.len() {
            for second in cut..=bytes.len() {
                let parts =
                    Sum::new().with(&bytes[..cut]).with(&bytes[cut..second]).with(&bytes[second..]);
                assert_eq!(parts.finish(), of(&bytes), "cut at {cut} and {second}");
            }
        }
    }

    #[test]
    fn the_update_agrees_with_a_new_sum_for_every_ttl() {
        for ttl in 1..=255u8 {
            let mut header = [0x45, 0, 0, 52, 0x1b, 0x90, 0x40, 0, ttl, 6, 0, 0, 192, 168, 11, 201];
            let before = of(&header);
            let old = u16::from_be_bytes([ttl, 6]);
            header[8] -= 1;
            let new = u16::from_be_bytes([ttl - 1, 6]);
            assert_eq!(update(before, old, new), of(&header), "ttl {ttl}");
        }
    }

    #[test]
    fn the_documents_half_made_checksum_is_the_pseudo_headers_sum() {
        let pair = AddressPair::V4(Ipv4Addr::new(192, 168, 11, 201), Ipv4Addr::new(172, 16, 4, 99));
        assert_eq!(pair.pseudo_header(6, 32).folded(), 0x7d0b);
        assert_eq!(pair.pseudo_header(6, 20).folded(), 0x7cff);
    }
}
