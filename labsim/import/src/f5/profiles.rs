//! `ltm profile fastl4`, `tcp` and `udp`: how flows begin and end.

use super::address::short;
use super::config::{Config, Object};
use super::defaults_from::{ProfileKind, Profiles};
use super::read;
use super::tree::{Block, Property};
use crate::report::Report;
use crate::text::printable;
use labsim_model::{FastL4, PvaAcceleration, quote};

const FASTL4: ProfileKind<FastL4> = ProfileKind {
    root: "/Common/fastL4",
    what: "ltm profile fastl4",
    absent: "it is in none of the imported files; fastL4's own defaults are used",
    objects: |config| &config.fastl4,
    apply: fastl4,
};

const TCP: ProfileKind<Tcp> = ProfileKind {
    root: "/Common/tcp",
    what: "ltm profile tcp",
    absent: "it is in none of the imported files; tcp's own idle timeout is used",
    objects: |config| &config.tcp,
    apply: tcp,
};

const UDP: ProfileKind<Udp> = ProfileKind {
    root: "/Common/udp",
    what: "ltm profile udp",
    absent: "it is in none of the imported files; udp's own idle timeout is used",
    objects: |config| &config.udp,
    apply: udp,
};

/// What labsim takes over of a tcp profile.
#[derive(Debug, Clone, Copy)]
struct Tcp {
    idle_timeout: u32,
    reset_on_timeout: bool,
}

impl Default for Tcp {
    /// F5's own.
    fn default() -> Self {
        Self { idle_timeout: 300, reset_on_timeout: true }
    }
}

/// What labsim takes over of a udp profile.
#[derive(Debug, Clone, Copy)]
struct Udp {
    idle_timeout: u32,
    datagram_load_balancing: bool,
}

impl Default for Udp {
    /// F5's own.
    fn default() -> Self {
        Self { idle_timeout: 60, datagram_load_balancing: false }
    }
}

/// How a virtual server's flows begin and end, or that it has none.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Flows {
    pub(super) fastl4: FastL4,
    pub(super) datagram_load_balancing: bool,
}

/// The profiles of flows that virtual servers use.
pub(super) struct FlowProfiles {
    fastl4: Profiles<FastL4>,
    tcp: Profiles<Tcp>,
    udp: Profiles<Udp>,
}

impl Default for FlowProfiles {
    fn default() -> Self {
        Self { fastl4: Profiles::new(&FASTL4), tcp: Profiles::new(&TCP), udp: Profiles::new(&UDP) }
    }
}

impl FlowProfiles {
    /// What a virtual server's `profiles` say of its flows; those of other kinds are listed.
    pub(super) fn of_virtual(
        &mut self,
        property: &Property<'_>,
        what: &str,
        config: &Config,
        report: &mut Report<'_>,
    ) -> Flows {
        let names = match (property.word(), property.block()) {
            (Some(word), _) => vec![(word, None)],
            (None, Some(block)) => block.names(),
            (None, None) => {
                let message = "write `profiles { NAME { } }`";
                report.diagnostic(property.place, message);
                Vec::new()
            }
        };
        let mut found: Option<(Flows, &str)> = None;
        for (name, block) in names.into_iter().filter(|(name, _)| name.text != "none") {
            let shown = format!("{what}: profiles {}", printable(short(&name.text)));
            match (self.get(&name.text, config, report), &found) {
                (Some((_, kind)), Some((_, "fastl4"))) | (Some((_, kind @ "fastl4")), Some(_)) => {
                    let message = format!(
                        "a virtual server has one fastL4 profile and no other of its protocol; remove \
                         the {kind} profile or the others"
                    );
                    report.diagnostic(name.place, message);
                }
                (Some(_), Some((_, kind))) => {
                    let why =
                        format!("labsim's flows have one time; the first {kind} profile is used");
                    report.not_imported(name.place, shown.clone(), why);
                }
                (Some(flows), None) => found = Some(flows),
                (None, _) => {
                    let why = "labsim supports fastL4, tcp and udp profiles only; if this is one, add \
                               the file that declares it";
                    report.not_imported(name.place, shown.clone(), why);
                }
            }
            for property in block.map(Block::properties).unwrap_or_default() {
                // Both sides, which is what fastL4 is for.
                if property.word().is_none_or(|word| word.text != "all") {
                    read::not_imported(&shown, &property, report);
                }
            }
        }
        found.map(|(flows, _)| flows).unwrap_or_default()
    }

    /// A profile's flows and its kind, if it is known.
    fn get(
        &mut self,
        name: &str,
        config: &Config,
        report: &mut Report<'_>,
    ) -> Option<(Flows, &'static str)> {
        let of = |fastl4: FastL4| Flows { fastl4, ..Flows::default() };
        if self.fastl4.has(name, config) {
            return Some((of(self.fastl4.resolve(name, config, report)), "fastl4"));
        }
        if self.tcp.has(name, config) {
            let Tcp { idle_timeout, reset_on_timeout } = self.tcp.resolve(name, config, report);
            let fastl4 = FastL4 { idle_timeout, reset_on_timeout, ..FastL4::default() };
            return Some((of(fastl4), "tcp"));
        }
        if self.udp.has(name, config) {
            let Udp { idle_timeout, datagram_load_balancing } =
                self.udp.resolve(name, config, report);
            let fastl4 = FastL4 { idle_timeout, ..FastL4::default() };
            return Some((Flows { fastl4, datagram_load_balancing }, "udp"));
        }
        None
    }

    /// Lists the profiles that no virtual server uses.
    pub(super) fn report_unused(&self, config: &Config, report: &mut Report<'_>) {
        self.fastl4.report_unused(config, report);
        self.tcp.report_unused(config, report);
        self.udp.report_unused(config, report);
    }
}

fn fastl4(
    settings: &mut FastL4,
    property: &Property<'_>,
    object: &Object,
    report: &mut Report<'_>,
) {
    let switch = match property.name() {
        "loose-initialization" | "loose-initiation" => &mut settings.loose_initiation,
        "loose-close" => &mut settings.loose_close,
        "reset-on-timeout" => &mut settings.reset_on_timeout,
        "idle-timeout" => {
            if let Some(seconds) = read::seconds(property, &object.what, report) {
                settings.idle_timeout = seconds;
            }
            return;
        }
        "pva-acceleration" => return pva_acceleration(settings, property, object, report),
        _ => return read::not_imported(&object.what, property, report),
    };
    if let Some(on) = read::switch(property, report) {
        *switch = on;
    }
}

/// Only what is written is taken over: without it labsim's default stands, whose packets are the same.
fn pva_acceleration(
    settings: &mut FastL4,
    property: &Property<'_>,
    object: &Object,
    report: &mut Report<'_>,
) {
    let Some(word) = read::word(property, report) else { return };
    let known = PvaAcceleration::ALL.into_iter().find(|one| one.word() == word.text);
    match (known, word.text.as_str()) {
        (Some(acceleration), _) => settings.pva_acceleration = acceleration,
        (None, "guaranteed" | "dedicated") => {
            let what = format!("{}: pva-acceleration {}", object.what, word.text);
            let why = "labsim has no share of hardware to reserve; `full` is used";
            report.not_imported(word.place, what, why);
            settings.pva_acceleration = PvaAcceleration::Full;
        }
        (None, other) => {
            let message = format!(
                "{} is no acceleration; write `none`, `partial`, `full`, `guaranteed` or `dedicated`",
                quote(other)
            );
            report.diagnostic(word.place, message);
        }
    }
}

fn tcp(settings: &mut Tcp, property: &Property<'_>, object: &Object, report: &mut Report<'_>) {
    match property.name() {
        "idle-timeout" => {
            if let Some(seconds) = read::seconds(property, &object.what, report) {
                settings.idle_timeout = seconds;
            }
        }
        "reset-on-timeout" => {
            settings.reset_on_timeout =
                read::switch(property, report).unwrap_or(settings.reset_on_timeout);
        }
        _ => {
            let why =
                "labsim's virtual servers forward packets, and end no TCP connection of their own";
            others(property, object, why, report);
        }
    }
}

fn udp(settings: &mut Udp, property: &Property<'_>, object: &Object, report: &mut Report<'_>) {
    match property.name() {
        "idle-timeout" => {
            if let Some(seconds) = read::seconds(property, &object.what, report) {
                settings.idle_timeout = seconds;
            }
        }
        "datagram-load-balancing" => {
            settings.datagram_load_balancing =
                read::switch(property, report).unwrap_or(settings.datagram_load_balancing);
        }
        _ => read::not_imported(&object.what, property, report),
    }
}

/// Lists a property, unless it says that there is nothing.
fn others(property: &Property<'_>, object: &Object, why: &str, report: &mut Report<'_>) {
    if !property.is_none() {
        let what = format!("{}: {}", object.what, printable(property.name()));
        report.not_imported(property.place, what, why);
    }
}
