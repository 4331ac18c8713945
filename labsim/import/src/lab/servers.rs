//! What each real server has to be: tunnel, VIPs, and the services that listen on it.

use super::plan::Plan;
use crate::design::{Design, Encapsulation, Mode, Service, Snat, Virtual};
use crate::report::Report;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// Linux settings of one real server; none of them under address translation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Settings {
    /// Its tunnel, if it has one.
    pub(super) tunnel: Option<Encapsulation>,
    /// The VIPs that it holds.
    pub(super) vips: Vec<Ipv4Addr>,
}

/// A service on one real server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listener {
    pub(super) service: Service,
    pub(super) port: u16,
    /// The addresses that it takes requests from.
    pub(super) clients: Vec<Ipv4Addr>,
}

/// Settings that several servers share, and which servers.
pub(super) type Groups<T> = Vec<(T, Vec<usize>)>;

/// What makes real servers of the servers.
pub(super) fn settings(
    virtuals: &[&Virtual],
    design: &Design,
    plan: &Plan,
    report: &mut Report<'_>,
) -> Groups<Settings> {
    /// Most VIPs of a real server.
    const VIPS: usize = 256;
    let mut all: BTreeMap<usize, Settings> = BTreeMap::new();
    for one in virtuals {
        let pool = &design.pools[one.pool];
        if one.mode(pool.encapsulation) != Mode::Direct {
            continue;
        }
        for server in plan.servers_of(one, design) {
            let settings = all.entry(server).or_default();
            if !settings.vips.contains(&one.address) && settings.vips.len() < VIPS {
                settings.vips.push(one.address);
            }
            let wanted = Some(pool.encapsulation).filter(|one| *one != Encapsulation::None);
            match (settings.tunnel, wanted) {
                (None, _) => settings.tunnel = wanted,
                (Some(has), Some(wanted)) if has != wanted => report.warn(
                    pool.place,
                    pool.what.clone(),
                    format!(
                        "its tunnel is `{}`, and {} has one of `{}` for another pool; labsim's \
                         servers have one",
                        wanted.word(),
                        plan.servers[server].name,
                        has.word()
                    ),
                ),
                _ => {}
            }
        }
    }
    grouped(all)
}

/// The services that virtual servers expect on the servers.
pub(super) fn listeners(
    service: Service,
    virtuals: &[&Virtual],
    design: &Design,
    plan: &Plan,
    report: &mut Report<'_>,
) -> Groups<Listener> {
    let mut all: BTreeMap<usize, Listener> = BTreeMap::new();
    for one in virtuals.iter().filter(|one| one.service() == service) {
        for member in &design.pools[one.pool].members {
            let Some(server) = plan.server(member.address) else { continue };
            let port = one.listening(member);
            let listener =
                all.entry(server).or_insert(Listener { service, port, clients: Vec::new() });
            if listener.port != port {
                let name = &plan.servers[server].name;
                let why = format!(
                    "{name} listens at port {} for another virtual server already, and labsim's \
                     servers have one port; nobody answers at {port}",
                    listener.port
                );
                report.warn(one.place, one.what.clone(), why);
            }
            for client in clients(one, design, plan) {
                if !listener.clients.contains(&client) {
                    listener.clients.push(client);
                }
            }
        }
    }
    grouped(all)
}

/// Whom a server has to know: AAA servers know their clients by address.
fn clients(one: &Virtual, design: &Design, plan: &Plan) -> Vec<Ipv4Addr> {
    let mut clients = seen_as(one, plan);
    if one.mode(design.pools[one.pool].encapsulation) != Mode::Snat && one.snat != Snat::None {
        // What was promised beside what will be seen.
        clients.push(plan.client.net.addr());
    }
    clients
}

/// The addresses that a server can see a client under.
pub(super) fn seen_as(one: &Virtual, plan: &Plan) -> Vec<Ipv4Addr> {
    match &one.snat {
        Snat::None => vec![plan.client.net.addr()],
        Snat::Automap => vec![plan.lb.net.addr()],
        Snat::Pool(addresses) => addresses.clone(),
    }
}

fn grouped<T: PartialEq>(all: BTreeMap<usize, T>) -> Groups<T> {
    let mut groups: Groups<T> = Vec::new();
    for (server, what) in all {
        match groups.iter_mut().find(|(other, _)| *other == what) {
            Some((_, servers)) => servers.push(server),
            None => groups.push((what, vec![server])),
        }
    }
    groups
}
