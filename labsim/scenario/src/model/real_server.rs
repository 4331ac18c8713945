//! What makes a node a real server under DSR, and the servers that run in it.

use super::{InterfaceName, Secret, Setting, TunnelDevice};
use ipnet::IpNet;
use labsim_model::{IpProtocol, TcpForm, UdpForm};
use labsim_yaml::FromYaml;
use schemars::JsonSchema;
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

/// The Linux configuration of one real server.
#[derive(Debug, Clone)]
pub struct RealServer {
    /// The name of its part of the file's `real_servers`, which several nodes may share; none in a
    /// list.
    pub group: Option<String>,
    /// Where tunnelled packets come out, each kind on a device of its own; empty if it takes none.
    pub tunnels: Vec<TunnelDevice>,
    /// The VIPs that it holds.
    pub vips: Vec<VipAddress>,
    /// Settings that are made after the tunnel device exists, by dotted key.
    pub sysctls: BTreeMap<String, Setting>,
    /// What its routes through a router say of packet sizes.
    pub routes: RouteMetrics,
}

/// Packet sizes of a route (`RTA_METRICS`, rtnetlink(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RouteMetrics {
    /// The largest IP packet in bytes; the interface's without it.
    pub mtu: Option<u32>,
    /// The MSS that TCP offers, in bytes; what the MTU leaves without it.
    pub advmss: Option<u32>,
}

/// As ip-route(8) takes them: ` mtu 1480 advmss 1400`, or nothing.
impl fmt::Display for RouteMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(mtu) = self.mtu {
            write!(f, " mtu {mtu}")?;
        }
        match self.advmss {
            Some(advmss) => write!(f, " advmss {advmss}"),
            None => Ok(()),
        }
    }
}

/// Where an address is valid (`rtm_scope`, rtnetlink(7)). The kernel derives an IPv6 address's from the
/// address itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, FromYaml, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Scope {
    /// In this host: never a source for other hosts, and `arp_ignore: 3` answers no ARP for it.
    #[default]
    Host,
    /// On this link.
    Link,
    /// Everywhere.
    Global,
}

impl Scope {
    /// As ip-address(8) names it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Link => "link",
            Self::Global => "global",
        }
    }
}

/// A VIP on a real server: a host prefix.
#[derive(Debug, Clone)]
pub struct VipAddress {
    /// The VIP, /32 or /128.
    pub address: IpAddr,
    /// `lo` by default.
    pub interface: InterfaceName,
    /// Such as `lo:0`; IPv4 only.
    pub label: Option<String>,
    /// `host` by default.
    pub scope: Scope,
}

/// At which of its node's addresses a server listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, FromYaml, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Listen {
    /// Every address, the VIPs among them.
    #[default]
    Any,
    /// The addresses of its interfaces only: what is sent to a VIP finds no server.
    Own,
    /// The VIPs that it holds, and no other address.
    Vip,
}

/// A TACACS+ server (RFC 8907).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TacacsServer {
    /// The name of its part of the file's `tacacs_servers`; none in a list.
    pub group: Option<String>,
    /// Where it listens; empty for every address of its node.
    pub addresses: Vec<IpAddr>,
    /// 49 by default.
    pub port: u16,
    /// The shared secret of its clients.
    pub secret: Secret,
    /// The source addresses that it takes connections from; any other is refused.
    pub clients: Vec<IpNet>,
    /// Passwords by user.
    pub users: BTreeMap<String, Secret>,
    /// What users are authorized for, by user and service; everything without an entry.
    pub services: BTreeMap<String, BTreeMap<String, TacacsService>>,
}

/// What a user gets who is authorized for a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TacacsService {
    /// Attributes with their values, such as `priv-lvl=15`.
    pub attributes: Vec<String>,
    /// Whether they replace those of the request.
    pub replace: bool,
}

/// A RADIUS server (RFC 2865, RFC 2866).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RadiusServer {
    /// The name of its part of the file's `radius_servers`; none in a list.
    pub group: Option<String>,
    /// Where it listens; empty for every address of its node.
    pub addresses: Vec<IpAddr>,
    /// 1812 by default.
    pub authentication_port: u16,
    /// 1813 by default.
    pub accounting_port: u16,
    /// The shared secret of its clients.
    pub secret: Secret,
    /// The source addresses that it answers; requests of others are discarded.
    pub clients: Vec<IpNet>,
    /// Passwords by user.
    pub users: BTreeMap<String, Secret>,
    /// Whether an Access-Request without a Message-Authenticator is discarded.
    pub require_message_authenticator: bool,
    /// Whether Access-Accept and Access-Reject carry a Message-Authenticator.
    pub message_authenticator: bool,
    /// Reply-Message of its answers; empty for none.
    pub reply_message: String,
    /// Whether it answers from the address that the request was sent to (IP_PKTINFO, ip(7)). A
    /// server bound to 0.0.0.0 that does not answers from its own address instead of the VIP.
    pub packet_info: bool,
}

/// A server of any service but AAA's, over TCP or UDP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// The name of its part of the file's `tcp_servers` or `udp_servers`; none in a list.
    pub group: Option<String>,
    /// Where it listens; empty for every address of its node.
    pub addresses: Vec<IpAddr>,
    /// At least one.
    pub ports: Vec<u16>,
    /// What it does with what it gets.
    pub form: ServiceForm,
}

/// What a server does with what it gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceForm {
    /// Over TCP.
    Tcp(TcpForm),
    /// Over UDP.
    Udp {
        /// What it does.
        form: UdpForm,
        /// Whether it answers from the address that the request was sent to (IP_PKTINFO, ip(7)).
        packet_info: bool,
    },
}

impl Service {
    /// TCP or UDP.
    #[must_use]
    pub const fn protocol(&self) -> IpProtocol {
        match self.form {
            ServiceForm::Tcp(_) => IpProtocol::Tcp,
            ServiceForm::Udp { .. } => IpProtocol::Udp,
        }
    }

    /// `port 80`, `ports 80, 443`, `ports 8000-8010`: runs of more than two as a range.
    #[must_use]
    pub fn shown_ports(&self) -> String {
        let mut runs: Vec<(u16, u16)> = Vec::new();
        for port in &self.ports {
            match runs.last_mut() {
                Some((_, last)) if last.checked_add(1) == Some(*port) => *last = *port,
                _ => runs.push((*port, *port)),
            }
        }
        let runs: Vec<String> = runs
            .into_iter()
            .map(|(first, last)| match last - first {
                0 => first.to_string(),
                1 => format!("{first}, {last}"),
                _ => format!("{first}-{last}"),
            })
            .collect();
        let word = if self.ports.len() == 1 { "port" } else { "ports" };
        format!("{word} {}", runs.join(", "))
    }

    /// The service's usual name: `HTTP`, `DNS`, `TCP`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match &self.form {
            ServiceForm::Tcp(TcpForm::Http(_)) => "HTTP",
            ServiceForm::Tcp(_) => "TCP",
            ServiceForm::Udp { form: UdpForm::Dns(_), .. } => "DNS",
            ServiceForm::Udp { form: UdpForm::Syslog, .. } => "syslog",
            ServiceForm::Udp { .. } => "UDP",
        }
    }
}
