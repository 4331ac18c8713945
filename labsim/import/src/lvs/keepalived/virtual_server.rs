//! `virtual_server` and its real servers.

use super::checks::{self, Check, Times};
use super::group::Groups;
use super::reasons;
use super::tree::Node;
use crate::address::Family;
use crate::lvs::scheduler::Scheduler;
use crate::lvs::service::{Destination, Persistent, Server, Service};
use crate::lvs::tunnel::TunnelWords;
use crate::lvs::words;
use crate::report::Report;
use crate::text::{has_word, printable};
use labsim_model::ipvs::Forwarding;
use labsim_model::{IpProtocol, Monitor, quote};

/// keepalived's persistence without a time, in seconds.
const PERSISTENT: u32 = 360;
/// Largest time, and largest weight of IPVS.
const MOST: u32 = 2_147_483_647;
/// Flags of schedulers.
const FLAGS: &str = "flag-1 flag-2 flag-3 sh-port sh-fallback mh-port mh-fallback hashed";

/// What a virtual server's statements say of its real servers, unless they say it themselves.
#[derive(Clone, Copy)]
struct Defaults {
    forwarding: Forwarding,
    times: Times,
    inhibits: bool,
}

/// A virtual server; `None`, with a note or an error, if it is not imported.
pub(super) fn service(
    node: &Node,
    groups: &mut Groups<'_>,
    report: &mut Report<'_>,
) -> Option<Service> {
    let words: Vec<&str> = node.words.iter().skip(1).map(|word| word.text.as_str()).collect();
    let what = format!("virtual_server {}", printable(&words.join(" ")));
    let destinations = destinations(node, &what, groups, report)?;
    let mut defaults =
        Defaults { forwarding: Forwarding::Masquerading, times: Times::default(), inhibits: false };
    let mut protocol = Some(IpProtocol::Tcp);
    let (mut name, mut flags, mut timeout, mut mask) = (None, Vec::new(), None, None);
    let mut one_packet = None;
    for line in &node.children {
        if defaults.times.take(line, report) {
            continue;
        }
        match line.name() {
            "lvs_sched" | "lb_algo" => name = line.value(report).cloned(),
            "lvs_method" | "lb_kind" => defaults.forwarding = forwarding(line, &what, report)?,
            "persistence_timeout" => {
                let seconds = match line.words.get(1) {
                    Some(word) => words::number(word, "a time in seconds", 1..=MOST, report)?,
                    None => PERSISTENT,
                };
                timeout = Some((line.place, seconds));
            }
            "persistence_granularity" => mask = Some(line),
            "protocol" => protocol = self::protocol(line, report)?,
            "inhibit_on_failure" => defaults.inhibits = is_on(line),
            "ip_family" if ["inet", "inet6"].contains(&line.text(1)) => {}
            "real_server" => {}
            "ops" => one_packet = Some(line.place),
            flag if has_word(FLAGS, flag) => flags.extend(line.words.first().cloned()),
            other => {
                let what = format!("{what}: {}", printable(other));
                report.not_imported(line.place, what, reasons::of_statement(other));
            }
        }
    }
    let Some(protocol) = protocol else {
        return report.skip(node.place, what, "labsim's virtual servers accept TCP or UDP packets");
    };
    let persistence = match (timeout, mask) {
        (Some((place, timeout)), mask) => {
            let mask = mask.and_then(|line| line.value(report));
            let family = destinations.first().map_or(Family::V4, |one| Family::of(one.address));
            let prefix_length = mask.and_then(|word| words::prefix_length(word, family, report));
            Some(Persistent { place, timeout, prefix_length })
        }
        (None, Some(line)) => {
            let why = reasons::of_statement(line.name());
            report.not_imported(line.place, format!("{what}: {}", line.name()), why);
            None
        }
        (None, None) => None,
    };
    if let Some(any) = destinations.iter().find(|one| one.port == 0 && persistence.is_none()) {
        let message = "a virtual server without a port needs `persistence_timeout`; add it, or write the \
                       port";
        return report.reject(any.place, message);
    }
    let mut servers = Vec::new();
    let mut checks: Vec<(usize, Option<Check>)> = Vec::new();
    let mut inhibits = true;
    for line in node.children.iter().filter(|line| line.name() == "real_server") {
        let own = destinations.first().map(|first| first.port);
        let Some((server, check, inhibited)) = real_server(line, &what, (own, defaults), report)
        else {
            continue;
        };
        inhibits &= inhibited;
        checks.push((servers.len(), check));
        servers.push(server);
    }
    let monitor = monitor(&what, checks, (&servers, inhibits), report);
    Some(Service {
        what,
        place: node.place,
        protocol,
        destinations,
        scheduler: Scheduler { name, flags },
        persistence,
        one_packet,
        servers,
        monitor,
    })
}

/// Its addresses: its own, or its group's.
fn destinations(
    node: &Node,
    what: &str,
    groups: &mut Groups<'_>,
    report: &mut Report<'_>,
) -> Option<Vec<Destination>> {
    let word = node.value(report)?;
    match word.text.as_str() {
        "fwmark" => {
            let why = "its addresses and ports are those of the firewall's rules that set the mark; \
                       write them in its place";
            report.skip(node.place, what, why)
        }
        "group" => match groups.destinations(node.text(2), report) {
            Some(all) if all.is_empty() => {
                report.skip(node.place, what, "none of its group's addresses is imported")
            }
            Some(all) => Some(all),
            None => {
                let why =
                    format!("its group {} is in none of the imported files", quote(node.text(2)));
                report.skip(node.place, what, why)
            }
        },
        _ => {
            let port = match node.words.get(2) {
                Some(word) => words::port(word, report)?,
                None => 0,
            };
            let address = report.address(word.place, &word.text, what)?;
            Some(vec![Destination { address, port, place: node.place }])
        }
    }
}

/// A real server with its monitor, and whether a failed one keeps its place (`inhibit_on_failure`).
fn real_server(
    node: &Node,
    what: &str,
    (service_port, defaults): (Option<u16>, Defaults),
    report: &mut Report<'_>,
) -> Option<(Server, Option<Check>, bool)> {
    let Defaults { mut forwarding, mut times, mut inhibits } = defaults;
    let words: Vec<&str> = node.words.iter().skip(1).map(|word| word.text.as_str()).collect();
    let what = format!("{what}: real_server {}", printable(&words.join(" ")));
    let word = node.value(report)?;
    let address = report.address(word.place, &word.text, &what)?;
    let port = match node.words.get(2) {
        Some(word) => Some(words::port(word, report)?),
        None => None,
    };
    let mut weight = 1;
    let mut checkers = Vec::new();
    for line in &node.children {
        if times.take(line, report) {
            continue;
        }
        match line.name() {
            "weight" => weight = words::number(line.value(report)?, "a weight", 0..=MOST, report)?,
            "lvs_method" | "lb_kind" => forwarding = self::forwarding(line, &what, report)?,
            "inhibit_on_failure" => inhibits = is_on(line),
            "TCP_CHECK" | "PING_CHECK" => checkers.push(line),
            other => {
                let what = format!("{what}: {}", printable(other));
                report.not_imported(line.place, what, reasons::of_statement(other));
            }
        }
    }
    // Its times may stand behind a checker.
    let mut checkers = checkers.into_iter();
    let check = checkers
        .next()
        .and_then(|line| checks::check(line, (&what, port.or(service_port)), times, report));
    for line in checkers {
        let why = reasons::of_statement(line.name());
        report.not_imported(line.place, format!("{what}: {}", line.name()), why);
    }
    let server = Server { what, place: node.place, address, port, forwarding, weight };
    Some((server, check, inhibits))
}

/// The pool's monitor: that of the first server that has one.
fn monitor(
    what: &str,
    checks: Vec<(usize, Option<Check>)>,
    (servers, inhibits): (&[Server], bool),
    report: &mut Report<'_>,
) -> Option<Monitor> {
    let mut found: Option<Check> = None;
    let mut without = Vec::new();
    for (at, check) in checks {
        match (check, &found) {
            (None, _) => without.extend(servers.get(at)),
            (Some(check), None) => found = Some(check),
            (Some(check), Some(first)) if check.monitor != first.monitor => {
                let why = format!(
                    "a pool has one monitor, that of its first server ({})",
                    report.at(first.place)
                );
                let server = servers.get(at).map_or(what, |server| server.what.as_str());
                report.not_imported(check.place, format!("{server}: its checker"), why);
            }
            (Some(_), Some(_)) => {}
        }
    }
    let Check { monitor, place } = found?;
    // A server that translates otherwise than the first one is no member.
    let translates = servers.first().is_some_and(|first| first.forwarding.translates());
    for server in without.into_iter().filter(|one| one.forwarding.translates() == translates) {
        let why = "it has no checker that is imported; the pool's monitor probes it, too";
        report.warn(server.place, server.what.clone(), why);
    }
    let mut why =
        "keepalived repeats a failed check after `delay_before_retry`, labsim's monitor after \
                   its interval"
            .to_owned();
    if !inhibits {
        why.push_str(
            "; keepalived takes a failed server out of IPVS, which drops the packets of its flows, and \
             labsim's flows stay (`action_on_down: none`)",
        );
    }
    report.warn(place, format!("{what}: monitor"), why);
    Some(monitor)
}

/// `NAT`, `DR` or `TUN [type ipip|gue port N|gre] [nocsum|csum|remcsum]`.
fn forwarding(node: &Node, what: &str, report: &mut Report<'_>) -> Option<Forwarding> {
    let method = node.value(report)?;
    let mut tunnel = TunnelWords::default();
    let mut rest = node.words.iter().skip(2);
    while let Some(word) = rest.next() {
        match word.text.as_str() {
            "type" => tunnel.kind = rest.next(),
            "port" => tunnel.port = rest.next(),
            checksum @ ("nocsum" | "csum" | "remcsum") => {
                tunnel.checksum = Some((checksum, word.place));
            }
            other => {
                let message = format!(
                    "{} is no option of a tunnel; write `type`, `port`, `nocsum`, `csum` or `remcsum`",
                    quote(other)
                );
                return report.reject(word.place, message);
            }
        }
    }
    let plain = match method.text.to_ascii_uppercase().as_str() {
        "TUN" => return Some(Forwarding::Tunnel(tunnel.profile(node.place, what, report)?)),
        "NAT" => Forwarding::Masquerading,
        "DR" => Forwarding::DirectRouting,
        _ => {
            let message =
                format!("{} is no method of IPVS; write NAT, DR or TUN", quote(&method.text));
            return report.reject(method.place, message);
        }
    };
    match tunnel.place() {
        Some(place) => report.reject(place, "the options of a tunnel need TUN; remove them"),
        None => Some(plain),
    }
}

/// TCP or UDP; the inner `None` is one that labsim does not have.
fn protocol(node: &Node, report: &mut Report<'_>) -> Option<Option<IpProtocol>> {
    let word = node.value(report)?;
    match word.text.to_ascii_uppercase().as_str() {
        "TCP" => Some(Some(IpProtocol::Tcp)),
        "UDP" => Some(Some(IpProtocol::Udp)),
        "SCTP" => Some(None),
        _ => {
            let message = format!("{} is no protocol; write TCP, UDP or SCTP", quote(&word.text));
            report.reject(word.place, message)
        }
    }
}

/// A word that is on by itself, or by `on`, `true`, `yes`.
fn is_on(node: &Node) -> bool {
    !["off", "false", "no"].contains(&node.text(1))
}
