//! What every message body can do.

use super::codes::PacketType;
use super::error::{BodyError, EncodeError};

/// One of the protocol's seven message bodies, in clear.
pub trait Body: Sized {
    /// The type of the packets that carry it.
    const TYPE: PacketType;

    /// The body's bytes.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`] for a field that does not fit its length field.
    fn encode(&self) -> Result<Vec<u8>, EncodeError>;

    /// Reads a body whole; nothing is left over.
    ///
    /// # Errors
    /// [`BodyError::Lengths`] if the lengths do not add up, which is how differing secrets show;
    /// [`BodyError::Text`] if a text is none.
    fn decode(bytes: &[u8]) -> Result<Self, BodyError>;
}
