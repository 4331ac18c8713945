//! A load balancer as Linux Virtual Server (IPVS) has it: virtual services, their real servers, timeouts
//! and kernel settings, and what IPVS does not have or does in another way.
//!
//! What a service, a server, a scheduler and a tunnel mean is here once, for the export of a load balancer
//! and for a lab in which IPVS forwards.

mod difference;
mod director;

pub use difference::{Difference, Severity};
pub use director::{Director, Server, Service, mask};

use crate::{
    FastL4, IpProtocol, KeyPath, LoadBalancer, LoadBalancingMode, Maglev, MaglevHash, Profile,
    printable,
};

/// The forwarder's counters that IPVS has statistics of the same meaning for: packets to members, packets from
/// members through the load balancer, flows that were begun, flows now.
pub const COUNTERS: [&str; 4] = ["forwarded", "forwarded_to_client", "flows.opened", "flows.open"];

/// How packets reach a real server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forwarding {
    /// As they are, under the server's MAC address (`-g`, `DR`).
    DirectRouting,
    /// In a tunnel (`-i`, `TUN`).
    Tunnel(Profile),
    /// With the server's address in place of the VIP (`-m`, `NAT`).
    Masquerading,
}

impl Forwarding {
    /// Whether the destination is translated.
    #[must_use]
    pub const fn translates(self) -> bool {
        matches!(self, Self::Masquerading)
    }

    /// The profile of the member.
    #[must_use]
    pub const fn profile(self) -> Profile {
        match self {
            Self::Tunnel(profile) => profile,
            Self::DirectRouting | Self::Masquerading => Profile::None,
        }
    }
}

/// Seconds without a packet after which a connection is removed; all services of a director share them
/// (`ipvsadm --set`, keepalived's `lvs_timeouts`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Of established TCP connections.
    pub tcp: u32,
    /// Of UDP.
    pub udp: u32,
}

impl Timeouts {
    /// IPVS's own time after a FIN (ip_vs_proto_tcp.c).
    pub const TCP_FIN: u32 = 120;

    /// That of a protocol.
    #[must_use]
    pub const fn of(self, protocol: IpProtocol) -> u32 {
        match protocol {
            IpProtocol::Tcp => self.tcp,
            IpProtocol::Udp => self.udp,
        }
    }
}

impl Default for Timeouts {
    /// The kernel's own (ip_vs_proto_tcp.c, ip_vs_proto_udp.c).
    fn default() -> Self {
        Self { tcp: 900, udp: 300 }
    }
}

/// How IPVS's connections end: idle ones in silence, and others with the client's FIN.
#[must_use]
pub fn fastl4(protocol: IpProtocol, timeouts: Timeouts) -> FastL4 {
    FastL4 {
        idle_timeout: timeouts.of(protocol),
        reset_on_timeout: false,
        loose_close: true,
        ..FastL4::default()
    }
}

/// A scheduler, which is a module of the kernel's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scheduler {
    /// Its word, such as `wrr`.
    pub name: &'static str,
    /// The word of its flag, if it needs one.
    pub flag: Option<&'static str>,
    /// The flag's number (`IP_VS_SVC_F_SCHED*`), or 0.
    pub bits: u32,
}

impl Scheduler {
    /// `IP_VS_SVC_F_SCHED_MH_PORT` (linux/ip_vs.h).
    const MH_PORT: u32 = 0x10;

    const fn plain(name: &'static str) -> Self {
        Self { name, flag: None, bits: 0 }
    }

    /// That of a load balancing mode.
    #[must_use]
    pub const fn of_mode(mode: LoadBalancingMode) -> Self {
        match mode {
            LoadBalancingMode::RoundRobin => Self::plain("rr"),
            LoadBalancingMode::Ratio => Self::plain("wrr"),
            LoadBalancingMode::LeastConnections => Self::plain("lc"),
            LoadBalancingMode::RatioLeastConnections => Self::plain("wlc"),
            LoadBalancingMode::Maglev(Maglev { hash: MaglevHash::FiveTuple, .. }) => {
                Self { name: "mh", flag: Some("mh-port"), bits: Self::MH_PORT }
            }
            LoadBalancingMode::Maglev(Maglev { hash: MaglevHash::SourceAddress, .. }) => {
                Self::plain("mh")
            }
        }
    }
}

/// What of a load balancer keeps IPVS from being its engine: what IPVS refuses or has another default of, and
/// monitors.
#[must_use]
pub fn obstacles(balancer: &LoadBalancer) -> Vec<Difference> {
    let mut all = Director::new(balancer).differences;
    all.retain(|one| one.severity != Severity::None);
    let used = |name: &String| balancer.virtual_servers.values().any(|it| it.pool == *name);
    for (name, pool) in balancer.pools.iter().filter(|(name, _)| used(name)) {
        if let Some(monitor) = &pool.monitor {
            all.push(Difference {
                path: KeyPath::new(["pools", name, "monitor"]),
                what: format!("pool {}: monitor {}", printable(name), monitor.kind.word()),
                why: "IPVS monitors no server; keepalived does".to_owned(),
                severity: Severity::Refused,
            });
        }
    }
    all
}
