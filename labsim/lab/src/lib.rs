//! Network namespaces, links, processes and captures of a running lab.
//!
//! [`gain_rights`] first thing in `main`; then a [`Plan`] (pure, printable) becomes a [`Lab`],
//! which holds everything by file descriptor: dropping it, or killing the process, frees it all.

mod build;
mod capture;
mod counters;
mod device;
mod enter;
mod error;
mod lab;
mod link;
mod netlink;
pub mod packet_info;
mod plan;
mod ports;
pub mod probe;
mod process;
mod sockets;
mod sysctl;
mod teardown;

pub use build::{Netem, Relay, RelayEnd, TunnelEnd};
pub use capture::{Capture, CaptureError, Captured, Frame, Marked, MarkerKind, Point};
pub use counters::{Counters, InterfaceCounters};
pub use enter::{NamespaceRight, Rights, RightsError, gain_rights};
pub use error::BuildError;
pub use lab::{Lab, Node};
pub use netlink::netem::Queued;
pub use plan::{
    AddressPlan, BridgePlan, Cable, CableEnd, InterfacePlan, NodePlan, Plan, RelayPlan, RoutePlan,
    Scope, Sysctl, TunnelMode, TunnelModes, TunnelPlan,
};
pub use ports::Port;
pub use process::{Child, Private, inherit_text};
pub use sysctl::SysctlError;
pub use teardown::CloseError;
