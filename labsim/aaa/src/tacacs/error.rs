//! What can be wrong with a packet, in sentences that name the likely cause.

use super::codes::PacketType;
use super::header::SessionId;
use thiserror::Error;

/// A header that is not TACACS+'s, or that promises too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum HeaderError {
    /// The first byte is not 0xc0 or 0xc1.
    #[error(
        "the first byte is {0:#04x}, where TACACS+ has its version 0xc0 or 0xc1: the peer speaks \
         something else on this port"
    )]
    Version(u8),
    /// The type is none of the three.
    #[error("the packet type is {0}, where TACACS+ has 1, 2 or 3: the peer's packet is malformed")]
    Type(u8),
    /// Sequence numbers begin at 1.
    #[error("the sequence number is 0, and sessions begin with 1: the peer's packet is malformed")]
    SequenceZero,
    /// The body would be longer than this side takes.
    #[error(
        "the header announces a body of {length} bytes and at most {max} are taken: garbage, or a \
         peer that speaks something else"
    )]
    TooLong {
        /// Bytes that the header announces.
        length: u32,
        /// Bytes that this side takes.
        max: u32,
    },
}

/// A body that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BodyError {
    /// RFC 8907, section 4.5: the lengths in the body do not sum up to the header's.
    #[error(
        "the lengths inside the {message} do not add up to its {length} bytes: the shared secrets \
         differ, most likely"
    )]
    Lengths {
        /// Such as `authentication START`.
        message: &'static str,
        /// The body's bytes.
        length: usize,
    },
    /// A text field is not UTF-8 (RFC 8907, section 3.7).
    #[error(
        "the field {field} of the {message} is not text: it is malformed, or the shared secrets differ"
    )]
    Text {
        /// Such as `authentication START`.
        message: &'static str,
        /// Such as `user`.
        field: &'static str,
    },
}

/// A message that does not fit its length fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EncodeError {
    /// One field is longer than its length field can say.
    #[error("the field {field} has {length} bytes, and the protocol carries at most {max}")]
    TooLong {
        /// Such as `user`.
        field: &'static str,
        /// Bytes given.
        length: usize,
        /// Bytes possible.
        max: usize,
    },
}

/// A packet that has no place in its session or on its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ProtocolError {
    /// The header is wrong.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The body is wrong.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The body came in clear (RFC 8907, section 4.5: dropped).
    #[error(
        "the packet is marked as not obfuscated though a shared secret is set: the peer has no \
         secret configured"
    )]
    Unencrypted,
    /// RFC 8907, section 4.1: numbers go up by one, odd from the client and even from the server.
    #[error("sequence number {got} came where {expected} was due: a packet was lost or repeated")]
    Sequence {
        /// The number that was due.
        expected: u8,
        /// The number that came.
        got: u8,
    },
    /// The session has no sequence number left; it must end (RFC 8907, section 4.1).
    #[error("the session has used up its 255 sequence numbers: the peer asks without end")]
    SequenceUsedUp,
    /// The packet is of another session.
    #[error("a packet of session {got} came in session {expected}: the peer mixes sessions up")]
    Session {
        /// This session.
        expected: SessionId,
        /// The packet's.
        got: SessionId,
    },
    /// A second session before single-connection mode was agreed (RFC 8907, section 4.3).
    #[error(
        "a second session began on a connection that was not agreed to be shared: the client uses \
         single-connection mode without asking"
    )]
    SecondSession,
    /// More sessions at once than the server holds.
    #[error("more than {0} sessions are open on one connection: the client does not finish them")]
    TooManySessions(usize),
    /// A new session after an unreadable packet (RFC 8907, section 4.4: not accepted).
    #[error("a new session began on a connection whose shared secrets differ, most likely")]
    Draining,
    /// The packet is of another type than its session.
    #[error(
        "a packet of type {got:?} came in a session of type {expected:?}: the peer is confused"
    )]
    Type {
        /// The session's.
        expected: PacketType,
        /// The packet's.
        got: PacketType,
    },
    /// The reply's status is none that RFC 8907 knows.
    #[error(
        "the reply has the unknown status {0:#04x}: it is malformed, or the shared secrets differ"
    )]
    Status(u8),
    /// The connection ended inside a packet.
    #[error("the connection ended after {received} bytes of a packet: the peer gave up or crashed")]
    Truncated {
        /// Bytes of the packet that came.
        received: usize,
    },
}
