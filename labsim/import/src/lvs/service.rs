//! Virtual services and real servers as IPVS has them, and what they mean in a lab.

use super::scheduler::Scheduler;
use crate::lb_model::{LbModel, Member, Pool, VirtualServer};
use crate::place::Place;
use crate::report::Report;
use labsim_model::ipvs::{Forwarding, Timeouts, fastl4};
use labsim_model::{
    AdminState, IpProtocol, Monitor, OuterSource, Persistence, Ports, SourceAddress,
    SourceTranslation,
};
use std::net::IpAddr;

/// Longest time that labsim's persistence takes: a day.
const LONGEST: u32 = 86_400;

/// A virtual service; in keepalived one block may be several, with the same servers.
#[derive(Debug)]
pub(super) struct Service {
    /// In its language's words, such as `-A -t 172.16.4.99:49`.
    pub(super) what: String,
    pub(super) place: Place,
    pub(super) protocol: IpProtocol,
    pub(super) destinations: Vec<Destination>,
    pub(super) scheduler: Scheduler,
    pub(super) persistence: Option<Persistent>,
    /// One-packet scheduling, and where it is written.
    pub(super) one_packet: Option<Place>,
    pub(super) servers: Vec<Server>,
    pub(super) monitor: Option<Monitor>,
}

/// Address and port of a virtual service; port 0 is every port.
#[derive(Debug, Clone, Copy)]
pub(super) struct Destination {
    pub(super) address: IpAddr,
    pub(super) port: u16,
    pub(super) place: Place,
}

/// Persistence by the client's address.
#[derive(Debug)]
pub(super) struct Persistent {
    pub(super) place: Place,
    /// In seconds.
    pub(super) timeout: u32,
    pub(super) prefix_length: Option<u8>,
}

/// A real server.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) what: String,
    pub(super) place: Place,
    pub(super) address: IpAddr,
    /// `None` is the service's.
    pub(super) port: Option<u16>,
    pub(super) forwarding: Forwarding,
    pub(super) weight: u32,
}

/// What the services mean. The outer source of tunnel packets is the director's own address, the
/// source of its route to the server (ip_vs_xmit.c, `ip_vs_tunnel_xmit`).
pub(super) fn lb_model(
    services: Vec<Service>,
    timeouts: Timeouts,
    report: &mut Report<'_>,
) -> LbModel {
    let mut model = LbModel {
        outer_source: OuterSource::Egress,
        is_direct_routing: true,
        ..LbModel::default()
    };
    for service in services {
        let translates = service.servers.first().is_some_and(|one| one.forwarding.translates());
        let pool = service.pool(translates, report);
        if translates && !pool.members.is_empty() {
            let why = "the real servers answer through the director, their default gateway; in the lab \
                       their gateway is the router, so the source is translated as well (`automap`), \
                       and they see the load balancer in place of the client";
            report.warn(service.place, service.what.clone(), why);
        }
        let persistence = service.persistence(report);
        let one_packet = service.schedules_one_packet(translates, report);
        for destination in &service.destinations {
            let mut one = service.virtual_server(destination, translates, timeouts);
            one.pool = model.pools.len();
            one.settings.persistence = persistence;
            one.settings.datagram_load_balancing = one_packet;
            model.virtuals.push(one);
        }
        model.pools.push(pool);
    }
    model
}

impl Service {
    /// Its name by address, port and protocol.
    fn name(&self, kind: &str, destination: &Destination) -> String {
        let Destination { address, port, .. } = destination;
        let protocol = self.protocol.word();
        match port {
            0 => format!("{kind}_{address}_any_{protocol}"),
            _ => format!("{kind}_{address}_{port}_{protocol}"),
        }
    }

    fn virtual_server(
        &self,
        destination: &Destination,
        translates: bool,
        timeouts: Timeouts,
    ) -> VirtualServer {
        let Destination { address, port, place } = *destination;
        let name = self.name("vs", destination);
        let named = (name, self.what.as_str(), place);
        let ports = match port {
            0 => Ports::ANY,
            port => port.into(),
        };
        let mut one = VirtualServer::new(named, (address, ports), self.protocol);
        one.settings.translate_address = translates;
        one.settings.translate_port = translates;
        if translates {
            one.settings.source_address_translation = SourceTranslation::Automap;
        }
        one.settings.fastl4 = fastl4(self.protocol, timeouts);
        one
    }

    /// Whether each datagram is scheduled for itself.
    fn schedules_one_packet(&self, translates: bool, report: &mut Report<'_>) -> bool {
        let Some(place) = self.one_packet else { return false };
        let why = match (self.protocol, translates) {
            (IpProtocol::Udp, false) => return true,
            (IpProtocol::Udp, true) => {
                "the lab translates the source of what is masqueraded, which needs a flow"
            }
            (IpProtocol::Tcp, _) => "it is for UDP: a TCP connection stays with its server",
        };
        report.not_imported(place, format!("{}: one-packet scheduling", self.what), why);
        false
    }

    fn persistence(&self, report: &mut Report<'_>) -> Persistence {
        let Some(Persistent { place, timeout, prefix_length }) = self.persistence else {
            return Persistence::None;
        };
        if timeout > LONGEST {
            let why = format!("labsim's longest persistence is {LONGEST} s, which is used");
            report.warn(place, format!("{}: persistence", self.what), why);
        }
        let timeout = timeout.min(LONGEST);
        Persistence::SourceAddress(SourceAddress { timeout, prefix_length })
    }

    fn pool(&self, translates: bool, report: &mut Report<'_>) -> Pool {
        let mut members: Vec<Member> = Vec::new();
        for server in &self.servers {
            let Some(member) = self.member(server, translates, report) else { continue };
            if crate::validate::can_add(&member, &server.what, members.iter(), report) {
                members.push(member);
            }
        }
        // What most files have once is the pool's.
        let profile = members.first().and_then(|member| member.profile).unwrap_or_default();
        for member in &mut members {
            member.profile = member.profile.filter(|own| *own != profile);
        }
        let name = self.destinations.first().map(|first| self.name("p", first));
        Pool {
            name: name.unwrap_or_default(),
            place: self.place,
            what: self.what.clone(),
            members,
            profile_at: None,
            settings: labsim_model::Pool {
                profile,
                load_balancing_mode: self.scheduler.mode(&self.what, self.place, report),
                monitor: self.monitor.clone(),
                ..labsim_model::Pool::default()
            },
        }
    }

    fn member(&self, server: &Server, translates: bool, report: &mut Report<'_>) -> Option<Member> {
        let what = &server.what;
        if server.forwarding.translates() != translates {
            let why = "labsim's virtual servers translate the destination for all members or for none; \
                       another way is that of the service's first server";
            return report.skip(server.place, what, why);
        }
        let own = self.destinations.first().map_or(0, |first| first.port);
        let port = match server.port {
            Some(port) if translates => port,
            Some(port) => {
                if self.destinations.iter().all(|one| one.port != port) {
                    let why = "without translation a server gets packets for the service's port, \
                               which is used";
                    report.warn(server.place, format!("{what}: port {port}"), why);
                }
                own
            }
            None => own,
        };
        let ratio = u16::try_from(server.weight).unwrap_or_else(|_| {
            let why = format!("labsim's largest ratio is {}, which is used", u16::MAX);
            report.warn(server.place, format!("{what}: weight"), why);
            u16::MAX
        });
        Some(Member {
            name: None,
            place: server.place,
            address: server.address,
            port,
            ratio,
            profile: Some(server.forwarding.profile()),
            state: AdminState::Enabled,
        })
    }
}
