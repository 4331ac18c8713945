//! Notices that the kernel sends by itself (rtnetlink(7)): of links, of namespaces' numbers.

use super::{ALIGNMENT, Message, RECEIVE_BYTES, open, receive};
use netlink_packet_core::NetlinkPayload;
use netlink_packet_route::RouteNetlinkMessage;
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, NetlinkAddr, SockProtocol, bind, recv};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// A socket that gets the notices of some groups.
#[derive(Debug)]
pub struct Notices(OwnedFd);

impl AsFd for Notices {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Notices {
    /// Notices of links (`RTMGRP_LINK`).
    pub const LINKS: u32 = libc::RTMGRP_LINK as u32;
    /// Notices of namespaces' numbers (`RTNLGRP_NSID`, the 28th group, as a mask).
    pub const NAMESPACE_NUMBERS: u32 = 1 << 27;
    /// Room for thousands of notices, which come in a burst.
    const QUEUE_BYTES: i32 = 4 << 20;

    /// Gets the notices of these groups, from here on, in the namespace of the calling thread.
    ///
    /// # Errors
    /// Without a free descriptor.
    pub fn open(groups: u32) -> Result<Self, Errno> {
        let socket = open(SockProtocol::NetlinkRoute)?;
        // A full queue drops notices; its reader gets `ENOBUFS`.
        let _ = crate::socket::set_receive_queue(socket.as_fd(), Self::QUEUE_BYTES);
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, groups))?;
        Ok(Self(socket))
    }

    /// Waits for notices, and returns those of one receive.
    ///
    /// # Errors
    /// `ENOBUFS` if some were lost.
    pub fn receive(&self) -> Result<Vec<RouteNetlinkMessage>, Errno> {
        let mut buffer = vec![0; RECEIVE_BYTES];
        let mut bytes = receive(self.as_fd(), &mut buffer, MsgFlags::empty())?;
        let mut notices = Vec::new();
        while let Ok(message) = Message::<RouteNetlinkMessage>::deserialize(bytes) {
            let length = (message.header.length as usize).next_multiple_of(ALIGNMENT);
            if let NetlinkPayload::InnerMessage(notice) = message.payload {
                notices.push(notice);
            }
            match bytes.get(length..) {
                Some(rest) if !rest.is_empty() && length > 0 => bytes = rest,
                _ => break,
            }
        }
        Ok(notices)
    }

    /// Discards what waits, for a reader that only needs to know that something came.
    pub fn clear(&self) {
        let mut buffer = [0; 4096];
        while !matches!(
            recv(self.0.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_TRUNC),
            Err(Errno::EAGAIN | Errno::EBADF)
        ) {}
    }
}
