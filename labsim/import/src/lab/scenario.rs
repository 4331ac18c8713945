//! The scenario's text.

use super::expectations::expectations;
use super::plan::Plan;
use super::servers::{Groups, Listener, Settings, listeners, settings};
use super::writer::{Writer, list, one_or_list};
use super::{TOPOLOGY, names};
use crate::design::{
    Balancing, Design, Encapsulation, FastL4, Mode, Persistence, Pool, Service, Snat, Virtual,
};
use crate::report::Report;
use crate::text::{shown, yaml};
use std::collections::BTreeMap;

/// Made up, since no configuration of a load balancer knows the servers' own.
const SECRET: &str = "imported-test";
const USER: &str = "violet";
const PASSWORD: &str = "indigo";
/// Where labsim's RADIUS servers take accounting requests (RFC 2866).
const ACCOUNTING: u16 = 1813;

/// Writes the scenario.
pub(super) fn text(
    header: &str,
    virtuals: &[&Virtual],
    design: &Design,
    plan: &Plan,
    report: &mut Report<'_>,
) -> String {
    let mut out = Writer::new(header);
    out.line(0, "# Secret, user and password are made up; addresses and settings are not.");
    out.gap();
    out.line(0, format_args!("topology: {TOPOLOGY}.yaml"));
    out.gap();
    load_balancer(&mut out, virtuals, design, plan, report);
    real_servers(&mut out, &settings(virtuals, design, plan, report), plan);
    for service in [Service::Tacacs, Service::Radius] {
        servers(&mut out, &listeners(service, virtuals, design, plan, report), plan);
    }
    let virtual_names: Vec<&str> = virtuals.iter().map(|one| one.name.as_str()).collect();
    let steps = names::steps(&virtual_names);
    out.line(0, "steps:");
    for (one, step) in virtuals.iter().zip(&steps) {
        let action = match one.service() {
            Service::Tacacs => "tacacs_login",
            Service::Radius => "radius_login",
        };
        let to = format!("{}:{}", one.address, one.asked());
        let login = format!("from: client, to: {to}, user: {USER}, password: {PASSWORD}");
        // Nobody has to wait long for an answer that is not expected.
        let is_in_vain = one.mode(design.pools[one.pool].encapsulation) == Mode::Dnat;
        let is_long = is_in_vain && one.service() == Service::Tacacs;
        let timeout = if is_long { ", timeout: 1" } else { "" };
        out.line(1, format_args!("{step}: {{{action}: {{{login}{timeout}}}}}"));
    }
    out.gap();
    out.line(0, "expect:");
    for (one, step) in virtuals.iter().zip(&steps) {
        let step = (steps.len() > 1).then_some(step.as_str());
        expectations(&mut out, one, step, (virtuals, design, plan));
    }
    out.finish()
}

fn load_balancer(
    out: &mut Writer,
    virtuals: &[&Virtual],
    design: &Design,
    plan: &Plan,
    report: &mut Report<'_>,
) {
    out.line(0, "load_balancers:");
    out.line(1, "lb:");
    out.line(2, "virtual_servers:");
    // The pools that are used, in the order of their use.
    let mut pools: BTreeMap<usize, usize> = BTreeMap::new();
    let mut order = Vec::new();
    for one in virtuals {
        pools.entry(one.pool).or_insert_with(|| {
            order.push(*one);
            order.len() - 1
        });
    }
    let pool_names = names::objects(order.iter().map(|one| design.pools[one.pool].name.as_str()));
    let virtual_names = names::objects(virtuals.iter().map(|one| one.name.as_str()));
    for (one, name) in virtuals.iter().zip(&virtual_names) {
        let pool = pools.get(&one.pool).map_or("", |at| pool_names[*at].as_str());
        virtual_server(out, one, (name, pool), &design.pools[one.pool], report);
    }
    out.line(2, "pools:");
    for (one, name) in order.iter().zip(&pool_names) {
        let pool = &design.pools[one.pool];
        let (mut addresses, mut members) = (Vec::new(), Vec::new());
        for member in pool.members.iter().filter(|one| plan.server(one.address).is_some()) {
            let port = if member.port == 0 { one.asked() } else { member.port };
            let address = format!("{}:{port}", member.address);
            let member = match member.ratio {
                1 => address.clone(),
                ratio => format!("{{address: {address}, ratio: {ratio}}}"),
            };
            if !addresses.contains(&address) {
                addresses.push(address);
                members.push(member);
            }
        }
        let profile = pool.encapsulation.word();
        let profile = if pool.encapsulation == Encapsulation::None {
            String::new()
        } else {
            format!("profile: {profile}, ")
        };
        out.line(3, format_args!("{}: # {}", yaml(name), shown(&report.at(pool.place))));
        let mode = if pool.balancing == Balancing::default() {
            String::new()
        } else {
            format!("load_balancing_mode: {}, ", pool.balancing.word())
        };
        out.line(4, format_args!("{{{profile}{mode}members: {}}}", list(&members)));
    }
    out.gap();
}

fn virtual_server(
    out: &mut Writer,
    one: &Virtual,
    (name, pool_name): (&str, &str),
    pool: &Pool,
    report: &Report<'_>,
) {
    out.line(3, format_args!("{}: # {}", yaml(name), shown(&report.at(one.place))));
    let port = if one.port == 0 { "any".to_owned() } else { one.port.to_string() };
    out.line(4, format_args!("destination: {}:{port}", one.address));
    out.line(4, format_args!("ip_protocol: {}", one.protocol.word()));
    out.line(4, format_args!("pool: {}", yaml(pool_name)));
    out.line(4, format_args!("translate_address: {}", one.translate_address));
    // Members that take every port leave the client's as it is.
    let translates = one.translate_port && pool.members.iter().any(|member| member.port != 0);
    out.line(4, format_args!("translate_port: {translates}"));
    match &one.snat {
        Snat::None => {}
        Snat::Automap => out.line(4, "source_address_translation: automap"),
        Snat::Pool(addresses) => {
            out.line(4, format_args!("source_address_translation: {{snat: {}}}", list(addresses)));
        }
    }
    if let Some(rule) = one.persistence {
        out.line(4, format_args!("persistence: {}", persistence(rule)));
    }
    let usual = FastL4::default();
    let mut fastl4 = Vec::new();
    if one.fastl4.loose_initiation {
        fastl4.push("loose_initiation: true".to_owned());
    }
    if one.fastl4.loose_close {
        fastl4.push("loose_close: true".to_owned());
    }
    if one.fastl4.idle_timeout != usual.idle_timeout {
        fastl4.push(format!("idle_timeout: {}", one.fastl4.idle_timeout));
    }
    if !one.fastl4.reset_on_timeout {
        fastl4.push("reset_on_timeout: false".to_owned());
    }
    if !fastl4.is_empty() {
        out.line(4, format_args!("fastl4: {{{}}}", fastl4.join(", ")));
    }
}

/// By a word, or with what differs from F5's defaults.
fn persistence(Persistence { timeout, prefix_length }: Persistence) -> String {
    let usual = Persistence::default();
    let mut options = Vec::new();
    if timeout != usual.timeout {
        options.push(format!("timeout: {timeout}"));
    }
    if let Some(length) = prefix_length {
        options.push(format!("prefix_length: {length}"));
    }
    if options.is_empty() {
        return "source_address".to_owned();
    }
    format!("{{source_address: {{{}}}}}", options.join(", "))
}

fn real_servers(out: &mut Writer, groups: &Groups<Settings>, plan: &Plan) {
    if groups.is_empty() {
        return;
    }
    out.line(0, "real_servers:");
    for (settings, servers) in groups {
        out.line(1, format_args!("- nodes: {}", nodes(servers, plan)));
        if let Some(tunnel) = settings.tunnel {
            out.line(2, format_args!("tunnel: {}", tunnel.word()));
        }
        out.line(2, format_args!("vip: {}", one_or_list(&settings.vips)));
        out.line(2, "sysctls:");
        out.line(3, "net.ipv4.conf.all.arp_ignore: 3");
        out.line(3, "net.ipv4.conf.all.arp_announce: 2");
        // The kernel's own devices for tunnels, which ipip and ip_gre make.
        let device = match settings.tunnel {
            Some(Encapsulation::Ipip) => "tunl0",
            Some(Encapsulation::Gre) => "gre0",
            Some(Encapsulation::None) | None => continue,
        };
        out.line(3, "net.ipv4.conf.all.rp_filter: 2");
        out.line(3, format_args!("net.ipv4.conf.{device}.rp_filter: 0"));
    }
    out.gap();
}

fn servers(out: &mut Writer, groups: &Groups<Listener>, plan: &Plan) {
    let Some((first, _)) = groups.first() else { return };
    let (key, port, usual) = match first.service {
        Service::Tacacs => ("tacacs_servers", "port", 49),
        Service::Radius => ("radius_servers", "authentication_port", 1812),
    };
    out.line(0, format_args!("{key}: # they know their clients by address, as AAA servers do"));
    for (listener, servers) in groups {
        out.line(1, format_args!("- nodes: {}", nodes(servers, plan)));
        if listener.port != usual {
            out.line(2, format_args!("{port}: {}", listener.port));
        }
        // Accounting has to keep off a port that authentication took.
        if listener.service == Service::Radius && listener.port == ACCOUNTING {
            out.line(2, format_args!("accounting_port: {usual}"));
        }
        out.line(2, format_args!("secret: {SECRET}"));
        out.line(2, format_args!("clients: {}", list(&listener.clients)));
        out.line(2, format_args!("users: {{{USER}: {PASSWORD}}}"));
    }
    out.gap();
}

fn nodes(servers: &[usize], plan: &Plan) -> String {
    let names: Vec<&str> = servers.iter().map(|at| plan.servers[*at].name.as_str()).collect();
    one_or_list(&names)
}
