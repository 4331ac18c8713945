//! What is known of a host after all texts about it were read.

use crate::place::Place;
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// A host's state, as far as texts show it.
#[derive(Debug, Default)]
pub(super) struct Host {
    /// In the order of their first appearance.
    pub(super) links: Vec<Link>,
    /// Kernel settings by name, with dots between its parts and dots in an interface's name kept.
    pub(super) sysctls: BTreeMap<SysctlName, Sysctl>,
    pub(super) routes: Vec<Route>,
    pub(super) sockets: Vec<Socket>,
    /// By the names of nstat(8), such as `TcpExtIPReversePathFilter`.
    pub(super) counters: BTreeMap<String, Counter>,
    /// Whether a list of addresses was seen: what it lacks, the host lacks.
    pub(super) has_addresses: bool,
    /// Whether a list of routes of the main table was seen.
    pub(super) has_routes: bool,
    /// Whether a list of TCP and of UDP sockets was seen.
    pub(super) has_tcp: bool,
    pub(super) has_udp: bool,
    /// The UDP port at which GUE packets are taken, where a file shows it.
    pub(super) gue_port: Option<u16>,
}

/// A network device.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) place: Place,
    pub(super) name: String,
    /// `loopback`, `ether`, `ipip`, `gre`, ...: the word behind `link/`.
    pub(super) kind: Option<String>,
    /// Its link-layer address, if it is an Ethernet's.
    pub(super) mac: Option<[u8; 6]>,
    /// Whether its flags have UP.
    pub(super) up: Option<bool>,
    pub(super) mtu: Option<u32>,
    pub(super) tunnel: TunnelOptions,
    pub(super) addresses: Vec<Address>,
}

/// What `ip -d link` shows of a tunnel.
#[derive(Debug, Default)]
pub(super) struct TunnelOptions {
    pub(super) remote: Option<IpAddr>,
    pub(super) key: Option<u32>,
    pub(super) checksum: bool,
    /// Whether it was shown at all.
    pub(super) is_known: bool,
}

#[derive(Debug)]
pub(super) struct Address {
    pub(super) place: Place,
    /// Host bits kept.
    pub(super) net: IpNet,
    /// As ip-address(8) names it.
    pub(super) scope: String,
    pub(super) label: Option<String>,
}

/// A kernel setting's name; of an interface's setting, family and interface apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SysctlName {
    Global(String),
    /// `net.FAMILY.conf.INTERFACE.KEY`
    Interface {
        family: String,
        interface: String,
        key: String,
    },
}

#[derive(Debug)]
pub(super) struct Sysctl {
    pub(super) place: Place,
    pub(super) value: String,
}

#[derive(Debug)]
pub(super) struct Route {
    pub(super) place: Place,
    pub(super) destination: IpNet,
    pub(super) via: Option<IpAddr>,
    pub(super) device: Option<String>,
    pub(super) mtu: Option<u32>,
    pub(super) advmss: Option<u32>,
}

/// A counter of the kernel, as a text shows it last.
#[derive(Debug)]
pub(super) struct Counter {
    pub(super) place: Place,
    pub(super) value: u64,
}

/// A socket that takes connections or datagrams.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Socket {
    pub(super) place: Place,
    pub(super) is_tcp: bool,
    /// None for every address.
    pub(super) address: Option<IpAddr>,
    pub(super) port: u16,
    /// The device that it is bound to.
    pub(super) device: Option<String>,
}

impl Host {
    /// Whether nothing is known of it.
    pub(super) fn is_empty(&self) -> bool {
        let has_list = self.has_addresses || self.has_routes || self.has_tcp || self.has_udp;
        !has_list && self.links.is_empty() && self.sysctls.is_empty()
    }

    /// The device of that name, new if need be.
    pub(super) fn link(&mut self, name: &str, place: Place) -> Option<&mut Link> {
        /// Most devices that are remembered.
        const LINKS: usize = 1000;
        if let Some(at) = self.links.iter().position(|link| link.name == name) {
            return self.links.get_mut(at);
        }
        if self.links.len() >= LINKS {
            return None;
        }
        self.links.push(Link {
            place,
            name: name.to_owned(),
            kind: None,
            mac: None,
            up: None,
            mtu: None,
            tunnel: TunnelOptions::default(),
            addresses: Vec::new(),
        });
        self.links.last_mut()
    }

    /// The device that has an address.
    pub(super) fn link_with(&self, address: IpAddr) -> Option<&Link> {
        self.links.iter().find(|link| link.addresses.iter().any(|it| it.net.addr() == address))
    }
}

impl Link {
    /// Whether it is the loopback device.
    pub(super) fn is_loopback(&self) -> bool {
        self.name == "lo" || self.kind.as_deref() == Some("loopback")
    }

    /// Adds an address, each once.
    pub(super) fn add(&mut self, address: Address) {
        /// Most addresses of a device that are remembered.
        const ADDRESSES: usize = 1000;
        let is_known = self.addresses.iter().any(|it| it.net == address.net);
        if !is_known && self.addresses.len() < ADDRESSES {
            self.addresses.push(address);
        }
    }
}
