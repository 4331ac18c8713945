//! Which capture points are on a device that files describe, and so where on the way they are.
//!
//! A device is recognised by the name that the user gave it, by its link-layer address, or by packets that left it with an
//! address of its own.

use crate::configuration::Host;
use crate::connection;
use crate::trace::{Role, Row, Trace};
use crate::way::is_tunnelled;
use labsim_captures::Mac;
use labsim_import::balancer::Virtual;
use labsim_wire::pcapng::Direction;
use labsim_wire::tcp::Flags;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

/// TTLs that hosts begin with: what goes out with one of them was not forwarded.
pub(crate) const FULL_TTLS: [u8; 3] = [64, 128, 255];

/// A role, and what shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) role: Role,
    /// With file and line.
    pub(crate) why: String,
}

/// What files say of each point; `None` where they say nothing, or several things.
pub(crate) fn roles(trace: &Trace) -> Vec<Option<Shown>> {
    let mut found: Vec<Vec<Shown>> = vec![Vec::new(); trace.points.len()];
    if trace.configuration.is_empty() {
        return vec![None; trace.points.len()];
    }
    let addresses = Addresses::new(trace);
    by_names(trace, &addresses, &mut found);
    by_macs(trace, &addresses, &mut found);
    by_packets(trace, &addresses, &mut found);
    spread(trace, &mut found);
    found.into_iter().map(only).collect()
}

/// The one role of all.
fn only(mut found: Vec<Shown>) -> Option<Shown> {
    let first = found.first()?.role;
    found.iter().all(|it| it.role == first).then(|| found.swap_remove(0))
}

/// Addresses of devices, and the role that each tells.
struct Addresses {
    of: BTreeMap<IpAddr, Vec<Shown>>,
    /// The role of each host of the configuration.
    hosts: Vec<Option<Shown>>,
}

impl Addresses {
    fn new(trace: &Trace) -> Self {
        let configuration = &trace.configuration;
        let mut all = Self { of: BTreeMap::new(), hosts: Vec::new() };
        let mut add = |address: IpAddr, role, why: String| {
            if !is_shared(trace, address) {
                all.of.entry(address).or_default().push(Shown { role, why });
            }
        };
        for balancer in &configuration.balancers {
            for own in &balancer.own {
                let why = format!("{} is the load balancer's own ({})", own.address, own.line);
                add(own.address, Role::LoadBalancer, why);
            }
            for one in &balancer.virtuals {
                for address in &one.snat {
                    let line = &one.source_translation.1;
                    let why = format!("{} translates sources to {address} ({line})", one.what);
                    add(*address, Role::LoadBalancer, why);
                }
                for member in &one.members {
                    let why =
                        format!("{} is a member of {} ({})", member.address, one.what, member.line);
                    add(member.address, Role::ServerSide, why);
                }
            }
        }
        let tunnels = Tunnels::new(trace);
        let hosts: Vec<Option<Shown>> =
            configuration.hosts.iter().map(|host| all.host(trace, host, &tunnels)).collect();
        for (host, shown) in configuration.hosts.iter().zip(&hosts) {
            let Some(shown) = shown else { continue };
            for address in host.state.addresses.iter().flatten().map(|it| it.net.addr()) {
                if !is_shared(trace, address) && !all.of.contains_key(&address) {
                    all.of.insert(address, vec![shown.clone()]);
                }
            }
        }
        all.hosts = hosts;
        all
    }

    /// What the address tells, if that is one thing.
    fn get(&self, address: IpAddr) -> Option<&Shown> {
        let all = self.of.get(&address)?;
        let first = all.first()?;
        all.iter().all(|it| it.role == first.role).then_some(first)
    }

    /// What a host is, by what its addresses are to load balancers, to tunnels or to clients.
    fn host(&self, trace: &Trace, host: &Host, tunnels: &Tunnels) -> Option<Shown> {
        let own = || host.state.addresses.iter().flatten().map(|it| (it.net.addr(), it));
        let mut found: Vec<Shown> = Vec::new();
        for (address, at) in own().filter(|(address, _)| !is_shared(trace, *address)) {
            let name = &host.name;
            if let Some(shown) = self.get(address) {
                let why = format!("{name} has {address} ({}): {}", at.line, shown.why);
                found.push(Shown { role: shown.role, why });
            } else if self.of.contains_key(&address) {
                return None;
            } else if tunnels.to.contains(&address) {
                let why = format!("{name} has {address} ({}), which tunnels lead to", at.line);
                found.push(Shown { role: Role::ServerSide, why });
            } else if tunnels.from.contains(&address) {
                let why = format!("{name} has {address} ({}), which tunnels come from", at.line);
                found.push(Shown { role: Role::LoadBalancer, why });
            } else if tunnels.ask.contains(&address) {
                let why = format!("{name} has {address} ({}), which asks a VIP", at.line);
                found.push(Shown { role: Role::ClientSide, why });
            }
        }
        only(found)
    }
}

/// Whether several hosts may have an address: a VIP, or one that each has.
fn is_shared(trace: &Trace, address: IpAddr) -> bool {
    let mut virtuals = trace.configuration.balancers.iter().flat_map(|it| &it.virtuals);
    address.is_loopback()
        || address.is_unspecified()
        || trace.vips.iter().any(|vip| vip.address == address)
        || virtuals.any(|it| it.address == address)
}

/// Ends of the tunnels that packets are in, and who asks VIPs.
struct Tunnels {
    /// Outer sources that are not who sent what is inside.
    from: BTreeSet<IpAddr>,
    to: BTreeSet<IpAddr>,
    /// Senders of plain packets to VIPs; a load balancer's monitor sends into tunnels.
    ask: BTreeSet<IpAddr>,
}

impl Tunnels {
    fn new(trace: &Trace) -> Self {
        let mut found = Self { from: BTreeSet::new(), to: BTreeSet::new(), ask: BTreeSet::new() };
        let mut own = BTreeSet::new();
        for row in &trace.rows {
            let (outer, inner) = (&row.packet.outermost, row.packet.innermost());
            if !is_tunnelled(row) {
                let asked = connection::ends(row).map(|(_, server)| server);
                if asked.is_some_and(|server| trace.is_vip(server)) {
                    found.ask.insert(inner.source);
                }
                continue;
            }
            found.to.insert(outer.destination);
            let from = if outer.source == inner.source { &mut own } else { &mut found.from };
            from.insert(outer.source);
        }
        let both: Vec<IpAddr> = found.from.intersection(&found.to).copied().collect();
        for address in both {
            found.from.remove(&address);
            found.to.remove(&address);
        }
        found.ask.retain(|it| !own.contains(it) && !found.from.contains(it));
        found
    }
}

/// Points that have the name of a host, or are on it.
fn by_names(trace: &Trace, addresses: &Addresses, found: &mut [Vec<Shown>]) {
    for (point, found) in trace.points.iter().zip(found) {
        let is_of = |host: &Host| {
            let rest = point.name.strip_prefix(host.name.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
        };
        let mut hosts = trace.configuration.hosts.iter().zip(&addresses.hosts);
        found.extend(hosts.find(|(host, _)| is_of(host)).and_then(|(_, shown)| shown.clone()));
    }
}

/// Points whose link-layer address is a device's.
fn by_macs(trace: &Trace, addresses: &Addresses, found: &mut [Vec<Shown>]) {
    let macs = macs(trace, addresses);
    if macs.is_empty() {
        return;
    }
    for (own, found) in own_macs(trace).into_iter().zip(found) {
        found.extend(own.and_then(|own| macs.get(&own)).cloned().and_then(only));
    }
}

/// Link-layer addresses of devices: by their states, and by claims in the captures.
fn macs(trace: &Trace, addresses: &Addresses) -> BTreeMap<Mac, Vec<Shown>> {
    let mut macs: BTreeMap<Mac, Vec<Shown>> = BTreeMap::new();
    for (host, shown) in trace.configuration.hosts.iter().zip(&addresses.hosts) {
        let Some(shown) = shown else { continue };
        for (device, mac) in host.state.devices.iter().filter_map(|it| Some((it, it.mac?))) {
            let why = format!(
                "{} is {}'s {} ({}): {}",
                Mac(mac),
                host.name,
                device.name,
                device.line,
                shown.why
            );
            macs.entry(Mac(mac)).or_default().push(Shown { role: shown.role, why });
        }
    }
    let (mut of, mut claimed): (BTreeMap<IpAddr, BTreeSet<Mac>>, BTreeMap<Mac, BTreeSet<IpAddr>>) =
        (BTreeMap::new(), BTreeMap::new());
    for claim in &trace.claims {
        of.entry(claim.address).or_default().insert(claim.mac);
        claimed.entry(claim.mac).or_default().insert(claim.address);
    }
    for (address, claimants) in of {
        let (Some(mac), 1) = (claimants.first(), claimants.len()) else { continue };
        let Some(shown) = addresses.get(address) else { continue };
        // A router may answer for the servers behind it (proxy ARP).
        let of_servers =
            claimed.get(mac).into_iter().flatten().filter(|it| addresses.get(**it).is_some());
        if shown.role == Role::ServerSide && of_servers.count() > 1 {
            continue;
        }
        let why = format!("{mac} claims {address}: {}", shown.why);
        macs.entry(*mac).or_default().push(Shown { role: shown.role, why });
    }
    macs
}

/// The link-layer address of each point: what it sends from, or else what is sent to it, or what all of its frames
/// have in common though they are of several neighbours.
fn own_macs(trace: &Trace) -> Vec<Option<Mac>> {
    #[derive(Default, Clone)]
    struct Seen {
        sent: BTreeSet<Mac>,
        received: BTreeSet<Mac>,
        in_common: Option<BTreeSet<Mac>>,
    }
    let mut seen = vec![Seen::default(); trace.points.len()];
    for row in &trace.rows {
        let (Some(seen), Some((source, destination))) = (seen.get_mut(row.point), row.link) else {
            continue;
        };
        match row.direction {
            Some(Direction::Out) => {
                seen.sent.insert(source);
            }
            Some(Direction::In) => {
                seen.received.insert(destination);
            }
            None => {
                let both = BTreeSet::from([source, destination]);
                seen.in_common = Some(match seen.in_common.take() {
                    Some(known) => known.intersection(&both).copied().collect(),
                    None => both,
                });
            }
        }
    }
    let single = |macs: &BTreeSet<Mac>| macs.first().copied().filter(|_| macs.len() == 1);
    let own = |seen: Seen| {
        let by_direction =
            if seen.sent.is_empty() { single(&seen.received) } else { single(&seen.sent) };
        by_direction.or_else(|| single(&seen.in_common?))
    };
    seen.into_iter().map(own).collect()
}

/// Points that packets left with an address of a device, and were not forwarded.
fn by_packets(trace: &Trace, addresses: &Addresses, found: &mut [Vec<Shown>]) {
    let mut known: BTreeSet<(usize, Role)> = BTreeSet::new();
    for row in &trace.rows {
        let Some((role, sign)) = left(trace, addresses, row) else { continue };
        let (Some(found), Some(point)) = (found.get_mut(row.point), trace.points.get(row.point))
        else {
            continue;
        };
        if known.insert((row.point, role)) {
            found.push(Shown { role, why: sign.shown(&point.name) });
        }
    }
}

/// What a packet shows of the host that it left.
enum Sign<'a> {
    /// It is an F5's, sent on behalf of the virtual server with this VIP.
    F5(SocketAddr),
    /// It has an own address of a device.
    Own(IpAddr, &'a Shown),
    /// It answers a SYN with the VIP of a virtual server, which does not translate addresses.
    Vip(SocketAddr, &'a Virtual),
}

impl Sign<'_> {
    fn shown(&self, point: &str) -> String {
        match self {
            Self::F5(vip) => {
                format!("{point} sends what is for the VIP {vip} on behalf of a virtual server")
            }
            Self::Own(source, shown) => format!(
                "{source} sent from {point} with a TTL that no router had changed: {}",
                shown.why
            ),
            Self::Vip(vip, one) => format!(
                "SYNs were answered from {point} with the VIP {vip}, and {} does not translate that ({})",
                one.what, one.destination_translation.1
            ),
        }
    }
}

fn left<'a>(trace: &'a Trace, addresses: &'a Addresses, row: &Row) -> Option<(Role, Sign<'a>)> {
    let (ends, header) = (connection::ends(row), &row.packet.outermost);
    if row.is_f5_out {
        let (_, vip) = ends.filter(|(_, vip)| trace.configuration.is_vip(*vip))?;
        return Some((Role::LoadBalancer, Sign::F5(vip)));
    }
    let is_own = header.ttl.is_some_and(|ttl| FULL_TTLS.contains(&ttl));
    if row.direction != Some(Direction::Out) || !is_own {
        return None;
    }
    if let Some(shown) = addresses.get(header.source) {
        return Some((shown.role, Sign::Own(header.source, shown)));
    }
    // In direct server return a server answers with the VIP.
    let (vip, _) = ends.filter(|_| !is_tunnelled(row))?;
    if !connection::has(row, Flags::SYN.with(Flags::ACK)) {
        return None;
    }
    let one = trace.configuration.virtual_server(vip, connection::Protocol::Tcp)?;
    let translates = one.destination_translation.0 || one.source_translation.0;
    (!translates).then_some((Role::ServerSide, Sign::Vip(vip, one)))
}

/// All devices of a host are where it is, as far as names tell which are of one host.
fn spread(trace: &Trace, found: &mut [Vec<Shown>]) {
    let host = |place: usize| {
        let point = trace.points.get(place)?;
        Some((point.capture, point.name.rsplit_once(':')?.0))
    };
    let mut of_hosts: BTreeMap<(usize, &str), Vec<Shown>> = BTreeMap::new();
    for (place, shown) in found.iter().enumerate() {
        if let Some(host) = host(place) {
            of_hosts.entry(host).or_default().extend(shown.iter().cloned());
        }
    }
    for (place, found) in found.iter_mut().enumerate() {
        if let Some(shown) = host(place).and_then(|host| of_hosts.get(&host)) {
            found.clone_from(shown);
        }
    }
}
