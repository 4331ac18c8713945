//! TACACS+ by RFC 8907.
//!
//! | what | where |
//! |---|---|
//! | the 12-byte header, sequence rules, the limit on lengths | [`header`] |
//! | a body's obfuscation, whole packets from a stream of bytes | [`packet`] |
//! | message bodies, both directions | [`authentication`], [`authorization`], [`accounting`] |
//! | sessions and their driver at the client | [`client`] |
//! | policy, sessions and their driver at the server | [`server`] |
//! | what the server writes down | [`crate::log`], also as [`log`] |

pub mod accounting;
pub mod authentication;
pub mod authorization;
pub mod body;
pub mod client;
pub mod codes;
mod error;
mod fields;
pub mod header;
mod obfuscate;
pub mod packet;
pub mod server;

pub use crate::log;
pub use error::{BodyError, EncodeError, HeaderError, ProtocolError};
