//! The fast path: packets of flows that the engine has opened are forwarded in the kernel, by a tc
//! program in eBPF (tc-bpf(8)) at the ingress of the forwarder's interface.
//!
//! The program takes TCP without SYN, FIN and RST, and UDP, of flows that it was given: it decrements
//! the TTL, rewrites addresses and ports, encapsulates (IPIP, GRE, GUE, over either family), counts, and
//! redirects to the interface's egress. Super-frames stay whole. Everything else that is the engine's,
//! it redirects to a device that only the engine listens at ([`FastPath::engine_interface`]), so that no
//! packet is handled twice and the namespace's own kernel sees none of it; what is the kernel's goes on
//! as if the program were not there. Packet sockets at the interface see frames before its ingress and
//! behind its egress: captures there stay complete.
//!
//! The program's source and its object are in `bpf/`. The object is part of the binary: neither a
//! compiler nor a C library is needed. `ci/bpf-object` compiles the source again and compares.
//!
//! bpf(2) needs CAP_BPF and CAP_NET_ADMIN in the first user namespace, and Linux 6.1 or newer: elsewhere
//! [`FastPath::attach`] says what is missing.

mod attach;
mod capacity;
mod counters;
mod device;
mod error;
mod flow;
mod layout;
mod owned;
mod path;
mod program;

pub use attach::FastPath;
pub use capacity::Capacity;
pub use error::Error;
pub use owned::{Owned, Share};
