//! RADIUS by RFC 2865 and RFC 2866, with RFC 5080's retransmission and duplicate detection, RFC
//! 5997's Status-Server, and RFC 3579's Message-Authenticator where the forgery of 2024
//! (CVE-2024-3596, "Blast-RADIUS") asks for it.
//!
//! | what | where |
//! |---|---|
//! | a packet's kind, the two services | [`Code`], [`Service`] |
//! | whole packets, attributes | [`packet`], [`attribute`] |
//! | what makes a packet genuine | [`authenticator`] |
//! | PAP's hidden password | [`password`] |
//! | records | [`accounting`] |
//! | datagrams, as the drivers want them | [`datagram`] |
//! | requests, sessions and their driver at the client | [`client`] |
//! | policy, requests, repetitions and their driver at the server | [`server`] |
//! | what the server writes down | [`crate::log`] |

pub mod accounting;
pub mod attribute;
pub mod authenticator;
pub mod client;
mod code;
pub mod datagram;
mod error;
pub mod packet;
pub mod password;
pub mod server;

pub use code::{Code, Service};
pub use error::{EncodeError, PacketError};
