//! `slb virtual-server` and its ports: from commands to a design.

use super::config::{Config, Object};
use super::lines::Line;
use super::pools::{Pools, leave_inner, why};
use crate::address::unicast;
use crate::design::{Design, Encapsulation, FastL4, OwnAddress, Protocol, Snat, Virtual};
use crate::report::Report;
use crate::settle;
use crate::text::{quoted, shown};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

/// ACOS's idle timeout of TCP and UDP, in seconds.
const IDLE_TIMEOUT: u32 = 120;
/// Longest idle timeout that labsim takes: a day.
const LONGEST: u32 = 86_400;

/// What a configuration means.
pub(super) fn design(config: &Config, report: &mut Report<'_>) -> Design {
    let mut reader = Reader {
        config,
        report,
        pools: Pools::default(),
        nat_pools: BTreeSet::new(),
        templates: BTreeSet::new(),
    };
    let mut virtuals = Vec::new();
    for object in &config.virtuals.all {
        reader.virtual_server(object, &mut virtuals);
    }
    let Reader { report, pools, nat_pools, templates, .. } = reader;
    pools.leave_rest(config, report);
    const WHY: &str = "no virtual port that is carried over uses it";
    for (name, pool) in
        config.nat_pools.iter().filter(|(name, _)| !nat_pools.contains(name.as_str()))
    {
        report.leave(pool.place, format!("ip nat pool {}", shown(name)), WHY);
    }
    for (kind, objects) in &config.templates {
        for object in &objects.all {
            if !templates.contains(&(*kind, object.name.as_str())) {
                report.leave(object.place, object.what.clone(), WHY);
                continue;
            }
            for line in object.lines.iter().filter(|line| line.text(0) != "idle-timeout") {
                let what = format!("{}: {}", object.what, shown(line.text(0)));
                report.leave(line.place, what, "labsim has nothing like it");
            }
        }
    }
    let own = config.own.iter().map(|(net, place)| OwnAddress { net: *net, place: *place });
    Design { virtuals, pools: pools.all, own: own.collect(), gateways: config.gateways.clone() }
}

struct Reader<'r, 's> {
    config: &'r Config,
    report: &'r mut Report<'s>,
    pools: Pools,
    /// The NAT pools and templates that are used.
    nat_pools: BTreeSet<&'r str>,
    templates: BTreeSet<(&'static str, &'r str)>,
}

impl<'r> Reader<'r, '_> {
    fn virtual_server(&mut self, object: &'r Object, virtuals: &mut Vec<Virtual>) {
        let what = &object.what;
        let Some(address) = self.address(object) else { return };
        if object.lines.iter().any(|line| line.texts() == ["disable"]) {
            self.report.leave(object.place, what, "it is switched off");
            return;
        }
        if !object.lines.iter().any(|line| line.text(0) == "port") {
            self.report.leave(object.place, what, "it has no port, so it takes no packets");
        }
        let before = virtuals.len();
        for line in object.lines.iter().filter(|line| line.text(0) == "port") {
            virtuals.extend(self.port(object, address, line));
        }
        if virtuals.len() == before {
            return;
        }
        if let Some(mask) = object.rest.get(1)
            && !["/32", "255.255.255.255"].contains(&mask.text.as_str())
        {
            let why = "labsim's virtual servers have one address; the first was taken";
            self.report.leave(mask.place, format!("{what}: mask"), why);
        }
        for line in object.lines.iter().filter(|line| !["port", "enable"].contains(&line.text(0))) {
            self.report.leave(line.place, format!("{what}: {}", shown(line.text(0))), why(line));
        }
    }

    fn address(&mut self, object: &Object) -> Option<Ipv4Addr> {
        let Some(word) = object.rest.first() else {
            let message = format!("{} has no address; write one behind its name", object.what);
            self.report.mistake(object.place, message);
            return None;
        };
        match word.text.parse() {
            Ok(IpAddr::V4(address)) if address.is_unspecified() => {
                let why = "it takes packets for every address; labsim's have one";
                self.report.leave(object.place, object.what.clone(), why);
                None
            }
            Ok(IpAddr::V4(address)) => self.report.take(word.place, unicast(address)),
            Ok(IpAddr::V6(_)) => {
                self.report.leave(object.place, object.what.clone(), "the import is IPv4 so far");
                None
            }
            Err(_) => {
                let message =
                    format!("{} is no address; write one such as 172.16.4.99", quoted(&word.text));
                self.report.mistake(word.place, message);
                None
            }
        }
    }

    /// A virtual port; `None`, with a note or a mistake, if it is not carried over.
    fn port(&mut self, object: &'r Object, address: Ipv4Addr, line: &'r Line) -> Option<Virtual> {
        let (number, kind) = (line.text(1), line.text(2));
        let what = format!("{}: port {} {}", object.what, shown(number), shown(kind));
        let Ok(port) = number.parse::<u16>() else {
            let message = format!("{} is no port; write a number up to 65535", quoted(number));
            let place = line.words.get(1).map_or(line.place, |word| word.place);
            self.report.mistake(place, message);
            return None;
        };
        let protocol = match kind {
            "tcp" | "tcp-proxy" => Protocol::Tcp,
            "udp" | "radius" => Protocol::Udp,
            _ => {
                let why = "labsim's virtual servers take TCP or UDP as they come, and speak \
                           TACACS+ (49/tcp) and RADIUS (1812/udp, 1645/udp)";
                self.report.leave(line.place, what, why);
                return None;
            }
        };
        if settle::service(protocol, port).is_none() {
            self.report.leave(line.place, what, settle::unspoken(protocol, port));
            return None;
        }
        if line.children.iter().any(|child| child.texts() == ["disable"]) {
            self.report.leave(line.place, what, "it is switched off");
            return None;
        }
        if kind == "tcp-proxy" || line.words.len() > 3 {
            let why = "labsim's virtual servers pass packets of one port on as they come";
            self.report.leave(line.place, format!("{what}: its kind or range"), why);
        }
        let mut found = Virtual {
            name: format!("{}_{port}", object.name),
            place: line.place,
            what: what.clone(),
            address,
            port,
            protocol,
            pool: 0,
            translate_address: true,
            translate_port: true,
            snat: Snat::None,
            // ACOS ends idle sessions in silence (`reset-fwd` and `reset-rev` are off).
            fastl4: FastL4 {
                idle_timeout: IDLE_TIMEOUT,
                reset_on_timeout: false,
                ..FastL4::default()
            },
            persistence: None,
        };
        let (mut encapsulation, mut group, mut snat) = (Encapsulation::None, None, None);
        for child in &line.children {
            match child.texts().as_slice() {
                ["service-group", _, ..] => {
                    self.replaced(&what, group.replace(child));
                }
                ["no-dest-nat"] => (found.translate_address, found.translate_port) = (false, false),
                ["no-dest-nat", "port-translation"] => found.translate_address = false,
                ["ipinip"] => encapsulation = Encapsulation::Ipip,
                ["source-nat", "auto", rest @ ..] => {
                    self.replaced(&what, snat.replace(child));
                    if let Some(first) = rest.first() {
                        let what = format!("{what}: source-nat auto {}", shown(first));
                        self.report.leave(child.place, what, why(child));
                    }
                    found.snat = Snat::Automap;
                }
                ["source-nat", "pool", _] => {
                    self.replaced(&what, snat.replace(child));
                    found.snat = self.nat_pool(child, &what)?;
                }
                ["template", kind @ ("tcp" | "udp"), name] => {
                    self.template(child, kind, name, &mut found.fastl4);
                }
                ["enable"] => {}
                _ => {
                    let what = format!("{what}: {}", shown(child.text(0)));
                    self.report.leave(child.place, what, why(child));
                }
            }
            leave_inner(&what, child, &[], self.report);
        }
        let Some(group) = group else {
            self.report.leave(
                line.place,
                what,
                "it has no service group, so it brings packets nowhere",
            );
            return None;
        };
        let name = group.texts()[1..].join(" ");
        match self.pools.get(&name, encapsulation, self.config, self.report) {
            Some(index) => found.pool = index,
            None => {
                let why = format!("its service group {} is in none of these files", quoted(&name));
                self.report.leave(group.place, what, why);
                return None;
            }
        }
        Some(found)
    }

    /// A line that a later one of its kind takes the place of, as ACOS has it.
    fn replaced(&mut self, what: &str, line: Option<&Line>) {
        if let Some(line) = line {
            let what = format!("{what}: {}", shown(line.text(0)));
            self.report.leave(line.place, what, "a later line takes its place");
        }
    }

    fn nat_pool(&mut self, line: &'r Line, what: &str) -> Option<Snat> {
        let name = line.text(2);
        let Some(pool) = self.config.nat_pools.get(name) else {
            let why = format!("its NAT pool {} is in none of these files", quoted(name));
            self.report.leave(line.place, what, why);
            return None;
        };
        self.nat_pools.insert(name);
        Some(Snat::Pool(pool.addresses.clone()))
    }

    /// `template tcp NAME`: its idle timeout.
    fn template(&mut self, line: &'r Line, kind: &str, name: &'r str, fastl4: &mut FastL4) {
        let kind = if kind == "tcp" { "tcp" } else { "udp" };
        let what = format!("slb template {kind} {}", shown(name));
        let Some(object) = self.config.templates.get(kind).and_then(|all| all.get(name)) else {
            if name != "default" {
                let why =
                    format!("it is in none of these files; ACOS's {IDLE_TIMEOUT} s were taken");
                self.report.warn(line.place, what, why);
            }
            return;
        };
        self.templates.insert((kind, name));
        for line in object.lines.iter().filter(|line| line.text(0) == "idle-timeout") {
            match line.text(1).parse::<u32>() {
                Ok(seconds @ 1..=LONGEST) => fastl4.idle_timeout = seconds,
                Ok(seconds) => {
                    fastl4.idle_timeout = seconds.clamp(1, LONGEST);
                    let why = format!("labsim takes 1 to {LONGEST} s; the nearest was taken");
                    self.report.warn(line.place, format!("{what}: idle-timeout"), why);
                }
                Err(_) => {
                    let message = format!("{} is no time; write seconds", quoted(line.text(1)));
                    let place = line.words.get(1).map_or(line.place, |word| word.place);
                    self.report.mistake(place, message);
                }
            }
        }
    }
}
