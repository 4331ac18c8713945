//! Devices, their tunnels' settings and their queueing disciplines.

use super::Reader;
use labsim_model::StatePart;
use labsim_model::node_state::{Device, Qdisc, Tunnel, TunnelDeviceKind};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    GreIOFlags, InfoData, InfoGre, InfoGre6, InfoIpTunnel, InfoKind, LinkAttribute, LinkFlags,
    LinkInfo, LinkMessage,
};
use netlink_packet_route::tc::{TcAttribute, TcHandle, TcMessage, TcStats2};
use std::net::IpAddr;

/// Queueing disciplines of one device that are kept at most.
const MOST_QDISCS: usize = 64;

pub(super) fn read(reader: &mut Reader) -> Vec<Device> {
    let request = RouteNetlinkMessage::GetLink(LinkMessage::default());
    let list = reader.dump(StatePart::Devices, request).into_iter();
    let links = list.filter_map(|message| match message {
        RouteNetlinkMessage::NewLink(link) => Some(device(&link)),
        _ => None,
    });
    links.collect()
}

fn device(link: &LinkMessage) -> Device {
    let flags = link.header.flags;
    let mut device = Device {
        index: link.header.index,
        up: flags.contains(LinkFlags::Up),
        carrier: flags.contains(LinkFlags::LowerUp),
        noarp: flags.contains(LinkFlags::Noarp),
        ..Device::default()
    };
    for attribute in &link.attributes {
        match attribute {
            LinkAttribute::IfName(name) => device.name.clone_from(name),
            LinkAttribute::Mtu(mtu) => device.mtu = *mtu,
            LinkAttribute::Address(address) => device.mac = mac(address),
            LinkAttribute::LinkInfo(info) => (device.kind, device.tunnel) = kind_and_tunnel(info),
            _ => {}
        }
    }
    device
}

/// Six bytes as text: `02:00:00:00:00:65`.
pub(super) fn mac(address: &[u8]) -> Option<String> {
    let mac: [u8; 6] = address.try_into().ok()?;
    Some(mac.map(|byte| format!("{byte:02x}")).join(":"))
}

/// What two types of the crate say about GRE, over IPv4 and over IPv6, in the same words.
macro_rules! of_gre {
    ($tunnel:expr, $all:expr, $info:ident) => {{
        let tunnel: &mut Tunnel = $tunnel;
        let (mut key, mut flags) = (0, GreIOFlags::empty());
        for one in $all {
            match one {
                $info::Local(address) => tunnel.local = end(*address),
                $info::Remote(address) => tunnel.remote = end(*address),
                $info::IKey(it) => key = *it,
                $info::IFlags(it) => flags = *it,
                $info::Ttl(ttl) => tunnel.ttl = *ttl,
                $info::Tos(tos) => tunnel.tos = *tos,
                _ => {}
            }
        }
        set_flags(tunnel, key, flags);
    }};
}

fn kind_and_tunnel(info: &[LinkInfo]) -> (Option<String>, Option<Tunnel>) {
    let (mut kind, mut data) = (None, None);
    for one in info {
        match one {
            LinkInfo::Kind(it) => kind = Some(it),
            LinkInfo::Data(it) => data = Some(it),
            _ => {}
        }
    }
    let tunnel_kind = kind.and_then(|kind| match kind {
        InfoKind::IpIp => Some(TunnelDeviceKind::Ipip),
        InfoKind::SitTun => Some(TunnelDeviceKind::Sit),
        InfoKind::Ip6Tnl => Some(TunnelDeviceKind::Ip6tnl),
        InfoKind::GreTun => Some(TunnelDeviceKind::Gre),
        InfoKind::GreTun6 => Some(TunnelDeviceKind::Ip6gre),
        _ => None,
    });
    let tunnel = tunnel_kind.map(|kind| {
        let mut tunnel = Tunnel::new(kind);
        match data {
            Some(InfoData::IpTunnel(all)) => of_ip(&mut tunnel, all),
            Some(InfoData::GreTun(all)) => of_gre!(&mut tunnel, all, InfoGre),
            Some(InfoData::GreTun6(all)) => of_gre!(&mut tunnel, all, InfoGre6),
            _ => {}
        }
        tunnel
    });
    (kind.map(ToString::to_string), tunnel)
}

/// An end; the unspecified address stands for any.
fn end(address: impl Into<IpAddr>) -> Option<IpAddr> {
    Some(address.into()).filter(|address| !address.is_unspecified())
}

fn of_ip(tunnel: &mut Tunnel, all: &[InfoIpTunnel]) {
    for one in all {
        match one {
            InfoIpTunnel::Local(address) => tunnel.local = end(*address),
            InfoIpTunnel::Remote(address) => tunnel.remote = end(*address),
            InfoIpTunnel::Ttl(ttl) => tunnel.ttl = *ttl,
            InfoIpTunnel::Tos(tos) => tunnel.tos = *tos,
            // 0 is any.
            InfoIpTunnel::Protocol(protocol) if tunnel.kind == TunnelDeviceKind::Ip6tnl => {
                let number = i32::from(*protocol);
                tunnel.inner_protocol = u8::try_from(number).ok().filter(|number| *number > 0);
            }
            _ => {}
        }
    }
}

fn set_flags(tunnel: &mut Tunnel, key: u32, flags: GreIOFlags) {
    tunnel.key = flags.contains(GreIOFlags::Key).then_some(key);
    tunnel.checksum = flags.contains(GreIOFlags::Checksum);
}

/// Adds to each device its queueing disciplines.
pub(super) fn add_qdiscs(devices: &mut [Device], reader: &mut Reader) {
    let request = RouteNetlinkMessage::GetQueueDiscipline(TcMessage::default());
    for message in reader.dump(StatePart::Qdiscs, request) {
        let RouteNetlinkMessage::NewQueueDiscipline(message) = message else { continue };
        let index = u32::try_from(message.header.index).unwrap_or_default();
        let Some(device) = devices.iter_mut().find(|device| device.index == index) else {
            continue;
        };
        if device.qdiscs.len() < MOST_QDISCS {
            device.qdiscs.push(qdisc(&message));
        } else {
            let reason = format!("{} has more than {MOST_QDISCS}", device.name);
            reader.lacks(StatePart::Qdiscs, reason);
        }
    }
}

fn qdisc(message: &TcMessage) -> Qdisc {
    let mut found =
        Qdisc { kind: String::new(), root: message.header.parent == TcHandle::ROOT, drops: None };
    for attribute in &message.attributes {
        match attribute {
            TcAttribute::Kind(kind) => found.kind.clone_from(kind),
            TcAttribute::Stats2(all) => {
                found.drops = all.iter().find_map(|one| match one {
                    TcStats2::Queue(queue) => Some(u64::from(queue.drops)),
                    _ => None,
                });
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tunnel(kind: InfoKind, data: InfoData) -> Tunnel {
        kind_and_tunnel(&[LinkInfo::Kind(kind), LinkInfo::Data(data)]).1.unwrap()
    }

    #[test]
    fn a_tunnels_unspecified_ends_are_any() {
        let data = InfoData::IpTunnel(vec![
            InfoIpTunnel::Local("10.1.1.51".parse().unwrap()),
            InfoIpTunnel::Remote("0.0.0.0".parse().unwrap()),
            InfoIpTunnel::Ttl(64),
        ]);
        let found = tunnel(InfoKind::IpIp, data);
        assert_eq!(found.local, Some("10.1.1.51".parse().unwrap()));
        assert_eq!((found.kind, found.remote, found.ttl), (TunnelDeviceKind::Ipip, None, 64));
    }

    #[test]
    fn a_key_counts_only_with_its_flag() {
        let gre = |flags| {
            let data = InfoData::GreTun(vec![InfoGre::IKey(7), InfoGre::IFlags(flags)]);
            let found = tunnel(InfoKind::GreTun, data);
            (found.key, found.checksum)
        };
        assert_eq!(gre(GreIOFlags::Key), (Some(7), false));
        assert_eq!(gre(GreIOFlags::Checksum), (None, true));
    }

    #[test]
    fn a_device_that_is_no_tunnel_has_its_kind_alone() {
        let (kind, tunnel) = kind_and_tunnel(&[LinkInfo::Kind(InfoKind::Veth)]);
        assert_eq!((kind.as_deref(), tunnel), (Some("veth"), None));
        assert_eq!(kind_and_tunnel(&[]), (None, None));
        assert_eq!(mac(&[2, 0, 0, 0, 0, 0x65]).as_deref(), Some("02:00:00:00:00:65"));
        assert_eq!(mac(&[10, 1, 1, 51]), None);
    }
}
