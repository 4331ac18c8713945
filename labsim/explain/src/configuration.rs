//! What files of the devices say: load balancers' configurations, hosts' states and counters.

use crate::connection::Protocol;
use crate::known::Known;
use labsim_import::Line;
use labsim_import::balancer::{Balancer, Virtual};
use labsim_import::linux::State;
use labsim_model::IpProtocol;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

/// What files of the devices say.
#[derive(Debug, Clone, Default)]
pub struct Configuration {
    /// Load balancers.
    pub balancers: Vec<Balancer>,
    /// Servers.
    pub hosts: Vec<Host>,
}

/// What files say of a server.
#[derive(Debug, Clone)]
pub struct Host {
    /// As the user calls it.
    pub name: String,
    /// Its state.
    pub state: State,
    /// Its counters before and after what was captured.
    pub counters: Option<(State, State)>,
}

/// How far a counter rose.
#[derive(Debug, Clone)]
pub(crate) struct Rise {
    pub(crate) name: String,
    pub(crate) by: u64,
    /// Where it stands before and after.
    pub(crate) lines: (Line, Line),
}

impl Configuration {
    pub(crate) fn is_empty(&self) -> bool {
        self.balancers.is_empty() && self.hosts.is_empty()
    }

    /// The virtual server that takes what is sent to this address and port: one of the port, else one of all
    /// ports.
    #[must_use]
    pub fn virtual_server(&self, end: SocketAddr, protocol: Protocol) -> Option<&Virtual> {
        let all = || self.balancers.iter().flat_map(|it| &it.virtuals);
        let fits = |it: &&Virtual| {
            let is_alike = match protocol {
                Protocol::Tcp => it.protocol == IpProtocol::Tcp,
                Protocol::Udp => it.protocol == IpProtocol::Udp,
            };
            is_alike && it.address == end.ip()
        };
        let is_of_port = |it: &&Virtual| !it.ports.is_any() && it.ports.contains(end.port());
        let of_port = all().filter(fits).find(is_of_port);
        of_port.or_else(|| all().filter(fits).find(|it| it.ports.is_any()))
    }

    /// Whether a virtual server takes what is sent to this address and port.
    pub(crate) fn is_vip(&self, end: SocketAddr) -> bool {
        let mut all = self.balancers.iter().flat_map(|it| &it.virtuals);
        all.any(|it| it.address == end.ip() && it.ports.contains(end.port()))
    }

    /// The servers that got a connection's packets: by the end of their tunnel, by the address that they were
    /// translated to, or by the name of a capture point that saw them.
    pub(crate) fn hosts_of<'a>(&'a self, known: &Known<'_>) -> Vec<&'a Host> {
        let mut ends: Vec<IpAddr> = known.tunnels.iter().map(|it| it.destination).collect();
        if ends.is_empty() {
            let translated = known.siblings.iter().filter(|it| it.isn.is_some());
            ends.extend(translated.map(|it| it.server.ip()));
        }
        let has_end = |host: &&Host| ends.iter().any(|end| host.has_address(*end));
        let by_address: Vec<&Host> = self.hosts.iter().filter(has_end).collect();
        if !by_address.is_empty() {
            return by_address;
        }
        let points = known.ways.requests.points.iter();
        let servers: Vec<&str> =
            points.map(|point| known.name(*point).split(':').next().unwrap_or_default()).collect();
        let is_named = |host: &&Host| {
            servers.contains(&host.name.as_str())
                && (host.state.addresses.is_none() || ends.is_empty())
        };
        self.hosts.iter().filter(is_named).collect()
    }
}

impl Host {
    pub(crate) fn has_address(&self, address: IpAddr) -> bool {
        let mut addresses = self.state.addresses.iter().flatten();
        addresses.any(|it| it.net.addr() == address)
    }

    /// Counters that both texts show: those that rose, and those that did not.
    pub(crate) fn rises(&self) -> Vec<Rise> {
        let Some((before, after)) = &self.counters else { return Vec::new() };
        let rise = |it: &labsim_import::linux::Counter| {
            let first = before.counters.iter().find(|first| first.name == it.name)?;
            // One that is smaller counts from another start of the host.
            let by = it.value.checked_sub(first.value)?;
            Some(Rise { name: it.name.clone(), by, lines: (first.line.clone(), it.line.clone()) })
        };
        after.counters.iter().filter_map(rise).collect()
    }
}

/// Files that a connection was compared with.
#[derive(Debug, Default)]
pub(crate) struct Used {
    hosts: BTreeSet<String>,
    has_virtual: bool,
}

impl Used {
    pub(crate) fn add(&mut self, known: &Known<'_>) {
        let (connection, configuration) = (known.connection, &known.trace.configuration);
        self.hosts.extend(configuration.hosts_of(known).iter().map(|host| host.name.clone()));
        self.has_virtual |=
            configuration.virtual_server(connection.server, connection.protocol).is_some();
    }

    /// In sentences, what was compared with nothing.
    pub(crate) fn unused(&self, configuration: &Configuration) -> Vec<String> {
        let unused = configuration.hosts.iter().filter(|host| !self.hosts.contains(&host.name));
        let mut notices: Vec<String> = unused
            .map(|host| {
                let name = &host.name;
                let why = if host.state.addresses.is_some() {
                    "no connection shows that its packets came to one of this server's addresses"
                } else {
                    "its addresses are not shown (`ip addr`), and no capture point of this name saw what a client sent"
                };
                format!("the files of {name} were not used: {why}")
            })
            .collect();
        if !self.has_virtual && !configuration.balancers.is_empty() {
            notices.push(
                "no connection asks a virtual server of the configuration: it was not used"
                    .to_owned(),
            );
        }
        notices
    }
}
