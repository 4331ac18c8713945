//! Packets at a rate, each from another source.

use super::NodeName;
use ipnet::IpNet;
use labsim_model::IpProtocol;
use std::net::SocketAddr;
use std::time::Duration;

/// Packets at a rate, each from another source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flood {
    /// The node that sends them.
    pub from: NodeName,
    /// Where they go.
    pub to: SocketAddr,
    /// TCP's are SYNs, UDP's are empty.
    pub protocol: IpProtocol,
    /// How many are sent in a second.
    pub packets_per_second: u32,
    /// How long.
    pub duration: Duration,
    /// What the sources are drawn from; of the destination's family.
    pub sources: IpNet,
    /// Chooses the sequence of sources, ports and sequence numbers.
    pub seed: u64,
}

impl Flood {
    /// How many packets there are, if the sender keeps up; at least one.
    #[must_use]
    pub fn packets(&self) -> u64 {
        let nanoseconds = self.duration.as_nanos() * u128::from(self.packets_per_second);
        u64::try_from(nanoseconds / 1_000_000_000).unwrap_or(u64::MAX).max(1)
    }

    /// What is sent: `SYN`, `datagram`.
    #[must_use]
    pub const fn noun(&self) -> &'static str {
        match self.protocol {
            IpProtocol::Tcp => "SYN",
            IpProtocol::Udp => "datagram",
        }
    }
}
