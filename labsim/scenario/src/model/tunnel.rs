//! Tunnels' ends on real servers.

use super::InterfaceName;
use labsim_model::TunnelKind;
use std::net::IpAddr;

/// `tunl0` or its like.
#[derive(Debug, Clone)]
pub struct TunnelDevice {
    /// What comes out of it.
    pub kind: TunnelKind,
    /// [`TunnelKind::usual_device`] unless a file sets another.
    pub name: InterfaceName,
    /// Whether it is up.
    pub up: bool,
    /// The address on it, `scope host`: the server's own IPv4 address by default, if IPv4 comes out.
    /// Without one and with a loose rp_filter the kernel drops every IPv4 packet that does.
    pub address: Option<IpAddr>,
    /// The node's own address that tunnel packets are for.
    pub local: Option<IpAddr>,
}
