//! `ltm monitor` and a pool's `monitor`: what is asked of members.

use super::address::short;
use super::config::{Config, Object, Objects};
use super::defaults_from::{ProfileKind, Profiles};
use super::read;
use super::tree::{Item, Property, Word};
use crate::place::Place;
use crate::report::Report;
use crate::service_names;
use crate::text::printable;
use labsim_model::{Monitor, MonitorKind, quote};
use std::time::Duration;

/// The times and ends of a monitor.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Settings {
    /// In seconds.
    interval: Option<u32>,
    /// Seconds from the last answer until a member is down.
    timeout: Option<u32>,
    port: Option<u16>,
    transparent: bool,
}

/// F5's own interval and timeout, in seconds.
const fn usual_times(kind: MonitorKind) -> (u32, u32) {
    match kind {
        MonitorKind::Radius => (10, 31),
        MonitorKind::Tcp | MonitorKind::Icmp | MonitorKind::Tacacs => (5, 16),
    }
}

const ABSENT: &str = "it is in none of the imported files; F5's own times are used";
/// A kind of monitors that a lab has.
struct Kind {
    profile: ProfileKind<Settings>,
    monitor: MonitorKind,
}

impl Kind {
    /// The kind whose objects are the `AT`th of [`Config::monitors`].
    const fn new<const AT: usize>(
        what: &'static str,
        root: &'static str,
        monitor: MonitorKind,
    ) -> Self {
        let objects: fn(&Config) -> &Objects = |config| &config.monitors[AT];
        Self { profile: ProfileKind { root, what, absent: ABSENT, objects, apply }, monitor }
    }

    /// As a stanza has it behind `ltm monitor`.
    fn word(&self) -> &'static str {
        self.profile.what.rsplit(' ').next().unwrap_or_default()
    }
}

/// How many kinds a lab has.
pub(super) const COUNT: usize = 6;
/// The kinds that a lab has, in the order of [`Config::monitors`].
static KINDS: [Kind; COUNT] = [
    Kind::new::<0>("ltm monitor tcp", "/Common/tcp", MonitorKind::Tcp),
    Kind::new::<1>("ltm monitor tcp-half-open", "/Common/tcp_half_open", MonitorKind::Tcp),
    Kind::new::<2>("ltm monitor icmp", "/Common/icmp", MonitorKind::Icmp),
    Kind::new::<3>("ltm monitor gateway-icmp", "/Common/gateway_icmp", MonitorKind::Icmp),
    Kind::new::<4>("ltm monitor radius", "/Common/radius", MonitorKind::Radius),
    Kind::new::<5>(
        "ltm monitor radius-accounting",
        "/Common/radius_accounting",
        MonitorKind::Radius,
    ),
];

/// Whether labsim has such monitors.
pub(super) fn is_known(kind: &str) -> bool {
    KINDS.iter().any(|known| known.word() == kind)
}

/// The objects of a known kind of monitors.
pub(super) fn of_kind<'c>(
    kind: &str,
    [first, rest @ ..]: &'c mut [Objects; COUNT],
) -> &'c mut Objects {
    let at = KINDS.iter().skip(1).position(|known| known.word() == kind);
    at.and_then(|at| rest.get_mut(at)).unwrap_or(first)
}

/// The monitors that are in use.
pub(super) struct Monitors {
    kinds: [Profiles<Settings>; COUNT],
}

impl Default for Monitors {
    fn default() -> Self {
        Self { kinds: KINDS.each_ref().map(|kind| Profiles::new(&kind.profile)) }
    }
}

impl Monitors {
    /// Lists monitors that no pool uses.
    pub(super) fn report_unused(&self, config: &Config, report: &mut Report<'_>) {
        self.kinds.iter().for_each(|kind| kind.report_unused(config, report));
    }

    /// A pool's monitor: `a`, `a and b`, `min 1 of { a b }`. labsim has one, the first that it can do, of
    /// TCP before RADIUS before ICMP; the others are listed.
    pub(super) fn of_pool(
        &mut self,
        property: &Property<'_>,
        what: &str,
        config: &Config,
        report: &mut Report<'_>,
    ) -> Option<Monitor> {
        let (least, names) = names(property)?;
        let mut found: Vec<(&Word, usize)> = Vec::new();
        for name in &names {
            let shown = format!("{what}: monitor {}", printable(short(&name.text)));
            let kind = self.kinds.iter().position(|kind| kind.has(&name.text, config));
            match kind {
                Some(kind) => found.push((name, kind)),
                None => {
                    let why = "labsim's monitors of an import are tcp, radius and icmp; if this is one, add \
                               the file that declares it";
                    report.not_imported(name.place, shown, why);
                }
            }
        }
        let rank = |kind: usize| match KINDS.get(kind).map(|kind| kind.monitor) {
            Some(MonitorKind::Tcp) => 0,
            Some(MonitorKind::Radius) => 1,
            _ => 2,
        };
        let chosen = *found.iter().min_by_key(|(_, kind)| rank(*kind))?;
        for (name, _) in found.iter().filter(|(name, _)| name.place != chosen.0.place) {
            let shown = format!("{what}: monitor {}", printable(short(&name.text)));
            let used = printable(short(&chosen.0.text));
            let why = format!("a pool of labsim's has one monitor; {used} is used");
            report.not_imported(name.place, shown, why);
        }
        if let Some((least, place)) = least.filter(|(least, _)| *least != names.len()) {
            let why = "a member of labsim's is up while its one monitor succeeds";
            report.warn(place, format!("{what}: monitor min {least} of {}", names.len()), why);
        }
        let (name, kind) = chosen;
        let settings = self.kinds.get_mut(kind)?.resolve(&name.text, config, report);
        let kind = KINDS.get(kind)?;
        if kind.word() == "tcp-half-open" {
            let why = "labsim's probe completes the connection before it resets it";
            let shown = format!("{what}: monitor {}", printable(short(&name.text)));
            report.warn(name.place, shown, why);
        }
        if kind.monitor == MonitorKind::Radius {
            let why = "labsim's probe is a Status-Server request (RFC 5997), with the secret of the lab's servers";
            let shown = format!("{what}: monitor {}", printable(short(&name.text)));
            report.warn(name.place, shown, why);
        }
        Some(monitor(settings, kind.monitor))
    }
}

/// A monitor with F5's times: a member is down `timeout` seconds after its last answer.
fn monitor(settings: Settings, kind: MonitorKind) -> Monitor {
    /// Most failures in a row.
    const MOST: u32 = 1000;
    let Settings { port, transparent, .. } = settings;
    let usual = usual_times(kind);
    let (interval, timeout) =
        (settings.interval.unwrap_or(usual.0), settings.timeout.unwrap_or(usual.1));
    let fall = (timeout.saturating_sub(1) / interval).clamp(1, MOST);
    let left = timeout.saturating_sub(fall * interval).clamp(1, interval);
    Monitor {
        kind,
        interval: Duration::from_secs(interval.into()),
        timeout: Duration::from_secs(left.into()),
        rise: 1,
        fall: u16::try_from(fall).unwrap_or(1),
        transparent,
        port: port.filter(|_| kind != MonitorKind::Icmp && !transparent),
        secret: None,
    }
}

/// Of how many monitors a member needs an answer, if that is written, and their names.
type Names<'t> = (Option<(usize, Place)>, Vec<&'t Word>);

/// The names of a property; none if it has none.
fn names<'t>(property: &Property<'t>) -> Option<Names<'t>> {
    let word = |item: &&'t Item| match item {
        Item::Word(word) => Some(word),
        Item::Block(_) => None,
    };
    if let [Item::Word(min), Item::Word(count), Item::Word(_), Item::Block(block)] =
        property.values.as_slice()
        && min.text == "min"
    {
        let least = count.text.parse().ok().map(|least| (least, count.place));
        return Some((least, block.names().into_iter().map(|(name, _)| name).collect()));
    }
    let words: Vec<&Word> = property.values.iter().filter_map(word).collect();
    let names = words.into_iter().filter(|word| !["and", "none"].contains(&word.text.as_str()));
    let names: Vec<&Word> = names.collect();
    (!names.is_empty()).then_some((None, names))
}

fn apply(
    settings: &mut Settings,
    property: &Property<'_>,
    object: &Object,
    report: &mut Report<'_>,
) {
    let is = |text: &str| property.word().is_some_and(|word| word.text == text);
    match property.name() {
        "interval" => {
            settings.interval = read::seconds(property, &object.what, report).or(settings.interval);
        }
        "timeout" => {
            settings.timeout = read::seconds(property, &object.what, report).or(settings.timeout);
        }
        "transparent" => {
            settings.transparent = read::switch(property, report).unwrap_or(settings.transparent);
        }
        "destination" => destination(settings, property, object, report),
        "adaptive" | "manual-resume" | "reverse" if is("disabled") => {}
        "time-until-up" | "up-interval" | "ip-dscp" if is("0") => {}
        _ => read::not_imported(&object.what, property, report),
    }
}

/// `*:*`, `*:80`, `*.http`: the member's address, and the member's port or another one.
fn destination(
    settings: &mut Settings,
    property: &Property<'_>,
    object: &Object,
    report: &mut Report<'_>,
) {
    let Some(word) = read::word(property, report) else { return };
    let port = word.text.strip_prefix("*:").or_else(|| word.text.strip_prefix("*."));
    // It stands behind the destination.
    let properties = object.block.properties();
    let mut switches = properties.iter().filter(|one| one.name() == "transparent");
    let is_transparent = settings.transparent
        || switches.any(|one| one.word().is_some_and(|word| word.text.starts_with("enable")));
    match port.map(service_names::port) {
        Some(Some(port)) => settings.port = Some(port).filter(|port| *port != 0),
        Some(None) => {
            let message =
                format!("{} has no port that is known; write its number", quote(&word.text));
            report.diagnostic(word.place, message);
        }
        // A transparent monitor's is the VIP, which labsim's probes go to, too.
        None if word.text == "*" || is_transparent => {}
        None => {
            let why =
                "labsim's probes go to the member's address, or through its tunnel to the VIP";
            report.not_imported(word.place, format!("{}: destination", object.what), why);
        }
    }
}
