//! A lab of the tests' own: namespaces, links, a forwarder process, a decapsulator.
#![allow(dead_code, unreachable_pub, missing_docs)]

pub mod forwarder;
pub mod namespace;
pub mod netlink;
pub mod topology;
