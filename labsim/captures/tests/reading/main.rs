//! Captures that other programs wrote.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod datagram;
mod files;
mod frames;
mod support;
mod tcpdump;
mod text;
mod tshark;
mod worded;
mod worded_fragments;
