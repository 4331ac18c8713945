//! What a decapsulator takes off, and how asking it to finish can fail.

use labsim_wire::protocol;

/// What stands around the inner packets, as the kernel's devices tell it apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// IPv4 in IPv4 (RFC 2003): `ipip`.
    Ipip,
    /// IPv6 in IPv4 (RFC 4213): `sit`.
    Sit,
    /// IPv4 and IPv6 in IPv6 (RFC 2473): `ip6tnl`, mode any.
    Ip6tnl,
    /// Generic routing encapsulation (RFC 2784, RFC 2890) over IPv4: `gre`.
    Gre(Gre),
    /// GRE over IPv6 (RFC 7676): `ip6gre`.
    Ip6gre(Gre),
}

impl Protocol {
    /// The numbers in outer headers, which a raw socket each is made with.
    #[must_use]
    pub const fn numbers(self) -> &'static [u8] {
        match self {
            Self::Ipip => &[protocol::IPIP],
            Self::Sit => &[protocol::IPV6],
            Self::Ip6tnl => &[protocol::IPIP, protocol::IPV6],
            Self::Gre(_) | Self::Ip6gre(_) => &[protocol::GRE],
        }
    }

    /// Whether outer headers, and so the sockets, are IPv4's.
    #[must_use]
    pub const fn outer_ipv4(self) -> bool {
        matches!(self, Self::Ipip | Self::Sit | Self::Gre(_))
    }

    /// What this end of a GRE tunnel expects.
    pub(super) const fn gre(self) -> Option<Gre> {
        match self {
            Self::Gre(expected) | Self::Ip6gre(expected) => Some(expected),
            Self::Ipip | Self::Sit | Self::Ip6tnl => None,
        }
    }
}

/// What this end of a GRE tunnel expects, as the kernel's device of these settings does.
///
/// - `key` (`ikey`): a packet has to carry it. Without one any packet is taken, whatever key it
///   carries, as `gre0` takes whatever no other device matches.
/// - `checksum` (`icsum`): a packet has to carry one; without it a packet must not, because
///   `ip_tunnel_rcv` drops what differs from the device in this (`rx_crc_errors`). A checksum that
///   is there and wrong is always refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gre {
    /// The key that packets have to carry.
    pub key: Option<u32>,
    /// Whether packets have to carry a checksum.
    pub checksum: bool,
}

/// Why [`super::Decapsulator::drain`] cannot promise that the queue was emptied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DrainError {
    /// The thread has ended: its device was deleted, or the decapsulator was stopped.
    #[error("the decapsulator has ended; was its device deleted?")]
    Ended,
    /// It took longer than was allowed.
    #[error("the decapsulator did not empty its queue in time")]
    Deadline,
}
