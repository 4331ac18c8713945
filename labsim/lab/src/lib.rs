//! Network namespaces, links, processes and captures of a running lab.
//!
//! [`acquire_privileges`] first thing in `main`; then a [`LabPlan`] (pure, printable) becomes a
//! [`Lab`], which holds everything by file descriptor: dropping it, or killing the process, frees
//! it all.

mod build;
mod capture;
mod change;
mod counters;
mod device;
mod error;
mod filter;
mod forget;
mod ipvs;
mod kernel_module;
mod lab;
mod link;
mod neighbour_table;
mod netlink;
mod netns;
mod open_files;
mod plan;
mod ports;
pub mod probe;
mod process;
mod restore;
pub mod sockets;
mod state;
mod sysctl;

pub use build::{Netem, Relay, RelayEnd, TunnelEnd};
pub use capture::{
    Capture, CaptureError, Captured, Frame, Marked, MarkerKind, Parts, Point, Record, Scope,
    TapPoint, TappedFrame, TappedPoint, Taps, now_ns,
};
pub use counters::{CounterText, Counters, InterfaceCounters};
pub use error::BuildError;
pub use filter::FilterPlan;
pub use ipvs::{Ipvs, IpvsStatistics};
pub use lab::{Lab, NewLab, Node};
pub use labsim_sys::fork_exec::ClosedBefore;
pub use labsim_sys::packet_info;
pub use labsim_sys::socket::{disconnect, segment_size};
pub use neighbour_table::refused_neighbours;
pub use netlink::netem::Queued;
pub use netns::{PrivilegeError, PrivilegeSource, Privileges, acquire_privileges};
pub use open_files::{allow_open_files, open_files_limit};
pub use plan::{
    AddressPlan, BridgePlan, InterfacePlan, LabPlan, NodePlan, RelayPlan, RoutePlan, Sysctl,
    TunnelMode, TunnelModes, TunnelPlan, VethLink, VethLinkEnd,
};
pub use ports::Port;
pub use process::{Child, Isolation, RefusedIsolation, Sandboxed, inherit_text};
pub use restore::Setup;
pub use sysctl::SysctlError;
