//! Devices, as they were: new ones go, tunnels that are gone are made again, and what was set is set back.

use super::{Setup, ask};
use crate::netlink::{request, tunnel};
use crate::plan::{NodePlan, TunnelMode, TunnelPlan};
use crate::state;
use labsim_model::node_state::Device;
use labsim_sys::netlink::{Request, fou};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use netlink_packet_route::tc::{TcHandle, TcMessage};

/// RFC 8200, section 5.
const IPV6_LEAST_MTU: u32 = 1280;

/// Makes the devices of the calling thread's namespace what they were.
pub(super) fn restore(plan: &NodePlan, built: &Setup, refused: &mut Vec<String>) {
    let now = state::devices_here(plan);
    let was = |device: &Device| built.state.devices.iter().find(|was| was.index == device.index);
    for device in &now {
        let planned = plan.tunnels.iter().find(|tunnel| tunnel.name.as_str() == device.name);
        let is_kernels = planned.is_some_and(|tunnel| tunnel.mode == TunnelMode::Kernel);
        let goes = match was(device) {
            None => true,
            // A tunnel is made again as it was.
            Some(was) => is_kernels && was.tunnel != device.tunnel,
        };
        if goes {
            let mut link = LinkMessage::default();
            link.header.index = device.index;
            let delete = Request::new(RouteNetlinkMessage::DelLink(link));
            ask(delete, &format!("device {}", device.name), refused);
        }
    }
    let now = state::devices_here(plan);
    for was in &built.state.devices {
        if now.iter().all(|device| device.index != was.index) {
            make_again(plan, was, refused);
        }
    }
    for device in state::devices_here(plan) {
        if let Some(was) = was(&device) {
            set_back(plan, built, was, &device, refused);
        }
    }
}

/// A tunnel of the kernel's; nothing else can be made again.
fn make_again(plan: &NodePlan, was: &Device, refused: &mut Vec<String>) {
    let planned = plan.tunnels.iter().find(|tunnel| tunnel.name.as_str() == was.name);
    let Some(planned) = planned.filter(|tunnel| tunnel.mode == TunnelMode::Kernel) else { return };
    let planned = TunnelPlan { index: was.index, ..planned.clone() };
    ask(tunnel::request(&planned), &format!("device {}", was.name), refused);
    if let Some(gue) = planned.kind.gue() {
        // It may be there still.
        let _ = fou::add_gue(planned.kind.outer_ipv4(), gue.port);
    }
}

/// Name, MAC address, MTU, flags and queueing discipline.
fn set_back(plan: &NodePlan, built: &Setup, was: &Device, now: &Device, refused: &mut Vec<String>) {
    let what = format!("device {}", was.name);
    if now.name != was.name {
        // Only a device that is down takes another name from older kernels.
        ask(change(was.index, LinkFlags::empty(), LinkFlags::Up, Vec::new()), &what, refused);
        let name = LinkAttribute::IfName(was.name.clone());
        ask(change(was.index, LinkFlags::empty(), LinkFlags::empty(), vec![name]), &what, refused);
    }
    let mut attributes = Vec::new();
    if now.mtu != was.mtu {
        attributes.push(LinkAttribute::Mtu(was.mtu));
    }
    if now.mac != was.mac {
        let link = built.messages.links.iter().find(|link| link.header.index == was.index);
        let address = link.into_iter().flat_map(|link| &link.attributes);
        attributes.extend(address.filter(|it| matches!(it, LinkAttribute::Address(_))).cloned());
    }
    let is_other = now.up != was.up || now.noarp != was.noarp || now.name != was.name;
    if is_other || !attributes.is_empty() {
        let mut flags = LinkFlags::empty();
        flags.set(LinkFlags::Up, was.up);
        flags.set(LinkFlags::Noarp, was.noarp);
        let mask = LinkFlags::Up | LinkFlags::Noarp;
        let planned = plan.interfaces.iter().any(|it| it.index == was.index);
        if planned && was.mtu >= IPV6_LEAST_MTU {
            // Below that MTU IPv6 has forgotten it; a kernel without IPv6 refuses it.
            ask(request::disable_autoconf(was.index), &what, &mut Vec::new());
        }
        ask(change(was.index, flags, mask, attributes), &what, refused);
    }
    let root = |device: &Device| {
        device.qdiscs.iter().find(|qdisc| qdisc.root).map(|qdisc| qdisc.kind.clone())
    };
    if now.up && was.up && root(now) != root(was) {
        let mut message = TcMessage::with_index(was.index.cast_signed());
        message.header.parent = TcHandle::ROOT;
        let delete = Request::new(RouteNetlinkMessage::DelQueueDiscipline(message));
        ask(delete, &format!("the queueing discipline of {}", was.name), refused);
    }
}

fn change(
    index: u32,
    flags: LinkFlags,
    mask: LinkFlags,
    attributes: Vec<LinkAttribute>,
) -> Request {
    let mut link = LinkMessage::default();
    link.header.index = index;
    link.header.flags = flags;
    link.header.change_mask = mask;
    link.attributes = attributes;
    Request::new(RouteNetlinkMessage::SetLink(link))
}
