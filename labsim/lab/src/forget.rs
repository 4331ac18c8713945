//! What a node's kernel has learned from packets, and can learn again.

use crate::lab::Node;
use labsim_sys::netlink::{Request, Socket};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::neighbour::{NeighbourAttribute, NeighbourMessage, NeighbourState};
use std::{fs, io};
use tracing::debug;

/// Neighbours that are looked at at most.
const MOST: usize = 4096;
/// Writing to them has the kernel forget path MTUs and other exceptions of routes (ip-sysctl.rst).
const FLUSH: [&str; 2] = ["/proc/sys/net/ipv4/route/flush", "/proc/sys/net/ipv6/route/flush"];

impl Node {
    /// Has the kernel forget the neighbours and path MTUs that it has learned, as far as it can be had to.
    /// What was configured stays.
    ///
    /// # Errors
    /// The namespace cannot be entered.
    pub fn forget_learned(&self) -> io::Result<()> {
        self.run_passive(|| {
            if let Err(errno) = forget_neighbours() {
                debug!(%errno, "neighbours stay");
            }
            for file in FLUSH {
                if let Err(error) = fs::write(file, "1") {
                    debug!(file, %error, "what routes have learned stays");
                }
            }
        })
    }
}

/// In the calling thread's namespace.
fn forget_neighbours() -> Result<(), labsim_sys::Errno> {
    let mut socket = Socket::open()?;
    let all = RouteNetlinkMessage::GetNeighbour(NeighbourMessage::default());
    let (list, _) = socket.dump_at_most(all, MOST)?;
    for message in list {
        let RouteNetlinkMessage::NewNeighbour(mut message) = message else { continue };
        if matches!(message.header.state, NeighbourState::Permanent | NeighbourState::Noarp) {
            continue;
        }
        message.attributes.retain(|it| matches!(it, NeighbourAttribute::Destination(_)));
        let request = Request::new(RouteNetlinkMessage::DelNeighbour(message));
        // It may be gone meanwhile.
        if let Err(refusal) = socket.execute(request) {
            debug!(?refusal, "a neighbour stays");
        }
    }
    Ok(())
}
