//! The network around a connection, as far as its packets show it; the rest is assumed, and said.

use crate::configured::Configured;
use crate::flow::is_about;
use crate::hops::Hops;
use crate::packet::{Names, tunnel_kind};
use crate::places::Places;
use crate::service::Service;
use crate::subnet::Taken;
use crate::translation::{Translated, translated};
use labsim_captures::Transport;
use labsim_explain::{ConnectionReport, Protocol, Role, Row, Trace};
use labsim_model::{GreOptions, TunnelKind};
use labsim_wire::tcp::Flags;
use std::net::{IpAddr, Ipv4Addr};

/// What a segment offers that nothing makes smaller (RFC 9293, 3.7.1; an MTU of 1500).
const USUAL_MSS: u16 = 1460;
/// A SYN with timestamps is this long, and shorter without (RFC 7323, 3.2).
const SYN_WITH_TIMESTAMPS: u32 = 60;
/// The smallest MTU of a lab's link.
const SMALLEST_MTU: u32 = 576;
/// The hop count that is assumed.
const USUAL_HOPS: u8 = 1;

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
    pub(crate) client: Ipv4Addr,
    pub(crate) vip: Ipv4Addr,
    pub(crate) port: u16,
    pub(crate) server: Ipv4Addr,
    pub(crate) balancer: Ipv4Addr,
    /// Whether packets show the server's own address, and the load balancer's.
    pub(crate) is_shown: (bool, bool),
    /// The MTU that an ICMP error told.
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
    /// Of the load balancer's flows in seconds, where a configuration has it.
    pub(crate) idle_timeout: Option<u32>,
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
    let overhead = match tunnel.map(|it| it.kind) {
        _ if is_of_tunnel => 0,
        Some("GRE") => TunnelKind::Gre(GreOptions::default()).overhead(),
        // A packet that is too long is not seen in its tunnel.
        Some("IPIP") | None => TunnelKind::Ipip.overhead(),
        Some(_) => return None,
    };
    Some(mtu + overhead).filter(|mtu| *mtu >= SMALLEST_MTU)
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
        let (IpAddr::V4(client), IpAddr::V4(vip)) =
            (connection.client.ip(), connection.server.ip())
        else {
            return Err("labs are made of IPv4 only".to_owned());
        };
        let mut assumptions = Vec::new();
        let translated = translated(seen, client, vip);
        let tunnel = seen.rows.iter().copied().find(|row| is_tunnelled(row));
        let carriage = carriage(seen, tunnel, translated.as_ref(), &mut assumptions)?;
        let server = match (tunnel.map(|row| row.packet.outermost.destination), &translated) {
            (Some(IpAddr::V4(end)), _) => Some(end),
            (Some(IpAddr::V6(_)), _) => {
                return Err("the tunnel is of IPv6, and labs are made of IPv4 only".to_owned());
            }
            (None, Some(it)) => Some(it.server),
            (None, None) => None,
        };
        let outer_source = tunnel.map(|row| row.packet.outermost.source);
        let outer_source_is_client = outer_source == Some(client.into());
        let balancer = match (outer_source, &translated) {
            (Some(IpAddr::V4(source)), _) if source != client => Some(source),
            (_, Some(it)) => it.source,
            _ => None,
        };
        let hops = hops(seen, carriage, &mut assumptions);
        let is_shown = (server.is_some(), balancer.is_some());
        let taken = Taken::new([Some(client), Some(vip), server, balancer]);
        // A host that shares a segment with the other one has an address beside its own.
        let shares = hops.between_balancer_and_server() == 0;
        let configured = seen.configured.as_ref();
        let mut written =
            |shown: Option<Ipv4Addr>, whose: &str, found: Option<(Ipv4Addr, String)>| {
                let found = found
                    .filter(|(address, _)| shown.is_none() && ![client, vip].contains(address));
                shown.or_else(|| {
                    let (address, where_from) = found?;
                    assumptions.push(format!("{whose} own address is not shown: {where_from}"));
                    Some(address)
                })
            };
        let server = written(server, "the server's", configured.and_then(Configured::server));
        let own = configured.and_then(Configured::balancer).filter(|(it, _)| Some(*it) != server);
        let balancer = written(balancer, "the load balancer's", own);
        let server = server.unwrap_or_else(|| {
            let chosen = match (shares, balancer) {
                (true, Some(balancer)) => taken.beside(balancer),
                (true, None) => taken.beside(vip),
                (false, _) => Ipv4Addr::new(198, 18, 1, 51),
            };
            assumptions.push(format!("the server's own address is not shown: {chosen} is chosen"));
            chosen
        });
        let taken = Taken::new([Some(client), Some(vip), Some(server), balancer]);
        let balancer = balancer.unwrap_or_else(|| {
            let chosen = match (shares, hops.between_client_and_balancer() == 0) {
                (true, _) => taken.beside(server),
                (false, true) => taken.beside(client),
                (false, false) => Ipv4Addr::new(198, 18, 0, 10),
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
        let idle_timeout = configured.and_then(Configured::idle_timeout).map(|(seconds, line)| {
            assumptions.push(format!("the idle timeout is not shown: {line}"));
            seconds
        });
        let service = Service::new(seen);
        let mss = |is_answer: bool| {
            let mut syns = seen
                .rows
                .iter()
                .filter(|row| has(row, Flags::SYN) && has(row, Flags::ACK) == is_answer);
            let mss = syns.find_map(|row| row.packet.tcp()?.mss);
            mss.filter(|mss| *mss < USUAL_MSS)
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
            idle_timeout,
            carriage,
            outer_source_is_client,
            hops,
            client_ttl: client_ttl.or_else(at_balancer).unwrap_or(64),
            server_ttl: reply.and_then(|row| row.packet.innermost().ttl).unwrap_or(64),
            has_timestamps: syn_length.is_some_and(|it| it >= SYN_WITH_TIMESTAMPS),
            client_mss: mss(false),
            server_mss: mss(true),
            service,
            assumptions,
        })
    }

    pub(crate) fn names(&self) -> Names {
        Names {
            client: self.client.into(),
            vip: self.vip.into(),
            balancer: self.is_shown.1.then_some(self.balancer.into()),
            server: self.is_shown.0.then_some(self.server.into()),
        }
    }
}

fn carriage(
    seen: &Seen<'_>,
    tunnel: Option<&Row>,
    translated: Option<&Translated>,
    assumptions: &mut Vec<String>,
) -> Result<Carriage, String> {
    if let Some(row) = tunnel {
        return match tunnel_kind(&row.packet.outermost) {
            "IPIP" => Ok(Carriage::Ipip),
            "GRE" => Ok(Carriage::Gre),
            "GUE" => Ok(Carriage::Gue),
            _ => Err("the tunnel's kind is not shown".to_owned()),
        };
    }
    if let Some(it) = translated.filter(|it| !it.keeps_vip) {
        return Ok(Carriage::Translated { source: it.source.is_some() });
    }
    let mut at_server = seen.at(Role::ServerSide).filter(|row| seen.is_request(row));
    if at_server.next().is_some() {
        return Ok(Carriage::Direct);
    }
    let (carriage, how) = seen
        .configured
        .as_ref()
        .and_then(Configured::carriage)
        .unwrap_or((Carriage::Ipip, "IPIP is assumed".to_owned()));
    assumptions.push(format!("how packets come to the server is not shown: {how}"));
    Ok(carriage)
}

/// Routers on each way, by TTLs.
fn hops(seen: &Seen<'_>, carriage: Carriage, assumptions: &mut Vec<String>) -> Hops {
    let ttl = |role, is_request: bool, is_outer: bool, is_last: bool| {
        let rows = seen
            .at(role)
            .filter(|row| seen.is_request(row) == is_request && is_tunnelled(row) == is_outer);
        let ttl = |row: &Row| row.packet.outermost.ttl;
        let mut all: Vec<u8> =
            rows.filter(|row| !row.is_f5_out || is_outer).filter_map(ttl).collect();
        if is_last {
            all.sort_unstable();
            all.first().copied()
        } else {
            all.first().copied()
        }
    };
    let sent = ttl(Role::ClientSide, true, false, false);
    let received = ttl(Role::LoadBalancer, true, false, false);
    let is_tunnel = matches!(carriage, Carriage::Ipip | Carriage::Gre | Carriage::Gue);
    let client_to_balancer =
        received.and_then(|it| sent.unwrap_or_else(|| initial_ttl(it)).checked_sub(it));
    let leaves = ttl(Role::LoadBalancer, true, is_tunnel, true);
    let arrives = ttl(Role::ServerSide, true, is_tunnel, false);
    let balancer_to_server = leaves.zip(arrives).and_then(|(one, other)| one.checked_sub(other));
    let answered = ttl(Role::ServerSide, false, false, false);
    let came = ttl(Role::ClientSide, false, false, false);
    let has_returned = seen.at(Role::LoadBalancer).all(|row| seen.is_request(row));
    let server_to_client =
        answered.zip(came).and_then(|(one, other)| one.checked_sub(other)).filter(|_| has_returned);
    let mut assume = |shown: Option<u8>, what: &str, usual: u8| {
        shown.unwrap_or_else(|| {
            let routers = if usual == 1 { "router is" } else { "routers are" };
            assumptions.push(format!("{usual} {routers} assumed {what}: no TTLs show how many"));
            usual
        })
    };
    let first = assume(client_to_balancer, "between client and load balancer", USUAL_HOPS);
    let direct = if carriage == Carriage::Direct { 0 } else { USUAL_HOPS };
    let second = assume(balancer_to_server, "between load balancer and server", direct);
    let hops = Hops::new(first, second, server_to_client);
    if let Some(shown) = server_to_client.filter(|shown| *shown != hops.between_server_and_client())
    {
        assumptions.push(format!(
            "answers pass {shown} routers, and no tree of routers has that together with the others: the lab has {}",
            hops.between_server_and_client()
        ));
    }
    hops
}
