//! A forwarder's interface with the fast path, the engine that it is held against, and frames.
#![allow(unreachable_pub)]

#[path = "../../../../forwarder/tests/engine/support/mod.rs"]
pub mod bench;
#[path = "../../../../dataplane/tests/support/namespace.rs"]
#[allow(dead_code)]
pub mod namespace;
#[path = "../../../../dataplane/tests/support/netlink.rs"]
#[allow(dead_code)]
pub mod netlink;

pub mod arm;
pub mod engine;
