//! What a command of ipvsadm says about a service or a server.

use super::options::{Command, Written};
use crate::address::Family;
use crate::lvs::scheduler::Scheduler;
use crate::lvs::service::{Destination, Persistent, Server, Service};
use crate::lvs::tunnel::TunnelWords;
use crate::lvs::words::{self, Word};
use crate::report::Report;
use crate::service_names;
use crate::text::printable;
use labsim_model::ipvs::Forwarding;
use labsim_model::{IpProtocol, quote};
use std::net::{IpAddr, SocketAddr};

/// IPVS's time where `-p` has none, in seconds (libipvs.h; ipvsadm(8) says 300).
const PERSISTENT: u32 = 360;
/// Largest weight, and longest time of persistence (31 days).
const MOST_WEIGHT: u32 = 2_147_483_647;
const LONGEST: u32 = 31 * 86_400;

/// A service that commands name.
#[derive(Debug)]
pub(super) struct Named {
    /// Such as `-t 172.16.4.99:49`: it is the same in all commands.
    pub(super) text: String,
    pub(super) kind: Kind,
}

/// What kind of service a command names.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// One that a lab can have.
    Address(IpProtocol, Destination),
    /// One that it cannot have, and why.
    Other(&'static str),
}

/// The service that a command names.
pub(super) fn named(command: &Command, report: &mut Report<'_>) -> Option<Named> {
    let is_service = |option: &&Written| option.name.ends_with("-service");
    let mut services = command.options.iter().filter(is_service);
    let (service, second) = (services.next(), services.next());
    if let Some(second) = second {
        let message = "a command names one service; remove the others";
        return report.reject(second.place, message);
    }
    let found = service.and_then(|option| Some((option.name, option.value.as_ref()?)));
    let Some((name, word)) = found else {
        let message = "no service is named; add -t ADDRESS:PORT, -u ADDRESS:PORT or -f MARK";
        return report.reject(command.place, message);
    };
    let shown = printable(&word.text);
    let (letter, protocol) = match name {
        "tcp-service" => ("-t", IpProtocol::Tcp),
        "udp-service" => ("-u", IpProtocol::Udp),
        "sctp-service" => {
            let kind = Kind::Other("labsim's virtual servers accept TCP or UDP packets");
            return Some(Named { text: format!("--sctp-service {shown}"), kind });
        }
        _ => {
            words::number(word, "a mark", 1..=u32::MAX, report)?;
            let why = "its addresses and ports are those of the firewall's rules that set the mark; \
                       name the service by them, with -t or -u";
            return Some(Named { text: format!("-f {shown}"), kind: Kind::Other(why) });
        }
    };
    let (address, port) = endpoint(word, report)?;
    let port = port.unwrap_or_default();
    let destination = Destination { address, port, place: command.place };
    let text = match port {
        0 => format!("{letter} {address}"),
        _ => format!("{letter} {}", SocketAddr::new(address, port)),
    };
    Some(Named { text, kind: Kind::Address(protocol, destination) })
}

/// The service of `-A` or `-E`, without its servers.
pub(super) fn service(
    command: &Command,
    what: &str,
    (protocol, destination): (IpProtocol, Destination),
    report: &mut Report<'_>,
) -> Option<Service> {
    let persistence = match command.get("persistent") {
        Some(option) => {
            let family = Family::of(destination.address);
            Some(persistent(option, command, (what, family), report)?)
        }
        None => {
            if let Some(mask) = command.get("netmask") {
                let message = "a mask needs persistence; add -p, or remove the mask";
                return report.reject(mask.place, message);
            }
            None
        }
    };
    if destination.port == 0 && persistence.is_none() {
        let message = "a service without a port needs persistence; add -p, or write the port";
        return report.reject(command.place, message);
    }
    let flags = command.value("sched-flags");
    let flags = flags.map(|word| {
        let flags = word.text.split(',').filter(|flag| !flag.is_empty());
        flags.map(|flag| Word { text: flag.to_owned(), place: word.place }).collect()
    });
    let name = command.value("scheduler").cloned();
    let known =
        "tcp-service udp-service scheduler persistent netmask sched-flags ops numeric ipv4 ipv6";
    list_others(command, what, known, report);
    Some(Service {
        what: what.to_owned(),
        place: command.place,
        protocol,
        destinations: vec![destination],
        scheduler: Scheduler { name, flags: flags.unwrap_or_default() },
        persistence,
        one_packet: command.get("ops").map(|option| option.place),
        servers: Vec::new(),
        monitor: None,
    })
}

fn persistent(
    option: &Written,
    command: &Command,
    (what, family): (&str, Family),
    report: &mut Report<'_>,
) -> Option<Persistent> {
    let timeout = match &option.value {
        Some(word) => words::number(word, "a time in seconds", 1..=LONGEST, report)?,
        None => {
            let why = format!("ipvsadm's own time is used, {PERSISTENT} s");
            report.warn(option.place, format!("{what}: -p without a time"), why);
            PERSISTENT
        }
    };
    let prefix_length =
        command.value("netmask").and_then(|mask| words::prefix_length(mask, family, report));
    Some(Persistent { place: option.place, timeout, prefix_length })
}

/// The address and port of `-r`.
pub(super) fn real_server(
    command: &Command,
    report: &mut Report<'_>,
) -> Option<(IpAddr, Option<u16>)> {
    let Some(word) = command.value("real-server") else {
        let message = "no real server is named; add -r ADDRESS:PORT";
        return report.reject(command.place, message);
    };
    endpoint(word, report)
}

/// The server of `-a` or `-e`.
pub(super) fn server(
    command: &Command,
    what: String,
    (address, port): (IpAddr, Option<u16>),
    report: &mut Report<'_>,
) -> Option<Server> {
    let weight = match command.value("weight") {
        Some(word) => words::number(word, "a weight", 0..=MOST_WEIGHT, report)?,
        None => 1,
    };
    let forwarding = forwarding(command, &what, report)?;
    for name in ["u-threshold", "l-threshold"] {
        let Some(word) = command.value(name) else { continue };
        if words::number(word, "a number of connections", 0..=MOST_WEIGHT, report)? > 0 {
            let why = "labsim's members have no limits on flows";
            report.not_imported(word.place, format!("{what}: --{name}"), why);
        }
    }
    let known = "tcp-service udp-service real-server weight gatewaying ipip masquerading tun-type \
                 tun-port tun-csum tun-nocsum tun-remcsum u-threshold l-threshold numeric ipv4";
    list_others(command, &what, known, report);
    Some(Server { what, place: command.place, address, port, forwarding, weight })
}

/// How packets reach the server: `-g` unless another is written.
fn forwarding(command: &Command, what: &str, report: &mut Report<'_>) -> Option<Forwarding> {
    let mut methods =
        ["gatewaying", "ipip", "masquerading"].into_iter().filter_map(|name| command.get(name));
    let (first, second) = (methods.next(), methods.next());
    if let Some(second) = second {
        let message = "a server has one forwarding method; keep one of -g, -i and -m";
        return report.reject(second.place, message);
    }
    let mut checksums = ["tun-nocsum", "tun-csum", "tun-remcsum"]
        .into_iter()
        .filter_map(|name| Some((name.strip_prefix("tun-")?, command.get(name)?.place)));
    let (checksum, second) = (checksums.next(), checksums.next());
    if let Some((_, place)) = second {
        return report.reject(place, "a tunnel has one kind of checksum; keep one");
    }
    let (kind, port) = (command.value("tun-type"), command.value("tun-port"));
    let tunnel = TunnelWords { kind, port, checksum };
    match first.map_or("gatewaying", |method| method.name) {
        "ipip" => Some(Forwarding::Tunnel(tunnel.profile(command.place, what, report)?)),
        name => {
            if let Some(place) = tunnel.place() {
                let message = "the options of a tunnel need -i; add it, or remove them";
                return report.reject(place, message);
            }
            Some(match name {
                "masquerading" => Forwarding::Masquerading,
                _ => Forwarding::DirectRouting,
            })
        }
    }
}

/// Lists the options that are not in the list of those that are understood.
fn list_others(command: &Command, what: &str, known: &str, report: &mut Report<'_>) {
    for option in &command.options {
        if crate::text::has_word(known, option.name) {
            continue;
        }
        let why = match option.name {
            "pe" => "labsim's persistence is by source address only",
            _ => "it has no effect in this command",
        };
        report.not_imported(option.place, format!("{what}: --{}", option.name), why);
    }
}

/// `ADDRESS`, `ADDRESS:PORT`, `[ADDRESS]` or `[ADDRESS]:PORT`.
fn endpoint(word: &Word, report: &mut Report<'_>) -> Option<(IpAddr, Option<u16>)> {
    let text = word.text.as_str();
    let inside = text.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let (host, port) = match inside {
        Some((host, port)) => (host, port.strip_prefix(':').or((!port.is_empty()).then_some(port))),
        None if text.parse::<IpAddr>().is_ok() => (text, None),
        None => match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = match port {
        // What `ipvsadm-save` writes without `-n`.
        Some(port) if port.bytes().any(|byte| !byte.is_ascii_digit()) => {
            let message = || {
                format!(
                    "{} is no name of a port that is known; write its number, as `ipvsadm-save -n` does",
                    quote(port)
                )
            };
            let named = service_names::port(port).filter(|port| *port != 0);
            Some(report.check(word.place, named.ok_or_else(message))?)
        }
        Some(port) => {
            Some(words::port(&Word { text: port.to_owned(), place: word.place }, report)?)
        }
        None => None,
    };
    match host.parse() {
        Ok(address) => {
            let checked = crate::address::check_unicast(address);
            report.check(word.place, checked).map(|address| (address, port))
        }
        Err(_) => {
            let message = format!(
                "{} is not an address; write one such as 10.1.1.51, as `ipvsadm-save -n` does",
                quote(host)
            );
            report.reject(word.place, message)
        }
    }
}
