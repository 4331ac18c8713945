//! Files with the changes of a lab that is up.

use super::server_state::{ServerState, real_server};
use super::yaml::{Entry, Value, document, entry, list, map, one_or_list, scalar};
use crate::changes::{Draft, DraftNode, DraftRoute, Names, SavedFiles};
use labsim_scenario::model::{NodeName, Scenario};
use std::collections::{BTreeMap, BTreeSet};

/// The files; `None` if a server cannot be written.
pub(crate) fn files(scenario: &Scenario, draft: &Draft, names: &Names) -> Option<SavedFiles> {
    let in_topology = |(_, node): &(&NodeName, &DraftNode)| node.is_in_topology();
    let nodes: Vec<Entry> =
        draft.nodes.iter().filter(in_topology).map(|(name, it)| entry(name, node(it))).collect();
    let topology = (!nodes.is_empty() || names.always).then(|| {
        let mut sections = vec![entry("extends", scalar(&names.topology))];
        if !nodes.is_empty() {
            sections.push(entry("nodes", nodes));
        }
        document(&names.header, sections)
    });
    let mut sections = vec![entry("extends", scalar(&names.scenario))];
    if topology.is_some() {
        sections.push(entry("topology", scalar(&names.own_topology)));
    }
    let servers = draft.nodes.iter().filter_map(|(name, it)| Some((name, it.server.as_ref()?)));
    let servers: BTreeMap<&NodeName, &ServerState> = servers.collect();
    if !servers.is_empty() {
        sections.push(entry("real_servers", real_servers(scenario, &servers)?));
    }
    if !draft.filters.is_empty() {
        let state = |present: bool| if present { "present" } else { "absent" };
        let filters = draft.filters.iter();
        let filters =
            filters.map(|(name, present)| entry(name, map([("state", scalar(state(*present)))])));
        sections.push(entry("filters", filters.collect::<Vec<_>>()));
    }
    Some(SavedFiles { scenario: document(&names.header, sections), topology })
}

fn node(node: &DraftNode) -> Vec<Entry> {
    let DraftNode { forward, sysctls, routes, interfaces, .. } = node;
    let mut entries = Vec::new();
    entries.extend(forward.map(|forward| entry("forward", scalar(forward))));
    if !interfaces.is_empty() {
        let interfaces = interfaces.iter().map(|(name, (addresses, mtu))| {
            let mut settings = vec![entry("addresses", list(addresses))];
            settings.extend(mtu.map(|mtu| entry("mtu", scalar(mtu))));
            entry(name, Value::Flow(settings))
        });
        entries.push(entry("interfaces", interfaces.collect::<Vec<_>>()));
    }
    if !routes.is_empty() {
        let route = |route: &DraftRoute| match route {
            DraftRoute::Via(via) => one_or_list(via),
            DraftRoute::Removed => Value::Null,
            DraftRoute::None => scalar("none"),
        };
        let routes = routes.iter().map(|(to, it)| entry(to, route(it)));
        entries.push(entry("routes", routes.collect::<Vec<_>>()));
    }
    if !sysctls.is_empty() {
        let sysctls = sysctls.iter().map(|(key, value)| entry(key, scalar(value)));
        entries.push(entry("sysctls", sysctls.collect::<Vec<_>>()));
    }
    entries
}

/// Servers that have changed become parts of their own; of a section that is a list, all are written.
fn real_servers(scenario: &Scenario, changed: &BTreeMap<&NodeName, &ServerState>) -> Option<Value> {
    let all = &scenario.real_servers;
    let written = |node: &NodeName, state: &ServerState| real_server(node, state, None).ok();
    let names: Option<BTreeSet<&String>> = all.values().map(|it| it.group.as_ref()).collect();
    let Some(names) = names else {
        let servers = all.iter().map(|(node, server)| {
            let state = ServerState::from(server);
            written(node, changed.get(node).copied().unwrap_or(&state)).map(Value::Block)
        });
        return servers.collect::<Option<Vec<_>>>().map(Value::Items);
    };
    let mut entries = Vec::new();
    for group in &names {
        let of_group = all.iter().filter(|(_, it)| it.group.as_ref() == Some(*group));
        let (gone, stay): (Vec<_>, Vec<_>) =
            of_group.map(|(node, _)| node).partition(|node| changed.contains_key(*node));
        match (gone.is_empty(), stay.as_slice()) {
            (true, _) => {}
            (false, []) => entries.push(entry(group, Value::Null)),
            (false, stay) => entries.push(entry(group, map([("nodes", one_or_list(stay))]))),
        }
    }
    for (node, state) in changed {
        let mut name = format!("{node}_saved");
        while names.contains(&name) {
            name.push('_');
        }
        entries.push(entry(name, written(node, state)?));
    }
    Some(entries.into())
}
