//! The requests that the kernel's own tunnel devices are made with.

use crate::plan::TunnelPlan;
use labsim_scenario::model::{GreOptions, TunnelKind};
use labsim_sys::netlink::Request;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    GreIOFlags, InfoData, InfoGre, InfoGre6, InfoIpTunnel, InfoKind, LinkAttribute, LinkInfo,
    LinkMessage,
};
use std::net::IpAddr;

/// A tunnel device of the kernel's without a remote end; down. One of the name that the module
/// itself gives (`tunl0`, `sit0`, `gre0`, `ip6gre0`) is the device that it puts into every
/// namespace, which takes what no other tunnel matches.
pub(crate) fn request(plan: &TunnelPlan) -> Request {
    let kind = device_kind(plan.kind);
    let data = match (&kind, plan.kind.gre()) {
        (InfoKind::Ip6Tnl, _) => Some(ip6tnl(plan)),
        (InfoKind::GreTun, Some(options)) => Some(gre(plan, options)),
        (InfoKind::GreTun6, Some(options)) => Some(ip6gre(plan, options)),
        _ => None,
    };
    let mut link = LinkMessage::default();
    link.header.index = plan.index;
    let kind = std::iter::once(LinkInfo::Kind(kind));
    link.attributes = vec![
        LinkAttribute::IfName(plan.name.as_str().to_owned()),
        LinkAttribute::LinkInfo(kind.chain(data.map(LinkInfo::Data)).collect()),
    ];
    Request::create(RouteNetlinkMessage::NewLink(link))
}

/// The kind of device.
pub(crate) fn device_kind(kind: TunnelKind) -> InfoKind {
    match kind {
        TunnelKind::Ipip | TunnelKind::GueIpip(_) => InfoKind::IpIp,
        TunnelKind::Sit | TunnelKind::GueSit(_) => InfoKind::SitTun,
        TunnelKind::Ip6tnl | TunnelKind::GueIp6tnl(_) => InfoKind::Ip6Tnl,
        TunnelKind::Gre(_) => InfoKind::GreTun,
        TunnelKind::Ip6gre(_) => InfoKind::GreTun6,
    }
}

/// Both families come out where no protocol is asked for (mode any). The module distinguishes
/// tunnels by their ends alone, and the one without any is its own `ip6tnl0`, which takes nothing.
fn ip6tnl(plan: &TunnelPlan) -> InfoData {
    InfoData::IpTunnel(plan.local.map(InfoIpTunnel::Local).into_iter().collect())
}

/// Whether only its end distinguishes a GRE tunnel from the module's own
/// (`ip_tunnel_find` of net/ipv4/ip_tunnel.c, `ip6gre_tunnel_find` of net/ipv6/ip6_gre.c).
fn needs_end(plan: &TunnelPlan, options: GreOptions) -> bool {
    let own = plan.kind.usual_device() == plan.name.as_str() && !options.checksum;
    options.key.is_none() && !own
}

fn flags(options: GreOptions) -> GreIOFlags {
    let mut flags = GreIOFlags::empty();
    flags.set(GreIOFlags::Key, options.key.is_some());
    flags.set(GreIOFlags::Checksum, options.checksum);
    flags
}

fn gre(plan: &TunnelPlan, options: GreOptions) -> InfoData {
    let (flags, mut data) = (flags(options), Vec::new());
    if let Some(key) = options.key {
        data.extend([InfoGre::IKey(key), InfoGre::OKey(key)]);
    }
    if let (true, Some(IpAddr::V4(local))) = (needs_end(plan, options), plan.local) {
        data.push(InfoGre::Local(local));
    }
    data.extend([InfoGre::IFlags(flags), InfoGre::OFlags(flags)]);
    InfoData::GreTun(data)
}

fn ip6gre(plan: &TunnelPlan, options: GreOptions) -> InfoData {
    let (flags, mut data) = (flags(options), Vec::new());
    if let Some(key) = options.key {
        data.extend([InfoGre6::IKey(key), InfoGre6::OKey(key)]);
    }
    if let (true, Some(IpAddr::V6(local))) = (needs_end(plan, options), plan.local) {
        data.push(InfoGre6::Local(local));
    }
    data.extend([InfoGre6::IFlags(flags), InfoGre6::OFlags(flags)]);
    InfoData::GreTun6(data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::TunnelMode;
    use labsim_scenario::model::InterfaceName;

    const IPV4: &str = "10.1.1.51";
    const IPV6: &str = "2001:db8:1::51";

    /// What a device of that name and kind is asked for with.
    fn asked(name: &str, kind: TunnelKind) -> Vec<LinkInfo> {
        let local = if kind.outer_ipv4() { IPV4 } else { IPV6 };
        let plan = TunnelPlan {
            kind,
            name: InterfaceName::new(name).unwrap(),
            index: 101,
            mode: TunnelMode::Kernel,
            up: true,
            mtu: 1476,
            local: Some(local.parse().unwrap()),
            mac: [0; 6],
            peer: None,
        };
        let request = request(&plan);
        let RouteNetlinkMessage::NewLink(link) = request.message() else {
            panic!("no link is made");
        };
        assert_eq!(link.header.index, 101);
        let info = link.attributes.iter().find_map(|attribute| match attribute {
            LinkAttribute::LinkInfo(info) => Some(info.clone()),
            _ => None,
        });
        info.unwrap()
    }

    fn gre(name: &str, key: Option<u32>, checksum: bool) -> Vec<InfoGre> {
        let kind = TunnelKind::Gre(GreOptions { key, checksum });
        match asked(name, kind).pop() {
            Some(LinkInfo::Data(InfoData::GreTun(data))) => data,
            other => panic!("{other:?}"),
        }
    }

    fn ip6gre(name: &str, key: Option<u32>, checksum: bool) -> Vec<InfoGre6> {
        let kind = TunnelKind::Ip6gre(GreOptions { key, checksum });
        match asked(name, kind).pop() {
            Some(LinkInfo::Data(InfoData::GreTun6(data))) => data,
            other => panic!("{other:?}"),
        }
    }

    fn flags(flags: GreIOFlags) -> [InfoGre; 2] {
        [InfoGre::IFlags(flags), InfoGre::OFlags(flags)]
    }

    #[test]
    fn the_modules_own_devices_are_asked_for_as_they_make_them() {
        assert_eq!(asked("tunl0", TunnelKind::Ipip), [LinkInfo::Kind(InfoKind::IpIp)]);
        assert_eq!(asked("sit0", TunnelKind::Sit), [LinkInfo::Kind(InfoKind::SitTun)]);
        assert_eq!(gre("gre0", None, false), flags(GreIOFlags::empty()));
        let none = GreIOFlags::empty();
        assert_eq!(
            ip6gre("ip6gre0", None, false),
            [InfoGre6::IFlags(none), InfoGre6::OFlags(none)]
        );
    }

    #[test]
    fn a_tunnel_of_both_families_in_ipv6_has_an_end_of_its_own() {
        let end = InfoIpTunnel::Local(IPV6.parse().unwrap());
        assert_eq!(
            asked("ip6tnl1", TunnelKind::Ip6tnl),
            [LinkInfo::Kind(InfoKind::Ip6Tnl), LinkInfo::Data(InfoData::IpTunnel(vec![end]))]
        );
    }

    #[test]
    fn a_key_keeps_a_gre_tunnel_apart_and_a_local_end_does_without_one() {
        let keyed = [InfoGre::IKey(7), InfoGre::OKey(7)];
        let both = flags(GreIOFlags::Key | GreIOFlags::Checksum);
        assert_eq!(gre("gre1", Some(7), true), [keyed, both].concat());
        let local = InfoGre::Local(IPV4.parse().unwrap());
        let [input, output] = flags(GreIOFlags::Checksum);
        assert_eq!(gre("gre1", None, true), [local.clone(), input, output]);
        let [input, output] = flags(GreIOFlags::empty());
        assert_eq!(gre("dsr0", None, false), [local, input, output]);
    }

    #[test]
    fn over_ipv6_it_is_the_same() {
        let flags = |flags| [InfoGre6::IFlags(flags), InfoGre6::OFlags(flags)];
        let [input, output] = flags(GreIOFlags::Key);
        assert_eq!(
            ip6gre("ip6gre1", Some(7), false),
            [InfoGre6::IKey(7), InfoGre6::OKey(7), input, output]
        );
        let local = InfoGre6::Local(IPV6.parse().unwrap());
        let [input, output] = flags(GreIOFlags::Checksum);
        assert_eq!(ip6gre("ip6gre1", None, true), [local.clone(), input, output]);
        let [input, output] = flags(GreIOFlags::empty());
        assert_eq!(ip6gre("dsr0", None, false), [local, input, output]);
    }
}
