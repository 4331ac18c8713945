//! A real server's tunnel device: the kernel's, a TUN device, or the end of a veth pair.

use super::links::finish_end;
use super::{NodeBuilder, refusal_error, refused};
use crate::capture::open_bound;
use crate::device::{create_lasting_tun, tun_reason, tun_remedy};
use crate::error::BuildError;
use crate::netlink::{request, tunnel as tunnel_request};
use crate::netns::WorkerContext;
use crate::plan::{InterfacePlan, NodePlan, TunnelMode, TunnelPlan};
use labsim_scenario::model::GueOptions;
use labsim_sys::Errno;
use labsim_sys::device::index_of;
use labsim_sys::netlink::{Batch, Refusal, fou};
use std::os::fd::OwnedFd;
use tracing::info;

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
    builder: &mut NodeBuilder,
    switch_ns: Option<&mut NodeBuilder>,
    context: &mut WorkerContext,
) -> Result<Tunnel, BuildError> {
    match (tunnel.mode, &tunnel.peer, switch_ns) {
        (TunnelMode::Kernel, ..) => {
            let index = make_kernel_device(node, tunnel, builder)?;
            if let Some(GueOptions { port, .. }) = tunnel.kind.gue() {
                super::enter(node.name.as_str(), builder, context)?;
                take_gue(node, tunnel, port)?;
            }
            Ok(Tunnel { index, end: None })
        }
        (TunnelMode::UserspaceVeth, Some(peer), Some(switch_ns)) => {
            let (name, device) = (&node.name, &tunnel.name);
            info!(node = %name, %device, "userspace tunnel behind a veth pair, without a TUN device");
            let end = make_veth(node, tunnel, peer, builder, switch_ns, context)?;
            Ok(Tunnel { index: tunnel.index, end: Some(end) })
        }
        (TunnelMode::Userspace | TunnelMode::UserspaceVeth, ..) => {
            super::enter(node.name.as_str(), builder, context)?;
            let (name, device) = (&node.name, &tunnel.name);
            info!(node = %name, %device, "userspace tunnel behind a TUN device");
            let tun = create_lasting_tun(tunnel.name.as_str(), tunnel.index);
            let tun = tun.map_err(|error| BuildError::Tun {
                node: node.name.to_string(),
                name: tunnel.name.to_string(),
                reason: tun_reason(&error),
                remedy: tun_remedy(&error),
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
    builder: &mut NodeBuilder,
) -> Result<u32, BuildError> {
    let module = tunnel.kind.module();
    let mut batch = Batch::default();
    batch.push(tunnel_request::request(tunnel), ());
    match batch.send(&mut builder.netlink) {
        Ok(()) => Ok(tunnel.index),
        Err(Refusal { errno: Errno::EEXIST, .. }) => {
            index_of(&builder.netlink, tunnel.name.as_str()).map_err(|errno| {
                refusal_error(&Refusal::<()>::from(errno), operation(node, tunnel))
            })
        }
        Err(Refusal { errno: Errno::EOPNOTSUPP, .. }) => {
            Err(BuildError::NoKernelTunnel { node: node.name.to_string(), module })
        }
        Err(refusal) => Err(refusal_error(&refusal, operation(node, tunnel))),
    }
}

/// Has the kernel take GUE packets to a port of the namespace of the calling thread. Two devices may
/// share the port: what is inside decides.
fn take_gue(node: &NodePlan, tunnel: &TunnelPlan, port: u16) -> Result<(), BuildError> {
    let shares = |other: &&TunnelPlan| {
        let same_port = other.kind.gue().is_some_and(|gue| gue.port == port);
        same_port && other.kind.outer_ipv4() == tunnel.kind.outer_ipv4()
    };
    if node.tunnels.iter().find(shares).is_some_and(|first| first.name != tunnel.name) {
        return Ok(());
    }
    fou::add_gue(tunnel.kind.outer_ipv4(), port).map_err(|errno| match errno {
        Errno::EOPNOTSUPP => {
            BuildError::NoKernelTunnel { node: node.name.to_string(), module: "fou" }
        }
        _ => {
            let operation = format!("GUE port {port} on {}", node.name);
            refusal_error(&Refusal::<()>::from(errno), operation)
        }
    })
}

/// Makes a veth pair whose near end looks like a tunnel device to the node: same name, and no ARP.
fn make_veth(
    node: &NodePlan,
    tunnel: &TunnelPlan,
    peer: &InterfacePlan,
    builder: &mut NodeBuilder,
    switch_ns: &mut NodeBuilder,
    context: &mut WorkerContext,
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
    batch.push(request::veth(&near, None, peer, &switch_ns.namespace), ());
    batch.push(request::no_arp(near.index), ());
    for one in
        builder.disable_autoconf(&near).into_iter().chain([request::set_up(near.index, None)])
    {
        batch.push(one, ());
    }
    batch.send(&mut builder.netlink).map_err(failed)?;
    let mut batch = Batch::default();
    for one in
        switch_ns.disable_autoconf(peer).into_iter().chain([request::set_up(peer.index, None)])
    {
        batch.push(one, ());
    }
    batch.send(&mut switch_ns.netlink).map_err(failed)?;
    let name = operation(node, tunnel);
    finish_end(&name, peer, switch_ns)?;
    finish_end(&name, &near, builder)?;
    super::enter(super::SWITCH_NS, switch_ns, context)?;
    let socket = open_bound(peer.index).map_err(|source| BuildError::Process {
        what: "the packet socket behind a tunnel device",
        source,
    })?;
    Ok(TunnelEnd::Veth { socket, mac: tunnel.mac })
}
