//! Commands, sorted by what they configure.

use super::entered::entered;
use super::lines::{Line, Word};
use crate::address::{self, Family, bits, check_interface};
use crate::place::Place;
use crate::report::Report;
use crate::text::printable;
use ipnet::IpNet;
use labsim_model::quote;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// A configured object and what is configured in it, wherever in the files.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) name: String,
    /// Such as `slb server rs1`, to be shown.
    pub(super) what: String,
    pub(super) place: Place,
    /// What follows its name.
    pub(super) rest: Vec<Word>,
    pub(super) lines: Vec<Line>,
}

/// Objects of one kind, by name.
#[derive(Debug, Default)]
pub(super) struct Objects {
    pub(super) all: Vec<Object>,
    by_name: BTreeMap<String, usize>,
}

impl Objects {
    pub(super) fn get(&self, name: &str) -> Option<&Object> {
        self.by_name.get(name).map(|index| &self.all[*index])
    }

    /// Puts together what was entered in several places.
    fn settle(&mut self) {
        for object in &mut self.all {
            object.lines = entered(std::mem::take(&mut object.lines));
        }
    }

    /// Adds an object; the same command again goes on with the same object.
    fn add(&mut self, object: Object, report: &mut Report<'_>) {
        let Some(index) = self.by_name.get(&object.name) else {
            self.by_name.insert(object.name.clone(), self.all.len());
            self.all.push(object);
            return;
        };
        let first = &mut self.all[*index];
        let texts = |words: &[Word]| words.iter().map(|word| word.text.clone()).collect::<Vec<_>>();
        if object.rest.is_empty() || texts(&object.rest) == texts(&first.rest) {
            first.lines.extend(object.lines);
        } else {
            let first = report.at(first.place);
            let message =
                format!("{} is configured differently before ({first}); keep one", object.what);
            report.diagnostic(object.place, message);
        }
    }
}

/// An address pool for source NAT.
#[derive(Debug)]
pub(super) struct NatPool {
    /// Such as `ip nat pool out`, to be shown.
    pub(super) what: String,
    pub(super) place: Place,
    pub(super) addresses: Vec<IpAddr>,
}

/// What is read of a configuration.
#[derive(Debug, Default)]
pub(super) struct Config {
    pub(super) servers: Objects,
    pub(super) groups: Objects,
    pub(super) virtuals: Objects,
    /// `slb template tcp`, `udp` and `persist source-ip`, by what follows `template`.
    pub(super) templates: BTreeMap<&'static str, Objects>,
    pub(super) health_monitors: Objects,
    pub(super) nat_pools: BTreeMap<String, NatPool>,
    pub(super) own: Vec<(IpNet, Place)>,
    pub(super) gateways: Vec<IpAddr>,
}

impl Config {
    /// Ends the reading: what was entered in several places is put together.
    pub(super) fn settle(&mut self) {
        let Self { servers, groups, virtuals, templates, health_monitors, .. } = self;
        for objects in
            [servers, groups, virtuals, health_monitors].into_iter().chain(templates.values_mut())
        {
            objects.settle();
        }
    }

    /// Adds a command, or lists it as left out.
    pub(super) fn add(&mut self, line: Line, report: &mut Report<'_>) {
        match line.texts().as_slice() {
            ["slb", "server", _, ..] => add(&mut self.servers, line, 2, true, report),
            ["slb", "service-group", _, ..] => add(&mut self.groups, line, 2, false, report),
            ["slb", "virtual-server", _, ..] => add(&mut self.virtuals, line, 2, true, report),
            ["slb", "template", "tcp", _] => {
                add(self.templates.entry("tcp").or_default(), line, 3, false, report);
            }
            ["slb", "template", "udp", _] => {
                add(self.templates.entry("udp").or_default(), line, 3, false, report);
            }
            ["slb", "template", "persist", "source-ip", _] => {
                add(self.templates.entry("persist source-ip").or_default(), line, 4, false, report);
            }
            ["health", "monitor", name, ..] => {
                let (name, what) =
                    ((*name).to_owned(), format!("health monitor {}", printable(name)));
                let Line { mut words, children, place } = line;
                let rest = words.split_off(3);
                let object = Object { name, what, place, rest, lines: children };
                self.health_monitors.add(object, report);
            }
            ["ip" | "ipv6", "nat", "pool", _, _, _, ..] => self.nat_pool(&line, report),
            ["interface", ..] => self.interface(&line, report),
            ["ip" | "ipv6", "route", ..] => self.route(&line, report),
            words => report.not_imported(
                line.place,
                printable(&words.iter().take(3).copied().collect::<Vec<_>>().join(" ")),
                why(words),
            ),
        }
    }

    /// `ip nat pool NAME FIRST LAST netmask /24`.
    fn nat_pool(&mut self, line: &Line, report: &mut Report<'_>) {
        /// Most addresses of a pool that a lab takes.
        const MOST: u128 = 64;
        let what = format!("{} nat pool {}", line.text(0), printable(line.text(3)));
        let mut ends =
            line.words[4..6].iter().map(|word| report.address(word.place, &word.text, &what));
        let (Some(Some(first)), Some(Some(last))) = (ends.next(), ends.next()) else { return };
        let (from, to) = (bits(first), bits(last));
        if Family::of(first) != Family::of(last) {
            let message = "the pool's ends are of different address families; write one of them";
            report.diagnostic(line.words[4].place.to(line.words[5].place), message);
            return;
        }
        if from > to {
            let message =
                format!("the pool begins at {first} and ends before, at {last}; swap them");
            report.diagnostic(line.words[4].place.to(line.words[5].place), message);
            return;
        }
        if to - from >= MOST {
            let why = format!("a lab takes up to {MOST} addresses of a pool; the first are used");
            report.not_imported(line.place, what.clone(), why);
        }
        let addresses = (from..=to.min(from.saturating_add(MOST - 1)))
            .map(|bits| Family::of(first).address(bits))
            .collect();
        // `netmask /24 gateway … vrid …`: where the pool is routed from.
        let rest: Vec<&str> = line.texts().into_iter().skip(6).collect();
        if rest.first() != Some(&"netmask") && !rest.is_empty() || rest.len() > 2 {
            report.not_imported(
                line.place,
                format!("{what}: options"),
                "the lab's router has a route to each of its addresses",
            );
        }
        let pool = NatPool { what: what.clone(), place: line.place, addresses };
        if let Some(first) = self.nat_pools.get(line.text(3)) {
            let first = report.at(first.place);
            report.diagnostic(
                line.place,
                format!("{what} is already configured ({first}); keep one"),
            );
            return;
        }
        self.nat_pools.insert(line.text(3).to_owned(), pool);
    }

    /// `interface ethernet 1` with `ip address 10.0.0.1 255.255.255.0` or `10.0.0.1 /24`.
    fn interface(&mut self, line: &Line, report: &mut Report<'_>) {
        let texts = line.texts();
        let what = printable(&texts.join(" "));
        if ["management", "loopback", "lif", "tunnel"].contains(&line.text(1)) {
            let why = "packets of virtual servers do not use it";
            report.not_imported(line.place, what, why);
            return;
        }
        let is_address =
            |child: &Line| ["ip", "ipv6"].contains(&child.text(0)) && child.text(1) == "address";
        if !line.children.iter().any(is_address) {
            report.not_imported(line.place, what.clone(), "it has no address");
        }
        for child in &line.children {
            match child.texts().as_slice() {
                ["ip", "address", address, mask] => {
                    let length = mask.strip_prefix('/').unwrap_or(mask);
                    self.own(child, (address, length), &what, report);
                }
                ["ipv6", "address", address] => {
                    let (address, length) = address.split_once('/').unwrap_or((address, ""));
                    self.own(child, (address, length), &what, report);
                }
                ["enable"] => {}
                words => {
                    let first = words.iter().take(2).copied().collect::<Vec<_>>().join(" ");
                    report.not_imported(
                        child.place,
                        format!("{what}: {}", printable(&first)),
                        "the lab's load balancer has one interface, made from its addresses",
                    );
                }
            }
        }
    }

    /// An interface's address.
    fn own(
        &mut self,
        line: &Line,
        (address, length): (&str, &str),
        what: &str,
        report: &mut Report<'_>,
    ) {
        let place = line.words.get(2).map_or(line.place, |word| word.place);
        let Some(address) = report.address(place, address, what) else { return };
        let Some(net) = address::net(address, length) else {
            let message = format!(
                "{} is not a mask; write such as 255.255.255.0 or /24, and of IPv6 2001:db8::1/64",
                quote(length)
            );
            let place = line.words.last().map_or(line.place, |word| word.place);
            return report.diagnostic(place, message);
        };
        let net = report.check(place, check_interface(net));
        self.own.extend(net.map(|net| (net, line.place)));
    }

    /// `ip route 0.0.0.0 /0 10.0.0.254`, `ipv6 route ::/0 2001:db8::1`: the router's address.
    fn route(&mut self, line: &Line, report: &mut Report<'_>) {
        let what = format!("{} route", line.text(0));
        let word = match line.texts().as_slice() {
            ["ip", "route", "0.0.0.0", "/0" | "0.0.0.0", _, ..] => line.words.get(4),
            ["ipv6", "route", "::/0", _, ..] => line.words.get(3),
            _ => None,
        };
        match word {
            Some(word) => self.gateways.extend(report.address(word.place, &word.text, &what)),
            None => report.not_imported(
                line.place,
                what,
                "the lab's load balancer has one router, which knows every subnet",
            ),
        }
    }
}

/// `slb server NAME ADDRESS`: a name may hold blanks, and what follows it is one word or nothing.
fn add(objects: &mut Objects, line: Line, at: usize, has_address: bool, report: &mut Report<'_>) {
    let Line { words, children, place } = line;
    let kind: Vec<&str> = words.iter().take(at).map(|word| word.text.as_str()).collect();
    let kind = kind.join(" ");
    let end = if has_address {
        // Up to the address, which may be followed by a mask or an option.
        let is_address = |word: &Word| word.text.parse::<IpAddr>().is_ok();
        let found = words.iter().skip(at + 1).position(is_address).map(|found| at + 1 + found);
        found.unwrap_or(words.len().min(at + 1))
    } else {
        let is_protocol = |word: &Word| ["tcp", "udp"].contains(&word.text.as_str());
        let found = words.iter().skip(at + 1).position(is_protocol).map(|found| at + 1 + found);
        found.unwrap_or(words.len())
    };
    let name: Vec<&str> = words[at..end].iter().map(|word| word.text.as_str()).collect();
    let name = name.join(" ");
    let what = format!("{kind} {}", printable(&name));
    objects.add(Object { name, what, place, rest: words[end..].to_vec(), lines: children }, report);
}

/// Why a command is not imported.
fn why(words: &[&str]) -> &'static str {
    match words {
        ["health", ..] => "labsim's monitors have no such settings",
        ["slb", "template", ..] => "labsim does not support this kind of template",
        ["slb", ..] => "labsim does not support it",
        ["vlan" | "trunk", ..] => "the lab's segments are made from addresses; it has no VLANs",
        ["ip" | "ipv6", "nat", ..] => "labsim translates addresses for virtual servers only",
        ["ip" | "ipv6" | "router" | "access-list" | "class-list", ..] => {
            "the lab's network does not support it"
        }
        ["vrrp-a" | "ha" | "floating-ip" | "vcs", ..] => "the lab has one load balancer",
        ["aflex", ..] => "labsim does not run aFleX",
        [
            "hostname" | "system" | "clock" | "timezone" | "ntp" | "logging" | "snmp-server"
            | "admin" | "enable-management" | "terminal" | "tacacs-server" | "radius-server"
            | "authentication" | "authorization" | "accounting" | "web-service" | "multi-config"
            | "banner" | "partition" | "boot-block-fix" | "sflow" | "glm" | "license-manager",
            ..,
        ] => "it configures the device and has no effect on packets of virtual servers",
        _ => "unknown command",
    }
}
