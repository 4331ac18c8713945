//! Views and builders of packet headers, decoded frames and the pcapng format. No I/O.
//!
//! Every protocol's file has the same parts: the places of its fields, a [`View`](ipv4::View) that
//! checks lengths once when it is made (its getters cannot panic afterwards), a `ViewMut` where
//! somebody changes packets in place, and a plain value with `parse`, `length` and `emit`.
//! `emit` writes into the caller's buffer and says so when that is too small; nothing allocates
//! but [`mod@decode`] and [`pcapng`].

#![forbid(unsafe_code)]

pub mod arp;
mod bytes;
pub mod checksum;
pub mod decode;
mod error;
pub mod ethernet;
pub mod gre;
pub mod icmpv4;
pub mod icmpv6;
pub mod ipv4;
pub mod ipv6;
pub mod pcapng;
pub mod protocol;
pub mod tcp;
pub mod udp;

pub use decode::{Decoded, decode};
pub use error::{EmitError, Layer, Malformed};
