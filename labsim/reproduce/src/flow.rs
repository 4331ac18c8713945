//! A connection as it is compared: its packets at each place, without what two runs never have in common.

use crate::packet::{Names, Packet, Reading, Way, absolute};
use crate::places::Places;
use labsim_captures::Transport;
use labsim_explain::{ConnectionReport, Role, Row, Trace, icmp_error};
use labsim_wire::tcp::Flags;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

/// Packets of a place that are compared at most.
const MAX_PACKETS: usize = 400;

/// What is never compared, and why.
pub const LEFT_OUT: [&str; 6] = [
    "times, and how often a packet was sent again, which timers decide, with the resets that answer it",
    "acknowledgements without data where another packet acknowledges as much",
    "IP identifications, first sequence numbers, windows and clients' ports, which are chosen anew",
    "addresses, where a network has one of nobody that is named here: such as a router's",
    "TOS, checksums and TCP options but the MSS",
    "what is neither TCP nor UDP nor an ICMP error, such as ARP",
];

/// A connection's packets at each place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flow {
    pub(crate) at: BTreeMap<Role, Vec<Packet>>,
}

impl Flow {
    pub(crate) fn new(
        trace: &Trace,
        connection: &ConnectionReport,
        places: &Places,
        names: &Names,
        has_lengths: bool,
    ) -> Self {
        let rows = || connection.rows.iter().filter_map(|index| trace.rows.get(*index));
        let services = services(connection, rows());
        let first = (first(rows(), Flags::SYN), first(rows(), Flags::SYN.with(Flags::ACK)));
        let reading = Reading { names, services: &services, first, has_lengths };
        let errors: Vec<&Row> =
            trace.rows.iter().filter(|row| is_about(row, connection, &services)).collect();
        let at = places.roles().filter_map(|role| {
            let point = places.point(role)?;
            let of_point = |row: &&Row| row.point == point;
            let own: Vec<&Row> = rows().filter(of_point).collect();
            let has_tunnel = own.iter().any(|row| !row.packet.inner.is_empty());
            // An F5 shows what a virtual server sends before it goes into the tunnel: on no wire.
            let on_wire = own
                .into_iter()
                .filter(|row| !(has_tunnel && row.is_f5_out && row.packet.inner.is_empty()));
            let mut packets: Vec<Packet> = Vec::new();
            let errors = errors.iter().copied().filter(of_point);
            let errors = errors.filter_map(|row| Some(reading.error(row, icmp_error(row)?)));
            for packet in on_wire.filter_map(|row| reading.packet(row)).chain(errors) {
                if packets.len() < MAX_PACKETS && !packets.contains(&packet) {
                    packets.push(packet);
                }
            }
            Some((role, without_acknowledgements(packets)))
        });
        let mut at = at.collect();
        leave_out_later_resets(&mut at);
        Self { at }
    }

    /// Whether any place saw an end of the connection.
    pub(crate) fn has_end(&self) -> bool {
        self.at.values().flatten().any(Packet::is_end)
    }

    /// The same without the connection's end.
    pub(crate) fn without_end(mut self) -> Self {
        for packets in self.at.values_mut() {
            packets.retain(|packet| !packet.is_end());
        }
        self
    }
}

/// VIP and port, and all that packets for it were translated to.
fn services<'a>(
    connection: &ConnectionReport,
    rows: impl Iterator<Item = &'a Row>,
) -> Vec<SocketAddr> {
    let mut found = vec![connection.server];
    for row in rows {
        let Some(((source, destination), flags)) = ends(row) else { continue };
        let service = match flags {
            Some(flags) if !flags.contains(Flags::SYN) => continue,
            Some(flags) if flags.contains(Flags::ACK) => source,
            Some(_) => destination,
            None if source == connection.client => destination,
            None => source,
        };
        if !found.contains(&service) {
            found.push(service);
        }
    }
    found
}

fn ends(row: &Row) -> Option<((SocketAddr, SocketAddr), Option<Flags>)> {
    let (ports, flags) = match &row.packet.transport {
        Transport::Tcp(tcp) => (tcp.ports, Some(tcp.flags?)),
        Transport::Udp { ports, .. } => (*ports, None),
        _ => return None,
    };
    let header = row.packet.innermost();
    let source = SocketAddr::new(header.source, ports.0?);
    Some(((source, SocketAddr::new(header.destination, ports.1?)), flags))
}

/// The sequence number of the first packet with these flags of SYN and ACK.
fn first<'a>(mut rows: impl Iterator<Item = &'a Row>, wanted: Flags) -> Option<u32> {
    let mask = Flags::SYN.with(Flags::ACK).0;
    rows.find_map(|row| {
        let tcp = row.packet.tcp()?;
        (tcp.flags?.0 & mask == wanted.0).then(|| absolute(tcp.sequence))?
    })
}

/// Whether an ICMP error quotes a packet of the connection, or one of its tunnels.
pub(crate) fn is_about(row: &Row, connection: &ConnectionReport, services: &[SocketAddr]) -> bool {
    let Transport::Icmp(icmp) = &row.packet.transport else { return false };
    let Some(about) = icmp.about else { return false };
    let client = connection.client;
    let is_of = |(source, destination): (IpAddr, IpAddr), ports: Option<(u16, u16)>| {
        services.iter().any(|service| {
            let ends = (client.ip(), service.ip());
            let numbers = (client.port(), service.port());
            ((source, destination) == ends && ports.is_none_or(|it| it == numbers))
                || ((destination, source) == ends && ports.is_none_or(|it| (it.1, it.0) == numbers))
        })
    };
    is_of(about.innermost, about.ports)
        || connection
            .tunnels
            .iter()
            .any(|it| [about.innermost, about.outermost].contains(&(it.source, it.destination)))
}

/// Leaves out the resets of an end that has reset the connection already: without ACK, they answer what the
/// other end sends again (RFC 9293 3.10.7.1).
fn leave_out_later_resets(at: &mut BTreeMap<Role, Vec<Packet>>) {
    let is_reset = |packet: &Packet, way: Way, acknowledges: bool| {
        let flags = packet.flags.filter(|flags| flags.contains(Flags::RST));
        packet.way == way && flags.is_some_and(|it| it.contains(Flags::ACK) == acknowledges)
    };
    for way in [Way::Request, Way::Reply] {
        if at.values().flatten().any(|packet| is_reset(packet, way, true)) {
            at.values_mut().for_each(|packets| packets.retain(|it| !is_reset(it, way, false)));
        }
    }
}

/// Leaves out acknowledgements without data that another packet of the same direction makes needless.
fn without_acknowledgements(packets: Vec<Packet>) -> Vec<Packet> {
    let furthest = |way: Way, of_others: bool| {
        let all = packets.iter().filter(|it| it.way == way);
        let all = all.filter(|it| !of_others || !it.is_bare_acknowledgement());
        all.filter_map(|it| it.acknowledgement).max()
    };
    let mut limits: BTreeMap<Way, (Option<i64>, Option<i64>)> = BTreeMap::new();
    for way in [Way::Request, Way::Reply] {
        limits.insert(way, (furthest(way, true), furthest(way, false)));
    }
    let is_needless = |packet: &Packet| {
        let (others, all) = limits.get(&packet.way).copied().unwrap_or_default();
        packet.is_bare_acknowledgement()
            && packet.acknowledgement.is_none_or(|own| {
                others.is_some_and(|it| it >= own) || all.is_some_and(|it| it > own)
            })
    };
    let kept: BTreeSet<usize> = packets
        .iter()
        .enumerate()
        .filter(|(_, packet)| !is_needless(packet))
        .map(|(place, _)| place)
        .collect();
    let packets = packets.into_iter().enumerate();
    packets.filter(|(place, _)| kept.contains(place)).map(|(_, packet)| packet).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(way: Way, flags: Flags) -> Packet {
        let (from, to) = match way {
            Way::Request => ("the client", "the VIP"),
            Way::Reply | Way::Error => ("the VIP", "the client"),
        };
        Packet {
            way,
            from,
            to,
            port: None,
            what: flags.to_string(),
            flags: Some(flags),
            sequence: None,
            acknowledgement: None,
            payload: None,
            mss: None,
            ttl: None,
            outer: None,
        }
    }

    #[test]
    fn a_reset_after_a_reset_is_left_out_at_every_place_and_one_alone_is_not() {
        let (abort, answer) = (Flags::RST.with(Flags::ACK), Flags::RST);
        let of = |client: &[Flags], balancer: &[Flags]| {
            let packets = |all: &[Flags]| all.iter().map(|it| packet(Way::Request, *it)).collect();
            let mut at = BTreeMap::from([
                (Role::ClientSide, packets(client)),
                (Role::LoadBalancer, packets(balancer)),
            ]);
            leave_out_later_resets(&mut at);
            at.values().map(Vec::len).collect::<Vec<_>>()
        };
        assert_eq!(of(&[abort, answer], &[answer]), [1, 0]);
        assert_eq!(of(&[answer], &[answer]), [1, 1]);
    }
}
