//! What a decapsulator takes off, and how asking it to finish can fail.

/// What stands around the inner packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// IP in IP (RFC 2003).
    Ipip,
    /// Generic routing encapsulation (RFC 2784, RFC 2890).
    Gre(Gre),
}

impl Protocol {
    /// The number in the outer header, which the raw socket is made with.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Ipip => labsim_wire::protocol::IPIP,
            Self::Gre(_) => labsim_wire::protocol::GRE,
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
