//! A kernel call that failed, with its name.

use std::io;

/// A kernel call that failed.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {source}")]
pub struct CallError {
    /// The call and its man page, such as `PACKET_RX_RING (packet(7))`.
    pub what: &'static str,
    /// The kernel's error.
    pub source: io::Error,
}

impl CallError {
    /// For `map_err`.
    pub(crate) fn of<E: Into<io::Error>>(what: &'static str) -> impl Fn(E) -> Self {
        move |source| Self { what, source: source.into() }
    }
}
