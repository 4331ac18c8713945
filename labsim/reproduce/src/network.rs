//! The network around a connection, as far as its packets show it; the rest is assumed, and said.

mod way;

use crate::configured::{Configured, Settings};
use crate::flow::is_about;
use crate::hops::Hops;
use crate::members::Members;
use crate::packet::Names;
use crate::places::Places;
use crate::service::Service;
use crate::subnet::{Taken, far_apart};
use crate::translation::translated;
use labsim_captures::Transport;
use labsim_explain::{ConnectionReport, Protocol, Role, Row, Trace};
use labsim_model::{GreOptions, GueOptions, TunnelKind, TunnelProtocol};
use labsim_wire::tcp::Flags;
use std::net::IpAddr;

/// The MSS and the IP header's length where nothing makes the link's MTU smaller: 1500 less TCP's header (RFC 9293,
/// 3.7.1).
const USUAL_MSS_AND_HEADER: u16 = 1480;
/// A SYN with timestamps is this long behind the IP header, and shorter without (RFC 7323, 3.2).
const SYN_WITH_TIMESTAMPS: u32 = 40;

/// How packets come to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carriage {
    Ipip,
    Gre,
    Gue,
    /// As they are, to another link-layer address.
    Direct,
    /// With other addresses: whether the source is the load balancer's.
    Translated {
        source: bool,
    },
}

/// The network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Network {
    pub(crate) protocol: Protocol,
    /// Of the VIP's family.
    pub(crate) client: IpAddr,
    pub(crate) vip: IpAddr,
    pub(crate) port: u16,
    /// Of the tunnel's family, where there is one.
    pub(crate) server: IpAddr,
    /// Of the server's.
    pub(crate) balancer: IpAddr,
    /// Whether packets show the server's own address, and the load balancer's.
    pub(crate) is_shown: (bool, bool),
    /// The MTU that an ICMP error reports.
    pub(crate) narrow_mtu: Option<u32>,
    /// Where the server listens.
    pub(crate) member_port: u16,
    pub(crate) carriage: Carriage,
    /// Whether tunnels' packets come from the client's address.
    pub(crate) outer_source_is_client: bool,
    pub(crate) hops: Hops,
    /// What hosts send with.
    pub(crate) client_ttl: u8,
    pub(crate) server_ttl: u8,
    pub(crate) has_timestamps: bool,
    /// What a configuration says of how the virtual server treats flows, where there is one.
    pub(crate) settings: Option<Settings>,
    /// The pool beside its server.
    pub(crate) members: Members,
    /// Where it is smaller than usual.
    pub(crate) client_mss: Option<u16>,
    pub(crate) server_mss: Option<u16>,
    pub(crate) service: Service,
    /// What the packets do not show, in sentences.
    pub(crate) assumptions: Vec<String>,
}

/// The rows of a connection, and where they were seen.
pub(crate) struct Seen<'a> {
    pub(crate) connection: &'a ConnectionReport,
    pub(crate) places: &'a Places,
    pub(crate) rows: Vec<&'a Row>,
    /// The MTU that an ICMP error reports.
    reported_mtu: Option<u32>,
    /// What a configuration says.
    configured: Option<Configured<'a>>,
}

impl<'a> Seen<'a> {
    pub(crate) fn new(
        trace: &'a Trace,
        connection: &'a ConnectionReport,
        places: &'a Places,
    ) -> Self {
        let rows = connection.rows.iter().filter_map(|index| trace.rows.get(*index)).collect();
        let about = trace.rows.iter().filter(|row| is_about(row, connection, &[connection.server]));
        let reported_mtu = about.filter_map(|row| link_mtu(row, connection)).min();
        let configured = Configured::new(trace, connection);
        Self { connection, places, rows, reported_mtu, configured }
    }

    /// The same without what a configuration says.
    pub(crate) fn without_configuration(self) -> Self {
        Self { configured: None, ..self }
    }

    pub(crate) fn at(&self, role: Role) -> impl Iterator<Item = &'a Row> {
        let point = self.places.point(role);
        self.rows.iter().copied().filter(move |row| Some(row.point) == point)
    }

    /// Whether a row goes to the service: from the client, or from the load balancer for it.
    pub(crate) fn is_request(&self, row: &Row) -> bool {
        let ends = (row.packet.innermost().source, row.packet.innermost().destination);
        let (client, vip) = (self.connection.client, self.connection.server);
        match ports(row) {
            Some((source, _)) if source == client.port() && ends.0 == client.ip() => true,
            Some((_, destination)) if destination == client.port() && ends.1 == client.ip() => {
                false
            }
            // A translated connection keeps the service's port, or has the first packet's flags.
            Some((_, destination)) => {
                destination == vip.port() || has(row, Flags::SYN) && !has(row, Flags::ACK)
            }
            None => false,
        }
    }
}

pub(crate) fn ports(row: &Row) -> Option<(u16, u16)> {
    let ports = match &row.packet.transport {
        Transport::Tcp(tcp) => tcp.ports,
        Transport::Udp { ports, .. } => *ports,
        _ => return None,
    };
    Some((ports.0?, ports.1?))
}

pub(crate) fn has(row: &Row, flag: Flags) -> bool {
    row.packet.tcp().and_then(|tcp| tcp.flags).is_some_and(|flags| flags.contains(flag))
}

fn is_tunnelled(row: &Row) -> bool {
    !row.packet.inner.is_empty()
}

/// The MTU of the link that an ICMP error is about. One about a packet that was to go into a tunnel tells how long
/// that may be, without the tunnel's headers.
fn link_mtu(row: &Row, connection: &ConnectionReport) -> Option<u32> {
    let Transport::Icmp(icmp) = &row.packet.transport else { return None };
    let (mtu, about) = (icmp.mtu?, icmp.about?);
    let tunnel = connection.tunnels.first();
    let is_of_tunnel =
        connection.tunnels.iter().any(|it| about.outermost == (it.source, it.destination));
    let vip = connection.server.ip();
    let protocol = match tunnel.map(|it| it.kind) {
        Some("GRE") => TunnelProtocol::Gre(GreOptions::default()),
        // A packet that is too long is not seen in its tunnel.
        Some("IPIP") | None => TunnelProtocol::Ipip,
        Some(_) if is_of_tunnel => TunnelProtocol::Ipip,
        Some(_) => return None,
    };
    let outside = tunnel.map_or(vip, |it| it.source);
    let kind = TunnelKind::of(protocol, outside.is_ipv4(), vip.is_ipv4());
    let overhead = if is_of_tunnel { 0 } else { kind.overhead() };
    // What IPv6 is carried by has at least 1280 bytes of room (RFC 8200, 5).
    let smallest = match (outside.is_ipv4(), vip.is_ipv4()) {
        (true, true) => 576,
        (false, true) => 1280,
        (_, false) => 1280 + kind.overhead(),
    };
    Some(mtu + overhead).filter(|mtu| *mtu >= smallest)
}

/// The length of an IP header without options.
fn ip_header(address: IpAddr) -> u16 {
    if address.is_ipv4() { 20 } else { 40 }
}

/// The TTL that a host sent with, by the one that a packet has left.
fn initial_ttl(left: u8) -> u8 {
    [64, 128].into_iter().find(|initial| left <= *initial).unwrap_or(u8::MAX)
}

impl Network {
    /// What packets show of the network.
    ///
    /// # Errors
    /// Why no lab can be made of it.
    pub(crate) fn new(seen: &Seen<'_>) -> Result<Self, String> {
        let connection = seen.connection;
        let (client, vip) = (connection.client.ip(), connection.server.ip());
        let mut assumptions = Vec::new();
        let translated = translated(seen, client, vip);
        if translated.as_ref().is_some_and(|it| it.server.is_ipv4() != vip.is_ipv4()) {
            return Err("addresses are translated from IPv4 to IPv6 or back, which no load balancer of a lab does"
                .to_owned());
        }
        let tunnel = seen.rows.iter().copied().find(|row| is_tunnelled(row));
        let carriage = way::carriage(seen, tunnel, translated.as_ref(), &mut assumptions)?;
        let server = match (tunnel, &translated) {
            (Some(row), _) => Some(row.packet.outermost.destination),
            (None, Some(it)) => Some(it.server),
            (None, None) => None,
        };
        let outer_source = tunnel.map(|row| row.packet.outermost.source);
        let outer_source_is_client = outer_source == Some(client);
        let balancer = match (outer_source, &translated) {
            (Some(source), _) if source != client => Some(source),
            (_, Some(it)) => it.source,
            _ => None,
        };
        let hops = way::hops(seen, carriage, &mut assumptions);
        let is_shown = (server.is_some(), balancer.is_some());
        let taken = Taken::new([Some(client), Some(vip), server, balancer]);
        // A host that shares a segment with the other one has an address beside its own.
        let shares = hops.between_balancer_and_server() == 0;
        let configured = seen.configured.as_ref();
        let mut written = |shown: Option<IpAddr>, whose: &str, found: Option<(IpAddr, String)>| {
            let found =
                found.filter(|(address, _)| shown.is_none() && ![client, vip].contains(address));
            shown.or_else(|| {
                let (address, where_from) = found?;
                assumptions.push(format!("{whose} own address is not shown: {where_from}"));
                Some(address)
            })
        };
        let is_tunnel = matches!(carriage, Carriage::Ipip | Carriage::Gre | Carriage::Gue);
        let outside = balancer.filter(|_| is_tunnel).unwrap_or(vip).is_ipv4();
        let found = configured.and_then(|it| it.server(is_tunnel, balancer.unwrap_or(vip)));
        let server = written(server, "the server's", found);
        let is_ipv4 = server.map_or(outside, |it| it.is_ipv4());
        let own = configured.and_then(|it| it.balancer(is_ipv4));
        let own = own.filter(|(it, _)| Some(*it) != server);
        let balancer = written(balancer, "the load balancer's", own);
        let far_apart = far_apart(is_ipv4);
        let server = server.unwrap_or_else(|| {
            let chosen = match (shares, balancer) {
                (true, Some(balancer)) => taken.beside(balancer),
                (true, None) => taken.beside(vip),
                (false, _) => far_apart.1,
            };
            assumptions.push(format!("the server's own address is not shown: {chosen} is chosen"));
            chosen
        });
        let taken = Taken::new([Some(client), Some(vip), Some(server), balancer]);
        let balancer = balancer.unwrap_or_else(|| {
            let chosen = match (shares, hops.between_client_and_balancer() == 0) {
                (true, _) => taken.beside(server),
                (false, true) if client.is_ipv4() == is_ipv4 => taken.beside(client),
                (false, _) => far_apart.0,
            };
            assumptions
                .push(format!("the load balancer's own address is not shown: {chosen} is chosen"));
            chosen
        });
        let member_port = if let Some(it) = &translated {
            it.port
        } else if let Some((port, line)) = configured
            .filter(|_| tunnel.is_none())
            .and_then(|it| it.member_port(connection.server.port()))
        {
            assumptions.push(format!("the server's port is not shown: {line}"));
            port
        } else {
            connection.server.port()
        };
        if let Some(line) = configured.and_then(Configured::idle_timeout) {
            assumptions.push(format!("the idle timeout is not shown: {line}"));
        }
        let service = Service::new(seen);
        let ports = (connection.server.port(), member_port);
        let others = [client, vip, balancer];
        let members = configured.map(|it| it.members((server, others), ports)).unwrap_or_default();
        let settings = configured.map(|it| {
            let mut settings = it.settings();
            let further = members.further.iter().map(|it| it.address.port());
            let listening: Vec<u16> = std::iter::once(member_port).chain(further).collect();
            let has_vip = !matches!(carriage, Carriage::Translated { .. });
            let (monitor, note) = it.monitor(&service, (ports.0, &listening), has_vip);
            settings.monitor = monitor;
            settings.notes.extend(note);
            settings
        });
        assumptions.extend(settings.iter().flat_map(|it| it.notes.iter().cloned()));
        let header = ip_header(vip);
        let usual_mss = USUAL_MSS_AND_HEADER - header;
        let mss = |is_answer: bool| {
            let mut syns = seen
                .rows
                .iter()
                .filter(|row| has(row, Flags::SYN) && has(row, Flags::ACK) == is_answer);
            let mss = syns.find_map(|row| row.packet.tcp()?.mss);
            mss.filter(|mss| *mss < usual_mss)
        };
        let request = seen.at(Role::ClientSide).find(|row| seen.is_request(row));
        let client_ttl = request.and_then(|row| row.packet.innermost().ttl);
        let plain = || seen.at(Role::LoadBalancer).find(|row| seen.is_request(row));
        let at_balancer = || plain().and_then(|row| row.packet.innermost().ttl).map(initial_ttl);
        let reply = seen.at(Role::ServerSide).find(|row| !seen.is_request(row));
        let syn = seen.rows.iter().find(|row| has(row, Flags::SYN) && !has(row, Flags::ACK));
        let syn_length = syn.and_then(|row| row.packet.innermost().length);
        Ok(Self {
            protocol: connection.protocol,
            client,
            vip,
            port: connection.server.port(),
            server,
            balancer,
            is_shown,
            narrow_mtu: seen.reported_mtu,
            member_port,
            settings,
            members,
            carriage,
            outer_source_is_client,
            hops,
            client_ttl: client_ttl.or_else(at_balancer).unwrap_or(64),
            server_ttl: reply.and_then(|row| row.packet.innermost().ttl).unwrap_or(64),
            has_timestamps: syn_length
                .is_some_and(|it| it >= u32::from(header) + SYN_WITH_TIMESTAMPS),
            client_mss: mss(false),
            server_mss: mss(true),
            service,
            assumptions,
        })
    }

    /// Takes members out that the topology has no place for, and says what the lab has of the pool.
    pub(crate) fn settle_members(&mut self, unplaced: &[IpAddr]) {
        self.members.without(unplaced);
        self.assumptions.extend(self.members.notes());
        let has_further = !self.members.further.is_empty();
        let what = match (self.monitor().is_some(), has_further) {
            (true, true) => "the pool has no monitor, and its further members are forced offline",
            (true, false) => "the pool has no monitor",
            (false, true) => "the pool's further members are forced offline",
            (false, false) => return,
        };
        self.assumptions.push(format!(
            "in the labs with a fault {what}, so that the connection goes to the server with the fault"
        ));
    }

    /// The pool's monitor as YAML on one line.
    pub(crate) fn monitor(&self) -> Option<&str> {
        self.settings.as_ref()?.monitor.as_deref()
    }

    /// Whether something of the pool may send a connection to another server, or to none: labs with a fault are without.
    pub(crate) fn has_one_server_file(&self) -> bool {
        self.monitor().is_some() || !self.members.further.is_empty()
    }

    /// The tunnel to the server.
    pub(crate) fn tunnel(&self) -> Option<TunnelProtocol> {
        Some(match self.carriage {
            Carriage::Ipip => TunnelProtocol::Ipip,
            Carriage::Gre => TunnelProtocol::Gre(GreOptions::default()),
            Carriage::Gue => TunnelProtocol::Gue(GueOptions::default()),
            Carriage::Direct | Carriage::Translated { .. } => return None,
        })
    }

    pub(crate) fn names(&self) -> Names {
        Names {
            client: self.client,
            vip: self.vip,
            balancer: self.is_shown.1.then_some(self.balancer),
            server: self.is_shown.0.then_some(self.server),
        }
    }
}
