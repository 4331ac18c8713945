//! What can be wrong with a packet, in sentences that name the likely cause.

use super::attribute::AttributeType;
use super::packet::{HEADER_LEN, MAX_LEN};
use thiserror::Error;

/// A datagram that is not a RADIUS packet. RFC 2865, section 3: it is silently discarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PacketError {
    /// Not even a header.
    #[error(
        "the datagram has {0} bytes, and RADIUS's header has {HEADER_LEN}: the peer speaks something \
         else on this port"
    )]
    Short(usize),
    /// The length field is outside 20 to 4096.
    #[error(
        "the header announces {0} bytes, and a packet has {HEADER_LEN} to {MAX_LEN}: garbage, or a \
         peer that speaks something else"
    )]
    Length(usize),
    /// Fewer bytes than the length field says.
    #[error("the header announces {announced} bytes and {received} came: the datagram was cut off")]
    Truncated {
        /// Bytes that the header announces.
        announced: usize,
        /// Bytes that came.
        received: usize,
    },
    /// An attribute's length is less than its own two bytes, or reaches beyond the packet.
    #[error(
        "the attribute at byte {at} has a length that does not fit the packet: the packet is \
         malformed"
    )]
    Attribute {
        /// Where the attribute begins, counted from the packet's first byte.
        at: usize,
    },
}

/// A packet that the protocol cannot carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EncodeError {
    /// An attribute's value is longer than its length byte can say.
    #[error("the attribute {kind} has {length} bytes, and RADIUS carries at most 253")]
    Attribute {
        /// Which.
        kind: AttributeType,
        /// Bytes given.
        length: usize,
    },
    /// RFC 2865, section 5.2.
    #[error("the password has {0} bytes, and RADIUS carries at most 128")]
    Password(usize),
    /// RFC 2865, section 3.
    #[error("the packet would have {0} bytes, and RADIUS carries at most {MAX_LEN}")]
    Packet(usize),
}
