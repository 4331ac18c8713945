//! Health monitors of a forwarder's pool members: they probe the members, decide which are down,
//! and tell the forwarder.
//!
//! | part | subject |
//! |---|---|
//! | `machine` | when a member is probed next, and its state after each result: pure, on the caller's clock |
//! | `probe` | one probe: TCP, TACACS+, RADIUS, ICMP, over the kernel's sockets |
//! | `probe_sources` | source addresses, ports and identifiers of probes, and their members |
//! | `health_table` | the state of each member |
//! | `tasks` | the tasks of all members, on one thread beside the forwarder's |
//!
//! A transparent probe is a socket of this namespace like any other, connected to VIP and port. Its
//! packets are marked and redirected to the forwarder ([`labsim_dataplane::FwmarkRedirect`]), which
//! sends them to the probed member; the server's replies come straight to the socket.

mod health_table;
mod machine;
mod probe;
mod probe_sources;

mod service;
mod tasks;

pub use health_table::{Health, HealthByPool, State};
pub use machine::Machine;
pub use service::{Monitors, StateChange};
