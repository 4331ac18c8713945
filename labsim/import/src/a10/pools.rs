//! `slb service-group`, `slb server`: the servers, and how packets reach them.

use super::config::{Config, Object};
use super::lines::{Line, Word};
use crate::address::unicast;
use crate::design::{Balancing, Encapsulation, Member, Pool};
use crate::place::Place;
use crate::report::Report;
use crate::text::{quoted, shown};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

/// Most members of a pool that a lab is built for.
const MEMBERS: usize = 200;

/// The pools that virtual ports use. The tunnel is the virtual port's here and the pool's in
/// labsim, so a service group makes a pool for each way that it is used in.
#[derive(Debug, Default)]
pub(super) struct Pools {
    pub(super) all: Vec<Pool>,
    by_use: BTreeMap<(String, Encapsulation), usize>,
    servers: BTreeSet<String>,
}

impl Pools {
    /// A pool's place among all, if there is such a service group.
    pub(super) fn get(
        &mut self,
        name: &str,
        encapsulation: Encapsulation,
        config: &Config,
        report: &mut Report<'_>,
    ) -> Option<usize> {
        let object = config.groups.get(name)?;
        let key = (name.to_owned(), encapsulation);
        if let Some(index) = self.by_use.get(&key) {
            return Some(*index);
        }
        let other = self.first_use(name);
        let pool = match other {
            Some(other) => {
                let other = &self.all[other];
                let name = format!("{name}-{}", encapsulation.word());
                Pool { name, encapsulation, ..other.clone() }
            }
            None => self.pool(object, encapsulation, config, report),
        };
        self.by_use.insert(key, self.all.len());
        self.all.push(pool);
        Some(self.all.len() - 1)
    }

    /// The pool that was first made of a service group.
    fn first_use(&self, name: &str) -> Option<usize> {
        let least = (name.to_owned(), Encapsulation::None);
        let (key, index) = self.by_use.range(least..).next()?;
        (key.0 == name).then_some(*index)
    }

    /// Lists service groups and servers that nothing refers to.
    pub(super) fn leave_rest(&self, config: &Config, report: &mut Report<'_>) {
        const WHY: &str = "no virtual port that is carried over uses it";
        for object in &config.groups.all {
            if self.first_use(&object.name).is_none() {
                report.leave(object.place, object.what.clone(), WHY);
            }
        }
        for object in &config.servers.all {
            if !self.servers.contains(&object.name) {
                report.leave(object.place, object.what.clone(), WHY);
                continue;
            }
            for line in &object.lines {
                let what = format!("{}: {}", object.what, shown(line.text(0)));
                match line.text(0) {
                    "port" => leave_inner(&object.what, line, &["enable", "disable"], report),
                    "enable" | "disable" => {}
                    _ => report.leave(line.place, what, why(line)),
                }
            }
        }
    }

    fn pool(
        &mut self,
        object: &Object,
        encapsulation: Encapsulation,
        config: &Config,
        report: &mut Report<'_>,
    ) -> Pool {
        let mut members: Vec<Member> = Vec::new();
        for line in &object.lines {
            if line.text(0) != "member" {
                let what = format!("{}: {}", object.what, shown(line.text(0)));
                report.leave(line.place, what, why(line));
                continue;
            }
            let Some(member) = self.member(object, line, config, report) else { continue };
            let what = format!("{}: member {}", object.what, member.address);
            let same =
                |other: &&Member| (other.address, other.port) == (member.address, member.port);
            if let Some(first) = members.iter().find(same) {
                let first = report.at(first.place);
                report.leave(line.place, what, format!("it is a member already ({first})"));
            } else if members.len() == MEMBERS {
                report.leave(
                    line.place,
                    what,
                    format!("a lab has at most {MEMBERS} members a pool"),
                );
            } else {
                members.push(member);
            }
        }
        Pool {
            name: object.name.clone(),
            place: object.place,
            what: object.what.clone(),
            encapsulation,
            balancing: Balancing::default(),
            members,
        }
    }

    fn member(
        &mut self,
        group: &Object,
        line: &Line,
        config: &Config,
        report: &mut Report<'_>,
    ) -> Option<Member> {
        let Some((name, port, options)) = named(line, config) else {
            report.mistake(
                line.place,
                "a member is written as `member NAME PORT`, or `member NAME:PORT` in older versions",
            );
            return None;
        };
        let what = format!("{}: member {}", group.what, shown(&name));
        let Some(server) = config.servers.get(&name) else {
            report.leave(line.place, what, "its server is in none of these files");
            return None;
        };
        self.servers.insert(name.clone());
        let (address, place) = address(server, &what, line.place, report)?;
        if is_off(server, line, options, port) {
            report.leave(line.place, what, "it is switched off and takes no flows");
            return None;
        }
        if let Some(option) = options.iter().find(|one| one.text != "enable") {
            let what = format!("{what}: {}", shown(&option.text));
            report.leave(
                option.place,
                what,
                "members take turns; write the pool's `load_balancing_mode` yourself",
            );
        }
        leave_inner(&what, line, &["enable", "disable"], report);
        let name = name.parse::<IpAddr>().is_err().then_some(name);
        let address = report.take(place, unicast(address))?;
        Some(Member { name, place: line.place, address, port, ratio: 1 })
    }
}

/// The server's name, the port, and the options behind them.
fn named<'l>(line: &'l Line, config: &Config) -> Option<(String, u16, &'l [Word])> {
    let words = &line.words[1..];
    let is_number = |word: &Word| word.text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(first) = words.first()
        && let Some((name, port)) = first.text.rsplit_once(':')
        && let Ok(port) = port.parse()
        && (config.servers.get(name).is_some() || words.get(1).is_none_or(|next| !is_number(next)))
    {
        return Some((name.to_owned(), port, &words[1..]));
    }
    let at = words.iter().skip(1).position(is_number)? + 1;
    let name: Vec<&str> = words[..at].iter().map(|word| word.text.as_str()).collect();
    Some((name.join(" "), words[at].text.parse().ok()?, &words[at + 1..]))
}

fn address(
    server: &Object,
    what: &str,
    place: Place,
    report: &mut Report<'_>,
) -> Option<(Ipv4Addr, Place)> {
    let Some(word) = server.rest.first() else {
        report.leave(place, what, "its server has no address");
        return None;
    };
    match word.text.parse() {
        Ok(IpAddr::V4(address)) => Some((address, word.place)),
        Ok(IpAddr::V6(_)) => {
            report.leave(place, what, "the import is IPv4 so far");
            None
        }
        // What is made of digits, dots and colons was meant to be an address.
        Err(_) if word.text.bytes().any(|byte| !b"0123456789.:/".contains(&byte)) => {
            report.leave(place, what, "its server has a name, and the lab has no DNS to ask");
            None
        }
        Err(_) => {
            let message =
                format!("{} is no address; write one such as 10.1.1.51", quoted(&word.text));
            report.mistake(word.place, message);
            None
        }
    }
}

/// Whether the member, its server or its server's port is disabled.
fn is_off(server: &Object, line: &Line, options: &[Word], port: u16) -> bool {
    let off = |lines: &[Line]| lines.iter().any(|line| line.texts() == ["disable"]);
    options.iter().any(|option| option.text == "disable")
        || off(&line.children)
        || off(&server.lines)
        || server.lines.iter().any(|line| {
            line.text(0) == "port" && line.text(1).parse() == Ok(port) && off(&line.children)
        })
}

/// Lists what stands below a line, but for words that are understood.
pub(super) fn leave_inner(what: &str, line: &Line, known: &[&str], report: &mut Report<'_>) {
    for child in &line.children {
        if !known.contains(&child.text(0)) {
            let what = format!(
                "{what}: {} {}: {}",
                shown(line.text(0)),
                shown(line.text(1)),
                shown(child.text(0))
            );
            report.leave(child.place, what, why(child));
        }
    }
}

/// Why a line of a server, a service group or a virtual server is not carried over.
pub(super) fn why(line: &Line) -> &'static str {
    match line.text(0) {
        "health-check" | "health-check-disable" | "health-check-follow-port" => {
            "monitors are not carried over; write the pool's `monitor` into the scenario"
        }
        "method" | "weight" | "priority" | "min-active-member" | "slow-start" => {
            "members take turns; write the pool's `load_balancing_mode` yourself"
        }
        "conn-limit" | "conn-resume" | "rate-limit" => "labsim sets no limits on flows",
        "aflex" => "labsim does not run aFleX",
        "template" => "labsim has nothing like this kind of template",
        "vrid" | "ha-group" | "ha-conn-mirror" | "redistribution-flagged" => {
            "the lab has one load balancer"
        }
        "access-list" => "labsim's virtual servers take packets from every client",
        "name" | "user-tag" | "description" => {
            "a note for the people and programs that keep the configuration"
        }
        "stats-data-enable" | "stats-data-disable" | "extended-stats" | "sampling-enable" => {
            "it is about counting, and changes no packet"
        }
        "arp-disable" => "the lab's router has a route to the VIP, and needs no announcement",
        "use-rcv-hop-for-resp" => "packets leave by the lab's routes",
        "reset-on-server-selection-fail" => "every member is taken to be available",
        _ => "labsim has nothing like it",
    }
}
