//! TACACS+ messages and sessions, client and server.
//!
//! Messages and sessions are pure: bytes in, bytes and outcomes out, no socket and no clock. The
//! drivers ([`tacacs::client::Connection`], [`tacacs::server::serve_connection`]) run them over any
//! tokio stream.

#![forbid(unsafe_code)]

mod access;
mod chap;
pub mod log;
mod secret;
pub mod tacacs;

pub use secret::Secret;
