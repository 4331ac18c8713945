//! Which monitors a lab can have: where nothing answers their probes, every member would be down.

use crate::lb_model::{LbModel, Pool, Service, VirtualServer};
use crate::report::Report;
use labsim_model::{IpProtocol, Monitor, MonitorKind};
use std::net::IpAddr;

/// Takes monitors out that nothing in the lab would answer, and lists them.
pub(crate) fn check(model: &mut LbModel, report: &mut Report<'_>) {
    let LbModel { virtuals, pools, .. } = model;
    for (at, pool) in pools.iter_mut().enumerate() {
        let Some(monitor) = &pool.settings.monitor else { continue };
        let users: Vec<&VirtualServer> = virtuals.iter().filter(|one| one.pool == at).collect();
        let members: Vec<(IpAddr, u16)> =
            pool.members.iter().map(|member| (member.address, member.port)).collect();
        let listens = |port: u16| {
            let answering = users.iter().filter(|one| answers(one, pool, monitor.kind));
            let mut ports = answering
                .flat_map(|one| pool.members.iter().map(|member| one.member_port(member, pool)));
            ports.any(|own| own == port)
        };
        let why = if users.is_empty() {
            None
        } else if monitor.transparent {
            why_not_transparent(monitor, &users)
        } else if monitor.kind != MonitorKind::Icmp {
            let probed = |member: &(IpAddr, u16)| monitor.port.unwrap_or(member.1);
            let missing = members.iter().map(probed).find(|port| !listens(*port));
            missing.map(|port| {
                let what = match monitor.kind {
                    MonitorKind::Tacacs => "are no TACACS+ servers at",
                    MonitorKind::Radius => "are no RADIUS servers at",
                    MonitorKind::Tcp | MonitorKind::Icmp => "do not listen at TCP",
                };
                format!(
                    "the lab's servers {what} port {port}, and all members would be down; there is no \
                     monitor"
                )
            })
        } else {
            None
        };
        if let Some(why) = why {
            report.not_imported(pool.place, format!("{}: monitor", pool.what), why);
            pool.settings.monitor = None;
            pool.settings.action_on_down = labsim_model::ActionOnDown::None;
        }
    }
}

/// Whether the servers of a virtual server answer probes of a kind that has ports.
fn answers(one: &VirtualServer, pool: &Pool, kind: MonitorKind) -> bool {
    let service = one.service(pool);
    match kind {
        MonitorKind::Tcp | MonitorKind::Icmp => one.settings.ip_protocol == IpProtocol::Tcp,
        MonitorKind::Tacacs => service == Service::Tacacs,
        MonitorKind::Radius => matches!(service, Service::Radius | Service::Accounting),
    }
}

/// Why no probe can go through the tunnel to the VIPs.
fn why_not_transparent(monitor: &Monitor, users: &[&VirtualServer]) -> Option<String> {
    let protocol = match monitor.kind {
        MonitorKind::Icmp => None,
        MonitorKind::Radius => Some(IpProtocol::Udp),
        MonitorKind::Tcp | MonitorKind::Tacacs => Some(IpProtocol::Tcp),
    };
    let is_probed =
        |one: &&&VirtualServer| protocol.is_none_or(|it| it == one.settings.ip_protocol);
    let probed: Vec<_> = users.iter().filter(is_probed).collect();
    let is_wild = |one: &&&VirtualServer| {
        monitor.kind != MonitorKind::Icmp && one.settings.destination.port().is_none()
    };
    if probed.is_empty() {
        let which = protocol.map_or("", |it| if it == IpProtocol::Tcp { "TCP " } else { "UDP " });
        Some(format!(
            "it is transparent, and no {which}virtual server uses the pool; there is no monitor"
        ))
    } else if probed.iter().any(|one| one.settings.translate_address) {
        Some(
            "it is transparent, and a virtual server translates addresses, whose servers have no VIP; \
             there is no monitor"
                .to_owned(),
        )
    } else if probed.iter().any(is_wild) {
        Some(
            "it is transparent, and a virtual server takes several ports; there is no monitor"
                .to_owned(),
        )
    } else {
        None
    }
}
