//! Real servers: the VIP on lo, kernel settings; the tunnel's end is in [`super::tunnels`].

use super::lookup::{Lookup, Vips};
use super::sysctls::{Scope, sysctls};
use super::tunnels::{Families, Members, tunnel};
use super::{Report, address};
use crate::file::{OneVipForm, RealServerFields, VipFields, VipForm};
use crate::model::{InterfaceName, LoadBalancer, NodeName, RealServer, TunnelDevice, VipAddress};
use labsim_yaml::{Located, Span};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;

/// Most VIPs of a real server.
const VIPS: usize = 256;
/// Resolves all real servers.
pub(super) fn real_servers(
    list: &[&Located<RealServerFields>],
    load_balancers: &BTreeMap<NodeName, LoadBalancer>,
    known: &mut Vips,
    lookup: &Lookup<'_>,
    report: &mut Report<'_>,
) -> BTreeMap<NodeName, RealServer> {
    let members = Members::of(load_balancers.values());
    let (mut all, mut seen) = (BTreeMap::new(), HashMap::new());
    for fields in list {
        let fields = &fields.value;
        let tunnel = fields.tunnel.as_ref().map(|form| tunnel(form, report));
        let vips = fields.vip.as_ref().map(|form| vips(form, known, lookup, report));
        let vips = vips.unwrap_or_default();
        let of_vips = Families::of(vips.iter().map(|vip| vip.vip.address));
        let mut ends = Vec::new();
        for node in lookup.nodes(&fields.nodes, report) {
            let devices = tunnel.as_ref().and_then(|tunnel| {
                let name = (&node.value, lookup.get(&node.value));
                let devices = tunnel.of(name, of_vips, &members, lookup.knows_addresses());
                report.take(node.span, devices)
            });
            ends.push((node, devices));
        }
        let settings = settings(fields, &ends, lookup, report);
        for (node, devices) in ends {
            let (name, place) = (node.value, node.span);
            if let Some(first) = seen.insert(name.clone(), place) {
                let line = report.line(first, place);
                report.at(place, format!("`{name}` is a real server already ({line}); keep one"));
                continue;
            }
            if load_balancers.contains_key(&name) {
                report.at(
                    place,
                    format!("`{name}` is a load balancer; a real server is another node"),
                );
            }
            // A tunnel with a mistake may have any device.
            if tunnel.is_none() || devices.is_some() {
                on_known_devices(&vips, &name, devices.as_deref(), lookup, report);
            }
            let vips = vips.iter().map(|vip| vip.vip.clone()).collect();
            let (tunnels, sysctls) = (devices.unwrap_or_default(), settings.clone());
            all.insert(name, RealServer { tunnels, vips, sysctls });
        }
    }
    all
}

/// A VIP, and where the file names its device.
struct Vip {
    vip: VipAddress,
    device_at: Span,
}

fn vips(
    form: &Located<VipForm>,
    known: &mut Vips,
    lookup: &Lookup<'_>,
    report: &mut Report<'_>,
) -> Vec<Vip> {
    let short = |text: &str, span| VipFields {
        address: Located::new(text.to_owned(), span),
        device: None,
        label: None,
    };
    let written: Vec<VipFields> = match &form.value {
        VipForm::Text(text) => vec![short(text, form.span)],
        VipForm::Map(map) => vec![(**map).clone()],
        VipForm::List(list) => list
            .iter()
            .map(|one| match &one.value {
                OneVipForm::Text(text) => short(text, one.span),
                OneVipForm::Map(map) => (**map).clone(),
            })
            .collect(),
    };
    if !report.limit(form.span, written.len(), VIPS, "VIP") {
        return Vec::new();
    }
    let (mut vips, mut seen) = (Vec::new(), HashSet::new());
    for fields in &written {
        let address = report.take(fields.address.span, address::host(&fields.address));
        known.add(address);
        let Some(address) = address else { continue };
        if !seen.insert(address) {
            report.at(fields.address.span, format!("the VIP {address} is named twice; keep one"));
        }
        if let Some(owner) = lookup.owner(address) {
            report.at(
                fields.address.span,
                format!(
                    "{address} is the address of `{}:{}`; a VIP is an address that no interface has",
                    owner.node, owner.interface
                ),
            );
        }
        let device = match &fields.device {
            Some(device) => report.take(device.span, InterfaceName::new(device)),
            None => InterfaceName::new("lo").ok(),
        };
        let Some(interface) = device else { continue };
        let before = vips.iter().filter(|vip: &&Vip| vip.vip.address.is_ipv4()).count();
        let label = label(fields, address, &interface, before, report);
        let device_at = fields.device.as_ref().map_or(fields.address.span, |device| device.span);
        vips.push(Vip { vip: VipAddress { address, interface, label }, device_at });
    }
    vips
}

/// A label is an address's alias name, held in 16 bytes as an interface's (`IFA_LABEL`,
/// rtnetlink(7)); ip-address(8) wants it to begin with the device's name. IPv6 has none.
fn label(
    fields: &VipFields,
    address: IpAddr,
    device: &InterfaceName,
    before: usize,
    report: &mut Report<'_>,
) -> Option<String> {
    let Some(written) = &fields.label else {
        let usual = format!("{device}:{before}");
        return (address.is_ipv4() && usual.len() <= 15).then_some(usual);
    };
    let good = written
        .strip_prefix(device.as_str())
        .and_then(|rest| rest.strip_prefix(':'))
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic()));
    if address.is_ipv6() {
        report.at(written.span, "an IPv6 address has no label; leave it out");
    } else if written.len() > 15 {
        report.at(
            written.span,
            format!("the label has {} bytes; at most 15 are allowed", written.len()),
        );
    } else if !good {
        report.at(
            written.span,
            format!("a label begins with its device and a colon; write such as `{device}:0`"),
        );
    }
    Some(written.value.clone())
}

/// Finds VIPs on devices that a node has not.
fn on_known_devices(
    vips: &[Vip],
    name: &NodeName,
    tunnels: Option<&[TunnelDevice]>,
    lookup: &Lookup<'_>,
    report: &mut Report<'_>,
) {
    let Some(node) = lookup.get(name) else { return };
    for Vip { vip, device_at } in vips {
        let device = &vip.interface;
        let known = device.as_str() == "lo"
            || tunnels.into_iter().flatten().any(|tunnel| tunnel.name == *device)
            || node.interfaces.iter().any(|one| one.name == *device);
        if !known && lookup.knows_names() {
            report.at(
                *device_at,
                format!("`{name}` has no interface `{device}` to put a VIP on; write such as `lo`"),
            );
        }
    }
}

fn settings(
    fields: &RealServerFields,
    ends: &[(Located<NodeName>, Option<Vec<TunnelDevice>>)],
    lookup: &Lookup<'_>,
    report: &mut Report<'_>,
) -> BTreeMap<String, String> {
    let has_interface = |name: &str| {
        let on_all = ends.iter().all(|(node, devices)| {
            // A tunnel with a mistake may have any device.
            let tunnels = devices.as_deref();
            let unclear = fields.tunnel.is_some() && tunnels.is_none();
            unclear
                || tunnels.into_iter().flatten().any(|device| device.name.as_str() == name)
                || lookup
                    .get(&node.value)
                    .is_none_or(|node| node.interfaces.iter().any(|one| one.name.as_str() == name))
        });
        on_all || !lookup.knows_names()
    };
    let otherwise = "one of these nodes has no interface {}; name one that all of them have";
    sysctls(&fields.sysctls, &Scope { has_interface: &has_interface, otherwise }, report)
}
