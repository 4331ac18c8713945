//! What is wrong with monitors: their times, and what they would have to probe.

use super::Problem;
use crate::config::{ActionOnDown, Config, Monitor, MonitorKind, Pool};
use std::time::Duration;

const SHORTEST: Duration = Duration::from_millis(10);
/// F5's longest interval: a day.
const LONGEST: Duration = Duration::from_secs(86_400);
/// Most successes or failures in a row that may be asked for.
const MOST_IN_A_ROW: u16 = 1000;
/// Longest secret, in bytes.
const LONGEST_SECRET: usize = 255;

/// Everything that is wrong with the pools' monitors.
pub(super) fn check_monitors(config: &Config, problems: &mut Vec<Problem>) {
    for (name, pool) in &config.pools {
        let Some(monitor) = &pool.monitor else {
            if pool.action_on_down != ActionOnDown::None {
                let message = "nothing says that a member is down; give the pool a `monitor`";
                problems.push(Problem::new(format!("pools.{name}.action_on_down"), message));
            }
            continue;
        };
        let path = format!("pools.{name}.monitor.{}", monitor.kind.word());
        let mut report = |key: &str, message: String| {
            problems.push(Problem::new(format!("{path}{key}"), message));
        };
        check_times(monitor, &mut report);
        check_secret(monitor, &mut report);
        match (monitor.port, monitor.kind) {
            (Some(_), MonitorKind::Icmp) => {
                report(".port", "ICMP has no ports; take this out".to_owned());
            }
            (Some(0), _) => report(".port", "0 is no port; give 1 to 65535".to_owned()),
            _ => {}
        }
        if monitor.transparent {
            check_transparent(config, name, monitor, &mut report);
        } else {
            check_members(pool, monitor, &mut report);
        }
    }
}

fn check_times(monitor: &Monitor, report: &mut impl FnMut(&str, String)) {
    let Monitor { interval, timeout, rise, fall, .. } = monitor;
    let whole = interval.subsec_nanos().is_multiple_of(1_000_000);
    if !(SHORTEST..=LONGEST).contains(interval) || !whole {
        report(
            ".interval",
            format!("{interval:?} is out of range; give {SHORTEST:?} to {LONGEST:?}"),
        );
    } else if timeout.is_zero() || timeout > interval {
        report(
            ".timeout",
            format!(
                "{timeout:?} is out of range: a probe ends before the next begins; give up to the \
                 interval, {interval:?}"
            ),
        );
    }
    for (key, number) in [(".rise", rise), (".fall", fall)] {
        if !(1..=MOST_IN_A_ROW).contains(number) {
            report(key, format!("{number} is out of range; give 1 to {MOST_IN_A_ROW}"));
        }
    }
}

fn check_secret(monitor: &Monitor, report: &mut impl FnMut(&str, String)) {
    let word = monitor.kind.word();
    match &monitor.secret {
        None if monitor.kind.needs_secret() => {
            report(
                ".secret",
                format!("a `{word}` monitor needs the secret that the servers share; give it"),
            );
        }
        Some(_) if !monitor.kind.needs_secret() => {
            report(".secret", format!("a `{word}` monitor has no use for it; take this out"));
        }
        Some(secret) if !(1..=LONGEST_SECRET).contains(&secret.expose().len()) => {
            report(".secret", format!("a secret has 1 to {LONGEST_SECRET} bytes"));
        }
        _ => {}
    }
}

/// Members that are probed at their own address.
fn check_members(pool: &Pool, monitor: &Monitor, report: &mut impl FnMut(&str, String)) {
    if monitor.kind == MonitorKind::Icmp {
        if let Some(member) = pool.members.iter().find(|member| member.address.is_ipv6()) {
            let address = member.address;
            report("", format!("{address}: `icmp` asks IPv4 alone yet; choose another monitor"));
        }
        return;
    }
    if monitor.port.is_some() {
        return;
    }
    for member in pool.members.iter().filter(|member| member.address.port() == 0) {
        report("", format!("the member {} has no port to probe; give `port`", member.address));
    }
}

/// VIPs that are probed through the tunnel.
fn check_transparent(
    config: &Config,
    pool: &str,
    monitor: &Monitor,
    report: &mut impl FnMut(&str, String),
) {
    let mut found = false;
    for (name, server) in config.servers_of(pool, monitor) {
        found = true;
        if server.translate_address {
            report(
                ".transparent",
                format!(
                    "`{name}` translates addresses: its servers are asked at their own and have no \
                     VIP; take this out, or set `translate_address: false` there"
                ),
            );
        }
        if server.destination.is_ipv6() {
            report(
                ".transparent",
                format!(
                    "`{name}` has an IPv6 VIP, which cannot be probed through the tunnel yet; take \
                     this out"
                ),
            );
        }
        let wild = server.destination.port() == 0 && monitor.port.is_none();
        if wild && monitor.kind != MonitorKind::Icmp {
            report(
                ".transparent",
                format!("`{name}` takes every port, so none is probed; give `port`"),
            );
        }
    }
    if !found {
        let which = match monitor.kind.protocol() {
            Some(protocol) => format!("{} virtual server", protocol.word().to_uppercase()),
            None => "virtual server".to_owned(),
        };
        report(
            ".transparent",
            format!("no {which} uses the pool, so there is no VIP to probe; take this out"),
        );
    }
}
