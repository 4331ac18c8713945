//! Bytes as a sequence of events for the forwarder's engine; an independent decoder checks what it
//! sends.
#![no_main]
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../../forwarder/tests/engine/support/mod.rs"]
mod support;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| support::drive::drive(bytes));
