//! Errors of monitors: their times, and what they would have to probe.

use crate::load_balancer::{ActionOnDown, LoadBalancer, Monitor, MonitorKind, Pool};
use crate::{KeyPath, Problem, is_plain, is_unread, quote};
use labsim_codes::{Code, file};
use std::time::Duration;

const SHORTEST: Duration = Duration::from_millis(10);
/// F5's longest interval: a day.
const LONGEST: Duration = Duration::from_secs(86_400);
/// Most successes or failures in a row.
const MOST_IN_A_ROW: u16 = 1000;
/// Longest secret, in bytes.
const LONGEST_SECRET: usize = 255;

/// Collects a monitor's errors: the code, the option (or "" for the monitor itself), the message.
type Report<'a> = &'a mut dyn FnMut(Code, &str, String);

/// Finds everything that is wrong with the pools' monitors.
pub(super) fn check_monitors(balancer: &LoadBalancer, problems: &mut Vec<Problem>) {
    for (name, pool) in &balancer.pools {
        let at = KeyPath::new(["pools", name]);
        let Some(monitor) = &pool.monitor else {
            if pool.action_on_down != ActionOnDown::None {
                let message = "`action_on_down` needs a `monitor`; write one too";
                problems.push(Problem::absence(
                    file::MISSING_VALUE,
                    at.join("action_on_down"),
                    "",
                    message,
                ));
            }
            continue;
        };
        let path = at.join("monitor").join(monitor.kind.word());
        let report: Report<'_> = &mut |code, key, message| {
            let path = if key.is_empty() { path.clone() } else { path.join(key) };
            problems.push(Problem::new(code, path, message));
        };
        check_times(monitor, report);
        check_secret(monitor, report);
        match (monitor.port, monitor.kind) {
            (Some(_), MonitorKind::Icmp) => {
                report(file::CONFLICT, "port", "ICMP has no ports; remove this".to_owned());
            }
            (Some(0), _) => report(
                file::OUT_OF_RANGE,
                "port",
                "port 0 does not exist; write 1 to 65535".to_owned(),
            ),
            _ => {}
        }
        if monitor.transparent {
            let missing = check_transparent(balancer, name, monitor, report);
            let path = path.join("transparent");
            problems.extend(
                missing.map(|message| Problem::absence(file::MISSING_VALUE, path, "", message)),
            );
        } else {
            check_members(pool, monitor, report);
        }
    }
}

fn check_times(monitor: &Monitor, report: Report<'_>) {
    let Monitor { interval, timeout, rise, fall, .. } = monitor;
    let is_whole = |time: &Duration| time.subsec_nanos().is_multiple_of(1_000_000);
    let mut out_of_range = |key, time, least, most| {
        let message = format!("{time:?} is out of range; write {least:?} to {most:?}, in whole ms");
        report(file::OUT_OF_RANGE, key, message);
    };
    if !(SHORTEST..=LONGEST).contains(interval) || !is_whole(interval) {
        out_of_range("interval", *interval, SHORTEST, LONGEST);
    } else if timeout.is_zero() || timeout > interval || !is_whole(timeout) {
        out_of_range("timeout", *timeout, Duration::from_millis(1), *interval);
    }
    for (key, number) in [("rise", rise), ("fall", fall)] {
        if !(1..=MOST_IN_A_ROW).contains(number) {
            let message = format!("{number} in a row; write 1 to {MOST_IN_A_ROW}");
            report(file::OUT_OF_RANGE, key, message);
        }
    }
}

fn check_secret(monitor: &Monitor, report: Report<'_>) {
    let Some(secret) = &monitor.secret else { return };
    let is_text =
        |secret: &[u8]| std::str::from_utf8(secret).is_ok_and(|text| text.chars().all(is_plain));
    if !monitor.kind.needs_secret() {
        let word = monitor.kind.word();
        report(file::CONFLICT, "secret", format!("a `{word}` monitor uses no secret; remove this"));
    } else if !(1..=LONGEST_SECRET).contains(&secret.expose().len()) {
        let message = format!("a secret has 1 to {LONGEST_SECRET} bytes");
        report(file::OUT_OF_RANGE, "secret", message);
    } else if !is_text(secret.expose()) {
        let message = "this secret has a control character; remove it".to_owned();
        report(file::INVALID_VALUE, "secret", message);
    }
}

/// Members that are probed at their own address.
fn check_members(pool: &Pool, monitor: &Monitor, report: Report<'_>) {
    if monitor.kind == MonitorKind::Icmp {
        return;
    }
    let addresses = pool.members.iter().map(|member| member.address);
    let addresses = addresses.filter(|member| !is_unread(*member));
    for member in addresses.filter(|member| member.port() == 0 && monitor.port.is_none()) {
        let message = format!("the member {} has no port to probe; write `port`", member.ip());
        report(file::MISSING_VALUE, "", message);
    }
}

/// VIPs that are probed through the tunnel. Returns what is missing if there is none.
fn check_transparent(
    balancer: &LoadBalancer,
    pool: &str,
    monitor: &Monitor,
    report: Report<'_>,
) -> Option<String> {
    let mut found = false;
    for (name, server) in balancer.servers_of(pool, monitor) {
        found = true;
        let name = quote(name);
        if server.translate_address {
            let message = format!(
                "{name} translates addresses: its servers are probed at their own and have no VIP; \
                 remove this, or write `translate_address: false` there"
            );
            report(file::CONFLICT, "transparent", message);
        }
        let is_wild = server.destination.port().is_none() && monitor.port.is_none();
        if is_wild && monitor.kind != MonitorKind::Icmp {
            let which =
                if server.destination.ports().is_any() { "every port" } else { "several ports" };
            let message = format!("{name} takes {which}, so none is probed; write `port`");
            report(file::MISSING_VALUE, "transparent", message);
        }
    }
    let which = match monitor.kind.protocol() {
        Some(protocol) => format!("{} virtual server", protocol.word().to_uppercase()),
        None => "virtual server".to_owned(),
    };
    (!found).then(|| format!("no {which} uses the pool, so there is no VIP to probe; remove this"))
}
