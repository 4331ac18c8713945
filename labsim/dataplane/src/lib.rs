//! Moves frames between the kernel and the forwarder, and takes packets out of their tunnel where
//! the kernel cannot.

pub mod decapsulate;
mod error;
mod event;
pub mod forwarder;
mod kernel;
pub mod latency;
mod packet;
mod silence;
mod socket;

pub use error::Error;
pub use event::{Event, SocketCounters};
