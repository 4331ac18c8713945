//! How the topology of a fault differs from that without one.

/// What is different.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wiring {
    /// Nothing.
    Usual,
    /// The router in the middle does not forward.
    RouterOff,
    /// Links leave checksums unfinished.
    Offloads,
    /// The load balancer's link has the MTU that an ICMP error reports.
    NarrowBalancer,
    /// The server's link has it.
    NarrowServer,
    /// The server's answers pass a firewall, and requests do not.
    ReplyFirewall,
}

impl Wiring {
    /// The name of the topology's file, without the ending.
    pub(crate) const fn file(self) -> &'static str {
        match self {
            Self::Usual => "topology",
            Self::RouterOff => "topology-router-off",
            Self::Offloads => "topology-offloads",
            Self::NarrowBalancer => "topology-narrow-load-balancer",
            Self::NarrowServer => "topology-narrow-server",
            Self::ReplyFirewall => "topology-firewall",
        }
    }

    /// Whether its networks of two ports are links, which have options, and no segments.
    pub(crate) const fn has_links(self) -> bool {
        matches!(self, Self::Offloads | Self::NarrowBalancer | Self::NarrowServer)
    }

    /// The word that a network has to have.
    pub(crate) const fn needs(self) -> Option<&'static str> {
        match self {
            Self::Usual | Self::Offloads => None,
            Self::NarrowBalancer | Self::NarrowServer => Some("mtu"),
            Self::ReplyFirewall | Self::RouterOff => Some("router"),
        }
    }
}
