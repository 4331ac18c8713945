//! TACACS+ and RADIUS: messages and sessions, client and server.
//!
//! Messages and sessions are pure: bytes in, bytes and outcomes out, no socket and no clock. The
//! drivers run them: TACACS+'s ([`tacacs::client::Connection`],
//! [`tacacs::server::serve_connection`]) over any tokio stream, RADIUS's ([`radius::client::run`],
//! [`radius::server::serve`]) over whatever sends and receives datagrams.

#![forbid(unsafe_code)]

mod access;
mod chap;
pub mod radius;
pub mod tacacs;

pub use labsim_model::{Secret, server_log as log};
