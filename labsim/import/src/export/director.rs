//! A load balancer as Linux Virtual Server has it, for `ipvsadm` and `keepalived.conf`: its services
//! and real servers, and what it cannot say of them.

use super::NotExported;
use crate::lvs::Timeouts;
use crate::lvs::scheduler;
use crate::lvs::service::{Forwarding, fastl4};
use crate::text::printable;
use labsim_model::{Announcements, FailoverState};
use labsim_scenario::model::{
    AdminState, FastL4, GreOptions, GueOptions, IpProtocol, LoadBalancer, LoadBalancingMode,
    Maglev, Member, OuterSource, Persistence, Pool, Profile, SourceAddress, SourceTranslation,
    VirtualServer,
};
use std::net::{IpAddr, SocketAddr};

/// A director: what is written of a load balancer.
pub(super) struct Director<'b> {
    /// In the order of IPVS's own list: by protocol, address and port.
    pub(super) services: Vec<Service<'b>>,
    /// IPVS's timeouts, which all services share.
    pub(super) timeouts: Timeouts,
    pub(super) not_exported: Vec<NotExported>,
}

/// A virtual service.
pub(super) struct Service<'b> {
    pub(super) name: &'b str,
    /// Port 0 is every port.
    pub(super) destination: SocketAddr,
    pub(super) protocol: IpProtocol,
    pub(super) scheduler: &'static str,
    pub(super) flag: Option<&'static str>,
    pub(super) persistence: Option<SourceAddress>,
    /// Whether each datagram is scheduled for itself.
    pub(super) one_packet: bool,
    pub(super) pool: (&'b str, &'b Pool),
    /// In the pool's order.
    pub(super) servers: Vec<Server>,
}

/// A real server.
#[derive(Clone, Copy)]
pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) forwarding: Forwarding,
    pub(super) weight: u16,
    /// The member's own port, which monitors probe.
    pub(super) member_port: u16,
}

impl<'b> Director<'b> {
    pub(super) fn new(balancer: &'b LoadBalancer) -> Self {
        let LoadBalancer {
            outer_source,
            outer_tos,
            virtual_servers,
            pools,
            failover_state,
            announcements,
            faults,
        } = balancer;
        let mut not_exported = Vec::new();
        let mut note = |what: &str, why: &str| not_exported.push(NotExported::new(what, why));
        let has_tunnel = pools.values().any(|pool| pool.tunnels().next().is_some());
        if *outer_source == OuterSource::Client && has_tunnel {
            let why = "IPVS's tunnel packets carry the director's own address as their source";
            note("outer_source: client", why);
        }
        if let Some(tos) = outer_tos.filter(|_| has_tunnel) {
            let why = "IPVS copies the inner packet's";
            note(&format!("outer_tos: {tos}"), why);
        }
        if *failover_state == FailoverState::Standby {
            note("failover_state: standby", "which director is active is VRRP's to say");
        }
        if *announcements != Announcements::default() {
            note("announcements", "IPVS announces no address; keepalived's VRRP does");
        }
        for fault in faults {
            note(&format!("faults: {fault}"), "it is the lab's, made on purpose");
        }
        for name in pools.keys().filter(|name| virtual_servers.values().all(|it| it.pool != **name))
        {
            let why = "no virtual server uses it, and IPVS has no pools of their own";
            note(&format!("pool {}", printable(name)), why);
        }
        let timeouts = timeouts(balancer);
        let mut services: Vec<Service<'_>> = virtual_servers
            .iter()
            .filter_map(|(name, server)| {
                let (pool_name, pool) = pools.get_key_value(&server.pool)?;
                let mut reader =
                    Reader { what: format!("virtual server {}", printable(name)), note: &mut note };
                let mut service = reader.service(name, server, (pool_name, pool), timeouts)?;
                service.servers = reader.servers(server, pool);
                if service.servers.is_empty() {
                    (reader.note)(&reader.what, "none of its members is a real server of IPVS's");
                    return None;
                }
                Some(service)
            })
            .collect();
        services.sort_by_key(|one| {
            let address = one.destination.ip();
            (address.is_ipv6(), one.protocol.number(), address, one.destination.port())
        });
        Self { services, timeouts, not_exported }
    }
}

/// The timeouts that most virtual servers of each protocol have.
fn timeouts(balancer: &LoadBalancer) -> Timeouts {
    let most = |protocol: IpProtocol| {
        let of_protocol = balancer.virtual_servers.values().filter(|it| it.ip_protocol == protocol);
        let all: Vec<u32> = of_protocol.map(|it| it.fastl4.idle_timeout).collect();
        let count = |wanted: u32| all.iter().filter(|one| **one == wanted).count();
        all.iter().copied().max_by_key(|one| count(*one))
    };
    let own = Timeouts::default();
    Timeouts {
        tcp: most(IpProtocol::Tcp).unwrap_or(own.tcp),
        udp: most(IpProtocol::Udp).unwrap_or(own.udp),
    }
}

/// Reads one virtual server.
struct Reader<'n> {
    what: String,
    note: &'n mut dyn FnMut(&str, &str),
}

impl Reader<'_> {
    fn note(&mut self, what: &str, why: &str) {
        (self.note)(&format!("{}: {what}", self.what), why);
    }

    /// The service without its servers; none if IPVS would do something else with its packets.
    fn service<'b>(
        &mut self,
        name: &'b str,
        server: &VirtualServer,
        pool: (&'b str, &'b Pool),
        timeouts: Timeouts,
    ) -> Option<Service<'b>> {
        let VirtualServer {
            destination,
            ip_protocol,
            pool: _,
            translate_address,
            // That of each member's port is looked at with the member.
            translate_port: _,
            source_address_translation,
            fastl4,
            persistence,
            mirror,
            datagram_load_balancing,
        } = server;
        let persistence = match persistence {
            Persistence::None => None,
            Persistence::SourceAddress(rule) => Some(*rule),
        };
        let Some(port) = destination.port().or(destination.ports().is_any().then_some(0)) else {
            let why = "IPVS has services of one port or of every port";
            (self.note)(&self.what, why);
            return None;
        };
        if port == 0 && persistence.is_none() {
            let why = "IPVS has services of every port with persistence only";
            (self.note)(&self.what, why);
            return None;
        }
        if !translate_address && *source_address_translation != SourceTranslation::None {
            let why = "IPVS does not translate the source address of what it forwards in a tunnel or \
                       by direct routing";
            (self.note)(&self.what, why);
            return None;
        }
        if *source_address_translation != SourceTranslation::None {
            let why = "IPVS leaves the client's address: the real servers need the director as their \
                       default gateway";
            self.note("source_address_translation", why);
        }
        if *mirror {
            let why = "IPVS copies the connections of all services, by its daemon (ipvsadm --start-daemon)";
            self.note("mirror", why);
        }
        self.fastl4(*fastl4, *ip_protocol, timeouts);
        let mode = pool.1.load_balancing_mode;
        if let LoadBalancingMode::Maglev(Maglev { table_size, .. }) = mode
            && table_size != Maglev::default().table_size
        {
            let why = "the size of IPVS's table is the kernel's (CONFIG_IP_VS_MH_TAB_INDEX)";
            self.note(&format!("maglev: table_size {table_size}"), why);
        }
        let (scheduler, flag) = scheduler::of_mode(mode);
        Some(Service {
            name,
            destination: SocketAddr::new(destination.ip(), port),
            protocol: *ip_protocol,
            scheduler,
            flag,
            persistence,
            one_packet: *datagram_load_balancing,
            pool,
            servers: Vec::new(),
        })
    }

    fn fastl4(&mut self, own: FastL4, protocol: IpProtocol, timeouts: Timeouts) {
        let FastL4 { loose_initiation, loose_close, idle_timeout, reset_on_timeout } = own;
        let ipvs = fastl4(protocol, timeouts);
        if loose_initiation {
            let why = "IPVS takes TCP connections without their SYN with the kernel setting \
                       net.ipv4.vs.sloppy_tcp=1 only";
            self.note("fastl4: loose_initiation", why);
        }
        if protocol == IpProtocol::Tcp && loose_close != ipvs.loose_close {
            self.note("fastl4: loose_close false", "a client's FIN ends a connection of IPVS's");
        }
        if protocol == IpProtocol::Tcp && reset_on_timeout != ipvs.reset_on_timeout {
            self.note("fastl4: reset_on_timeout", "IPVS ends idle connections in silence");
        }
        if idle_timeout != ipvs.idle_timeout {
            let why = format!("IPVS has one time for all services, {} s here", ipvs.idle_timeout);
            self.note(&format!("fastl4: idle_timeout {idle_timeout}"), &why);
        }
    }

    fn servers(&mut self, server: &VirtualServer, pool: &Pool) -> Vec<Server> {
        let mut servers: Vec<Server> = Vec::new();
        for member in &pool.members {
            let Some(one) = self.server(member, pool.profile_of(member), server) else { continue };
            if servers.iter().any(|other| other.address == one.address) {
                let why = "without translation IPVS has one real server at an address";
                self.note(&format!("member {}", member.address), why);
                continue;
            }
            servers.push(one);
        }
        servers
    }

    fn server(
        &mut self,
        member: &Member,
        profile: Profile,
        server: &VirtualServer,
    ) -> Option<Server> {
        let Member { address, ratio, profile: _, state } = *member;
        let what = format!("member {address}");
        // 0 is every port.
        let own = server.destination.port().unwrap_or(0);
        let forwarding = match (server.translate_address, profile) {
            (false, Profile::None) => Forwarding::DirectRouting,
            (false, profile) => Forwarding::Tunnel(profile),
            (true, Profile::None) => Forwarding::Masquerading,
            (true, _) => {
                self.note(&what, "IPVS translates no address of what it sends in a tunnel");
                return None;
            }
        };
        if let Forwarding::Tunnel(profile) = forwarding {
            self.tunnel(&what, profile);
        }
        if server.destination.ip().is_ipv4() != address.is_ipv4()
            && !matches!(forwarding, Forwarding::Tunnel(_))
        {
            self.note(&what, "IPVS reaches a server of the other address family in a tunnel only");
            return None;
        }
        let port = match (address.port(), own) {
            (0, own) => own,
            (port, own) if server.translate_address && server.translate_port && own != 0 => port,
            (port, own) => {
                if port != own && server.translate_port {
                    let why =
                        "IPVS translates ports with masquerading, and of services with one port";
                    self.note(&what, why);
                }
                own
            }
        };
        let weight = match state {
            AdminState::Enabled => ratio,
            AdminState::Disabled | AdminState::ForcedOffline => {
                let why = match state {
                    AdminState::Disabled => {
                        "weight 0 is written; with net.ipv4.vs.expire_quiescent_template=1 persistent \
                         clients go elsewhere, too"
                    }
                    _ => {
                        "weight 0 is written; persistent clients go elsewhere with the kernel setting \
                         net.ipv4.vs.expire_quiescent_template=1 only"
                    }
                };
                self.note(&format!("{what}: state {}", state.word()), why);
                0
            }
        };
        let member_port = if address.port() == 0 { port } else { address.port() };
        let address = SocketAddr::new(address.ip(), port);
        Some(Server { address, forwarding, weight, member_port })
    }

    /// Lists options of a tunnel that IPVS does not have.
    fn tunnel(&mut self, what: &str, profile: Profile) {
        match profile {
            Profile::Gre(GreOptions { key: Some(key), .. }) => {
                let why = "IPVS's GRE packets carry no key";
                self.note(&format!("{what}: gre: key {key}"), why);
            }
            Profile::Gue(GueOptions { variant, .. }) if variant != 0 => {
                let why = "IPVS's GUE packets are of variant 0";
                self.note(&format!("{what}: gue: variant {variant}"), why);
            }
            _ => {}
        }
    }
}

/// The mask of a persistence that is not by the whole address, as both languages write it.
pub(super) fn mask(rule: SourceAddress, destination: SocketAddr) -> Option<String> {
    let length = rule.prefix_length?;
    match destination.ip() {
        IpAddr::V4(_) if length < 32 => {
            let net = ipnet::Ipv4Net::new(std::net::Ipv4Addr::UNSPECIFIED, length).ok()?;
            Some(net.netmask().to_string())
        }
        IpAddr::V6(_) if length < 128 => Some(length.to_string()),
        _ => None,
    }
}
