//! Headers and captures, against independent decoders.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod document;
mod independent;
mod pcap;
mod pcapng;
mod properties;
