//! What all importers decide alike: the service at a port, what fits into a lab, and what
//! contradicts itself.

mod families;

use crate::address::Family;
use crate::lb_model::{LbModel, Member, Mode, OwnAddress, Pool, Service, VirtualServer};
use crate::place::Place;
use crate::report::Report;
use labsim_model::{IpProtocol, Ports, SourceTranslation, TunnelProtocol};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// TACACS+ (RFC 8907).
const TACACS: u16 = 49;
/// RADIUS authentication (RFC 2865), and the port that it had before.
const RADIUS: [u16; 2] = [1812, 1645];
/// RADIUS accounting (RFC 2866), and the port that it had before.
const ACCOUNTING: [u16; 2] = [1813, 1646];
/// HTTP (RFC 9110), and the usual ports of web servers beside it.
const HTTP: [u16; 3] = [80, 8000, 8080];
/// DNS (RFC 1035).
const DNS: u16 = 53;
/// Most virtual servers of one lab: each has a step and a few expectations.
const VIRTUALS: usize = 200;
/// Most members of a pool that a lab is built for.
const MEMBERS: usize = 200;
/// Most real servers of one lab.
const SERVERS: usize = 500;

/// Whether a pool with `members` takes one more; the reason is listed if not.
pub(crate) fn can_add<'m>(
    member: &Member,
    what: &str,
    mut members: impl ExactSizeIterator<Item = &'m Member>,
    report: &mut Report<'_>,
) -> bool {
    let why = if members.len() >= MEMBERS {
        format!("a lab has at most {MEMBERS} members a pool")
    } else {
        let same = |other: &&Member| (other.address, other.port) == (member.address, member.port);
        let Some(first) = members.find(same) else { return true };
        format!("duplicate member ({})", report.at(first.place))
    };
    report.not_imported(member.place, what, why);
    false
}

/// The service at a port.
pub(crate) fn service(protocol: IpProtocol, port: u16) -> Service {
    match protocol {
        IpProtocol::Tcp if port == TACACS => Service::Tacacs,
        IpProtocol::Tcp if HTTP.contains(&port) => Service::Http,
        IpProtocol::Tcp => Service::Tcp,
        IpProtocol::Udp if RADIUS.contains(&port) => Service::Radius,
        IpProtocol::Udp if ACCOUNTING.contains(&port) => Service::Accounting,
        IpProtocol::Udp if port == DNS => Service::Dns,
        IpProtocol::Udp => Service::Udp,
    }
}

/// The port that a client of the service asks for, where the virtual server takes every one.
pub(crate) fn default_port(protocol: IpProtocol) -> u16 {
    match protocol {
        IpProtocol::Tcp => TACACS,
        IpProtocol::Udp => RADIUS[0],
    }
}

/// Leaves out what does not fit into a lab, and warns of contradictions.
pub(crate) fn validate(model: &mut LbModel, report: &mut Report<'_>) {
    families::fit(model, report);
    let pools = &model.pools;
    let mut used = Used::default();
    let mut kept = 0;
    model.virtuals.retain_mut(|one| {
        remove_vip_from_snat(one, report);
        let pool = &pools[one.pool];
        let keeps = can_build(one, pool, &mut used, report)
            && (kept < VIRTUALS || {
                let why = format!("a lab has at most {VIRTUALS} virtual servers");
                report.not_imported(one.place, one.what.clone(), why);
                false
            });
        kept += usize::from(keeps);
        keeps
    });
    families::settle_outer_source(model, report);
    crate::monitors::check(model, report);
    for one in &model.virtuals {
        warn_of_contradictions(one, model, report);
    }
}

/// Takes the virtual server's own address out of its SNAT addresses.
fn remove_vip_from_snat(one: &mut VirtualServer, report: &mut Report<'_>) {
    if let SourceTranslation::Snat(addresses) = &mut one.settings.source_address_translation
        && addresses.contains(&one.address)
    {
        let what = format!("{}: SNAT address {}", one.what, one.address);
        report.not_imported(
            one.place,
            what,
            "it is the virtual server's own; labsim needs another",
        );
        addresses.retain(|address| *address != one.address);
    }
}

/// What the virtual servers of a lab use, each once.
#[derive(Default)]
struct Used {
    destinations: BTreeMap<(IpAddr, &'static str), Vec<(Ports, Place)>>,
    servers: BTreeSet<IpAddr>,
    /// The service at a real server's port, and the first virtual server that uses it.
    ports: BTreeMap<(IpAddr, u16, &'static str), (Service, Place)>,
    /// The first virtual server of each family that sends to a real server's IPv4 address.
    families: BTreeMap<(IpAddr, Family), Place>,
    /// The IPv4 addresses that packets reach in GUE.
    gue: BTreeSet<IpAddr>,
}

fn is_gue(pool: &Pool, member: &Member) -> bool {
    matches!(pool.tunnel(member), Some(TunnelProtocol::Gue(_)))
}

fn can_build(one: &VirtualServer, pool: &Pool, used: &mut Used, report: &mut Report<'_>) -> bool {
    let mut reject = |why: String| report.not_imported(one.place, one.what.clone(), why);
    if pool.members.is_empty() {
        reject(format!("its pool has no member that is imported ({})", pool.what));
        return false;
    }
    if pool.members.iter().any(|member| member.address == one.address) {
        reject(format!("its address {} is a member of its own pool", one.address));
        return false;
    }
    if one.settings.source_address_translation == SourceTranslation::Snat(Vec::new()) {
        reject("none of its SNAT addresses is imported".to_owned());
        return false;
    }
    let (service, protocol) = (one.service(pool), one.settings.ip_protocol.word());
    let destination = (one.address, protocol);
    for (ports, first) in used.destinations.get(&destination).into_iter().flatten() {
        let first = report.at(*first);
        let why = match ports.common(one.ports()) {
            _ if ports == one.ports() => {
                format!("another virtual server has the same destination ({first})")
            }
            Some(port) => format!(
                "another virtual server ({first}) takes port {port} of the same address and protocol"
            ),
            None => continue,
        };
        report.not_imported(one.place, one.what.clone(), why);
        return false;
    }
    let ports =
        pool.members.iter().map(|member| (member.address, one.member_port(member, pool), protocol));
    for key in ports.clone() {
        let Some((other, first)) = used.ports.get(&key).filter(|(other, _)| *other != service)
        else {
            continue;
        };
        let why = format!(
            "another virtual server ({}) has its {}s answered at port {}/{protocol} of {}, where \
             labsim's servers have one service",
            report.at(*first),
            other.noun(),
            key.1,
            key.0
        );
        report.not_imported(one.place, one.what.clone(), why);
        return false;
    }
    let new: BTreeSet<IpAddr> = pool.members.iter().map(|member| member.address).collect();
    if used.servers.union(&new).count() > SERVERS {
        report.not_imported(
            one.place,
            one.what.clone(),
            format!("a lab has at most {SERVERS} real servers"),
        );
        return false;
    }
    let other = one.family().other();
    let conflict =
        pool.members.iter().filter(|member| member.address.is_ipv4()).find_map(|member| {
            let first = used.families.get(&(member.address, other))?;
            (is_gue(pool, member) || used.gue.contains(&member.address)).then_some(*first)
        });
    if let Some(first) = conflict {
        let why = format!(
            "another virtual server ({}) sends {} to the same servers, and the UDP port of GUE takes one \
             address family",
            report.at(first),
            other.name()
        );
        report.not_imported(one.place, one.what.clone(), why);
        return false;
    }
    for member in pool.members.iter().filter(|member| member.address.is_ipv4()) {
        used.families.entry((member.address, one.family())).or_insert(one.place);
        if is_gue(pool, member) {
            used.gue.insert(member.address);
        }
    }
    used.servers.extend(new);
    used.destinations.entry(destination).or_default().push((one.ports().clone(), one.place));
    for key in ports {
        used.ports.entry(key).or_insert((service, one.place));
    }
    true
}

/// Whether the load balancer and all members of a pool share a segment, as far as is known:
/// without own addresses, they do if that is the only way for packets to arrive.
pub(crate) fn share_segment(pool: &Pool, model: &LbModel) -> bool {
    knows_no_own(pool, model)
        || model
            .own
            .iter()
            .any(|own| pool.members.iter().all(|member| own.net.contains(&member.address)))
}

/// Whether no address of the load balancer's own is known of the family of a pool's plain members.
fn knows_no_own(pool: &Pool, model: &LbModel) -> bool {
    let mut plain = pool.members.iter().filter(|member| pool.tunnel(member).is_none());
    let of_family =
        |own: &OwnAddress, address: IpAddr| own.net.addr().is_ipv4() == address.is_ipv4();
    !plain.any(|member| model.own.iter().any(|own| of_family(own, member.address)))
}

fn warn_of_contradictions(one: &VirtualServer, model: &LbModel, report: &mut Report<'_>) {
    let pool = &model.pools[one.pool];
    let mut warn = |why: &str| report.warn(one.place, one.what.clone(), why);
    if pool.has_tunnel() && one.mode() == Mode::Dnat {
        warn(
            "its pool has a tunnel and the destination is translated: the server \
             decapsulates a packet for its own address and answers from it, which the client \
             rejects. Imported unchanged, and the scenario expects it",
        );
    } else if pool.has_tunnel() {
        if one.has_snat() {
            warn(
                "its pool has a tunnel and the source is translated (SNAT): the server sees the \
                 load balancer in place of the client, and its answers return through it, which is \
                 not Direct Server Return. Imported unchanged, and the scenario expects it",
            );
        }
    } else if !one.settings.translate_address && !share_segment(pool, model) {
        warn(
            "no tunnel, and the destination is not translated: packets for the VIP cannot be routed to \
             members on other subnets and come back to the load balancer. Imported unchanged; \
             the login is expected to pass, and the run shows why it does not",
        );
    } else if !one.settings.translate_address
        && knows_no_own(pool, model)
        && !model.is_direct_routing
    {
        warn(
            "no tunnel, and the destination is not translated: that works on one segment only (L2 DSR, \
             nPath), so the lab puts the load balancer and the members on one. If they are on \
             different ones, add the file with the load balancer's own addresses",
        );
    } else if one.mode() == Mode::Dnat {
        warn(
            "the destination is translated and the source is not: that works where the servers \
             route their answers through the load balancer. In the lab they answer the client \
             directly, and the scenario expects it to reject the answers",
        );
    }
    let is_direct = one.mode() == Mode::Direct;
    let other = pool.members.iter().find(|member| {
        one.settings.translate_port && member.port != 0 && !one.ports().contains(member.port)
    });
    if let Some(member) = other.filter(|_| is_direct) {
        warn(&format!(
            "the port is translated to {} under Direct Server Return: the server answers from \
             that port, which the client rejects. Imported unchanged",
            member.port
        ));
    }
}
