//! `slb service-group`, `slb server`: the servers, and how packets reach them.

use super::config::{Config, Object};
use super::lines::{Line, Word};
use super::monitors::{self, Monitors};
use crate::lb_model::{Member, Pool, profile_name};
use crate::place::Place;
use crate::report::Report;
use crate::text::{printable, reason};
use labsim_model::{AdminState, LoadBalancingMode, Profile, quote};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// The pools that virtual ports use. The tunnel is the virtual port's here and the pool's in
/// labsim, so a service group makes a pool for each way that it is used in.
#[derive(Debug, Default)]
pub(super) struct Pools {
    pub(super) all: Vec<Pool>,
    by_use: BTreeMap<(String, &'static str), usize>,
    servers: BTreeSet<String>,
    /// Servers whose own weight, and whose ports' weights, are members' ratios.
    weighted: BTreeSet<(String, Weights)>,
    monitors: Monitors,
}

/// Words that switch a server, a port or a member.
const STATES: [&str; 3] = ["enable", "disable", DISABLED[1]];
/// Those that switch it off.
const DISABLED: [&str; 2] = ["disable", "disable-with-health-check"];

/// A member and its server's name.
struct OfServer {
    server: String,
    found: Member,
}

/// Whose weights a method uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Weights {
    Servers,
    Ports,
}

impl Pools {
    /// A pool's place among all, if there is such a service group.
    pub(super) fn get(
        &mut self,
        name: &str,
        profile: Profile,
        config: &Config,
        report: &mut Report<'_>,
    ) -> Option<usize> {
        let object = config.groups.get(name)?;
        let key = (name.to_owned(), profile_name(profile));
        if let Some(index) = self.by_use.get(&key) {
            return Some(*index);
        }
        let other = self.first_use(name);
        let pool = match other {
            Some(other) => {
                let other = &self.all[other];
                let mut pool = other.clone();
                pool.name = format!("{name}-{}", profile_name(profile));
                pool.settings.profile = profile;
                pool
            }
            None => self.pool(object, profile, config, report),
        };
        self.by_use.insert(key, self.all.len());
        self.all.push(pool);
        Some(self.all.len() - 1)
    }

    /// The pool that was first made of a service group.
    fn first_use(&self, name: &str) -> Option<usize> {
        let least = (name.to_owned(), "");
        let (key, index) = self.by_use.range(least..).next()?;
        (key.0 == name).then_some(*index)
    }

    /// Lists service groups and servers that nothing refers to.
    pub(super) fn report_unused(&self, config: &Config, report: &mut Report<'_>) {
        const WHY: &str = "no virtual port that is imported uses it";
        for object in &config.groups.all {
            if self.first_use(&object.name).is_none() {
                report.not_imported(object.place, object.what.clone(), WHY);
            }
        }
        self.monitors.report_unused(config, report);
        for object in &config.servers.all {
            if !self.servers.contains(&object.name) {
                report.not_imported(object.place, object.what.clone(), WHY);
                continue;
            }
            monitors::report_others(object, &self.monitors, report);
            for line in &object.lines {
                let what = format!("{}: {}", object.what, printable(line.text(0)));
                match line.text(0) {
                    "port" => {
                        let has_weight =
                            self.weighted.contains(&(object.name.clone(), Weights::Ports));
                        let weight = if has_weight { &["weight"] } else { &[][..] };
                        let known = [&STATES[..], &["health-check"], weight].concat();
                        report_children(&object.what, line, &known, report);
                    }
                    "health-check" => {}
                    state if STATES.contains(&state) => {}
                    "weight"
                        if self.weighted.contains(&(object.name.clone(), Weights::Servers)) => {}
                    _ => report.not_imported(line.place, what, why(line)),
                }
            }
        }
    }

    fn pool(
        &mut self,
        object: &Object,
        profile: Profile,
        config: &Config,
        report: &mut Report<'_>,
    ) -> Pool {
        let mut members: Vec<OfServer> = Vec::new();
        let (mut mode, mut weights) = (LoadBalancingMode::default(), None);
        let is_method = |line: &&Line| line.text(0) == "method" && line.words.len() == 2;
        for line in object.lines.iter().filter(is_method) {
            (mode, weights) = balancing_mode(line, &object.what, report);
        }
        let is_known = |line: &&Line| is_method(line) || line.text(0) == "health-check";
        for line in object.lines.iter().filter(|line| !is_known(line)) {
            if line.text(0) != "member" {
                let what = format!("{}: {}", object.what, printable(line.text(0)));
                report.not_imported(line.place, what, why(line));
                continue;
            }
            let Some(member) = self.member(object, line, (config, weights), report) else {
                continue;
            };
            let what = format!("{}: member {}", object.what, member.found.address);
            let others = members.iter().map(|member| &member.found);
            if crate::validate::can_add(&member.found, &what, others, report) {
                members.push(member);
            }
        }
        let used: Vec<(&Object, u16)> = members
            .iter()
            .filter_map(|member| Some((config.servers.get(&member.server)?, member.found.port)))
            .collect();
        let monitor = self.monitors.of_group(object, &used, config, report);
        let members = members.into_iter().map(|member| member.found).collect();
        Pool {
            name: object.name.clone(),
            place: object.place,
            what: object.what.clone(),
            members,
            profile_at: None,
            settings: labsim_model::Pool {
                profile,
                load_balancing_mode: mode,
                monitor,
                ..labsim_model::Pool::default()
            },
        }
    }

    fn member(
        &mut self,
        group: &Object,
        line: &Line,
        (config, weights): (&Config, Option<Weights>),
        report: &mut Report<'_>,
    ) -> Option<OfServer> {
        let Some((name, port, options)) = named(line, config) else {
            return report.reject(
                line.place,
                "a member is written as `member NAME PORT`, or `member NAME:PORT` in older versions",
            );
        };
        let what = format!("{}: member {}", group.what, printable(&name));
        let Some(server) = config.servers.get(&name) else {
            return report.skip(line.place, what, "its server is in none of the imported files");
        };
        self.servers.insert(name.clone());
        // ACOS gives a disabled member or server no new session, of no client. `disable-with-health-check` is
        // the same with its health check going on (aXAPI schema of slb.service-group.member, member-state);
        // labsim's monitors probe members in every state.
        let state = match is_disabled(server, line, options, port) {
            true => AdminState::ForcedOffline,
            false => AdminState::Enabled,
        };
        let address = address(server, &what, line.place, report)?;
        if let Some(option) = options.iter().find(|one| !STATES.contains(&one.text.as_str())) {
            let what = format!("{what}: {}", printable(&option.text));
            report.not_imported(option.place, what, "labsim's members have no such option");
        }
        report_children(&what, line, &STATES, report);
        let ratio = weights.map_or(Some(1), |weights| {
            self.weighted.insert((name.clone(), weights));
            weight(server, port, weights, report)
        })?;
        let shown = name.parse::<IpAddr>().is_err().then(|| name.clone());
        let place = line.place;
        let found = Member { name: shown, place, address, port, ratio, profile: None, state };
        Some(OfServer { server: name, found })
    }
}

/// A service group's load balancing mode, and whose weights it uses; one that labsim does not have is
/// listed.
fn balancing_mode(
    line: &Line,
    what: &str,
    report: &mut Report<'_>,
) -> (LoadBalancingMode, Option<Weights>) {
    let (mode, weights) = match line.text(1) {
        "round-robin" | "round-robin-strict" => (LoadBalancingMode::RoundRobin, None),
        "weighted-rr" => (LoadBalancingMode::Ratio, Some(Weights::Servers)),
        "service-weighted-rr" => (LoadBalancingMode::Ratio, Some(Weights::Ports)),
        "service-least-connection" | "least-connection" => {
            (LoadBalancingMode::LeastConnections, None)
        }
        "weighted-least-connection" => {
            (LoadBalancingMode::RatioLeastConnections, Some(Weights::Servers))
        }
        "service-weighted-least-connection" => {
            (LoadBalancingMode::RatioLeastConnections, Some(Weights::Ports))
        }
        other => {
            let what = format!("{what}: method {}", printable(other));
            report.not_imported(line.place, what, why(line));
            return (LoadBalancingMode::default(), None);
        }
    };
    if ["least-connection", "weighted-least-connection"].contains(&line.text(1)) {
        let why = "labsim counts a member's flows, and not a server's over all its ports";
        report.warn(line.place, format!("{what}: method {}", line.text(1)), why);
    }
    (mode, weights)
}

/// A member's weight: its server's, or its port's.
fn weight(server: &Object, port: u16, weights: Weights, report: &mut Report<'_>) -> Option<u16> {
    let is_port = |line: &&Line| line.text(0) == "port" && line.text(1).parse() == Ok(port);
    let lines: Vec<&Line> = match weights {
        Weights::Servers => server.lines.iter().collect(),
        Weights::Ports => server.lines.iter().filter(is_port).flat_map(|it| &it.children).collect(),
    };
    let Some(line) = lines.into_iter().rfind(|line| line.text(0) == "weight") else {
        return Some(1);
    };
    let found = line.text(1).parse::<u16>().ok().filter(|weight| *weight > 0);
    if found.is_none() {
        let message = format!("{} is not a weight; write 1 to 1000", quote(line.text(1)));
        report.diagnostic(line.place, message);
    }
    found
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

fn address(server: &Object, what: &str, place: Place, report: &mut Report<'_>) -> Option<IpAddr> {
    let Some(word) = server.rest.first() else {
        return report.skip(place, what, "its server has no address");
    };
    // What is made of digits, dots and colons was meant to be an address.
    let is_name =
        word.text.bytes().any(|byte| !b"0123456789.:/".contains(&byte)) && !word.text.contains(':');
    if is_name && word.text.parse::<IpAddr>().is_err() {
        return report.skip(place, what, "its server is given by name, and the lab has no DNS");
    }
    report.address(word.place, &word.text, what)
}

/// Whether the member, its server or its server's port is disabled.
fn is_disabled(server: &Object, line: &Line, options: &[Word], port: u16) -> bool {
    let is_off = |line: &Line| line.words.len() == 1 && DISABLED.contains(&line.text(0));
    let off = |lines: &[Line]| lines.iter().any(is_off);
    options.iter().any(|option| DISABLED.contains(&option.text.as_str()))
        || off(&line.children)
        || off(&server.lines)
        || server.lines.iter().any(|line| {
            line.text(0) == "port" && line.text(1).parse() == Ok(port) && off(&line.children)
        })
}

/// Lists what stands below a line, but for words that are understood.
pub(super) fn report_children(what: &str, line: &Line, known: &[&str], report: &mut Report<'_>) {
    for child in &line.children {
        if !known.contains(&child.text(0)) {
            let what = format!(
                "{what}: {} {}: {}",
                printable(line.text(0)),
                printable(line.text(1)),
                printable(child.text(0))
            );
            report.not_imported(child.place, what, why(child));
        }
    }
}

/// Reasons why properties are not imported, by their names.
const REASONS: &str = "\
    health-check: no member that is imported has it
    health-check-disable health-check-follow-port: a pool of labsim's has one monitor for all members
    method: labsim's modes are round-robin, weighted-rr, least-connection and \
        weighted-least-connection, of servers or services; `round_robin` is used
    weight: the service groups that use it have no method with such weights
    priority min-active-member slow-start: labsim's members have no priorities and no slow start
    conn-limit conn-resume rate-limit: labsim sets no limits on flows
    aflex: labsim does not run aFleX
    template: labsim does not support this kind of template
    vrid ha-group ha-conn-mirror redistribution-flagged: the lab has one load balancer
    access-list: labsim's virtual servers accept packets from every client
    name user-tag description stats-data-enable stats-data-disable extended-stats \
        sampling-enable: it has no effect on packets
    arp-disable: the lab's router has a route to the VIP, and needs no announcement
    use-rcv-hop-for-resp: packets leave by the lab's routes
    reset-on-server-selection-fail: labsim treats every member as available";

/// Why a line of a server, a service group or a virtual server is not imported.
pub(super) fn why(line: &Line) -> &'static str {
    reason(REASONS, line.text(0))
}
