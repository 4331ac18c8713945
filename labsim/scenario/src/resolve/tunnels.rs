//! A real server's ends of tunnels: the devices that packets come out of.

use super::{Report, address};
use crate::file::RawTunnelDevice;
use crate::model::{
    GreOptions, InterfaceName, LoadBalancer, Node, NodeName, TunnelDevice, TunnelKind,
    TunnelProtocol,
};
use crate::text::{listed, quoted};
use labsim_codes::file;
use labsim_yaml::Located;
use std::collections::HashMap;
use std::net::IpAddr;

/// A tunnel's end, before it is known whose it is, and which families are inside and outside.
pub(super) struct Tunnel {
    protocol: TunnelProtocol,
    device: Option<InterfaceName>,
    address: TunnelAddress,
    up: bool,
}

enum TunnelAddress {
    Own,
    None,
    Is(IpAddr),
}

/// Address families, IPv4 first: what there is of each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Families {
    ipv4: bool,
    ipv6: bool,
}

impl Families {
    /// Those of some addresses.
    pub(super) fn of(addresses: impl Iterator<Item = IpAddr>) -> Self {
        addresses.fold(Self::default(), |mut families, address| {
            *if address.is_ipv4() { &mut families.ipv4 } else { &mut families.ipv6 } = true;
            families
        })
    }

    fn or(self, other: Self) -> Self {
        if self == Self::default() { other } else { self }
    }

    /// Whether each is IPv4.
    fn each(self) -> impl Iterator<Item = bool> {
        [(self.ipv4, true), (self.ipv6, false)].into_iter().filter(|it| it.0).map(|it| it.1)
    }
}

/// The VIPs that packets for each member's address are for, by family.
pub(super) struct Members(HashMap<IpAddr, Families>);

impl Members {
    /// Of all pools, as far as a virtual server uses them.
    pub(super) fn of<'a>(balancers: impl Iterator<Item = &'a LoadBalancer>) -> Self {
        let mut members = HashMap::new();
        for balancer in balancers {
            for (name, pool) in &balancer.pools {
                let servers = balancer.virtual_servers.values();
                let servers = servers.filter(|server| server.pool == *name);
                let inside = Families::of(servers.map(|server| server.destination.ip()));
                for member in &pool.members {
                    let known: &mut Families = members.entry(member.address.ip()).or_default();
                    known.ipv4 |= inside.ipv4;
                    known.ipv6 |= inside.ipv6;
                }
            }
        }
        Self(members)
    }
}

impl Tunnel {
    /// This node's tunnel devices: one for each kind of tunnel that can end there. Outside are the
    /// families of those of its addresses that are members, inside those of the VIPs that packets
    /// for them are for. A node that is no member has its own addresses' and its VIPs'.
    pub(super) fn of(
        &self,
        (name, node): (&NodeName, Option<&Node>),
        vips: Families,
        members: &Members,
        knows_addresses: bool,
    ) -> Result<Vec<TunnelDevice>, String> {
        let interfaces = node.map(|node| node.interfaces.as_slice()).unwrap_or_default();
        let own: Vec<IpAddr> =
            interfaces.iter().flat_map(|one| &one.addresses).map(ipnet::IpNet::addr).collect();
        let outside = Families::of(own.iter().copied().filter(|it| members.0.contains_key(it)))
            .or(Families::of(own.iter().copied()))
            .or(Families { ipv4: true, ipv6: false });
        let mut devices: Vec<TunnelDevice> = Vec::new();
        for outer_ipv4 in outside.each() {
            let of_family = own.iter().copied().filter(|it| it.is_ipv4() == outer_ipv4);
            let member = of_family.clone().find(|address| members.0.contains_key(address));
            let local = member.or(of_family.clone().next());
            let through = of_family.filter_map(|address| members.0.get(&address));
            let through = through.fold(Families::default(), |all, one| Families {
                ipv4: all.ipv4 || one.ipv4,
                ipv6: all.ipv6 || one.ipv6,
            });
            let same = Families { ipv4: outer_ipv4, ipv6: !outer_ipv4 };
            for inner_ipv4 in through.or(vips).or(same).each() {
                let kind = TunnelKind::of(self.protocol, outer_ipv4, inner_ipv4);
                let address = if inner_ipv4 { self.address(local, &own, members) } else { None };
                match devices.iter_mut().find(|device| device.kind == kind) {
                    Some(known) => known.address = known.address.or(address),
                    None => devices.push(TunnelDevice {
                        kind,
                        name: match &self.device {
                            Some(name) => name.clone(),
                            None => InterfaceName::new(kind.usual_device())?,
                        },
                        up: self.up,
                        address,
                        local,
                    }),
                }
            }
        }
        let lacks = |device: &TunnelDevice| device.kind.outer_ipv4() && device.local.is_none();
        let owns = matches!(self.address, TunnelAddress::Own);
        if let (Some(device), true) =
            (devices.iter().find(|it| lacks(it)), owns && node.is_some() && knows_addresses)
        {
            return Err(format!(
                "`{name}` has no IPv4 address to put on `{}`; give it one in the topology",
                device.name
            ));
        }
        if let (Some(device), true) = (&self.device, devices.len() > 1) {
            return Err(format!(
                "several kinds of tunnel end on `{name}`, each on a device of its own ({}); leave \
                 `device: {device}` out",
                listed(devices.iter().map(|it| it.kind.usual_device()))
            ));
        }
        // Labsim's decapsulator has one socket of the port for one device.
        let share = |one: &&TunnelDevice| matches!(one.kind, TunnelKind::GueSit(_));
        let other = |one: &&TunnelDevice| matches!(one.kind, TunnelKind::GueIpip(_));
        if let (Some(one), Some(other)) = (devices.iter().find(share), devices.iter().find(other)) {
            return Err(format!(
                "IPv4 and IPv6 cannot share a UDP port of `{name}` (`{}` and `{}`); use GUE for \
                 the VIPs of one family",
                other.name, one.name
            ));
        }
        let taken = |device: &&TunnelDevice| interfaces.iter().any(|one| one.name == device.name);
        match devices.iter().find(taken) {
            Some(device) => Err(format!(
                "`{name}` has an interface `{}` already; give the tunnel another device",
                device.name
            )),
            None => Ok(devices),
        }
    }

    /// The address that is put on a device that IPv4 comes out of.
    fn address(&self, local: Option<IpAddr>, own: &[IpAddr], members: &Members) -> Option<IpAddr> {
        let mut of_ipv4 = own.iter().copied().filter(IpAddr::is_ipv4);
        match self.address {
            TunnelAddress::None => None,
            TunnelAddress::Is(address) => Some(address),
            TunnelAddress::Own if local.is_some_and(|it| it.is_ipv4()) => local,
            TunnelAddress::Own => {
                let first = of_ipv4.clone().next();
                of_ipv4.find(|address| members.0.contains_key(address)).or(first)
            }
        }
    }
}

/// Resolves a tunnel's end.
pub(super) fn tunnel(form: &Located<RawTunnelDevice>, report: &mut Report<'_>) -> Tunnel {
    let RawTunnelDevice { mode, device, address, up, key, checksum } = &form.value;
    let protocol = protocol(mode.value, *key, *checksum, report);
    // A device or address with an error leaves the usual one, so that nothing else is missed.
    let device = device.as_ref().and_then(|device| report.take(device.span, tunnel_device(device)));
    let address = match address {
        None => TunnelAddress::Own,
        Some(text) => match text.value.as_str() {
            "own" => TunnelAddress::Own,
            "none" => TunnelAddress::None,
            _ => {
                let checked = address::host(text)
                    .map_err(|message| format!("{message}, `own` or `none`"))
                    .and_then(|address| match address {
                        IpAddr::V4(_) => Ok(address),
                        IpAddr::V6(_) => Err("a tunnel's device takes an IPv4 address".to_owned()),
                    });
                report.take(text.span, checked).map_or(TunnelAddress::None, TunnelAddress::Is)
            }
        },
    };
    let up = up.is_none_or(|up| up.value);
    Tunnel { protocol, device, address, up }
}

/// A tunnel's protocol, with the options of GRE that stand beside it.
pub(super) fn protocol(
    mode: TunnelProtocol,
    key: Option<Located<u32>>,
    checksum: Option<Located<bool>>,
    report: &mut Report<'_>,
) -> TunnelProtocol {
    if let TunnelProtocol::Gre(options) = mode {
        return TunnelProtocol::Gre(GreOptions {
            key: key.map(|key| key.value).or(options.key),
            checksum: checksum.map_or(options.checksum, |checksum| checksum.value),
        });
    }
    for place in [key.map(|it| it.span), checksum.map(|it| it.span)].into_iter().flatten() {
        let message = "only GRE has a key and a checksum; take it out, or write `mode: gre`";
        report.at(place, file::CONFLICT, message);
    }
    mode
}

fn tunnel_device(name: &str) -> Result<InterfaceName, String> {
    match name {
        "lo" | "all" | "default" => Err(format!(
            "a tunnel's device cannot be called {}; write such as `tunl0`",
            quoted(name)
        )),
        _ => InterfaceName::new(name),
    }
}
