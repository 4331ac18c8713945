//! Reverse path filters (rp_filter, ip-sysctl): the greater of the values of `all` and of the
//! interface is in force.

use super::path::route;
use super::tunnel::mode;
use super::{Change, Fix, Part, Subject};
use crate::diagnose::subject::has_no_route;
use labsim_model::node_state::RouteQuery;
use labsim_scenario::model::NodeName;
use std::net::IpAddr;

/// The values at an interface.
struct Values {
    all: Option<u32>,
    own: Option<u32>,
}

impl Values {
    /// As they were read, or else as the scenario sets them.
    fn of(subject: &Subject<'_>, node: &NodeName, device: &str) -> Self {
        let set = |name: &str| -> Option<u32> {
            let key = format!("net.ipv4.conf.{name}.rp_filter");
            let server = subject.context.scenario.real_servers.get(node);
            let own = server.and_then(|server| server.sysctls.get(&key));
            let setting = own.or_else(|| subject.node(node)?.sysctls.get(&key));
            setting.and_then(|setting| setting.value.trim().parse().ok())
        };
        let state = subject.state(node);
        let read = |name: &str| {
            let number = state.and_then(|state| state.sysctls.ipv4(name, "rp_filter"));
            number.and_then(|number| u32::try_from(number).ok())
        };
        Self { all: read("all").or_else(|| set("all")), own: read(device).or_else(|| set(device)) }
    }

    fn in_force(&self) -> Option<u32> {
        self.all.into_iter().chain(self.own).max()
    }
}

/// A reverse path filter that does not accept a source: why, and what to change.
pub(in crate::diagnose) fn rp_filter(
    subject: &Subject<'_>,
    node: &NodeName,
    device: &str,
    source: IpAddr,
) -> (String, Fix) {
    let values = Values::of(subject, node, device);
    let server = subject.context.scenario.real_servers.get(node);
    let tunnel = server
        .and_then(|server| server.tunnels.iter().find(|tunnel| tunnel.name.as_str() == device));
    let configured = || Some(tunnel?.address.is_some());
    let has_address = subject.state(node).map(|state| state.has_ipv4(device)).or_else(configured);
    match (values.in_force(), values.all, has_address) {
        (Some(2), _, Some(false)) => {
            let reason = format!(
                "rp_filter is loose (2), and {device} has no IPv4 address: then nothing is accepted \
                 there"
            );
            let fix = Fix::new(format!("give {device} of {node} an IPv4 address, or rp_filter 0"));
            let Some(tunnel) = tunnel else {
                return (reason, fix.not_in_scenario(format!("{device} is no tunnel device")));
            };
            let fix = fix.on_part(
                Part::of_real_server(subject, node),
                node,
                |part| {
                    let keys = (["tunnel", "mode"], ["tunnel", "address"]);
                    let mut change = part.change(&keys.0, mode(tunnel.kind));
                    change.lay(&part.change(&keys.1, "own"));
                    change
                },
                |node| {
                    let address = own_address(subject, node);
                    let add = |it| format!("ip address add {it}/32 dev {device} scope host");
                    address.map(add).into_iter().collect()
                },
            );
            (reason, fix)
        }
        (Some(mode @ 1..), ..)
            if subject.state(node).is_some_and(|it| has_no_route(it, &RouteQuery::to(source))) =>
        {
            let mode = if mode == 2 { "loose (2)" } else { "strict (1)" };
            let reason = format!("rp_filter is {mode}, and {node} has no route to {source}");
            let what = format!("give {node} a route to {source}, which its replies need too");
            (reason, Fix { what, ..route(subject.context, node, source) })
        }
        (Some(1..), Some(all @ 1..), _) if values.own.is_none_or(|own| own < all) => {
            let reason = match values.own {
                Some(own) => format!(
                    "rp_filter of `all` is {all} and of {device} {own}, and the greater value is in \
                     force"
                ),
                None => {
                    format!("rp_filter of `all` is {all}, which is in force on every interface")
                }
            };
            let fix = Fix::new(format!(
                "lower rp_filter of `all` to 0 on {node} too: the greater of the two values is in \
                 force"
            ));
            (reason, set(fix, subject, node, device, true))
        }
        (Some(1), ..) => {
            let reason = format!(
                "rp_filter is strict (1), and the route back to {source} does not use {device}"
            );
            let fix = Fix::new(format!("set rp_filter of {device} on {node} to 0 or 2"));
            (reason, set(fix, subject, node, device, values.all == Some(1)))
        }
        _ => {
            let reason = "rp_filter does not accept this source there".to_owned();
            let fix = Fix::new(format!(
                "set rp_filter of {device} on {node} to 0, and that of `all`, as the greater value is \
                 in force"
            ));
            (reason, set(fix, subject, node, device, values.all.is_none_or(|all| all > 0)))
        }
    }
}

/// The fix with no reverse path filter at an interface.
pub(in crate::diagnose) fn without_rp_filter(
    fix: Fix,
    subject: &Subject<'_>,
    node: &NodeName,
    device: &str,
) -> Fix {
    let values = Values::of(subject, node, device);
    let is_strict = |value: Option<u32>| value == Some(1);
    // A loose filter accepts every source that there is a route to, by whichever interface.
    set(fix, subject, node, device, is_strict(values.all))
}

fn set(fix: Fix, subject: &Subject<'_>, node: &NodeName, device: &str, with_all: bool) -> Fix {
    let all = with_all.then_some("all");
    let keys: Vec<String> = all
        .into_iter()
        .chain([device])
        .map(|name| format!("net.ipv4.conf.{name}.rp_filter"))
        .collect();
    fix.on_part(
        Part::of_real_server(subject, node),
        node,
        |part| {
            let changes = keys.iter().map(|key| part.change(&["sysctls", key], "0"));
            changes.fold(Change::default(), |mut all, change| {
                all.lay(&change);
                all
            })
        },
        |_| {
            let settings: Vec<String> = keys.iter().map(|key| format!("{key}=0")).collect();
            vec![format!("sysctl -w {}", settings.join(" "))]
        },
    )
}

/// The node's own IPv4 address that its tunnel packets are for, or the first that it has.
fn own_address(subject: &Subject<'_>, node: &NodeName) -> Option<IpAddr> {
    let server = subject.context.scenario.real_servers.get(node);
    let mut tunnels = server.into_iter().flat_map(|server| &server.tunnels);
    let local = tunnels.find_map(|tunnel| tunnel.local).filter(IpAddr::is_ipv4);
    let interfaces = subject.node(node).into_iter().flat_map(|node| &node.interfaces);
    let mut own = interfaces.flat_map(|it| &it.addresses).map(|net| net.addr());
    local.or_else(|| own.find(IpAddr::is_ipv4))
}
