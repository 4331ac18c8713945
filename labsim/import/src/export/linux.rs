//! The shell commands that make a Linux host a real server.

use labsim_scenario::model::{
    GreOptions, NodeName, RealServer, Scenario, TunnelDevice, TunnelProtocol, VipAddress,
};
use std::fmt::Write;

/// Commands that make a host the real server that a node is; `None` if it is none.
///
/// Each line is one command of modprobe(8), ip(8) or sysctl(8), in an order that works: the tunnel
/// device comes before its settings, and ARP is kept quiet before the VIP is there. They last
/// until the next start of the host.
#[must_use]
pub fn linux(scenario: &Scenario, node: &NodeName) -> Option<String> {
    let RealServer { tunnel, vips, sysctls } = scenario.real_servers.get(node)?;
    let mut out = String::new();
    let mut line = |text: &str| {
        let _ = writeln!(out, "{text}");
    };
    line(&format!("# {node} of the labsim scenario {}; run as root", scenario.name));
    if let Some(device @ TunnelDevice { name, address, protocol }) = tunnel {
        line("");
        line("# where tunnel packets come out");
        line(match protocol {
            TunnelProtocol::Ipip => "modprobe ipip",
            TunnelProtocol::Gre(_) => "modprobe ip_gre",
        });
        if let Some(kind) = added(device) {
            line(&format!("ip link add name {name} type {kind}"));
        }
        line(&format!("ip link set {name} up"));
        if let Some(address) = address {
            line(&format!("ip addr add {address} dev {name} scope host"));
        }
    }
    if !sysctls.is_empty() {
        line("");
        line("# answer ARP for no VIP, and take what comes out of the tunnel");
    }
    for (key, value) in sysctls {
        line(&format!("sysctl -w {}", quoted(&format!("{key}={value}"))));
    }
    if !vips.is_empty() {
        line("");
        line("# the address that the client knows the server by");
    }
    for VipAddress { address, interface, label } in vips {
        let label = label.as_deref().map(|label| format!(" label {}", quoted(label)));
        let label = label.unwrap_or_default();
        line(&format!("ip addr add {address} dev {interface} scope host{label}"));
    }
    Some(out)
}

/// How the device is made; `None` for the one that the kernel makes when its module is loaded,
/// which has no settings.
fn added(device: &TunnelDevice) -> Option<String> {
    let TunnelDevice { name, address, protocol } = device;
    let local = address.map(|address| format!(" local {address}")).unwrap_or_default();
    match protocol {
        TunnelProtocol::Ipip => (name.as_str() != "tunl0").then(|| format!("ipip{local}")),
        TunnelProtocol::Gre(GreOptions { key: None, checksum: false }) => {
            (name.as_str() != "gre0").then(|| format!("gre{local}"))
        }
        TunnelProtocol::Gre(GreOptions { key, checksum }) => {
            let key = key.map(|key| format!(" key {key}")).unwrap_or_default();
            let checksum = if *checksum { " csum" } else { "" };
            Some(format!("gre{local}{key}{checksum}"))
        }
    }
}

/// A word of sh(1), quoted if need be.
fn quoted(word: &str) -> String {
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
