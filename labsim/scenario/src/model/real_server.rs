//! What makes a node a real server under DSR, and the servers that run in it.

use super::{InterfaceName, Secret, TunnelDevice};
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// The Linux configuration of one real server.
#[derive(Debug, Clone)]
pub struct RealServer {
    /// Where tunnelled packets come out, each kind on a device of its own; empty if it takes none.
    pub tunnels: Vec<TunnelDevice>,
    /// The VIPs that it holds.
    pub vips: Vec<VipAddress>,
    /// Settings that are made after the tunnel device exists, by dotted key.
    pub sysctls: BTreeMap<String, String>,
}

/// A VIP on a real server: a host prefix, `scope host`.
#[derive(Debug, Clone)]
pub struct VipAddress {
    /// The VIP, /32 or /128.
    pub address: IpAddr,
    /// `lo` by default.
    pub interface: InterfaceName,
    /// Such as `lo:0`; IPv4 only.
    pub label: Option<String>,
}

/// A TACACS+ server (RFC 8907).
#[derive(Debug, Clone)]
pub struct TacacsServer {
    /// 49 by default.
    pub port: u16,
    /// The shared secret of its clients.
    pub secret: Secret,
    /// The source addresses that it takes connections from; any other is refused.
    pub clients: Vec<IpNet>,
    /// Passwords by user.
    pub users: BTreeMap<String, Secret>,
}

/// A RADIUS server (RFC 2865, RFC 2866).
#[derive(Debug, Clone)]
pub struct RadiusServer {
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
    /// What it says to users in its answers; empty for nothing.
    pub reply_message: String,
    /// Whether it answers from the address that it was asked at (IP_PKTINFO, ip(7)). A server
    /// bound to 0.0.0.0 that does not answers from its own address instead of the VIP.
    pub packet_info: bool,
}
