//! Raw kernel calls behind safe functions: sockets, packet rings, netlink, devices, namespaces and
//! processes. The one crate of the workspace with `unsafe` code; every other crate forbids it.
//!
//! Each module has one subject, and names the man page or kernel header of every call. Nothing in
//! here knows of labs, plans or forwarders.

pub mod async_fd;
pub mod batch;
pub mod child;
mod close;
pub mod descriptors;
pub mod device;
pub mod enter;
pub mod error;
pub mod filter;
pub mod fork;
pub mod fork_exec;
pub mod memory;
pub mod named_netns;
pub mod netlink;
pub mod netns;
pub mod one_user;
pub mod packet;
pub mod packet_info;
pub mod packet_queue;
pub mod pid_namespace;
pub mod pidfd;
pub mod private_folder;
pub mod ring;
pub mod sched;
pub mod socket;
pub mod terminal;
#[cfg(feature = "testing")]
pub mod testing;
pub mod worker;

pub use error::CallError;
pub use nix::errno::Errno;
