//! What both importers decide alike: what labsim can speak to, what fits into a lab, and what
//! contradicts itself.

use crate::design::{Design, Encapsulation, Mode, Pool, Protocol, Service, Snat, Virtual};
use crate::report::Report;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// TACACS+ (RFC 8907).
const TACACS: u16 = 49;
/// RADIUS authentication (RFC 2865), and the port that it had before.
const RADIUS: [u16; 2] = [1812, 1645];
/// Most virtual servers of one lab: each has a step and a few expectations.
const VIRTUALS: usize = 200;
/// Most real servers of one lab.
const SERVERS: usize = 500;

/// What labsim can say to a virtual server, if anything; port 0 is every port.
pub(crate) fn service(protocol: Protocol, port: u16) -> Option<Service> {
    match protocol {
        Protocol::Tcp => [0, TACACS].contains(&port).then_some(Service::Tacacs),
        Protocol::Udp => (port == 0 || RADIUS.contains(&port)).then_some(Service::Radius),
    }
}

/// The port that a client of the service asks for, where the virtual server takes every one.
pub(crate) fn usual_port(protocol: Protocol) -> u16 {
    match protocol {
        Protocol::Tcp => TACACS,
        Protocol::Udp => RADIUS[0],
    }
}

/// Why a virtual server that labsim cannot speak to is left out.
pub(crate) fn unspoken(protocol: Protocol, port: u16) -> String {
    let what = match (protocol, port) {
        (Protocol::Udp, 1813 | 1646) => "RADIUS accounting comes without a login".to_owned(),
        _ => format!("labsim has nothing to say at port {port}/{}", protocol.word()),
    };
    format!("{what}; it speaks TACACS+ (49/tcp) and RADIUS (1812/udp, 1645/udp)")
}

/// Leaves out what does not fit into a lab, and warns of contradictions.
pub(crate) fn settle(design: &mut Design, report: &mut Report<'_>) {
    let pools = &design.pools;
    let (mut destinations, mut servers) = (BTreeMap::new(), BTreeSet::new());
    let mut kept = 0;
    design.virtuals.retain(|one| {
        let pool = &pools[one.pool];
        let keeps = fits(one, pool, &mut destinations, &mut servers, report)
            && (kept < VIRTUALS || {
                let why = format!("a lab has at most {VIRTUALS} virtual servers");
                report.leave(one.place, one.what.clone(), why);
                false
            });
        kept += usize::from(keeps);
        keeps
    });
    for one in &design.virtuals {
        contradictions(one, design, report);
    }
}

fn fits(
    one: &Virtual,
    pool: &Pool,
    destinations: &mut BTreeMap<(Ipv4Addr, u16, &'static str), crate::place::Place>,
    servers: &mut BTreeSet<Ipv4Addr>,
    report: &mut Report<'_>,
) -> bool {
    let mut leave = |why: String| report.leave(one.place, one.what.clone(), why);
    if pool.members.is_empty() {
        leave(format!("its pool has no member that is carried over ({})", pool.what));
        return false;
    }
    if pool.members.iter().any(|member| member.address == one.address) {
        leave(format!("its address {} is a member of its own pool", one.address));
        return false;
    }
    let destination = (one.address, one.port, one.protocol.word());
    if let Some(first) = destinations.get(&destination) {
        let first = report.at(*first);
        let why = format!("another virtual server takes the same packets already ({first})");
        report.leave(one.place, one.what.clone(), why);
        return false;
    }
    let new: BTreeSet<Ipv4Addr> = pool.members.iter().map(|member| member.address).collect();
    if servers.union(&new).count() > SERVERS {
        report.leave(
            one.place,
            one.what.clone(),
            format!("a lab has at most {SERVERS} real servers"),
        );
        return false;
    }
    servers.extend(new);
    destinations.insert(destination, one.place);
    true
}

/// Whether the load balancer and all members of a pool share a segment, as far as is known:
/// without own addresses, they do if that is the only way for packets to arrive.
pub(crate) fn on_one_segment(pool: &Pool, design: &Design) -> bool {
    design.own.is_empty()
        || design
            .own
            .iter()
            .any(|own| pool.members.iter().all(|member| own.net.contains(&member.address)))
}

fn contradictions(one: &Virtual, design: &Design, report: &mut Report<'_>) {
    let pool = &design.pools[one.pool];
    let mut warn = |why: &str| report.warn(one.place, one.what.clone(), why);
    if pool.encapsulation != Encapsulation::None {
        if one.translate_address {
            warn(
                "its pool has a tunnel and the destination is translated: the server takes a packet \
                 for its own address out of the tunnel and answers from there, which the client \
                 does not know. Imported as it stands; the expectations are those of Direct \
                 Server Return",
            );
        }
        if one.snat != Snat::None {
            warn(
                "its pool has a tunnel and the source is translated (SNAT): the server sees the \
                 load balancer in place of the client, and answers to it. Imported as it stands; \
                 the expectations are those of Direct Server Return",
            );
        }
    } else if !one.translate_address && !on_one_segment(pool, design) {
        warn(
            "no tunnel, and the destination is not translated: packets for the VIP cannot be routed to \
             members on other subnets and come back to the load balancer. Imported as it stands; \
             the expectations are those of Direct Server Return",
        );
    } else if !one.translate_address && design.own.is_empty() {
        warn(
            "no tunnel, and the destination is not translated: that works on one segment only (L2 DSR, \
             nPath), so the lab puts the load balancer and the members on one. If they are on \
             different ones, add the file with the load balancer's own addresses",
        );
    } else if one.mode(pool.encapsulation) == Mode::Dnat {
        warn(
            "the destination is translated and the source is not: that works where the servers \
             route their answers through the load balancer. In the lab they answer straight to \
             the client, which is expected to refuse them",
        );
    }
    let is_direct = one.mode(pool.encapsulation) == Mode::Direct;
    let other = pool.members.iter().find(|member| {
        one.translate_port && member.port != 0 && one.port != 0 && member.port != one.port
    });
    if let Some(member) = other.filter(|_| is_direct) {
        warn(&format!(
            "the port is translated to {} under Direct Server Return: the server answers from \
             that port, which the client does not know. Imported as it stands",
            member.port
        ));
    }
}
