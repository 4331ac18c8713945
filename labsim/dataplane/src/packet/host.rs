//! Packets for the host's own kernel: what the forwarder selects for a member that is its own host,
//! and what was kept from the kernel and is its own.
//!
//! What a packet socket sends never comes back into its own kernel. A raw socket that is given whole
//! packets (`IP_HDRINCL`, raw(7)) leads them through the kernel's output: a packet to one of the host's
//! addresses comes in again on `lo`, with the route that it left by, so that neither routing nor a
//! reverse path filter judges its source (`loopback_xmit` keeps the route, and `ip_rcv_finish_core`
//! asks for none then). Rules of packet filters see it in `output`, and in `prerouting` and `input`
//! from `lo`.
//!
//! IPVS has its own host's packets go on from where they are (`ip_vs_null_xmit`): there, they came in
//! by the interface, and its reverse path filter has seen them.

use crate::Error;
use labsim_wire::{ipv4, ipv6};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn, SockaddrIn6, sendto,
    socket,
};
use std::net::{SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, OwnedFd};

/// A way into the host's kernel.
#[derive(Debug)]
pub(crate) struct HostSocket {
    v4: OwnedFd,
    /// `None` on a kernel without IPv6.
    v6: Option<OwnedFd>,
}

impl HostSocket {
    /// Opens it in the calling thread's namespace.
    pub(crate) fn open() -> Result<Self, Error> {
        let open =
            |family| socket(family, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::Raw);
        let v4 = open(AddressFamily::Inet).map_err(|errno| {
            let what = "a raw socket for packets to this host itself, which needs CAP_NET_RAW in \
                        this network namespace";
            Error::system(what)(errno.into())
        })?;
        Ok(Self { v4, v6: open(AddressFamily::Inet6).ok() })
    }

    /// Gives the kernel an IP packet; whether it took it.
    pub(crate) fn send(&self, packet: &[u8]) -> bool {
        let flags = MsgFlags::MSG_DONTWAIT;
        if let Ok(view) = ipv4::View::new(packet) {
            let to = SockaddrIn::from(SocketAddrV4::new(view.destination(), 0));
            return sendto(self.v4.as_raw_fd(), packet, &to, flags).is_ok();
        }
        let (Ok(view), Some(socket)) = (ipv6::View::new(packet), &self.v6) else { return false };
        let to = SockaddrIn6::from(SocketAddrV6::new(view.destination(), 0, 0, 0));
        sendto(socket.as_raw_fd(), packet, &to, flags).is_ok()
    }
}
