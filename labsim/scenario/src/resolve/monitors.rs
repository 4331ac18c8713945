//! Monitors: what they probe, how often, and what that needs of virtual servers.

use super::servers::SECRET;
use super::{Report, quantity};
use crate::file::{
    ActionOnDownWord, LoadBalancerFields, MonitorFields, MonitorForm, MonitorOptions, PoolFields,
    Scalar, Table,
};
use crate::model::{
    ActionOnDown, IpProtocol, LoadBalancer, Monitor, MonitorKind, NodeName, Pool, Secret,
    VirtualServer,
};
use crate::text::quoted;
use labsim_yaml::{Located, Span};
use std::collections::BTreeMap;
use std::time::Duration;

/// F5's interval, and the longest that a probe waits unless it is said.
const INTERVAL: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(1);
const SHORTEST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_secs(86_400);
/// Most successes or failures in a row.
const IN_A_ROW: u64 = 1000;

/// Resolves a pool's monitor; `None` if nobody watches.
pub(super) fn monitor(fields: &PoolFields, report: &mut Report<'_>) -> Option<Monitor> {
    let monitor = written(fields, report);
    if monitor.is_none()
        && let Some(action) = &fields.action_on_down
        && action.value != ActionOnDownWord::None
        && fields.monitor.as_ref().is_none_or(|monitor| is_none(&monitor.value))
    {
        report.at(action.span, "nothing says that a member is down; write a `monitor` too");
    }
    monitor
}

fn is_none(form: &MonitorForm) -> bool {
    matches!(form, MonitorForm::Text(word) if word == "none")
}

/// What becomes of the flows of members that are down.
pub(super) fn action_on_down(fields: &PoolFields) -> ActionOnDown {
    match fields.action_on_down.as_ref().map(|action| action.value) {
        None | Some(ActionOnDownWord::None) => ActionOnDown::None,
        Some(ActionOnDownWord::Reset) => ActionOnDown::Reset,
        Some(ActionOnDownWord::Reselect) => ActionOnDown::Reselect,
    }
}

fn written(fields: &PoolFields, report: &mut Report<'_>) -> Option<Monitor> {
    let form = fields.monitor.as_ref()?;
    let none = MonitorOptions::default();
    let (kind, options) = match &form.value {
        MonitorForm::Text(word) => match kind(word) {
            Some(kind) => (kind, &none),
            None if word == "none" => return None,
            None => {
                report.at(
                    form.span,
                    format!(
                        "{} is no monitor; write `none`, `tcp`, `tacacs`, `radius` or `icmp`",
                        quoted(word)
                    ),
                );
                return None;
            }
        },
        MonitorForm::Map(map) => match only(map).as_slice() {
            [(kind, options)] => (*kind, *options),
            _ => {
                let message = "write one of `tcp`, `tacacs`, `radius` and `icmp`, with its options";
                report.at(form.span, message);
                return None;
            }
        },
    };
    let interval = time(options.interval.as_ref(), (SHORTEST, LONGEST), INTERVAL, report);
    let timeout =
        time(options.timeout.as_ref(), (Duration::ZERO, interval), TIMEOUT.min(interval), report);
    let [rise, fall] = [(&options.rise, 1), (&options.fall, 3)]
        .map(|(written, usual)| in_a_row(written.as_ref(), usual, report));
    let port = port(kind, options, report);
    let transparent = options.transparent.is_some_and(|it| it.value);
    for member in fields.members.value.iter().filter_map(super::pools::member_address) {
        let (span, address) = member;
        if address.port() == 0 && port.is_none() && !transparent && kind != MonitorKind::Icmp {
            report.at(span, format!("{address} has no port to probe; write the monitor's `port`"));
        }
    }
    Some(Monitor {
        kind,
        interval,
        timeout,
        rise,
        fall,
        transparent,
        port,
        secret: secret(kind, options, report),
    })
}

fn kind(word: &str) -> Option<MonitorKind> {
    let all = [MonitorKind::Tcp, MonitorKind::Tacacs, MonitorKind::Radius, MonitorKind::Icmp];
    all.into_iter().find(|kind| kind.word() == word)
}

/// The monitors that a map has.
fn only(map: &MonitorFields) -> Vec<(MonitorKind, &MonitorOptions)> {
    let all = [
        (MonitorKind::Tcp, &map.tcp),
        (MonitorKind::Tacacs, &map.tacacs),
        (MonitorKind::Radius, &map.radius),
        (MonitorKind::Icmp, &map.icmp),
    ];
    all.into_iter().filter_map(|(kind, options)| Some((kind, options.as_ref()?))).collect()
}

/// A time in these bounds: whole seconds, or with a unit.
fn time(
    written: Option<&Located<Scalar>>,
    (least, most): (Duration, Duration),
    usual: Duration,
    report: &mut Report<'_>,
) -> Duration {
    let Some(written) = written else { return usual };
    let text = written.value.0.as_str();
    let time = match text.parse() {
        Ok(seconds) => Ok(Duration::from_secs(seconds)),
        Err(_) => quantity::time(text),
    };
    let Some(time) = report.take(written.span, time) else { return usual };
    let whole = time.subsec_nanos() % 1_000_000 == 0;
    if time.is_zero() || time < least || time > most || !whole {
        let least = least.max(Duration::from_millis(1));
        report.at(
            written.span,
            format!("{} is out of range; write {least:?} to {most:?}, in whole ms", quoted(text)),
        );
        return usual;
    }
    time
}

fn in_a_row(written: Option<&Located<u64>>, usual: u16, report: &mut Report<'_>) -> u16 {
    let Some(written) = written else { return usual };
    match u16::try_from(written.value) {
        Ok(number) if (1..=IN_A_ROW).contains(&written.value) => number,
        _ => {
            report.at(written.span, format!("{} in a row; write 1 to {IN_A_ROW}", written.value));
            usual
        }
    }
}

fn port(kind: MonitorKind, options: &MonitorOptions, report: &mut Report<'_>) -> Option<u16> {
    let written = options.port.as_ref()?;
    if kind == MonitorKind::Icmp {
        report.at(written.span, "ICMP has no ports; take this out");
        return None;
    }
    let port = u16::try_from(written.value).ok().filter(|port| *port > 0);
    if port.is_none() {
        report.at(written.span, format!("{} is no port; write 1 to 65535", written.value));
    }
    port
}

fn needs_secret(kind: MonitorKind) -> bool {
    matches!(kind, MonitorKind::Tacacs | MonitorKind::Radius)
}

fn secret(kind: MonitorKind, options: &MonitorOptions, report: &mut Report<'_>) -> Option<Secret> {
    let written = options.secret.as_ref()?;
    if !needs_secret(kind) {
        let message = format!("a `{}` monitor has no use for a secret; take this out", kind.word());
        report.at(written.span, message);
        return None;
    }
    report.plain(written, "secret", SECRET);
    Some(Secret::new(written.value.clone()))
}

/// What a transparent monitor needs: virtual servers that leave addresses as they are.
pub(super) fn fits(
    pool: &Pool,
    fields: &PoolFields,
    servers: &[VirtualServer],
    report: &mut Report<'_>,
) {
    let (Some(monitor), Some(form)) = (&pool.monitor, &fields.monitor) else { return };
    if !monitor.transparent {
        let v6 = pool.members.iter().find(|member| member.address.is_ipv6());
        if let Some(member) = v6.filter(|_| monitor.kind == MonitorKind::Icmp) {
            let address = member.address;
            report.at(
                form.span,
                format!("{address}: `icmp` asks IPv4 alone yet; choose another monitor"),
            );
        }
        return;
    }
    let place = transparent_place(form);
    let protocol = match monitor.kind {
        MonitorKind::Tcp | MonitorKind::Tacacs => Some(IpProtocol::Tcp),
        MonitorKind::Radius => Some(IpProtocol::Udp),
        MonitorKind::Icmp => None,
    };
    let mut found = false;
    for server in servers {
        if server.pool != pool.name || protocol.is_some_and(|it| it != server.ip_protocol) {
            continue;
        }
        found = true;
        let name = quoted(&server.name);
        if server.translate_address {
            report.at(
                place,
                format!(
                    "{name} translates addresses: its servers are asked at their own and have no \
                     VIP; take this out, or write `translate_address: false` there"
                ),
            );
        }
        if server.destination.is_ipv6() {
            report.at(
                place,
                format!(
                    "{name} has an IPv6 VIP, which cannot be probed through the tunnel yet; take \
                     this out"
                ),
            );
        }
        let wild = server.destination.port() == 0 && monitor.port.is_none();
        if wild && monitor.kind != MonitorKind::Icmp {
            report.at(place, format!("{name} takes every port, so none is probed; write `port`"));
        }
    }
    if !found && !report.lacks_some() {
        let which = match protocol {
            Some(IpProtocol::Tcp) => "TCP virtual server",
            Some(IpProtocol::Udp) => "UDP virtual server",
            None => "virtual server",
        };
        report.at(
            place,
            format!("no {which} uses the pool, so there is no VIP to probe; take this out"),
        );
    }
}

fn transparent_place(form: &Located<MonitorForm>) -> Span {
    let MonitorForm::Map(map) = &form.value else { return form.span };
    let options = only(map).into_iter().find_map(|(_, options)| options.transparent);
    options.map_or(form.span, |transparent| transparent.span)
}

/// Gives monitors without a secret of their own that of the built-in servers.
pub(super) fn fill_secrets(
    table: &Table<Located<LoadBalancerFields>>,
    load_balancers: &mut BTreeMap<NodeName, LoadBalancer>,
    (tacacs, radius): (&[Secret], &[Secret]),
    report: &mut Report<'_>,
) {
    for (name, balancer) in load_balancers {
        let written = table.iter().find(|(key, _)| key.as_str() == name.as_str());
        for pool in &mut balancer.pools {
            let Some(monitor) = &mut pool.monitor else { continue };
            if !needs_secret(monitor.kind) || monitor.secret.is_some() {
                continue;
            }
            let (what, secrets) = match monitor.kind {
                MonitorKind::Radius => ("RADIUS", radius),
                _ => ("TACACS+", tacacs),
            };
            let form = written.and_then(|(_, fields)| {
                let pools = &mut fields.value.pools.iter();
                pools.find(|(key, _)| key.value == pool.name)?.1.value.monitor.as_ref()
            });
            let place = form.map(|form| form.span).unwrap_or_default();
            match secrets {
                [first, others @ ..] if others.iter().all(|other| other == first) => {
                    monitor.secret = Some(first.clone());
                }
                [] => report.empty(
                    place,
                    format!(
                        "there is no {what} server whose secret this monitor could use; write its \
                         `secret`"
                    ),
                ),
                _ => report.at(
                    place,
                    format!(
                        "the {what} servers have different secrets; write this monitor's `secret`"
                    ),
                ),
            }
        }
    }
}
