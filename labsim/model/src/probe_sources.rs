//! Where a load balancer's monitors send from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// The addresses, ports and identifiers that monitors' probes were sent from: they tell probes and
/// their replies from all other packets. At most as many as there are ports and identifiers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProbeSources {
    /// The load balancer's own addresses.
    pub addresses: BTreeSet<IpAddr>,
    /// TCP ports.
    pub tcp: BTreeSet<u16>,
    /// UDP ports.
    pub udp: BTreeSet<u16>,
    /// Identifiers of ICMP echo.
    pub icmp: BTreeSet<u16>,
}

impl ProbeSources {
    /// Adds others.
    pub fn add(&mut self, other: Self) {
        self.addresses.extend(other.addresses);
        self.tcp.extend(other.tcp);
        self.udp.extend(other.udp);
        self.icmp.extend(other.icmp);
    }

    /// How many addresses, ports and identifiers there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.addresses.len() + self.tcp.len() + self.udp.len() + self.icmp.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
