//! The host's routes, compared with those of the lab's node.

use super::OTHER_DEVICE;
use crate::lab::server_state::ServerState;
use crate::linux::host::Host;
use crate::report::Report;
use labsim_scenario::model::{Node, RouteMetrics};
use std::collections::BTreeMap;

/// Least and most of a route's MTU and MSS in a scenario.
const MTU: (u32, u32) = (68, 65_520);
const MSS: (u32, u32) = (48, 65_495);
const DERIVED: &str = "route that the kernel makes of an address";

/// Compares the host's routes with the node's. What the scenario's file does not hold is listed.
pub(super) fn routes(
    host: &Host,
    node: &Node,
    names: &BTreeMap<String, String>,
    state: &mut ServerState,
    report: &mut Report<'_>,
) {
    state.routes = RouteMetrics::default();
    let default = |is_ipv4: bool| {
        let of_family =
            move |net: &ipnet::IpNet| net.prefix_len() == 0 && net.addr().is_ipv4() == is_ipv4;
        node.routes.iter().find(move |route| of_family(&route.destination))
    };
    let mut has_default = false;
    for route in &host.routes {
        let what = format!("route to {}", route.destination);
        let is_of_lab = route.device.as_ref().is_none_or(|device| names.contains_key(device));
        let Some(via) = route.via else {
            let is_default = route.destination.prefix_len() == 0;
            match is_default {
                true => report.not_imported(route.place, what, "labsim's routes have a next hop"),
                false => report.left_out(route.place, DERIVED),
            }
            continue;
        };
        if !is_of_lab {
            report.not_imported(route.place, what, OTHER_DEVICE);
            continue;
        }
        let known = node.routes.iter().find(|it| it.destination == route.destination);
        if route.destination.prefix_len() == 0 {
            has_default |= route.destination.addr().is_ipv4();
        }
        if known.is_some_and(|known| known.via == [via]) {
            if route.destination.prefix_len() == 0 {
                let mut within = |name: &str, value: Option<u32>, (least, most): (u32, u32)| {
                    let value = value?;
                    if (least..=most).contains(&value) {
                        return Some(value);
                    }
                    let why = format!("labsim takes {least} to {most}");
                    report.skip(route.place, format!("{what}: {name} {value}"), why)
                };
                state.routes = RouteMetrics {
                    mtu: within("mtu", route.mtu, MTU),
                    advmss: within("advmss", route.advmss, MSS),
                };
            }
            continue;
        }
        let why = match known {
            Some(known) => format!(
                "the topology's next hop is {}; if {via} is a node's address in the lab, write it at \
                 {} in the topology (`routes`)",
                known.describe_next_hops(),
                node.name
            ),
            None => format!("the topology has none; write it at {} there if it matters", node.name),
        };
        report.not_imported(route.place, format!("{what} via {via}"), why);
    }
    if let (false, Some(known), Some(first)) = (has_default, default(true), host.routes.first()) {
        let why = format!(
            "the host has none, and the topology's next hop is {}; write `routes: {{default: none}}` \
             at {} in the topology",
            known.describe_next_hops(),
            node.name
        );
        report.not_imported(first.place, "missing default route", why);
    }
}
