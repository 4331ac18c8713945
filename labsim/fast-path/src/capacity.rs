//! How much the program's maps can hold.

use labsim_forwarder::{Config, SourceTranslation};

/// Flows of a family that had no virtual server when the program was attached.
const LATER_FLOWS: u32 = 4096;
/// Virtual servers and members that a reload may add, at least, and how many times as many as there are.
const LATER_NUMBERS: u32 = 64;
const TIMES: u32 = 4;

/// How much the program can hold; what is beyond stays the engine's. The kernel takes 16 bytes for each
/// flow that can be there at once, and sets them up at some 12 ns each; 32 bytes a processor for each
/// virtual server and member, at some 3 us each, and some 150 bytes for each path. The rest of a flow's memory,
/// and an address's, is taken when it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Flows of IPv4. One whose source is translated counts twice: each direction has an entry.
    pub ipv4_flows: u32,
    /// The same of IPv6.
    pub ipv6_flows: u32,
    /// Paths.
    pub paths: u32,
    /// Virtual servers that are counted for.
    pub servers: u32,
    /// Members that are counted for.
    pub members: u32,
    /// Addresses of which the engine takes something.
    pub addresses: u32,
}

impl Capacity {
    /// Room for all that the configuration allows, and for some of what another one may add.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let balancer = &config.balancer;
        let servers = || balancer.virtual_servers.values();
        let translates =
            servers().any(|server| server.source_address_translation != SourceTranslation::None);
        let all = config.limits.flows.saturating_mul(if translates { 2 } else { 1 });
        let flows = |is_served: bool| if is_served { all } else { all.min(LATER_FLOWS) };
        let members: usize = balancer.pools.values().map(|pool| pool.members.len()).sum();
        Self {
            ipv4_flows: flows(servers().any(|server| server.destination.is_ipv4())),
            ipv6_flows: flows(servers().any(|server| server.destination.is_ipv6())),
            servers: with_later(balancer.virtual_servers.len()),
            members: with_later(members),
            ..Self::default()
        }
    }
}

impl Default for Capacity {
    /// Room for what is tried by hand.
    fn default() -> Self {
        Self {
            ipv4_flows: LATER_FLOWS,
            ipv6_flows: LATER_FLOWS,
            paths: 4096,
            servers: LATER_NUMBERS,
            members: LATER_NUMBERS,
            addresses: 4096,
        }
    }
}

/// Numbers for so many, and for later ones.
fn with_later(count: usize) -> u32 {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    count.saturating_mul(TIMES).max(LATER_NUMBERS)
}
