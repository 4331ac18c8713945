//! Configurations of other load balancers, in and out.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod a10;
mod a10_entered;
mod a10_monitors;
mod common;
mod containerlab;
mod document;
mod export;
mod export_lvs;
mod f5;
mod f5_load_balancing;
mod f5_mistakes;
mod f5_monitors;
mod f5_not_imported;
mod f5_pasted;
mod f5_profiles;
mod f5_translation;
mod facts;
mod ipv6;
mod ipvs;
mod keepalived;
mod linux;
mod linux_persistent;
#[path = "../../../scenario/tests/files/plain/mod.rs"]
mod plain;
mod properties;
mod properties_ipv6;
