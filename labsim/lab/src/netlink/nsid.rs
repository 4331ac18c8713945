//! Hears when namespaces that have a number here are gone.

use super::{Netlink, RECEIVE_BYTES};
use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::nsid::NsidAttribute;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{NetlinkAddr, bind, setsockopt, sockopt};
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

/// `RTNLGRP_NSID`, the 28th group, as a mask (linux/rtnetlink.h).
const GROUPS: u32 = 1 << 27;
/// Room for thousands of notices, which come in a burst.
const QUEUE_BYTES: usize = 4 << 20;

/// A socket that is told of freed namespace numbers.
#[derive(Debug)]
pub(crate) struct NsidWatch {
    netlink: Netlink,
    buffer: Vec<u8>,
}

impl NsidWatch {
    /// Opens it in the namespace of the calling thread.
    pub(crate) fn open() -> Result<Self, Errno> {
        let netlink = Netlink::open()?;
        setsockopt(&netlink.socket, sockopt::RcvBufForce, &QUEUE_BYTES)
            .or_else(|_| setsockopt(&netlink.socket, sockopt::RcvBuf, &QUEUE_BYTES))?;
        bind(netlink.socket.as_raw_fd(), &NetlinkAddr::new(0, GROUPS))?;
        Ok(Self { netlink, buffer: vec![0; RECEIVE_BYTES] })
    }

    /// Waits for a notice; the numbers that it frees. `ETIMEDOUT` when the deadline has passed.
    pub(crate) fn freed(&mut self, deadline: Instant) -> Result<Vec<i32>, Errno> {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = left.min(Duration::from_secs(60)).as_millis();
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(self.netlink.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(0) if Instant::now() >= deadline => return Err(Errno::ETIMEDOUT),
            Ok(0) | Err(Errno::EINTR) => return Ok(Vec::new()),
            Ok(_) => {}
            Err(errno) => return Err(errno),
        }
        let mut bytes = self.netlink.receive(&mut self.buffer)?;
        let mut freed = Vec::new();
        while let Ok(message) = NetlinkMessage::<RouteNetlinkMessage>::deserialize(bytes) {
            let length = (message.header.length as usize).next_multiple_of(4);
            if let NetlinkPayload::InnerMessage(RouteNetlinkMessage::DelNsId(notice)) =
                message.payload
            {
                freed.extend(notice.attributes.iter().filter_map(|attribute| match attribute {
                    NsidAttribute::Id(number) => Some(*number),
                    _ => None,
                }));
            }
            match bytes.get(length..) {
                Some(rest) if !rest.is_empty() && length > 0 => bytes = rest,
                _ => break,
            }
        }
        Ok(freed)
    }
}
