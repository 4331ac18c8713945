//! A topology file of containerlab (containerlab.dev): a lab of containers instead of namespaces, also
//! on several machines.

use super::linux::{modules, quoted, tunnel_commands};
use labsim_lab::{AddressPlan, BridgePlan, InterfacePlan, LabPlan, NodePlan, VethLinkEnd};
use labsim_scenario::model::{NodeName, Scenario, Scope};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// What a containerlab file names outside of itself.
#[derive(Debug, Clone)]
pub struct ContainerlabOptions {
    /// The containers' image: it has labsim, sh, iproute2 and ethtool.
    pub image: String,
    /// The scenario's path in that image, which the load balancers and servers read.
    pub scenario_path: String,
}

/// The topology file of a scenario, of which `plan` is the lab with tunnels of the kernel.
///
/// Every node is a container of kind `linux` without a management network, so that `eth0` is free;
/// a segment is one with a bridge in it, because containerlab's kind `bridge` needs a bridge that the
/// host has already, which a cluster's nodes have not. Everything is configured by commands that run
/// when all links are there. Steps, expectations, impairments of links and programs are no part of it:
/// comments name what is left out.
#[must_use]
pub fn containerlab(scenario: &Scenario, plan: &LabPlan, options: &ContainerlabOptions) -> String {
    let segments = segment_names(plan);
    let mut out = String::new();
    write_notes(&mut out, scenario);
    // Writing to a string cannot fail.
    let _ = writeln!(out, "name: {}", json(scenario.name.as_str()));
    out.push_str("topology:\n  defaults:\n    kind: linux\n");
    let _ = writeln!(out, "    image: {}", json(&options.image));
    // What the image starts by itself may end at once.
    out.push_str("    cmd: sleep infinity\n    network-mode: none\n  nodes:\n");
    for node in &plan.nodes {
        write_node(&mut out, node.name.as_str(), &node_commands(scenario, node, options));
    }
    for (position, (bridge, name)) in plan.bridges.iter().zip(&segments).enumerate() {
        write_node(&mut out, name, &segment_commands(plan, position, bridge));
    }
    let end = |end: &VethLinkEnd| match end {
        VethLinkEnd::Node { node, interface } => {
            let node = plan.nodes.get(*node)?;
            Some(json(&format!("{}:{}", node.name, node.interfaces.get(*interface)?.name)))
        }
        VethLinkEnd::Port { bridge, port } => {
            Some(json(&format!("{}:{}", segments.get(*bridge)?, port.name)))
        }
    };
    let mut links = plan.links.iter().filter_map(|link| {
        let [one, other] = &link.ends;
        Some((end(one)?, end(other)?))
    });
    // The schema allows no empty list.
    if let Some(first) = links.next() {
        out.push_str("  links:\n");
        for (one, other) in std::iter::once(first).chain(links) {
            let _ = writeln!(out, "    - endpoints: [{one}, {other}]");
        }
    }
    out
}

/// What the file needs and what is not in it.
fn write_notes(out: &mut String, scenario: &Scenario) {
    let _ = writeln!(
        out,
        "# The lab of the labsim scenario {}; its steps and expectations stay there.",
        scenario.name
    );
    let tunnels = scenario.real_servers.values().flat_map(|server| &server.tunnels);
    let modules: BTreeSet<&str> = tunnels.flat_map(modules).collect();
    if !modules.is_empty() {
        let modules = modules.into_iter().collect::<Vec<_>>().join(" ");
        let _ =
            writeln!(out, "# Load the kernel's modules on every host first: modprobe -a {modules}");
    }
    for end in scenario.impairments.keys() {
        let _ = writeln!(out, "# Not exported: the impairment of {}:{}", end.node, end.interface);
    }
    for process in &scenario.processes {
        let _ = writeln!(out, "# Not exported: the process {}", process.name);
    }
}

/// A name for each segment's container that no node has.
fn segment_names(plan: &LabPlan) -> Vec<String> {
    let mut taken: BTreeSet<String> =
        plan.nodes.iter().map(|node| node.name.as_str().to_owned()).collect();
    let unused = |bridge: &BridgePlan| {
        let mut name = bridge.name.to_string();
        while !taken.insert(name.clone()) {
            name.push_str("-segment");
        }
        name
    };
    plan.bridges.iter().map(unused).collect()
}

fn write_node(out: &mut String, name: &str, commands: &[String]) {
    let _ = writeln!(out, "    {}:", json(name));
    out.push_str("      exec:\n");
    for command in commands {
        let _ = writeln!(out, "        - {}", json(command));
    }
}

/// Everything that makes a container a node of the lab.
fn node_commands(
    scenario: &Scenario,
    node: &NodePlan,
    options: &ContainerlabOptions,
) -> Vec<String> {
    // A container inherits ip_forward from the host (net.core.devconf_inherit_init_net), where Docker sets it.
    let forward = if node.forward { "1" } else { "0" };
    let mut commands = vec![set("net/ipv4/ip_forward", forward)];
    for sysctl in &node.early_sysctls {
        commands.push(set(&sysctl.path(), &sysctl.value));
        // What was there before the setting has the former default.
        if let Some((before, after)) = sysctl.key.split_once(".default.") {
            let before = before.replace('.', "/");
            for interface in &node.interfaces {
                commands.push(set(&format!("{before}/{}/{after}", interface.name), &sysctl.value));
            }
        }
    }
    for interface in &node.interfaces {
        if !interface.ipv6 {
            commands.push(set(&format!("net/ipv6/conf/{}/disable_ipv6", interface.name), "1"));
        }
        commands.extend(interface_commands(interface));
    }
    let server = scenario.real_servers.get(&node.name);
    for tunnel in server.into_iter().flat_map(|server| &server.tunnels) {
        commands.extend(tunnel_commands(tunnel));
    }
    commands.extend(node.addresses.iter().map(address_command));
    for route in &node.routes {
        commands.push(format!("ip route replace {}", route.route.arguments(route.metrics)));
    }
    commands.extend(node.late_sysctls.iter().map(|sysctl| set(&sysctl.path(), &sysctl.value)));
    commands.extend(program_commands(scenario, &node.name, options));
    commands
}

/// The load balancer and the servers of a node, which run on after the command.
fn program_commands(
    scenario: &Scenario,
    node: &NodeName,
    options: &ContainerlabOptions,
) -> Vec<String> {
    let path = quoted(&options.scenario_path);
    let mut commands = Vec::new();
    if scenario.load_balancers.contains_key(node) {
        const CONFIG: &str = "/run/labsim-forwarder.yaml";
        commands.push(shell(&format!("labsim export forwarder {path} {node} > {CONFIG}")));
        commands.push(background(&format!("forwarder --config {CONFIG}"), "forwarder"));
    }
    if scenario.serving_nodes().contains(node) {
        commands.push(background(&format!("server {path} {node}"), "server"));
    }
    commands
}

/// Starts a command of labsim that goes on. It holds none of the shell's streams, for whose end
/// containerlab may wait.
fn background(command: &str, name: &str) -> String {
    shell(&format!("labsim {command} < /dev/null > /run/labsim-{name}.log 2>&1 &"))
}

fn segment_commands(plan: &LabPlan, position: usize, bridge: &BridgePlan) -> Vec<String> {
    const BRIDGE: &str = "br0";
    let mtu = bridge.mtu;
    let mut commands = vec![
        set("net/ipv4/ip_forward", "0"),
        set("net/ipv6/conf/all/disable_ipv6", "1"),
        format!("ip link add {BRIDGE} mtu {mtu} type bridge"),
        format!("ip link set {BRIDGE} up"),
    ];
    let ports = plan.links.iter().flat_map(|link| &link.ends).filter_map(|end| match end {
        VethLinkEnd::Port { bridge, port } if *bridge == position => Some(port),
        _ => None,
    });
    for port in ports {
        commands.extend(interface_commands(port));
        commands.push(format!("ip link set {} master {BRIDGE}", port.name));
    }
    commands
}

/// An interface as the lab has it: containerlab's links have other addresses and an MTU of 9500.
fn interface_commands(
    InterfacePlan { name, mac, mtu, offloads, .. }: &InterfacePlan,
) -> Vec<String> {
    let [a, b, c, d, e, f] = mac;
    let mac = format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}");
    let mut commands = vec![format!("ip link set {name} address {mac} mtu {mtu}")];
    if !offloads {
        commands.push(format!("ethtool -K {name} rx off tx off sg off tso off gso off gro off"));
    }
    commands.push(format!("ip link set {name} up"));
    commands
}

fn address_command(
    AddressPlan { interface, address, scope, label, preferred }: &AddressPlan,
) -> String {
    let scope = match scope {
        Scope::Global => String::new(),
        Scope::Host | Scope::Link => format!(" scope {}", scope.name()),
    };
    let label = label.as_deref().map(|label| format!(" label {}", quoted(label)));
    // Duplicate address detection would keep an IPv6 address from use for a second.
    let nodad = if address.addr().is_ipv6() { " nodad" } else { "" };
    let label = label.unwrap_or_default();
    let times = if *preferred || address.addr().is_ipv4() { "" } else { " preferred_lft 0" };
    format!("ip addr replace {address} dev {interface}{scope}{label}{nodad}{times}")
}

/// Sets what lies at a path below `/proc/sys`.
fn set(path: &str, value: &str) -> String {
    let file = quoted(&format!("/proc/sys/{path}"));
    shell(&format!("echo {} > {file}", quoted(value)))
}

/// A command that a shell has to run: containerlab runs others without one.
fn shell(command: &str) -> String {
    format!("sh -c {}", quoted(command))
}

/// A text as JSON has it, which is YAML too.
fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
