//! Files that make a Linux host a real server at every start: sysctl.d(5), modules-load.d(5), and units of
//! systemd-networkd, systemd.netdev(5) and systemd.network(5).

use super::NotExported;
use super::linux::{modules, tunnel_commands};
use ipnet::IpNet;
use labsim_scenario::model::{
    GreOptions, GueOptions, Interface, Node, NodeName, RealServer, RouteMetrics, Scenario,
    TunnelDevice, TunnelKind, VipAddress,
};
use std::fmt::Write;

/// Files below a folder, and what they cannot say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportedFiles {
    /// Path from the root of a host, without a slash at its beginning, and text.
    pub files: Vec<(String, String)>,
    /// What of the real server is not in them.
    pub not_exported: Vec<NotExported>,
}

/// The files of the real server that a node is; `None` if it is none.
///
/// They have the addresses and routes of the node's own interfaces, too, as the VIPs and the sizes of routes
/// may be on them.
#[must_use]
pub fn linux_files(scenario: &Scenario, name: &NodeName) -> Option<ExportedFiles> {
    let server = scenario.real_servers.get(name)?;
    let node = scenario.topology.node(name)?;
    let mut writer = Writer {
        head: format!("# {name} of the labsim scenario {}\n", scenario.name),
        files: Vec::new(),
        not_exported: Vec::new(),
    };
    writer.modules(server);
    writer.sysctls(server);
    for tunnel in &server.tunnels {
        writer.tunnel(tunnel, server);
    }
    writer.loopback(server);
    for interface in &node.interfaces {
        writer.interface(interface, node, server);
    }
    Some(ExportedFiles { files: writer.files, not_exported: writer.not_exported })
}

struct Writer {
    head: String,
    files: Vec<(String, String)>,
    not_exported: Vec<NotExported>,
}

impl Writer {
    fn file(&mut self, path: impl Into<String>, text: &str) {
        self.files.push((path.into(), format!("{}{text}", self.head)));
    }

    fn unit(&mut self, name: &str, ending: &str, text: &str) {
        self.file(format!("etc/systemd/network/50-labsim-{name}.{ending}"), text);
    }

    /// The modules are there before the settings of their devices are made.
    fn modules(&mut self, server: &RealServer) {
        let mut names: Vec<&str> = server.tunnels.iter().flat_map(modules).collect();
        names.sort_unstable();
        names.dedup();
        if !names.is_empty() {
            let text = names.iter().map(|name| format!("{name}\n")).collect::<String>();
            self.file("etc/modules-load.d/50-labsim.conf", &text);
        }
    }

    fn sysctls(&mut self, server: &RealServer) {
        if server.sysctls.is_empty() {
            return;
        }
        let settings = server.sysctls.iter();
        let lines = settings.map(|(key, setting)| format!("{key} = {}\n", setting.value));
        let text = lines.collect::<String>();
        self.file("etc/sysctl.d/90-labsim.conf", &text);
    }

    fn tunnel(&mut self, tunnel: &TunnelDevice, server: &RealServer) {
        let TunnelDevice { kind, name, address, up, .. } = tunnel;
        if let Some(GueOptions { port, .. }) = kind.gue() {
            if kind.outer_ipv4() {
                let text = format!(
                    "[NetDev]\nName=gue{port}\nKind=fou\n\n[FooOverUDP]\n\
                     Encapsulation=GenericUDPEncapsulation\nPort={port}\n"
                );
                self.unit(&format!("gue{port}"), "netdev", &text);
            } else {
                let why = format!(
                    "systemd-networkd makes ports of IPv4 only; run `ip -6 fou add port {port} gue` \
                     at every start"
                );
                self.not_exported.push(NotExported::new(format!("tunnel {name}: gue"), why));
            }
        }
        match device(tunnel) {
            Device::Module => {}
            Device::Unit(section) => {
                let text = format!(
                    "[NetDev]\nName={name}\nKind={}\n\n[Tunnel]\nIndependent=yes\n{section}",
                    kind.link_type()
                );
                self.unit(name.as_str(), "netdev", &text);
            }
            Device::None(why) => {
                let commands = tunnel_commands(tunnel);
                let command = commands.iter().find(|command| command.starts_with("ip link add"));
                let command = command.map_or("", String::as_str);
                let why = format!("{why}; run `{command}` at every start");
                self.not_exported.push(NotExported::new(format!("tunnel {name}"), why));
            }
        }
        let mut network = format!("[Match]\nName={name}\n\n[Link]\n");
        if !up {
            network.push_str("ActivationPolicy=down\n");
        }
        // No host waits for it, and it has no other addresses.
        network.push_str("RequiredForOnline=no\n\n[Network]\nLinkLocalAddressing=no\n");
        if let Some(own) = address {
            let own = IpNet::from(*own);
            let _ = write!(network, "\n[Address]\nAddress={own}\nScope=host\n");
        }
        network.push_str(&vips(server, name.as_str()));
        self.unit(name.as_str(), "network", &network);
    }

    fn loopback(&mut self, server: &RealServer) {
        let vips = vips(server, "lo");
        if !vips.is_empty() {
            self.unit("lo", "network", &format!("[Match]\nName=lo\n{vips}"));
        }
    }

    /// The node's own addresses and routes.
    fn interface(&mut self, interface: &Interface, node: &Node, server: &RealServer) {
        let Interface { name, addresses, mtu, .. } = interface;
        let mut text = format!(
            "# Where the host has a file of its own for this interface, take over what differs.\n\
             [Match]\nName={name}\n\n[Link]\nMTUBytes={mtu}\n\n[Network]\n"
        );
        // Writing to a string cannot fail.
        for address in addresses {
            let _ = writeln!(text, "Address={address}");
        }
        text.push_str(&vips(server, name.as_str()));
        for route in node.routes.iter().filter(|route| route.interface == *name) {
            let _ = write!(text, "\n[Route]\nDestination={}\n", route.destination);
            let key = if route.via.len() == 1 { "Gateway" } else { "MultiPathRoute" };
            for via in &route.via {
                let _ = writeln!(text, "{key}={via}");
            }
            text.push_str(&metrics(server.routes));
        }
        self.unit(name.as_str(), "network", &text);
    }
}

/// How a tunnel's device comes to be.
enum Device {
    /// It comes with its module.
    Module,
    /// The lines of its `[Tunnel]` section.
    Unit(String),
    /// systemd-networkd cannot make it, and why.
    None(&'static str),
}

fn device(tunnel: &TunnelDevice) -> Device {
    let TunnelDevice { kind, local, .. } = tunnel;
    if !tunnel_commands(tunnel).iter().any(|command| command.starts_with("ip link add")) {
        return Device::Module;
    }
    let local = local.map(|local| format!("Local={local}\n"));
    match (kind, kind.gre()) {
        (_, Some(GreOptions { checksum: true, .. })) => {
            Device::None("systemd.netdev(5) has no word for a checksum of GRE")
        }
        (_, Some(GreOptions { key: Some(key), .. })) => Device::Unit(format!("Key={key}\n")),
        (TunnelKind::Ip6tnl | TunnelKind::GueIp6tnl(_), _) => match local {
            Some(local) => Device::Unit(format!("Mode=any\n{local}")),
            None => {
                Device::None("systemd-networkd makes an ip6tnl with a local or remote end only")
            }
        },
        _ => Device::Unit(local.unwrap_or_default()),
    }
}

/// The VIPs on an interface, as `[Address]` sections.
fn vips(server: &RealServer, interface: &str) -> String {
    let mut text = String::new();
    for VipAddress { address, interface: own, label, scope } in &server.vips {
        if own.as_str() != interface {
            continue;
        }
        let address = IpNet::from(*address);
        let _ = write!(text, "\n[Address]\nAddress={address}\nScope={}\n", scope.name());
        if let Some(label) = label {
            let _ = writeln!(text, "Label={label}");
        }
    }
    text
}

/// What a route says of packet sizes.
fn metrics(RouteMetrics { mtu, advmss }: RouteMetrics) -> String {
    let mut text = String::new();
    if let Some(mtu) = mtu {
        let _ = writeln!(text, "MTUBytes={mtu}");
    }
    if let Some(advmss) = advmss {
        let _ = writeln!(text, "TCPAdvertisedMaximumSegmentSize={advmss}");
    }
    text
}
