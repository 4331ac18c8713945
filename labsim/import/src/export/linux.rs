//! The shell commands that make a Linux host a real server.

use labsim_scenario::model::{
    GreOptions, GueOptions, NodeName, RealServer, RouteMetrics, Scenario, TunnelDevice, TunnelKind,
    VipAddress,
};
use std::fmt::Write;

/// Commands that make a host the real server that a node is; `None` if it is none.
///
/// Each line is one command of modprobe(8), ip(8) or sysctl(8), in an order that works: the tunnel
/// device comes before its settings, and ARP is kept quiet before the VIP is there. They last
/// until the next start of the host.
#[must_use]
pub fn linux(scenario: &Scenario, node: &NodeName) -> Option<String> {
    let RealServer { tunnels, vips, sysctls, routes, .. } = scenario.real_servers.get(node)?;
    let mut out = String::new();
    let mut line = |text: &str| {
        let _ = writeln!(out, "{text}");
    };
    line(&format!("# {node} of the labsim scenario {}; run as root", scenario.name));
    if !tunnels.is_empty() {
        line("");
        line("# where tunnel packets come out");
    }
    for tunnel in tunnels {
        modules(tunnel).for_each(|module| line(&format!("modprobe {module}")));
        tunnel_commands(tunnel).iter().for_each(|command| line(command));
        let TunnelDevice { name, address, .. } = tunnel;
        if let Some(address) = address {
            line(&format!("ip addr add {address} dev {name} scope host"));
        }
    }
    if !sysctls.is_empty() {
        line("");
        line("# answer ARP for no VIP, and take what comes out of the tunnel");
    }
    for (key, setting) in sysctls {
        let value = &setting.value;
        line(&format!("sysctl -w {}", quoted(&format!("{key}={value}"))));
    }
    if !vips.is_empty() {
        line("");
        line("# the address that the client knows the server by");
    }
    for VipAddress { address, interface, label, scope } in vips {
        let label = label.as_deref().map(|label| format!(" label {}", quoted(label)));
        let label = label.unwrap_or_default();
        let scope = scope.name();
        line(&format!("ip addr add {address} dev {interface} scope {scope}{label}"));
    }
    if *routes != RouteMetrics::default() {
        line("");
        line("# leave room for the tunnel's headers");
    }
    let own = scenario.topology.node(node).filter(|_| *routes != RouteMetrics::default());
    for route in own.into_iter().flat_map(|node| &node.routes) {
        line(&format!("ip route change {}", route.arguments(*routes)));
    }
    Some(out)
}

/// The kernel's modules that a tunnel needs.
pub(super) fn modules(tunnel: &TunnelDevice) -> impl Iterator<Item = &'static str> {
    tunnel.kind.gue().map(|_| "fou").into_iter().chain([tunnel.kind.module()])
}

/// The commands that make a tunnel device, once its modules are loaded.
pub(super) fn tunnel_commands(tunnel: &TunnelDevice) -> Vec<String> {
    let TunnelDevice { kind, name, up, .. } = tunnel;
    let mut commands = Vec::new();
    if let Some(GueOptions { port, .. }) = kind.gue() {
        let family = if kind.outer_ipv4() { "" } else { "-6 " };
        commands.push(format!("ip {family}fou add port {port} gue"));
    }
    if let Some(device) = device(tunnel) {
        commands.push(format!("ip link add name {name} type {device}"));
    }
    commands.push(format!("ip link set {name} {}", if *up { "up" } else { "down" }));
    commands
}

/// Type and options of a device that has to be made (ip-link(8)); `None` for a module's own.
///
/// The kernel keeps tunnels apart by their ends and their key, so that one without a key needs a
/// local end to be another than the module's own (`ip_tunnel_find`, net/ipv4/ip_tunnel.c).
fn device(TunnelDevice { kind, name, local, .. }: &TunnelDevice) -> Option<String> {
    let of = kind.link_type();
    let local = local.map(|address| format!(" local {address}")).unwrap_or_default();
    let is_usual = name.as_str() == kind.usual_device();
    match kind {
        TunnelKind::Ipip | TunnelKind::Sit | TunnelKind::GueIpip(_) | TunnelKind::GueSit(_) => {
            (!is_usual).then(|| format!("{of}{local}"))
        }
        TunnelKind::Ip6tnl | TunnelKind::GueIp6tnl(_) => Some(format!("{of} mode any{local}")),
        TunnelKind::Gre(options) | TunnelKind::Ip6gre(options) => {
            let GreOptions { key, checksum } = *options;
            let own = if key.is_none() { local } else { String::new() };
            let key = key.map(|key| format!(" key {key}")).unwrap_or_default();
            let checksum = if checksum { " csum" } else { "" };
            let is_module_s = is_usual && *options == GreOptions::default();
            (!is_module_s).then(|| format!("{of}{own}{key}{checksum}"))
        }
    }
}

/// A word of sh(1), quoted if need be.
pub(super) fn quoted(word: &str) -> String {
    let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || b"._-=:/,@%+".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_safe) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn words_are_quoted_where_a_shell_would_split_or_run_them() {
        for (word, shown) in [
            ("net.ipv4.conf.all.rp_filter=2", "net.ipv4.conf.all.rp_filter=2"),
            ("net.ipv4.tcp_rmem=1 2 3", "'net.ipv4.tcp_rmem=1 2 3'"),
            ("a'; reboot", "'a'\\''; reboot'"),
            ("$(x)", "'$(x)'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(word), shown);
        }
    }
}
