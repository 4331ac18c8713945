//! Real servers: the VIP on lo, kernel settings; the tunnel's end is in [`super::tunnels`].

use super::lookup::{Lookup, Vips};
use super::sysctls::{Scope, sysctls};
use super::tunnels::{Families, Members, tunnel};
use super::{Report, address};
use crate::file::{Group, RawRealServer, RawRouteMetrics, RawVip, RawVips};
use crate::model::{
    Attachment, InterfaceName, LoadBalancer, NodeName, RealServer, RouteMetrics,
    Scope as AddressScope, Setting, TunnelDevice, VipAddress,
};
use labsim_codes::file;
use labsim_yaml::{Located, Span};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;

/// Least and most of a route's MTU (RFC 791) and of an MSS (`TCP_MIN_SND_MSS`); the kernel lowers
/// greater ones (`ip_metrics_convert`, net/ipv4/metrics.c).
const MTU: (u32, u32) = (68, 65_520);
const MSS: (u32, u32) = (48, 65_495);
/// Most VIPs of a real server.
const VIPS: usize = 256;
/// Resolves all real servers.
pub(super) fn real_servers(
    group: &Group<RawRealServer>,
    load_balancers: &BTreeMap<NodeName, LoadBalancer>,
    known: &mut Vips,
    lookup: &Lookup<'_>,
    report: &mut Report<'_>,
) -> BTreeMap<NodeName, RealServer> {
    let members = Members::of(load_balancers.values());
    let (mut all, mut seen) = (BTreeMap::new(), HashMap::new());
    let names = group.names();
    for (place, fields) in group.each().into_iter().enumerate() {
        let (fields, group) = (&fields.value, names.get(place));
        let tunnel = fields.tunnel.as_ref().map(|form| tunnel(form, report));
        let vips =
            fields.vip.as_ref().map(|form| vips(form, load_balancers, known, lookup, report));
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
        let routes = fields.routes.as_ref().map(|form| metrics(form, report)).unwrap_or_default();
        let settings = settings(fields, &ends, lookup, report);
        for (node, devices) in ends {
            let (name, place) = (node.value, node.span);
            if let Some(first) = seen.insert(name.clone(), place) {
                let line = report.line(first, place);
                report.at(
                    place,
                    file::DUPLICATE_VALUE,
                    format!("`{name}` is a real server already ({line}); keep one"),
                );
                continue;
            }
            // A tunnel with an error may have any device.
            if tunnel.is_none() || devices.is_some() {
                on_known_devices(&vips, &name, devices.as_deref(), lookup, report);
            }
            let vips = vips.iter().map(|vip| vip.vip.clone()).collect();
            let (tunnels, sysctls) = (devices.unwrap_or_default(), settings.clone());
            let group = group.cloned();
            all.insert(name, RealServer { group, tunnels, vips, sysctls, routes });
        }
    }
    all
}

fn metrics(form: &Located<RawRouteMetrics>, report: &mut Report<'_>) -> RouteMetrics {
    let RawRouteMetrics { mtu, advmss } = form.value;
    if mtu.is_none() && advmss.is_none() {
        report.empty(form.span, "`routes` is empty; write `mtu` or `advmss`");
    }
    route_metrics((mtu, advmss), report)
}

/// The metrics of a route: its MTU and its MSS.
pub(super) fn route_metrics(
    (mtu, advmss): (Option<Located<u32>>, Option<Located<u32>>),
    report: &mut Report<'_>,
) -> RouteMetrics {
    let mut within = |written: Option<Located<u32>>, (least, most): (u32, u32)| {
        let written = written?;
        if !(least..=most).contains(&written.value) {
            report.at(
                written.span,
                file::OUT_OF_RANGE,
                format!("{} bytes; write {least} to {most}", written.value),
            );
        }
        Some(written.value)
    };
    RouteMetrics { mtu: within(mtu, MTU), advmss: within(advmss, MSS) }
}

/// A VIP, and where the file names its device.
struct Vip {
    vip: VipAddress,
    device_at: Span,
}

fn vips(
    form: &Located<RawVips>,
    load_balancers: &BTreeMap<NodeName, LoadBalancer>,
    known: &mut Vips,
    lookup: &Lookup<'_>,
    report: &mut Report<'_>,
) -> Vec<Vip> {
    let written: Vec<&RawVip> = match &form.value {
        RawVips::One(one) => vec![one],
        RawVips::List(list) => list.iter().map(|one| &one.value).collect(),
    };
    if !report.limit(form.span, written.len(), VIPS, "VIP") {
        return Vec::new();
    }
    let (mut vips, mut seen) = (Vec::new(), HashSet::new());
    for fields in written {
        let address = report.take(fields.address.span, address::host(&fields.address));
        known.add(address);
        let Some(address) = address else { continue };
        if !seen.insert(address) {
            report.at(
                fields.address.span,
                file::DUPLICATE_VALUE,
                format!("the VIP {address} is named twice; keep one"),
            );
        }
        // A load balancer may have its VIP on an interface.
        let is_balancers = |owner: &&Attachment| {
            let balancer = load_balancers.get(&owner.node);
            let mut servers = balancer.into_iter().flat_map(|it| it.virtual_servers.values());
            servers.any(|server| server.destination.ip() == address)
        };
        if let Some(owner) = lookup.owner(address).filter(|owner| !is_balancers(owner)) {
            report.at(
                fields.address.span, file::DUPLICATE_ADDRESS,
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
        if let Some(scope) = fields.scope.as_ref().filter(|_| address.is_ipv6()) {
            report.at(
                scope.span,
                file::ADDRESS_FAMILY,
                "the kernel derives an IPv6 address's scope from the address; leave it out",
            );
        }
        let scope = fields.scope.as_ref().map_or(AddressScope::default(), |scope| scope.value);
        vips.push(Vip { vip: VipAddress { address, interface, label, scope }, device_at });
    }
    vips
}

/// A label is an address's alias name, held in 16 bytes as an interface's (`IFA_LABEL`,
/// rtnetlink(7)); ip-address(8) wants it to begin with the device's name. IPv6 has none.
fn label(
    fields: &RawVip,
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
        report.at(written.span, file::ADDRESS_FAMILY, "an IPv6 address has no label; leave it out");
    } else if written.len() > 15 {
        report.at(
            written.span,
            file::TOO_MANY,
            format!("the label has {} bytes; at most 15 are allowed", written.len()),
        );
    } else if !good {
        report.at(
            written.span,
            file::INVALID_VALUE,
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
                file::UNKNOWN_NAME,
                format!("`{name}` has no interface `{device}` to put a VIP on; write such as `lo`"),
            );
        }
    }
}

fn settings(
    fields: &RawRealServer,
    ends: &[(Located<NodeName>, Option<Vec<TunnelDevice>>)],
    lookup: &Lookup<'_>,
    report: &mut Report<'_>,
) -> BTreeMap<String, Setting> {
    let has_interface = |name: &str| {
        let on_all = ends.iter().all(|(node, devices)| {
            // A tunnel with an error may have any device.
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
