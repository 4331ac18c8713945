//! What each real server has to be: tunnel, VIPs, and the services that listen on it.

use super::plan::AddressPlan;
use crate::address::Family;
use crate::lb_model::{LbModel, Service, VirtualServer, tunnel_name};
use crate::report::Report;
use labsim_model::{SourceTranslation, TunnelKind, TunnelProtocol};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Linux settings of one real server; none without a tunnel where the destination is translated.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Settings {
    /// Its tunnel, if it has one.
    pub(super) tunnel: Option<TunnelProtocol>,
    /// The devices that IPv4 comes out of, where the reverse path filter has to let it pass.
    pub(super) ipv4_devices: BTreeSet<&'static str>,
    /// The VIPs that it holds.
    pub(super) vips: Vec<IpAddr>,
}

/// A service on one real server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listener {
    /// RADIUS accounting is with RADIUS.
    pub(super) service: Service,
    /// Of RADIUS none, where a server takes accounting requests alone.
    pub(super) port: Option<u16>,
    /// Where a RADIUS server takes accounting requests, if it has to.
    pub(super) accounting: Option<u16>,
    /// The addresses that an AAA server takes requests from; none of another.
    pub(super) clients: Vec<IpAddr>,
}

/// Settings that several servers share, and which servers.
pub(super) type Groups<T> = Vec<(T, Vec<usize>)>;

/// What makes real servers of the servers.
pub(super) fn settings(
    virtuals: &[&VirtualServer],
    model: &LbModel,
    plan: &AddressPlan,
    report: &mut Report<'_>,
) -> Groups<Settings> {
    /// Most VIPs of a real server.
    const VIPS: usize = 256;
    let mut all: BTreeMap<usize, Settings> = BTreeMap::new();
    for one in virtuals {
        let pool = &model.pools[one.pool];
        for member in &pool.members {
            let Some(server) = plan.server(member.address) else { continue };
            let wanted = pool.tunnel(member);
            // Who ends a tunnel is set up for Direct Server Return, though the destination is translated.
            if one.settings.translate_address && wanted.is_none() {
                continue;
            }
            let settings = all.entry(server).or_default();
            if !settings.vips.contains(&one.address) && settings.vips.len() < VIPS {
                settings.vips.push(one.address);
            }
            match (settings.tunnel, wanted) {
                (None, _) => settings.tunnel = wanted,
                (Some(has), Some(wanted)) if has != wanted => report.warn(
                    pool.place,
                    pool.what.clone(),
                    format!(
                        "its tunnel is `{}`, and {} has one of `{}` for another pool; labsim's \
                         servers have one tunnel",
                        tunnel_name(wanted),
                        plan.servers[server].name,
                        tunnel_name(has)
                    ),
                ),
                _ => {}
            }
            if let (Some(tunnel), IpAddr::V4(_)) = (settings.tunnel, one.address) {
                let kind = TunnelKind::of(tunnel, member.address.is_ipv4(), true);
                settings.ipv4_devices.insert(kind.usual_device());
            }
        }
    }
    grouped(all)
}

/// The servers of services that virtual servers expect on the real servers: of AAA one on each, of others
/// one for each port.
pub(super) fn listeners(
    services: &[Service],
    virtuals: &[&VirtualServer],
    model: &LbModel,
    plan: &AddressPlan,
    report: &mut Report<'_>,
) -> Groups<Listener> {
    let mut all: BTreeMap<(usize, u16), Listener> = BTreeMap::new();
    for one in virtuals {
        let pool = &model.pools[one.pool];
        let service = one.service(pool);
        if !services.contains(&service) {
            continue;
        }
        for member in &pool.members {
            let Some(server) = plan.server(member.address) else { continue };
            let port = one.member_port(member, pool);
            let place = if service.is_aaa() { 0 } else { port };
            let is_accounting = service == Service::Accounting;
            let listener = all.entry((server, place)).or_insert(Listener {
                service: if is_accounting { Service::Radius } else { service },
                port: None,
                accounting: None,
                clients: Vec::new(),
            });
            let kept = if is_accounting { &mut listener.accounting } else { &mut listener.port };
            let kept = *kept.get_or_insert(port);
            if kept != port {
                let name = &plan.servers[server].name;
                let why = format!(
                    "{name} listens on port {kept} for another virtual server already, and labsim's \
                     servers have one port; no server listens on {port}"
                );
                report.warn(one.place, one.what.clone(), why);
            }
            if !service.is_aaa() {
                continue;
            }
            // A monitor asks from the load balancer's own address.
            let asks = pool.settings.monitor.as_ref().is_some_and(|it| it.kind.needs_secret());
            let own = plan.lb.get(Family::of(member.address)).map(|port| port.net.addr());
            for client in source_addresses(one, plan).into_iter().chain(own.filter(|_| asks)) {
                if !listener.clients.contains(&client) {
                    listener.clients.push(client);
                }
            }
        }
    }
    grouped(all.into_iter().map(|((server, _), listener)| (server, listener)))
}

/// The addresses that a server can see a client under.
pub(super) fn source_addresses(one: &VirtualServer, plan: &AddressPlan) -> Vec<IpAddr> {
    match &one.settings.source_address_translation {
        SourceTranslation::None => plan.client_address(one).into_iter().collect(),
        SourceTranslation::Automap => {
            plan.lb.get(one.family()).map(|port| port.net.addr()).into_iter().collect()
        }
        SourceTranslation::Snat(_) => one.snat_addresses().collect(),
    }
}

fn grouped<T: PartialEq>(all: impl IntoIterator<Item = (usize, T)>) -> Groups<T> {
    let mut groups: Groups<T> = Vec::new();
    for (server, what) in all {
        match groups.iter_mut().find(|(other, _)| *other == what) {
            Some((_, servers)) => servers.push(server),
            None => groups.push((what, vec![server])),
        }
    }
    groups
}
