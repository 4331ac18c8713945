//! Views and builders of packet headers, decoded frames, the pcapng and pcap formats. No I/O.
//!
//! Every protocol's file has the same parts: the places of its fields, a [`View`](ipv4::View) that
//! checks lengths once when it is made (its getters cannot panic afterwards), a `ViewMut` where
//! somebody changes packets in place, and a plain value with `parse`, `length` and `emit`.
//! `emit` writes into the caller's buffer and says so when that is too small; nothing allocates
//! but [`mod@decode`], [`frame_store`], [`pcap`] and [`pcapng`].

#![forbid(unsafe_code)]

pub mod arp;
mod bytes;
pub mod checksum;
pub mod decode;
mod error;
pub mod ethernet;
pub mod frame_store;
pub mod gre;
pub mod gue;
pub mod icmpv4;
pub mod icmpv6;
pub mod ipv4;
pub mod ipv6;
pub mod layers;
pub mod link;
pub mod pcap;
pub mod pcapng;
pub mod protocol;
pub mod tcp;
pub mod tunnel;
pub mod udp;

pub use decode::{Decoded, decode};
pub use error::{EmitError, Layer, Malformed};
