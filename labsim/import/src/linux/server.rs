//! What a host's state means for one real server of a scenario.

mod addresses;
mod listening;
mod routes;
mod tunnel;

use super::host::Host;
use super::settings::settings;
use crate::lab::server_state::{Listening, ServerState};
use crate::place::Place;
use crate::report::Report;
use crate::text::printable;
use addresses::Addresses;
use labsim_scenario::model::{Node, Scenario};
use listening::listening;
use routes::routes;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
pub(super) use tunnel::kind;

const OTHER_DEVICE: &str = "the lab's node does not have this device";

/// The state of a scenario's real server, as the host has it. None if the texts are about another host.
pub(super) fn state(
    host: &Host,
    scenario: &Scenario,
    node: &Node,
    report: &mut Report<'_>,
) -> Option<ServerState> {
    let base = scenario.real_servers.get(&node.name);
    let mut state = base.map(ServerState::from).unwrap_or_default();
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for name in ["all", "lo"] {
        names.insert(name.to_owned(), name.to_owned());
    }
    let own: BTreeSet<IpAddr> =
        node.interfaces.iter().flat_map(|it| &it.addresses).map(ipnet::IpNet::addr).collect();
    if host.has_addresses {
        let mut reader =
            Addresses { host, scenario, node, own: &own, base, names: &mut names, report };
        reader.take(&mut state)?;
    } else {
        for interface in &node.interfaces {
            names.insert(interface.name.to_string(), interface.name.to_string());
        }
        if let Some(tunnel) = &state.tunnel {
            names.insert(tunnel.device.clone(), tunnel.device.clone());
        }
        if let Some(first) = first_place(host) {
            let why = "no `ip addr` among the files: VIP and tunnel of the scenario are used";
            report.warn(first, format!("addresses of {}", node.name), why);
        }
        for link in &host.links {
            let what = format!("device {}", printable(&link.name));
            let why = "without addresses it is not known which of the lab's it is; give `ip addr`";
            report.not_imported(link.place, what, why);
        }
    }
    settings(host, &names, &mut state, report);
    if host.has_routes {
        routes(host, node, &names, &mut state, report);
    }
    let vips: Vec<IpAddr> = state.vips.iter().map(|vip| vip.address).collect();
    let mut at = |is_tcp, port, servers: usize| {
        let found = listening(&host.sockets, is_tcp, port, &own, &vips);
        if found != Listening::Nowhere || servers > 1 {
            return Some(found);
        }
        let place = first_place(host).unwrap_or_else(|| Place::new(0, 0, 0));
        let why = "the lab's server listens there, as it is the one that has the secret";
        report.skip(place, format!("port {port} without a socket"), why)
    };
    if let (true, Some(server)) = (host.has_tcp, scenario.tacacs_servers.get(&node.name)) {
        state.tacacs = at(true, server.port, scenario.tacacs_servers.len());
    }
    if let (true, Some(server)) = (host.has_udp, scenario.radius_servers.get(&node.name)) {
        state.radius = at(false, server.authentication_port, scenario.radius_servers.len());
    }
    Some(state)
}

fn first_place(host: &Host) -> Option<Place> {
    let sysctls = host.sysctls.values().map(|it| it.place);
    let routes = host.routes.iter().map(|it| it.place);
    sysctls.chain(routes).chain(host.links.iter().map(|it| it.place)).min()
}
