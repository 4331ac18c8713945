//! Why bytes are no packet, and why a packet could not be written.

use std::fmt;

/// The protocol that an error speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// IEEE 802.3 framing.
    Ethernet,
    /// RFC 826.
    Arp,
    /// RFC 791.
    Ipv4,
    /// RFC 8200.
    Ipv6,
    /// RFC 9293.
    Tcp,
    /// RFC 768.
    Udp,
    /// RFC 792.
    Icmpv4,
    /// RFC 4443.
    Icmpv6,
    /// RFC 2784 and RFC 2890.
    Gre,
    /// draft-ietf-intarea-gue.
    Gue,
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ethernet => "Ethernet",
            Self::Arp => "ARP",
            Self::Ipv4 => "IPv4",
            Self::Ipv6 => "IPv6",
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Icmpv4 => "ICMP",
            Self::Icmpv6 => "ICMPv6",
            Self::Gre => "GRE",
            Self::Gue => "GUE",
        })
    }
}

/// Why bytes are not what they were taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The bytes end before the header, or before the length that the header claims.
    #[error("{layer}: {needed} bytes are needed, {present} are there")]
    Truncated {
        /// Where.
        layer: Layer,
        /// Bytes that there should be.
        needed: usize,
        /// Bytes that there are.
        present: usize,
    },
    /// The version field is another protocol's.
    #[error("{layer}: the version is {version}")]
    Version {
        /// Where.
        layer: Layer,
        /// What the field says.
        version: u8,
    },
    /// The header length field is below the fixed header's length.
    #[error("{layer}: the header's length is given as {bytes} bytes")]
    HeaderLength {
        /// Where.
        layer: Layer,
        /// What the field says, in bytes.
        bytes: usize,
    },
    /// The length field of the whole is below its own header's length.
    #[error("{layer}: the whole length is given as {bytes} bytes, less than the header")]
    Length {
        /// Where.
        layer: Layer,
        /// What the field says, in bytes.
        bytes: usize,
    },
    /// A field holds what this code does not know, or what its RFC forbids.
    #[error("{layer}: {field} is {value:#x}")]
    Field {
        /// Where.
        layer: Layer,
        /// The field's name.
        field: &'static str,
        /// What it says.
        value: u32,
    },
    /// More headers follow each other than any sane packet has.
    #[error("{layer}: more than {most} headers follow each other")]
    TooDeep {
        /// Where.
        layer: Layer,
        /// The bound.
        most: usize,
    },
}

/// Why a packet was not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EmitError {
    /// The caller's buffer is too small.
    #[error("{layer}: {needed} bytes have to be written, the buffer has {present}")]
    NoRoom {
        /// What was to be written.
        layer: Layer,
        /// Bytes that it takes.
        needed: usize,
        /// Bytes that there are.
        present: usize,
    },
    /// Options are longer than the header can hold, or no multiple of four bytes.
    #[error("{layer}: {length} bytes of options do not fit into a header")]
    Options {
        /// What was to be written.
        layer: Layer,
        /// Bytes of options.
        length: usize,
    },
    /// A field's value does not fit into its bits.
    #[error("{layer}: {field} cannot be {value}")]
    Field {
        /// What was to be written.
        layer: Layer,
        /// The field's name.
        field: &'static str,
        /// The value.
        value: u32,
    },
}

/// `Ok` if `bytes` holds at least `needed` bytes.
#[inline]
pub(crate) fn enough(layer: Layer, bytes: &[u8], needed: usize) -> Result<(), Malformed> {
    if bytes.len() < needed {
        return Err(Malformed::Truncated { layer, needed, present: bytes.len() });
    }
    Ok(())
}

/// `Ok` if `out` has room for `needed` bytes.
#[inline]
pub(crate) fn room(layer: Layer, out: &[u8], needed: usize) -> Result<(), EmitError> {
    if out.len() < needed {
        return Err(EmitError::NoRoom { layer, needed, present: out.len() });
    }
    Ok(())
}
