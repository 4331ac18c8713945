//! The services and real servers of a load balancer, and what IPVS cannot do of it.

use super::{Difference, Forwarding, Scheduler, Severity, Timeouts, fastl4};
use crate::{
    AdminState, Announcements, FailoverState, FastL4, GreOptions, GueOptions, IpProtocol, KeyPath,
    LoadBalancer, LoadBalancingMode, Maglev, Member, OuterSource, Persistence, Pool, Profile,
    SourceAddress, SourceTranslation, VirtualServer, printable,
};
use std::net::{IpAddr, SocketAddr};

/// A director: a load balancer in IPVS's terms.
#[derive(Debug)]
pub struct Director<'b> {
    /// In the order of IPVS's own list: by protocol, address and port.
    pub services: Vec<Service<'b>>,
    /// IPVS's timeouts, which all services share.
    pub timeouts: Timeouts,
    /// Whether TCP connections may begin without their SYN (`net.ipv4.vs.sloppy_tcp`).
    pub sloppy_tcp: bool,
    /// What IPVS does not have, or does in another way.
    pub differences: Vec<Difference>,
}

/// A virtual service.
#[derive(Debug, Clone)]
pub struct Service<'b> {
    /// The virtual server's name.
    pub name: &'b str,
    /// Port 0 is every port.
    pub destination: SocketAddr,
    /// TCP or UDP.
    pub protocol: IpProtocol,
    /// What chooses a server.
    pub scheduler: Scheduler,
    /// Whether a client's connections go to one server.
    pub persistence: Option<SourceAddress>,
    /// Whether each datagram is scheduled for itself (`ops`).
    pub one_packet: bool,
    /// The pool's name, and the pool.
    pub pool: (&'b str, &'b Pool),
    /// In the pool's order.
    pub servers: Vec<Server>,
}

/// A real server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Server {
    /// With the port that packets to it have.
    pub address: SocketAddr,
    /// How packets reach it.
    pub forwarding: Forwarding,
    /// Its share; 0 gets no new connections.
    pub weight: u16,
    /// The member, as the pool names it.
    pub member: SocketAddr,
}

impl Server {
    /// The member's own port, which monitors probe.
    #[must_use]
    pub fn member_port(&self) -> u16 {
        if self.member.port() == 0 { self.address.port() } else { self.member.port() }
    }
}

impl<'b> Director<'b> {
    /// Reads a load balancer. What IPVS would do something else with is left out.
    #[must_use]
    pub fn new(balancer: &'b LoadBalancer) -> Self {
        let LoadBalancer {
            engine: _,
            outer_source,
            outer_tos,
            virtual_servers,
            pools,
            failover_state,
            announcements,
            faults,
        } = balancer;
        let mut differences = Vec::new();
        let mut note = |path: KeyPath, severity, what: &str, why: &str| {
            let (what, why) = (what.to_owned(), why.to_owned());
            differences.push(Difference { path, what, why, severity });
        };
        let has_tunnel = pools.values().any(|pool| pool.tunnels().next().is_some());
        if *outer_source == OuterSource::Client && has_tunnel {
            let why = "IPVS's tunnel packets carry the director's own address as their source";
            let path = KeyPath::new(["outer_source"]);
            note(path, Severity::Default, "outer_source: client", why);
        }
        if let Some(tos) = outer_tos.filter(|_| has_tunnel) {
            let (path, what) = (KeyPath::new(["outer_tos"]), format!("outer_tos: {tos}"));
            note(path, Severity::Refused, &what, "IPVS copies the inner packet's");
        }
        if *failover_state == FailoverState::Standby {
            let why = "which director is active is VRRP's to say";
            let path = KeyPath::new(["failover_state"]);
            note(path, Severity::Refused, "failover_state: standby", why);
        }
        if *announcements != Announcements::default() {
            let why = "IPVS announces no address; keepalived's VRRP does";
            note(KeyPath::new(["announcements"]), Severity::Refused, "announcements", why);
        }
        for (index, fault) in faults.iter().enumerate() {
            let path = KeyPath::new(["faults"]).join(index);
            let why = "it is the lab's, made on purpose";
            note(path, Severity::Refused, &format!("faults: {fault}"), why);
        }
        for name in pools.keys().filter(|name| virtual_servers.values().all(|it| it.pool != **name))
        {
            let why = "no virtual server uses it, and IPVS has no pools of their own";
            let path = KeyPath::new(["pools", name]);
            note(path, Severity::None, &format!("pool {}", printable(name)), why);
        }
        let timeouts = timeouts(balancer);
        let sloppy_tcp = sloppy_tcp(balancer);
        let mut services: Vec<Service<'_>> = virtual_servers
            .iter()
            .filter_map(|(name, server)| {
                let (pool_name, pool) = pools.get_key_value(&server.pool)?;
                let mut reader = Reader {
                    what: format!("virtual server {}", printable(name)),
                    path: KeyPath::new(["virtual_servers", name]),
                    pool_path: KeyPath::new(["pools", pool_name]),
                    sloppy_tcp,
                    note: &mut note,
                };
                let mut service = reader.service(name, server, (pool_name, pool), timeouts)?;
                service.servers = reader.servers(server, pool);
                if service.servers.is_empty() {
                    let (path, what) = (reader.path.clone(), reader.what.clone());
                    let why = "none of its members is a real server of IPVS's";
                    (reader.note)(path, Severity::Refused, &what, why);
                    return None;
                }
                Some(service)
            })
            .collect();
        services.sort_by_key(|one| {
            let address = one.destination.ip();
            (address.is_ipv6(), one.protocol.number(), address, one.destination.port())
        });
        Self { services, timeouts, sloppy_tcp, differences }
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

/// Whether a TCP virtual server takes connections without their SYN.
fn sloppy_tcp(balancer: &LoadBalancer) -> bool {
    let mut servers = balancer.virtual_servers.values();
    servers.any(|it| it.ip_protocol == IpProtocol::Tcp && it.fastl4.loose_initiation)
}

/// Reads one virtual server.
struct Reader<'n> {
    what: String,
    path: KeyPath,
    pool_path: KeyPath,
    sloppy_tcp: bool,
    note: &'n mut dyn FnMut(KeyPath, Severity, &str, &str),
}

impl Reader<'_> {
    /// Something of the virtual server that IPVS would do in another way.
    fn refuse(&mut self, key: &str, what: &str, why: &str) {
        self.note(self.path.join(key), Severity::Refused, what, why);
    }

    fn note(&mut self, path: KeyPath, severity: Severity, what: &str, why: &str) {
        (self.note)(path, severity, &format!("{}: {what}", self.what), why);
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
        let mut whole = |key: &str, why: &str| {
            let what = self.what.clone();
            (self.note)(self.path.join(key), Severity::Refused, &what, why);
            None
        };
        let Some(port) = destination.port().or(destination.ports().is_any().then_some(0)) else {
            return whole("destination", "IPVS has services of one port or of every port");
        };
        if port == 0 && persistence.is_none() {
            return whole("destination", "IPVS has services of every port with persistence only");
        }
        if !translate_address && *source_address_translation != SourceTranslation::None {
            let why = "IPVS does not translate the source address of what it forwards in a tunnel or \
                       by direct routing";
            return whole("source_address_translation", why);
        }
        if *source_address_translation != SourceTranslation::None {
            let why = "IPVS leaves the client's address: the real servers need the director as their \
                       default gateway";
            let key = "source_address_translation";
            self.refuse(key, key, why);
        }
        if *mirror {
            let why = "IPVS copies the connections of all services, by its daemon (ipvsadm --start-daemon)";
            self.refuse("mirror", "mirror", why);
        }
        self.fastl4(*fastl4, *ip_protocol, timeouts);
        let mode = pool.1.load_balancing_mode;
        if let LoadBalancingMode::Maglev(Maglev { table_size, .. }) = mode
            && table_size != Maglev::default().table_size
        {
            let why = "the size of IPVS's table is the kernel's (CONFIG_IP_VS_MH_TAB_INDEX)";
            let path = self.pool_path.join("load_balancing_mode");
            let what = format!("maglev: table_size {table_size}");
            self.note(path, Severity::Refused, &what, why);
        }
        Some(Service {
            name,
            destination: SocketAddr::new(destination.ip(), port),
            protocol: *ip_protocol,
            scheduler: Scheduler::of_mode(mode),
            persistence,
            one_packet: *datagram_load_balancing,
            pool,
            servers: Vec::new(),
        })
    }

    fn fastl4(&mut self, own: FastL4, protocol: IpProtocol, timeouts: Timeouts) {
        let FastL4 {
            loose_initiation,
            loose_close,
            idle_timeout,
            reset_on_timeout,
            // Who forwards changes no packet, and IPVS is in the kernel anyway.
            pva_acceleration: _,
        } = own;
        let ipvs = fastl4(protocol, timeouts);
        let at = self.path.join("fastl4");
        if loose_initiation {
            let why = "IPVS takes TCP connections without their SYN with the kernel setting \
                       net.ipv4.vs.sloppy_tcp=1 only";
            let path = at.join("loose_initiation");
            self.note(path, Severity::None, "fastl4: loose_initiation", why);
        }
        let is_tcp = protocol == IpProtocol::Tcp;
        if is_tcp && self.sloppy_tcp && !loose_initiation {
            let why = "IPVS has one setting for all services, net.ipv4.vs.sloppy_tcp, and another virtual server \
                       has `loose_initiation: true`";
            let path = at.join("loose_initiation");
            self.note(path, Severity::Refused, "fastl4: loose_initiation false", why);
        }
        if is_tcp && loose_close != ipvs.loose_close {
            let why = "a client's FIN ends a connection of IPVS's";
            let path = at.join("loose_close");
            self.note(path, Severity::Default, "fastl4: loose_close false", why);
        }
        if is_tcp && reset_on_timeout != ipvs.reset_on_timeout {
            let why = "IPVS ends idle connections in silence";
            let path = at.join("reset_on_timeout");
            self.note(path, Severity::Default, "fastl4: reset_on_timeout", why);
        }
        if idle_timeout != ipvs.idle_timeout {
            let why = format!("IPVS has one time for all services, {} s here", ipvs.idle_timeout);
            let what = format!("fastl4: idle_timeout {idle_timeout}");
            self.note(at.join("idle_timeout"), Severity::Refused, &what, &why);
        }
    }

    fn servers(&mut self, server: &VirtualServer, pool: &Pool) -> Vec<Server> {
        let mut servers: Vec<Server> = Vec::new();
        for (index, member) in pool.members.iter().enumerate() {
            let profile = pool.profile_of(member);
            let Some(one) = self.server(index, member, profile, server) else { continue };
            if servers.iter().any(|other| other.address == one.address) {
                let why = "without translation IPVS has one real server at an address";
                let path = self.member(index);
                self.note(path, Severity::Refused, &format!("member {}", member.address), why);
                continue;
            }
            servers.push(one);
        }
        servers
    }

    fn member(&self, index: usize) -> KeyPath {
        self.pool_path.join("members").join(index)
    }

    fn server(
        &mut self,
        index: usize,
        member: &Member,
        profile: Profile,
        server: &VirtualServer,
    ) -> Option<Server> {
        let Member { address: member, ratio, profile: _, state } = *member;
        let at = self.member(index);
        let what = format!("member {member}");
        // 0 is every port.
        let own = server.destination.port().unwrap_or(0);
        let forwarding = match (server.translate_address, profile) {
            (false, Profile::None) => Forwarding::DirectRouting,
            (false, profile) => Forwarding::Tunnel(profile),
            (true, Profile::None) => Forwarding::Masquerading,
            (true, _) => {
                let why = "IPVS translates no address of what it sends in a tunnel";
                self.note(at, Severity::Refused, &what, why);
                return None;
            }
        };
        if let Forwarding::Tunnel(profile) = forwarding {
            self.tunnel(&at, &what, profile);
        }
        if server.destination.ip().is_ipv4() != member.is_ipv4()
            && !matches!(forwarding, Forwarding::Tunnel(_))
        {
            let why = "IPVS reaches a server of the other address family in a tunnel only";
            self.note(at, Severity::Refused, &what, why);
            return None;
        }
        let port = match (member.port(), own) {
            (0, own) => own,
            (port, own) if server.translate_address && server.translate_port && own != 0 => port,
            (port, own) => {
                if port != own && server.translate_port {
                    let why =
                        "IPVS translates ports with masquerading, and of services with one port";
                    self.note(at.clone(), Severity::Refused, &what, why);
                }
                own
            }
        };
        let weight = match state {
            AdminState::Enabled => ratio,
            AdminState::Disabled | AdminState::ForcedOffline => {
                self.state(at, &what, state, server.persistence);
                0
            }
        };
        let address = SocketAddr::new(member.ip(), port);
        Some(Server { address, forwarding, weight, member })
    }

    /// A member that an operator has taken out has weight 0, with which persistent clients stay or go as a
    /// kernel setting says.
    fn state(&mut self, at: KeyPath, what: &str, state: AdminState, persistence: Persistence) {
        let (why, severity) = match state {
            AdminState::Disabled => (
                "weight 0 is written; with net.ipv4.vs.expire_quiescent_template=1 persistent \
                 clients go elsewhere, too",
                if persistence == Persistence::None { Severity::None } else { Severity::Refused },
            ),
            _ => (
                "weight 0 is written; persistent clients go elsewhere with the kernel setting \
                 net.ipv4.vs.expire_quiescent_template=1 only",
                Severity::None,
            ),
        };
        self.note(at, severity, &format!("{what}: state {}", state.word()), why);
    }

    /// Notes options of a tunnel that IPVS does not have.
    fn tunnel(&mut self, at: &KeyPath, what: &str, profile: Profile) {
        match profile {
            Profile::Gre(GreOptions { key: Some(key), .. }) => {
                let why = "IPVS's GRE packets carry no key";
                let what = format!("{what}: gre: key {key}");
                self.note(at.clone(), Severity::Refused, &what, why);
            }
            Profile::Gue(GueOptions { variant, .. }) if variant != 0 => {
                let why = "IPVS's GUE packets are of variant 0";
                let what = format!("{what}: gue: variant {variant}");
                self.note(at.clone(), Severity::Refused, &what, why);
            }
            _ => {}
        }
    }
}

/// The mask of a persistence that is not by the whole address, as ipvsadm and keepalived write it.
#[must_use]
pub fn mask(rule: SourceAddress, destination: SocketAddr) -> Option<String> {
    let length = rule.prefix_length?;
    match destination.ip() {
        IpAddr::V4(_) if length < 32 => {
            let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
            Some(std::net::Ipv4Addr::from(mask).to_string())
        }
        IpAddr::V6(_) if length < 128 => Some(length.to_string()),
        _ => None,
    }
}
