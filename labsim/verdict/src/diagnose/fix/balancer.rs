//! Changes of the load balancer.

use super::super::roles::Roles;
use super::super::subject::Served;
use super::{
    Change, Fix, Subject, acos, last_step, list, of_balancer, pool, virtual_server, without_step,
};
use labsim_codes::cause;
use labsim_model::DeliberateFault;
use labsim_scenario::model::{FastL4, NodeName, SourceTranslation, StepAction};
use labsim_wire::protocol;
use std::time::Duration;

const NO_BALANCER: &str = "no load balancer of the scenario serves the address that was asked";

/// A load balancer without its faults on purpose.
fn without_faults(balancer: &NodeName) -> Fix {
    let change = of_balancer(balancer, &[], &["faults"], "[]");
    Fix::new(format!("take the faults on purpose of {balancer} out")).change(&change)
}

/// The fix, and beside it each load balancer that is faulty on purpose without its faults.
pub(in crate::diagnose) fn or_without_faults(fix: Fix, subject: &Subject<'_>) -> Fix {
    let balancers = &subject.context.scenario.load_balancers;
    let faulty = balancers.iter().filter(|(_, config)| !config.faults.is_empty());
    faulty.fold(fix, |fix, (balancer, _)| fix.or(without_faults(balancer)))
}

/// A way to choose servers that finds a connection's again.
pub(in crate::diagnose) fn flow_moved(subject: &Subject<'_>) -> Fix {
    let fix = Fix::new(cause::FLOW_MOVED.remedy());
    let Some(served) = subject.served() else { return fix.not_in_scenario(NO_BALANCER) };
    let fix = fix.change(&pool(&served, &["load_balancing_mode"], "maglev"));
    let config = subject.context.scenario.load_balancers.get(served.balancer);
    match config.is_some_and(|config| !config.faults.is_empty()) {
        true => without_faults(served.balancer).or(fix),
        false => fix,
    }
}

/// A virtual server for what was asked: one that differs from it in one thing, the protocol, the port
/// or the address.
pub(in crate::diagnose) fn no_virtual_server(subject: &Subject<'_>, balancer: &NodeName) -> Fix {
    let (asked, number) = (subject.flow.destination, subject.flow.protocol);
    let config = subject.context.scenario.load_balancers.get(balancer);
    let servers = config.into_iter().flat_map(|config| &config.virtual_servers);
    let fixes = servers.filter_map(|(name, server)| {
        let own = &server.destination;
        let keys = ["virtual_servers", name.as_str()];
        let word = if number == protocol::TCP { "tcp" } else { "udp" };
        let to_protocol = || {
            Fix::new(format!("have the virtual server {name} of {balancer} take {word}"))
                .change(&of_balancer(balancer, &keys, &["ip_protocol"], word))
                .tmsh(format!("modify ltm virtual {name} ip-protocol {word}"))
        };
        let to_destination = || {
            let yaml = if asked.is_ipv4() { asked.to_string() } else { format!("\"{asked}\"") };
            Fix::new(format!(
                "give the virtual server {name} of {balancer} the destination {asked}"
            ))
            .change(&of_balancer(balancer, &keys, &["destination"], yaml))
            .tmsh(format!("modify ltm virtual {name} destination {asked}"))
        };
        let same_protocol = server.ip_protocol.number() == number;
        match (own.ip() == asked.ip(), own.ports().contains(asked.port()), same_protocol) {
            (true, true, false) => Some(to_protocol()),
            (true, false, true) | (false, true, true) => Some(to_destination()),
            _ => None,
        }
    });
    fixes.reduce(Fix::or).unwrap_or_else(|| {
        Fix::new(format!("give {balancer} a virtual server for {asked}"))
            .not_in_scenario("no virtual server differs from what was asked in one thing only")
    })
}

/// Let a load balancer announce its VIPs, by messages that are called so.
pub(in crate::diagnose) fn announce(
    subject: &Subject<'_>,
    balancer: &NodeName,
    announcement: &str,
) -> Fix {
    let what = format!("let {balancer} announce the VIP when it takes over ({announcement})");
    let Some(config) = subject.context.scenario.load_balancers.get(balancer) else {
        return Fix::new(what);
    };
    let mut fix = Fix::new(what);
    if config.announcements.count == 0 {
        fix = fix.change(&of_balancer(balancer, &["announcements"], &["count"], "1"));
    }
    if config.has_fault(DeliberateFault::NoGratuitousArp) {
        let faults = config.faults.iter();
        let others = faults.filter(|fault| **fault != DeliberateFault::NoGratuitousArp);
        let faults = list(others.map(ToString::to_string));
        fix = fix.change(&of_balancer(balancer, &[], &["faults"], faults));
    }
    fix
}

/// The fix, and before it that the load balancer which was active before this one mirrors the flow.
pub(in crate::diagnose) fn or_mirror(fix: Fix, subject: &Subject<'_>, balancer: &NodeName) -> Fix {
    let before = Roles::of(subject).predecessor(balancer).and_then(|it| subject.served_at(it));
    let Some(before) = before.filter(|before| !before.server.mirror) else { return fix };
    let Served { name, balancer: from, .. } = before;
    Fix::new(format!("mirror the flows of the virtual server {name} of {from} to {balancer}"))
        .change(&virtual_server(&before, &["mirror"], "true"))
        .tmsh(format!("modify ltm virtual {name} mirror enabled"))
        .or(fix)
}

/// Start a load balancer's forwarder again.
pub(in crate::diagnose) fn start_forwarder(subject: &Subject<'_>, balancer: &NodeName) -> Fix {
    let fix = Fix::new(cause::FORWARDER_STOPPED.remedy());
    let killed = last_step(subject, |action| match action {
        StepAction::KillForwarder { node } if node == balancer => Some(true),
        StepAction::StartForwarder { node } if node == balancer => Some(false),
        _ => None,
    });
    match killed {
        Some(step) => fix.change(&without_step(step)),
        None => fix,
    }
}

/// Keys of a virtual server's fastL4 profile.
pub(in crate::diagnose) fn fastl4(subject: &Subject<'_>, set: &[(&str, &str)]) -> Fix {
    match subject.served() {
        Some(Served { name, balancer, server, .. }) => {
            fastl4_of(name, server.fastl4, set, balancer)
        }
        None => Fix::new(format!("set {} on the load balancer", fmt_settings(set)))
            .not_in_scenario(NO_BALANCER),
    }
}

pub(in crate::diagnose) fn fastl4_of(
    name: &str,
    profile: FastL4,
    set: &[(&str, &str)],
    node: &NodeName,
) -> Fix {
    let what = fmt_settings(set);
    let fix = Fix::new(format!("set {what} on the virtual server {name} of {node}"));
    let fix = set.iter().fold(fix, |fix, (key, value)| {
        let keys = ["virtual_servers", name, "fastl4", key];
        fix.change(&of_balancer(node, &keys, &[], *value))
    });
    let settings = set.iter().map(|(key, value)| {
        let value = match *value {
            "true" => "enabled",
            "false" => "disabled",
            value => value,
        };
        format!("{} {value}", key.replace('_', "-"))
    });
    let setting = settings.collect::<Vec<_>>().join(" ");
    // The name that `labsim export f5` gives it.
    let (folder, own) = name.split_at(name.rfind('/').map_or(0, |at| at + 1));
    let own = format!("{folder}fastl4_{own}");
    if profile == FastL4::default() {
        return fix
            .tmsh(format!("create ltm profile fastl4 {own} defaults-from fastL4 {setting}"))
            .tmsh(format!("modify ltm virtual {name} profiles replace-all-with {{ {own} }}"));
    }
    fix.tmsh(format!("modify ltm profile fastl4 {own} {setting}"))
}

/// `loose_initiation: true, reset_on_timeout: false`
fn fmt_settings(set: &[(&str, &str)]) -> String {
    let each = set.iter().map(|(key, value)| format!("{key}: {value}"));
    each.collect::<Vec<_>>().join(", ")
}

/// An idle timeout that is longer than a pause in nanoseconds.
pub(in crate::diagnose) fn idle_timeout(subject: &Subject<'_>, pause: u64) -> Fix {
    let seconds = Duration::from_nanos(pause).as_secs() + 1;
    let seconds = seconds.max(300);
    let fix = fastl4(subject, &[("idle_timeout", &seconds.to_string())]);
    match subject.served() {
        Some(served) => fix.acos(acos::idle_timeout(&served, seconds)),
        None => fix,
    }
}

/// A server for each datagram.
pub(in crate::diagnose) fn one_source_port(served: &Served<'_>) -> Fix {
    let name = served.name;
    let balancer = served.balancer;
    let fix = Fix::new(format!(
        "have the virtual server {name} of {balancer} choose a server for each datagram, or the client \
         send from several ports"
    ));
    if served.server.source_address_translation != SourceTranslation::None {
        return fix.not_in_scenario("source address translation needs the flow");
    }
    let (folder, own) = name.split_at(name.rfind('/').map_or(0, |at| at + 1));
    let profile = format!("{folder}udp_{own}");
    let setting = "datagram-load-balancing enabled";
    fix.change(&virtual_server(served, &["datagram_load_balancing"], "true"))
        .tmsh(format!("create ltm profile udp {profile} defaults-from udp {setting}"))
        .tmsh(format!("modify ltm virtual {name} profiles replace-all-with {{ {profile} }}"))
}

pub(in crate::diagnose) fn action_on_down(subject: &Subject<'_>) -> Fix {
    let fix = Fix::new(
        "have the flows of a member that is gone reset or moved to another one, or drain it first",
    );
    let Some(served) = subject.served() else { return fix.not_in_scenario(NO_BALANCER) };
    let name = &served.server.pool;
    let set = |fix: Fix, (value, word): (&str, &str)| {
        fix.change(&pool(&served, &["action_on_down"], value))
            .tmsh(format!("modify ltm pool {name} service-down-action {word}"))
    };
    let reselect = Fix::new("have the flows of a member that is gone moved to another one");
    set(fix, ("reset", "reset")).or(set(reselect, ("reselect", "reselect")))
}

pub(in crate::diagnose) fn transparent(subject: &Subject<'_>) -> Fix {
    let fix = Fix::new("have the monitor ask the VIP through the tunnel");
    let served = subject.served();
    let monitor = served.and_then(|served| Some((served, served.pool?.monitor.as_ref()?)));
    match monitor {
        Some((served, monitor)) => {
            let keys = ["monitor", monitor.kind.word(), "transparent"];
            fix.change(&pool(&served, &keys, "true"))
        }
        None => fix.not_in_scenario("no pool with a monitor serves the address that was asked"),
    }
}

pub(in crate::diagnose) fn translate_address(subject: &Subject<'_>) -> Fix {
    let fix = Fix::new("do not translate the destination address, or use SNAT too");
    match subject.served() {
        Some(served) => fix
            .change(&virtual_server(&served, &["translate_address"], "false"))
            .tmsh(format!("modify ltm virtual {} translate-address disabled", served.name))
            .acos(acos::virtual_port(&served, "no-dest-nat"))
            .or(Fix::new("use SNAT too")
                .change(&virtual_server(&served, &["source_address_translation"], "automap"))
                .tmsh(format!(
                    "modify ltm virtual {} source-address-translation {{ type automap }}",
                    served.name
                ))
                .acos(acos::virtual_port(&served, "source-nat auto"))),
        None => fix.not_in_scenario(NO_BALANCER),
    }
}

pub(in crate::diagnose) fn source_translation(subject: &Subject<'_>) -> Fix {
    let fix = Fix::new("take the source translation out of the virtual server");
    match subject.served() {
        Some(served) => {
            let change: Change = virtual_server(&served, &["source_address_translation"], "none");
            let fix = fix.change(&change).tmsh(format!(
                "modify ltm virtual {} source-address-translation {{ type none }}",
                served.name
            ));
            match served.server.source_address_translation {
                SourceTranslation::Automap => {
                    fix.acos(acos::virtual_port(&served, "no source-nat auto"))
                }
                // The device's name of the pool is not known.
                _ => fix,
            }
        }
        None => fix.not_in_scenario(NO_BALANCER),
    }
}
