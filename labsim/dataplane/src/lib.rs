//! Moves frames between the kernel and the forwarder, takes packets out of their tunnel where the
//! kernel cannot, relays frames between the ends of impaired links, and hands packets of monitors to
//! the forwarder.

pub mod decapsulate;
mod diversion;
mod error;
pub mod forwarder;
mod kernel;
pub mod latency;
mod netlink;
mod packet;
pub mod relay;
mod relief;
mod silence;
mod socket;

pub use diversion::Diversion;
pub use error::Error;
pub use forwarder::SocketCounters;
