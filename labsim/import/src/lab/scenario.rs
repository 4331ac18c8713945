//! The scenario's text.

use super::expectations::expectations;
use super::plan::AddressPlan;
use super::servers::{Groups, Listener, Settings, listeners, settings};
use super::yaml::{Entry, Value, document, entry, list, map, one_or_list, scalar};
use super::{TOPOLOGY, names};
use crate::lb_model::{LbModel, Mode, Pool, Service, VirtualServer, tunnel_name};
use crate::report::Report;
use crate::text::printable;
use labsim_model::{
    GreOptions, GueOptions, IpProtocol, Member, OuterSource, Persistence, Profile, SourceAddress,
    TunnelProtocol,
};
use std::net::{IpAddr, SocketAddr};

/// Made up, since no configuration of a load balancer knows the servers' own.
const SECRET: &str = "imported-test";
const USER: &str = "violet";
const PASSWORD: &str = "indigo";
const NAME: &str = "www.example.org";
const ADDRESS: &str = "192.0.2.80";
/// Where labsim's RADIUS servers take accounting requests (RFC 2866), and where they do if that port is
/// another server's.
const ACCOUNTING: u16 = 1813;
const OTHER_ACCOUNTING: u16 = 11_813;
/// The usual ports of the other servers that know their clients.
const TACACS: u16 = 49;
const RADIUS: u16 = 1812;
/// Written although they may be labsim's defaults, which are not every vendor's.
const REQUIRED: [&str; 4] = ["destination", "ip_protocol", "translate_address", "translate_port"];

/// Writes the scenario.
///
/// # Errors
/// The model has a key that is not a text.
pub(super) fn text(
    header: &str,
    virtuals: &[&VirtualServer],
    model: &LbModel,
    plan: &AddressPlan,
    report: &mut Report<'_>,
) -> serde_json::Result<String> {
    let of = |one: &&VirtualServer| one.service(&model.pools[one.pool]);
    let made_up = match virtuals.iter().any(|one| of(one).is_aaa()) {
        true => "Secret, user and password are",
        false => "What is sent and answered is",
    };
    let header = format!("{header}# {made_up} made up; addresses and settings are not.\n");
    let mut sections = vec![
        entry("topology", scalar(format_args!("{TOPOLOGY}.yaml"))),
        entry("load_balancers", vec![entry("lb", load_balancer(virtuals, model, plan, report)?)]),
    ];
    sections.extend(real_servers(&settings(virtuals, model, plan, report), plan)?);
    let mut of_services = |services: &[Service]| listeners(services, virtuals, model, plan, report);
    let all: Vec<(&str, Groups<Listener>)> = vec![
        ("tacacs_servers", of_services(&[Service::Tacacs])),
        ("radius_servers", of_services(&[Service::Radius, Service::Accounting])),
        ("tcp_servers", of_services(&[Service::Http, Service::Tcp])),
        ("udp_servers", of_services(&[Service::Dns, Service::Udp])),
    ];
    let accounting = all
        .iter()
        .filter(|(key, _)| *key == "udp_servers")
        .any(|(_, groups)| groups.iter().any(|(listener, _)| listener.port == Some(ACCOUNTING)));
    sections.extend(all.iter().filter_map(|(key, groups)| servers(key, groups, accounting, plan)));
    let named: Vec<(&str, &str)> =
        virtuals.iter().map(|one| (one.name.as_str(), of(one).noun())).collect();
    let names = names::steps(&named);
    let steps = virtuals.iter().zip(&names);
    let steps = steps.map(|(one, name)| {
        entry(name, step(one, &model.pools[one.pool], exchanges(one, model, plan)))
    });
    sections.push(entry("steps", steps.collect::<Vec<_>>()));
    let expected = virtuals.iter().zip(&names).flat_map(|(one, step)| {
        let step = (names.len() > 1).then_some(step.as_str());
        expectations(one, step, (virtuals, model, plan))
    });
    sections.push(entry("expect", expected.collect::<Vec<_>>()));
    Ok(document(&header, sections))
}

/// One exchange for each member that takes new clients, so that each is asked where members take turns.
fn exchanges(one: &VirtualServer, model: &LbModel, plan: &AddressPlan) -> usize {
    let pool = &model.pools[one.pool];
    match (one.service(pool), one.mode()) {
        // A RADIUS step sends one request; and one timeout is as good as several.
        (Service::Radius | Service::Accounting, _) | (_, Mode::Dnat) => 1,
        (_, Mode::Direct | Mode::Snat) => {
            let members = pool.members.iter().filter(|member| member.takes_new_flows());
            members.filter(|member| plan.server(member.address).is_some()).count()
        }
    }
}

fn step(one: &VirtualServer, pool: &Pool, times: usize) -> Value {
    let service = one.service(pool);
    let action = match service {
        Service::Tacacs => "tacacs_login",
        Service::Radius => "radius_login",
        Service::Accounting => "radius_accounting",
        Service::Http => "http_get",
        Service::Tcp => "tcp_exchange",
        Service::Dns => "dns_query",
        Service::Udp => "udp_exchange",
    };
    let mut exchange = vec![
        entry("from", "client"),
        entry("to", scalar(SocketAddr::from((one.address, one.client_port(pool))))),
    ];
    match service {
        Service::Tacacs | Service::Radius => {
            exchange.extend([entry("user", USER), entry("password", PASSWORD)]);
        }
        Service::Accounting => exchange.extend([
            entry("acct_status_type", "start"),
            entry("user", USER),
            entry("acct_session_id", "imported"),
        ]),
        Service::Dns => exchange.push(entry("name", NAME)),
        Service::Http | Service::Tcp | Service::Udp => {}
    }
    if times > 1 {
        exchange.push(entry("times", scalar(times)));
    }
    // One second, as no answer is expected.
    if one.mode() == Mode::Dnat {
        exchange.push(match one.settings.ip_protocol {
            IpProtocol::Tcp => entry("timeout", scalar(1)),
            IpProtocol::Udp => entry("max_transmissions", scalar(1)),
        });
    }
    map([(action, exchange.into())])
}

fn load_balancer(
    virtuals: &[&VirtualServer],
    model: &LbModel,
    plan: &AddressPlan,
    report: &Report<'_>,
) -> serde_json::Result<Vec<Entry>> {
    // Default options and ratios are not written.
    let gre = Value::of(&Profile::Gre(GreOptions::default()))?;
    let persistence = Value::of(&Persistence::SourceAddress(SourceAddress::default()))?;
    let gue = Value::of(&Profile::Gue(GueOptions::default()))?;
    let short = [(gre, "gre".into()), (gue, "gue".into()), (persistence, "source_address".into())];
    // The pools that are used, in the order of their use.
    let mut used: Vec<&VirtualServer> = Vec::new();
    for one in virtuals {
        if used.iter().all(|other| other.pool != one.pool) {
            used.push(one);
        }
    }
    let pool_names = names::objects(used.iter().map(|one| model.pools[one.pool].name.as_str()));
    let virtual_names = names::objects(virtuals.iter().map(|one| one.name.as_str()));
    let (mut servers, mut pools) = (Vec::new(), Vec::new());
    for (one, name) in virtuals.iter().zip(virtual_names) {
        let at = used.iter().position(|other| other.pool == one.pool).unwrap_or_default();
        let mut settings = one.settings.clone();
        settings.pool.clone_from(&pool_names[at]);
        // Members that take every port leave the client's as it is.
        settings.translate_port &=
            model.pools[one.pool].members.iter().any(|member| member.port != 0);
        let defaults = labsim_model::VirtualServer::new(settings.destination.clone(), "");
        let settings = Value::without_defaults(&settings, &defaults, &REQUIRED, &short)?;
        servers.push(entry(name, settings).comment(printable(&report.at(one.place))));
    }
    for (one, name) in used.iter().zip(pool_names) {
        let pool = &model.pools[one.pool];
        let mut settings = pool.settings.clone();
        for member in pool.members.iter().filter(|member| plan.server(member.address).is_some()) {
            let port = if member.port == 0 { one.client_port(pool) } else { member.port };
            let address = SocketAddr::from((member.address, port));
            if settings.members.iter().all(|other| other.address != address) {
                let crate::lb_model::Member { ratio, profile, state, .. } = *member;
                settings.members.push(Member { address, ratio, profile, state });
            }
        }
        let mut short = short.to_vec();
        for member in &settings.members {
            let default = Member::from(member.address);
            let written = match *member == default {
                true => scalar(member.address),
                false => {
                    let required = ["address"];
                    Value::Flow(Value::without_defaults(member, &default, &required, &short)?)
                }
            };
            short.push((Value::of(member)?, written));
        }
        let defaults = labsim_model::Pool::default();
        let settings = Value::without_defaults(&settings, &defaults, &[], &short)?;
        pools.push(entry(name, settings).comment(printable(&report.at(pool.place))));
    }
    let mut written = Vec::new();
    if model.outer_source != OuterSource::default()
        && used.iter().any(|one| model.pools[one.pool].has_tunnel())
    {
        written.push(entry("outer_source", Value::of(&model.outer_source)?));
    }
    written.extend([entry("virtual_servers", servers), entry("pools", pools)]);
    Ok(written)
}

fn real_servers(
    groups: &Groups<Settings>,
    plan: &AddressPlan,
) -> serde_json::Result<Option<Entry>> {
    let mut parts = Vec::new();
    for (number, (settings, servers)) in groups.iter().enumerate() {
        let mut server = vec![entry("nodes", nodes(servers, plan))];
        if let Some(tunnel) = settings.tunnel {
            server.push(entry("tunnel", written(tunnel)?));
        }
        server.push(entry("vip", one_or_list(&settings.vips)));
        // ARP and the reverse path filter are IPv4's; neighbour discovery answers for nothing on lo.
        let mut sysctls = Vec::new();
        if settings.vips.iter().any(IpAddr::is_ipv4) {
            sysctls.push(entry("net.ipv4.conf.all.arp_ignore", scalar(3)));
            sysctls.push(entry("net.ipv4.conf.all.arp_announce", scalar(2)));
        }
        if !settings.ipv4_devices.is_empty() {
            sysctls.push(entry("net.ipv4.conf.all.rp_filter", scalar(2)));
        }
        for device in &settings.ipv4_devices {
            sysctls.push(entry(format_args!("net.ipv4.conf.{device}.rp_filter"), scalar(0)));
        }
        if !sysctls.is_empty() {
            server.push(entry("sysctls", sysctls));
        }
        parts.push(entry(part("servers", number), server));
    }
    Ok((!parts.is_empty()).then(|| entry("real_servers", parts)))
}

/// A tunnel by its name, or with the options that are not its usual ones.
fn written(tunnel: TunnelProtocol) -> serde_json::Result<Value> {
    match tunnel {
        TunnelProtocol::Gre(options) if options != GreOptions::default() => {
            Value::of(&Profile::Gre(options))
        }
        TunnelProtocol::Gue(options) if options != GueOptions::default() => {
            Value::of(&Profile::Gue(options))
        }
        _ => Ok(tunnel_name(tunnel).into()),
    }
}

/// The name of a part of `real_servers` and the like: files that extend this one change it by that.
fn part(name: &str, number: usize) -> String {
    if number == 0 { name.to_owned() } else { format!("{name}_{}", number + 1) }
}

/// The servers under a key; with `accounting`, another server has RADIUS accounting's port.
fn servers(
    key: &str,
    groups: &Groups<Listener>,
    accounting: bool,
    plan: &AddressPlan,
) -> Option<Entry> {
    let (first, _) = groups.first()?;
    if !first.service.is_aaa() {
        let items = groups.iter().map(|(listener, servers)| service(listener, servers, plan));
        return Some(entry(key, Value::Items(items.collect())));
    }
    let parts = groups.iter().enumerate().map(|(number, (listener, servers))| {
        let mut server = vec![entry("nodes", nodes(servers, plan))];
        server.extend(match listener.service {
            Service::Tacacs => port("port", listener.port, TACACS),
            _ => radius_ports(listener, accounting),
        });
        server.push(entry("secret", SECRET));
        server.push(entry("clients", list(&listener.clients)));
        server.push(entry("users", map([(USER, PASSWORD.into())])));
        entry(part("aaa", number), server)
    });
    let section = entry(key, parts.collect::<Vec<_>>());
    Some(section.comment("they know their clients by address, as AAA servers do"))
}

/// The port under a key, if it is not the usual one.
fn port(key: &str, port: Option<u16>, usual: u16) -> Vec<Entry> {
    port.filter(|port| *port != usual).map(|port| entry(key, scalar(port))).into_iter().collect()
}

/// The ports of a RADIUS server: each of its two has to keep off the other's, and the second off another
/// server's.
fn radius_ports(listener: &Listener, is_taken: bool) -> Vec<Entry> {
    let Listener { port: authentication, accounting, .. } = listener;
    let other = match accounting {
        Some(RADIUS) => Some(ACCOUNTING),
        _ => None,
    };
    let free = match authentication {
        Some(ACCOUNTING) => Some(RADIUS),
        _ if is_taken => Some(OTHER_ACCOUNTING),
        _ => None,
    };
    let mut ports = port("authentication_port", authentication.or(other), RADIUS);
    ports.extend(port("accounting_port", accounting.or(free), ACCOUNTING));
    ports
}

/// A server that is none of AAA's.
fn service(listener: &Listener, servers: &[usize], plan: &AddressPlan) -> Value {
    let mut server = vec![entry("nodes", nodes(servers, plan))];
    server.extend(listener.port.map(|port| entry("port", scalar(port))));
    match listener.service {
        Service::Http => server.push(entry("form", "http")),
        Service::Dns => {
            let names = map([(NAME, ADDRESS.into())]);
            server.push(entry("form", map([("dns", names)])));
        }
        _ => {}
    }
    Value::Block(server)
}

fn nodes(servers: &[usize], plan: &AddressPlan) -> Value {
    let names: Vec<&str> = servers.iter().map(|at| plan.servers[*at].name.as_str()).collect();
    one_or_list(&names)
}
