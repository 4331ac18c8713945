//! A host's state as facts, each with its line.

use super::host::{Host, SysctlName};
use crate::Line;
use crate::report::Report;
use ipnet::IpNet;
use std::net::IpAddr;

/// A host's state, as far as texts show it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// Its addresses; `None` if no text lists them.
    pub addresses: Option<Vec<Address>>,
    /// Its network devices that texts show.
    pub devices: Vec<Device>,
    /// Settings of IPv4 devices that decide what becomes of packets of a real server.
    pub settings: Vec<Setting>,
    /// Whether it forwards IPv4 packets; `None` if no text shows it.
    pub forwards: Option<bool>,
    /// Sockets that take TCP connections; `None` if no text lists them.
    pub tcp: Option<Vec<Socket>>,
    /// Sockets that take UDP datagrams; `None` if no text lists them.
    pub udp: Option<Vec<Socket>>,
    /// The kernel's counters.
    pub counters: Vec<Counter>,
}

/// An address of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Its line.
    pub line: Line,
    /// Host bits kept.
    pub net: IpNet,
    /// The device's name.
    pub device: String,
}

/// A network device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its line.
    pub line: Line,
    /// Its name.
    pub name: String,
    /// `loopback`, `ether`, `ipip`, `gre` and so on, if that is shown.
    pub kind: Option<String>,
    /// Its link-layer address, if it is an Ethernet's and shown.
    pub mac: Option<[u8; 6]>,
    /// Whether it is up, if that is shown.
    pub is_up: Option<bool>,
    /// The one sender whose packets a tunnel takes, if it has one.
    pub remote: Option<IpAddr>,
    /// Whether its options as a tunnel are shown (`ip -d link`).
    pub has_options: bool,
}

/// `net.ipv4.conf.DEVICE.KEY`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Its line.
    pub line: Line,
    /// The device, `all` or `default`.
    pub device: String,
    /// Its name: `rp_filter`, `arp_ignore`, `arp_announce` or `accept_local`.
    pub key: String,
    /// Its value.
    pub value: u32,
}

/// A socket that takes connections or datagrams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Socket {
    /// Its line.
    pub line: Line,
    /// The address; `None` is every one.
    pub address: Option<IpAddr>,
    /// The port.
    pub port: u16,
}

/// A counter of the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counter {
    /// Its line.
    pub line: Line,
    /// As nstat(8) names it, such as `TcpExtIPReversePathFilter`.
    pub name: String,
    /// Its value.
    pub value: u64,
}

const KEYS: [&str; 4] = ["rp_filter", "arp_ignore", "arp_announce", "accept_local"];

pub(super) fn state(host: &Host, report: &Report<'_>) -> State {
    let addresses = host.links.iter().flat_map(|link| {
        link.addresses.iter().map(|it| Address {
            line: report.line(it.place),
            net: it.net,
            device: link.name.clone(),
        })
    });
    let devices = host.links.iter().map(|link| Device {
        line: report.line(link.place),
        name: link.name.clone(),
        kind: link.kind.clone(),
        mac: link.mac,
        is_up: link.up,
        remote: link.tunnel.remote.filter(|remote| !remote.is_unspecified()),
        has_options: link.tunnel.is_known,
    });
    let settings = host.sysctls.iter().filter_map(|(name, sysctl)| match name {
        SysctlName::Interface { family, interface, key }
            if family == "ipv4" && KEYS.contains(&key.as_str()) =>
        {
            Some(Setting {
                line: report.line(sysctl.place),
                device: interface.clone(),
                key: key.clone(),
                value: sysctl.value.parse().ok()?,
            })
        }
        _ => None,
    });
    let forwards = host.sysctls.get(&SysctlName::Global("net.ipv4.ip_forward".to_owned()));
    let sockets = |is_tcp: bool| {
        let of_protocol = host.sockets.iter().filter(|it| it.is_tcp == is_tcp);
        let socket = of_protocol.map(|it| Socket {
            line: report.line(it.place),
            address: it.address,
            port: it.port,
        });
        socket.collect()
    };
    let counters = host.counters.iter().map(|(name, it)| Counter {
        line: report.line(it.place),
        name: name.clone(),
        value: it.value,
    });
    State {
        addresses: host.has_addresses.then(|| addresses.collect()),
        devices: devices.collect(),
        settings: settings.collect(),
        forwards: forwards.map(|it| it.value != "0"),
        tcp: host.has_tcp.then(|| sockets(true)),
        udp: host.has_udp.then(|| sockets(false)),
        counters: counters.collect(),
    }
}
