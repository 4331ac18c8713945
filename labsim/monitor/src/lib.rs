//! Watches the members of a forwarder's pools: probes them, decides who is down, and has the
//! forwarder act on it.
//!
//! | part | subject |
//! |---|---|
//! | `machine` | when a member is probed next, and what its results mean: pure, on the caller's clock |
//! | `probe` | one probe: TCP, TACACS+, RADIUS, ICMP, over the kernel's sockets |
//! | `origin` | where probes come from: own addresses, marks, and which port was whose |
//! | `board` | how each member fares, for whoever asks |
//! | `watch` | the tasks of all members, on one thread beside the forwarder's |
//!
//! A transparent probe is a socket of this namespace like any other, connected to VIP and port. Its
//! packets are marked, so that they come to the forwarder instead of the network
//! ([`labsim_dataplane::Diversion`]), which sends them to the member that is probed; the server's
//! answers come straight to the socket.

mod board;
mod machine;
mod origin;
mod probe;
mod readiness;
mod service;
mod watch;

pub use board::{Health, HealthByPool, State};
pub use machine::Machine;
pub use origin::Origins;
pub use service::{Change, Monitors};
