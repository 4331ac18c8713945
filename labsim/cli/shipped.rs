//! The topologies and scenarios that are part of the binary.

/// Path from the repository's root and text of each file, sorted by path.
pub(crate) const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/shipped.rs"));
