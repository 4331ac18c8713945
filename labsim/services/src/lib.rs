//! Services that load balancers are used for, beside AAA: bytes over TCP and UDP, HTTP/1.1, DNS and
//! syslog, client and server.
//!
//! Messages are pure: bytes in, bytes and values out, no socket and no clock. The drivers run them over
//! any tokio stream ([`client`], [`server::serve_connection`]); a datagram's answer is a function
//! ([`server::answer_datagram`]).

#![forbid(unsafe_code)]

pub mod client;
pub mod dns;
pub mod http;
pub mod server;
pub mod syslog;

/// Bytes that are read or written at a time.
const CHUNK: usize = 16 << 10;
