//! A real server's tunnel device: the kernel's, a TUN device, or the end of a veth pair.

use super::cables::finish_end;
use super::{Site, refusal_error, refused};
use crate::capture::bind_to_device;
use crate::device;
use crate::enter::Entrance;
use crate::error::BuildError;
use crate::netlink::{Batch, Refusal, Request};
use crate::plan::{InterfacePlan, NodePlan, TunnelMode, TunnelPlan};
use nix::errno::Errno;
use std::os::fd::OwnedFd;

/// Where a decapsulator in user space puts inner packets, so that they come out of the tunnel
/// device.
#[derive(Debug)]
pub enum TunnelEnd {
    /// The TUN device itself: a packet a write, without a header in front (`IFF_NO_PI`, tun(4)).
    Tun(OwnedFd),
    /// The far end of the veth pair whose near end is the tunnel device.
    Veth {
        /// A nonblocking packet socket (`SOCK_RAW`), bound to the far end for every protocol.
        socket: OwnedFd,
        /// The link address of the tunnel device: the destination of the frames.
        mac: [u8; 6],
    },
}

/// A tunnel device as it was made.
#[derive(Debug)]
pub(crate) struct Tunnel {
    /// Its number as it really is.
    pub(crate) index: u32,
    /// Where a decapsulator puts packets; `None` if the kernel takes them out.
    pub(crate) end: Option<TunnelEnd>,
}

/// Makes the device. It is up only if it is a veth end.
pub(super) fn make(
    node: &NodePlan,
    tunnel: &TunnelPlan,
    site: &mut Site,
    fabric: Option<&mut Site>,
    entrance: &mut Entrance,
) -> Result<Tunnel, BuildError> {
    match (tunnel.mode, &tunnel.peer, fabric) {
        (TunnelMode::Kernel, ..) => {
            Ok(Tunnel { index: make_kernel_device(node, tunnel, site)?, end: None })
        }
        (TunnelMode::UserspaceVeth, Some(peer), Some(fabric)) => {
            let end = make_veth(node, tunnel, peer, site, fabric, entrance)?;
            Ok(Tunnel { index: tunnel.index, end: Some(end) })
        }
        (TunnelMode::Userspace | TunnelMode::UserspaceVeth, ..) => {
            super::enter(node.name.as_str(), site, entrance)?;
            let tun = device::open_tun(&tunnel.name, tunnel.index);
            let tun = tun.map_err(|error| BuildError::Tun {
                node: node.name.to_string(),
                name: tunnel.name.to_string(),
                reason: error.reason(),
                remedy: error.remedy(),
            })?;
            Ok(Tunnel { index: tunnel.index, end: Some(TunnelEnd::Tun(tun)) })
        }
    }
}

fn operation(node: &NodePlan, tunnel: &TunnelPlan) -> String {
    format!("tunnel device {}:{}", node.name, tunnel.name)
}

/// Makes the kernel's device, or finds the one that its module puts into every namespace.
fn make_kernel_device(
    node: &NodePlan,
    tunnel: &TunnelPlan,
    site: &mut Site,
) -> Result<u32, BuildError> {
    let module = tunnel.kind.module();
    let mut batch = Batch::default();
    batch.push(Request::tunnel(tunnel), ());
    match batch.send(&mut site.netlink) {
        Ok(()) => Ok(tunnel.index),
        Err(Refusal { errno: Errno::EEXIST, .. }) => device::index_of(&site.netlink, &tunnel.name)
            .map_err(|errno| refusal_error(&Refusal::<()>::from(errno), operation(node, tunnel))),
        Err(Refusal { errno: Errno::EOPNOTSUPP, .. }) => {
            Err(BuildError::NoKernelTunnel { node: node.name.to_string(), module })
        }
        Err(refusal) => Err(refusal_error(&refusal, operation(node, tunnel))),
    }
}

/// Makes a veth pair whose near end looks like a tunnel device to the node: same name, and no ARP.
fn make_veth(
    node: &NodePlan,
    tunnel: &TunnelPlan,
    peer: &InterfacePlan,
    site: &mut Site,
    fabric: &mut Site,
    entrance: &mut Entrance,
) -> Result<TunnelEnd, BuildError> {
    let near = InterfacePlan {
        name: tunnel.name.clone(),
        index: tunnel.index,
        mac: tunnel.mac,
        mtu: tunnel.mtu,
        offloads: false,
        ipv6: false,
    };
    let failed = |refusal| refused(refusal, |()| operation(node, tunnel));
    let mut batch = Batch::default();
    batch.push(Request::veth(&near, None, peer, &fabric.namespace), ());
    batch.push(Request::no_arp(near.index), ());
    for request in site.quieting(&near).into_iter().chain([Request::set_up(near.index, None)]) {
        batch.push(request, ());
    }
    batch.send(&mut site.netlink).map_err(failed)?;
    let mut batch = Batch::default();
    for request in fabric.quieting(peer).into_iter().chain([Request::set_up(peer.index, None)]) {
        batch.push(request, ());
    }
    batch.send(&mut fabric.netlink).map_err(failed)?;
    let name = operation(node, tunnel);
    finish_end(&name, peer, fabric)?;
    finish_end(&name, &near, site)?;
    super::enter("the fabric", fabric, entrance)?;
    let socket = bind_to_device(peer.index).map_err(|source| BuildError::Process {
        what: "the packet socket behind a tunnel device",
        source,
    })?;
    Ok(TunnelEnd::Veth { socket, mac: tunnel.mac })
}
