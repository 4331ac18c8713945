//! A course of events for the engine, made up by a fuzzer.
#![no_main]
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../../tests/support/mod.rs"]
mod support;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| support::drive::drive(bytes));
