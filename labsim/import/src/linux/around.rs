//! A lab around a real server's state, where no scenario is given: a client, a router, and a load balancer
//! that sends to the server as its tunnel and its addresses show.

use super::host::{Host, Link, Socket};
use super::server::kind;
use crate::address::check_unicast;
use crate::lb_model::{LbModel, Member, Pool, Service, VirtualServer};
use crate::place::Place;
use crate::text::printable;
use crate::validate;
use labsim_model::{AdminState, GreOptions, GueOptions, IpProtocol, Profile};
use std::net::{IpAddr, Ipv4Addr};

/// Most VIPs that the load balancer gets, and most ports of each.
const VIPS: usize = 16;
const PORTS: usize = 8;
/// Ports of services that are usually behind a load balancer, where a socket does not name a VIP.
const USUAL: [(IpProtocol, &[u16]); 2] = [
    (IpProtocol::Tcp, &[49, 80, 443, 8000, 8080, 8443]),
    (IpProtocol::Udp, &[53, 514, 1812, 1645]),
];

/// The load balancer in front of a host, and what was assumed about it, as sentences.
///
/// # Errors
/// What is not shown of the host that a lab needs, with the remedy.
pub(super) fn model(host: &Host) -> Result<(LbModel, Vec<String>), String> {
    let (main, own) = own(host)?;
    let vips = vips(host, (main, own));
    if vips.is_empty() {
        return Err("no address of this host looks like a VIP (one on lo or on a tunnel, or a /32 \
                    elsewhere), so it is not known what a load balancer would send; give `ip addr` of a \
                    host that has the VIP, or name a scenario with --into SCENARIO NODE"
            .to_owned());
    }
    let mut assumed = Vec::new();
    let profile = profile(host, &mut assumed);
    if profile == Profile::None {
        assumed.push(
            "the load balancer is on the server's segment, sends packets under the server's MAC \
             address, and looks for it by ARP"
                .to_owned(),
        );
    } else {
        assumed.push(
            "tunnel packets carry the client's address as their outer source (`outer_source: \
             client`)"
                .to_owned(),
        );
    }
    let mut model = LbModel {
        gateways: gateways(host),
        is_direct_routing: profile == Profile::None,
        ..LbModel::default()
    };
    for (vip, place) in vips.iter().take(VIPS) {
        for (protocol, port) in services(host, *vip, &mut assumed) {
            let name = format!("{vip}_{port}_{}", protocol.word());
            let what = format!("address {vip}");
            let named = (format!("vs_{name}"), what.as_str(), *place);
            let mut one = VirtualServer::new(named, ((*vip).into(), port.into()), protocol);
            (one.settings.translate_address, one.settings.translate_port) = (false, false);
            one.pool = model.pools.len();
            model.virtuals.push(one);
            model.pools.push(pool(&name, *place, (own, port), profile));
        }
    }
    if vips.len() > VIPS {
        assumed.push(format!("{VIPS} of the host's {} VIPs are the load balancer's", vips.len()));
    }
    assumed.push(format!(
        "{own} on {} is the server's own address; client, router and load balancer, their addresses, users \
         and secrets are made up",
        printable(&main.name)
    ));
    Ok((model, assumed))
}

fn pool(name: &str, place: Place, (own, port): (Ipv4Addr, u16), profile: Profile) -> Pool {
    let member = Member {
        name: None,
        place,
        address: own.into(),
        port,
        ratio: 1,
        profile: None,
        state: AdminState::Enabled,
    };
    Pool {
        name: format!("p_{name}"),
        place,
        what: format!("address {own}"),
        members: vec![member],
        profile_at: None,
        settings: labsim_model::Pool { profile, ..labsim_model::Pool::default() },
    }
}

/// Whether a device is one that frames arrive on, as far as its name and kind tell.
fn is_wire(link: &Link) -> bool {
    let is_made = ["dummy", "docker", "veth", "br-", "virbr"];
    !link.is_loopback()
        && kind(link).is_none()
        && !is_made.iter().any(|name| link.name.starts_with(name))
}

/// The IPv4 addresses of a device that hosts have, with their prefix lengths.
fn v4(link: &Link) -> impl Iterator<Item = (Ipv4Addr, u8, Place)> {
    link.addresses.iter().filter_map(|one| match one.net.addr() {
        IpAddr::V4(address) if check_unicast(address.into()).is_ok() => {
            Some((address, one.net.prefix_len(), one.place))
        }
        _ => None,
    })
}

/// The device that packets come in on, and the host's own address: the default route's, or the first.
fn own(host: &Host) -> Result<(&Link, Ipv4Addr), String> {
    let default = host.routes.iter().find(|it| it.destination.prefix_len() == 0);
    let device = default.and_then(|route| route.device.as_deref());
    let first = |link: &Link| v4(link).find(|(_, length, _)| *length < 32).map(|it| it.0);
    let usable = || {
        let wires = host.links.iter().filter(|link| is_wire(link) && link.up != Some(false));
        wires.filter_map(move |link| Some((link, first(link)?)))
    };
    let of_default = usable().find(|(link, _)| Some(link.name.as_str()) == device);
    of_default.or_else(|| usable().next()).ok_or_else(|| {
        "the host's own address is not among these files; give the output of `ip addr`, or the files \
         that configure its interfaces"
            .to_owned()
    })
}

/// Addresses that clients may know the server by: those on lo and on tunnels, and /32 ones elsewhere.
fn vips(host: &Host, (main, own): (&Link, Ipv4Addr)) -> Vec<(Ipv4Addr, Place)> {
    let mut found: Vec<(Ipv4Addr, Place)> = Vec::new();
    for link in &host.links {
        let takes_all = link.is_loopback() || kind(link).is_some();
        for (address, length, place) in v4(link) {
            let is_one = takes_all || length == 32;
            let is_known = found.iter().any(|(known, _)| *known == address);
            let is_own =
                address == own || v4(main).any(|(it, length, _)| it == address && length < 32);
            if is_one && !is_known && !is_own {
                found.push((address, place));
            }
        }
    }
    // Where lo has VIPs, a tunnel's other addresses are its own.
    let on_lo = |address: Ipv4Addr| {
        host.links
            .iter()
            .filter(|link| link.is_loopback())
            .any(|link| v4(link).any(|it| it.0 == address))
    };
    if found.iter().any(|(address, _)| on_lo(*address)) {
        let on_tunnel = |address: Ipv4Addr| {
            let tunnels = host.links.iter().filter(|link| kind(link).is_some());
            tunnels.flat_map(v4).any(|it| it.0 == address)
        };
        found.retain(|(address, _)| on_lo(*address) || !on_tunnel(*address));
    }
    found
}

/// How packets reach the server: in the tunnel that is up, or else in one that has addresses.
fn profile(host: &Host, assumed: &mut Vec<String>) -> Profile {
    let takes_ipv4 = |link: &&Link| matches!(kind(link), Some("ipip" | "gre"));
    let tunnels = || host.links.iter().filter(takes_ipv4);
    let up = tunnels().find(|link| link.up != Some(false));
    let Some(link) = up.or_else(|| tunnels().find(|link| !link.addresses.is_empty())) else {
        if let Some(down) = tunnels().next() {
            assumed.push(format!(
                "{} is down and has no address: it is no tunnel from the load balancer",
                printable(&down.name)
            ));
        }
        return Profile::None;
    };
    let name = printable(&link.name);
    if kind(link) == Some("gre") {
        let (key, checksum) = (link.tunnel.key, link.tunnel.checksum);
        if !link.tunnel.is_known {
            assumed.push(format!("{name}: GRE without key and checksum (`ip -d link` shows them)"));
        }
        return Profile::Gre(GreOptions { key, checksum });
    }
    match host.gue_port {
        Some(port) => Profile::Gue(GueOptions { port, ..GueOptions::default() }),
        None => {
            assumed.push(format!("{name}: IP in IP, and not GUE, whose port `ip fou show` shows"));
            Profile::Ipip
        }
    }
}

/// The services of a VIP: those whose sockets name it, else usual ones that listen at every address.
fn services(host: &Host, vip: Ipv4Addr, assumed: &mut Vec<String>) -> Vec<(IpProtocol, u16)> {
    let protocol = |it: &Socket| if it.is_tcp { IpProtocol::Tcp } else { IpProtocol::Udp };
    let named = host.sockets.iter().filter(|it| it.address == Some(IpAddr::V4(vip)));
    let mut found: Vec<_> = named.map(|it| (protocol(it), it.port)).collect();
    if found.is_empty() {
        let is_usual = |it: &&Socket| {
            USUAL.iter().any(|(of, ports)| *of == protocol(it) && ports.contains(&it.port))
        };
        let all = host.sockets.iter().filter(|it| it.address.is_none());
        found.extend(all.filter(is_usual).map(|it| (protocol(it), it.port)));
    }
    found.sort_unstable();
    found.dedup();
    // RADIUS has its accounting port beside it, and one server of AAA has one port.
    found.truncate(PORTS);
    let mut aaa: Vec<Service> = Vec::new();
    found.retain(|(protocol, port)| {
        let service = validate::service(*protocol, *port);
        let is_new = !aaa.contains(&service);
        aaa.extend(service.is_aaa().then_some(service));
        is_new
    });
    if found.is_empty() {
        let why = if host.has_tcp || host.has_udp {
            "no service that is usual behind a load balancer listens"
        } else {
            "`ss -ltnu` is not among the files"
        };
        assumed.push(format!("{vip} serves TACACS+ at TCP port 49, as {why}"));
        found.push((IpProtocol::Tcp, 49));
    }
    found
}

/// The next hops of the host's IPv4 routes, which the lab's router has as its addresses.
fn gateways(host: &Host) -> Vec<IpAddr> {
    let via = host.routes.iter().filter_map(|route| route.via);
    let via = via.filter(|via| via.is_ipv4() && check_unicast(*via).is_ok());
    via.take(VIPS).collect()
}
