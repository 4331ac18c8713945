//! A real server's end of a tunnel: the device that packets come out of.

use super::{Report, address};
use crate::file::TunnelForm;
use crate::model::{GreOptions, InterfaceName, Node, NodeName, TunnelDevice, TunnelProtocol};
use crate::text::quoted;
use labsim_yaml::Located;
use std::collections::HashSet;
use std::net::IpAddr;

/// A tunnel's end, before it is known whose it is.
pub(super) struct Tunnel {
    protocol: TunnelProtocol,
    pub(super) device: InterfaceName,
    address: TunnelAddress,
    up: bool,
}

enum TunnelAddress {
    Own,
    None,
    Is(IpAddr),
}

impl Tunnel {
    /// This node's tunnel device.
    pub(super) fn of(
        &self,
        name: &NodeName,
        node: Option<&Node>,
        members: &HashSet<IpAddr>,
        knows_addresses: bool,
    ) -> Result<TunnelDevice, String> {
        let interfaces = node.map(|node| node.interfaces.as_slice()).unwrap_or_default();
        if interfaces.iter().any(|one| one.name == self.device) {
            return Err(format!(
                "`{name}` has an interface `{}` already; give the tunnel another device",
                self.device
            ));
        }
        let address = match self.address {
            TunnelAddress::None => None,
            TunnelAddress::Is(address) => Some(address),
            TunnelAddress::Own => {
                let mut own = interfaces
                    .iter()
                    .flat_map(|one| &one.addresses)
                    .map(ipnet::IpNet::addr)
                    .filter(IpAddr::is_ipv4);
                let first = own.clone().next();
                let own = own.find(|address| members.contains(address)).or(first);
                if own.is_none() && node.is_some() && knows_addresses {
                    return Err(format!(
                        "`{name}` has no IPv4 address to put on `{}`; give it one in the topology",
                        self.device
                    ));
                }
                own
            }
        };
        let (protocol, name, up) = (self.protocol, self.device.clone(), self.up);
        Ok(TunnelDevice { protocol, name, up, address })
    }
}

/// Resolves a tunnel's end.
pub(super) fn tunnel(form: &Located<TunnelForm>, report: &mut Report<'_>) -> Option<Tunnel> {
    let (mode, mode_at, written) = match &form.value {
        TunnelForm::Text(mode) => (mode, form.span, None),
        TunnelForm::Map(map) => (&map.mode.value, map.mode.span, Some(map)),
    };
    let options = GreOptions {
        key: written.and_then(|map| map.key).map(|key| key.value),
        checksum: written.and_then(|map| map.checksum).is_some_and(|checksum| checksum.value),
    };
    let (protocol, usual) = match mode.as_str() {
        "gre" if options == GreOptions::default() => (TunnelProtocol::Gre(options), "gre0"),
        // The kernel's own `gre0` takes neither a key nor a checksum.
        "gre" => (TunnelProtocol::Gre(options), "gre1"),
        "ipip" => (TunnelProtocol::Ipip, "tunl0"),
        _ => {
            report.at(mode_at, format!("{} is no tunnel; write `ipip` or `gre`", quoted(mode)));
            (TunnelProtocol::Ipip, "tunl0")
        }
    };
    if let (Some(map), "ipip") = (written, mode.as_str()) {
        let places = [map.key.map(|key| key.span), map.checksum.map(|checksum| checksum.span)];
        for place in places.into_iter().flatten() {
            report
                .at(place, "only GRE has a key and a checksum; take it out, or write `mode: gre`");
        }
    }
    // A device or address with a mistake leaves the usual one, so that nothing else is missed.
    let device = written.and_then(|map| map.device.as_ref());
    let device = device.and_then(|device| report.take(device.span, tunnel_device(device)));
    let device = device.or_else(|| InterfaceName::new(usual).ok());
    let address = match written.and_then(|map| map.address.as_ref()) {
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
    let up = written.and_then(|map| map.up).is_none_or(|up| up.value);
    Some(Tunnel { protocol, device: device?, address, up })
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
