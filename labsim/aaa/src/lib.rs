//! TACACS+ and RADIUS: messages and sessions, client and server.
//!
//! Messages and sessions are pure: bytes in, bytes and outcomes out, no socket and no clock. The
//! drivers run them: TACACS+'s ([`tacacs::client::Connection`],
//! [`tacacs::server::serve_connection`]) over any tokio stream, RADIUS's ([`radius::client::run`],
//! [`radius::server::serve`]) over whatever sends and receives datagrams.

#![forbid(unsafe_code)]

mod access;
mod chap;
pub mod log;
pub mod radius;
mod secret;
pub mod tacacs;

pub use secret::Secret;
