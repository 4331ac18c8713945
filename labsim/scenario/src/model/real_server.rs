//! What makes a node a real server under DSR, and the servers that run in it.

use super::{GreOptions, InterfaceName, Secret};
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// The Linux configuration of one real server.
#[derive(Debug, Clone)]
pub struct RealServer {
    /// Where tunnelled packets come out; `None` if it takes none.
    pub tunnel: Option<TunnelDevice>,
    /// The VIPs that it holds.
    pub vips: Vec<VipAddress>,
    /// Settings that are made after the tunnel device exists, by dotted key.
    pub sysctls: BTreeMap<String, String>,
}

/// The encapsulation that a tunnel device takes off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TunnelProtocol {
    /// IP in IP (RFC 2003); the device is `tunl0` unless a file says otherwise.
    Ipip,
    /// GRE (RFC 2784, RFC 2890); `gre0`, or `gre1` with a key or a checksum, unless a file says
    /// otherwise.
    Gre(GreOptions),
}

/// `tunl0` or its like.
#[derive(Debug, Clone)]
pub struct TunnelDevice {
    /// What comes out of it.
    pub protocol: TunnelProtocol,
    /// `tunl0` for IPIP.
    pub name: InterfaceName,
    /// Whether it is up.
    pub up: bool,
    /// The address on it, `scope host`: the server's own by default. Without one and with a
    /// loose rp_filter the kernel drops everything that comes out of it.
    pub address: Option<IpAddr>,
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
