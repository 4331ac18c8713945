//! Moves frames between the kernel and the forwarder, takes packets out of their tunnel where the
//! kernel cannot, relays frames between the ends of impaired links, and redirects monitors' packets
//! to the forwarder.

pub mod decapsulate;
mod error;
pub mod forwarder;
mod fwmark_redirect;
mod ingress_drop;
mod ingress_filter;
mod kernel;
mod kernel_rst_filter;
mod packet;
pub mod relay;

pub use error::Error;
pub use forwarder::SocketCounters;
pub use fwmark_redirect::FwmarkRedirect;
