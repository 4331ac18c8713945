//! The file of `labsim forwarder --config FILE`: a load balancer on one interface.

use crate::load_balancer::LoadBalancer;
use labsim_yaml::{Diagnostics, Document, FromYaml, Partial, Source};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What one forwarder does, on one interface. In a file the load balancer's keys stand beside the
/// others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ForwarderConfig {
    /// The interface that packets come in and go out by, such as `eth0`.
    pub interface: String,
    /// Other interfaces of the host, up to 15: packets to VIPs are taken there too, and those to
    /// clients, and to members in a tunnel, that are reached by them are given to the host's kernel, which
    /// sends them on. The VIPs' ARP requests and neighbour solicitations are answered on `interface` alone. None by default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routed_interfaces: Vec<String>,
    /// What it forwards, and how.
    #[serde(flatten)]
    pub balancer: LoadBalancer,
    /// The ports that replace clients' ports where source addresses are translated; 61000 to 64999
    /// by default. The kernel of the namespace must not give them to its own sockets
    /// (`net.ipv4.ip_local_port_range`).
    #[serde(default)]
    pub snat_ports: SnatPorts,
    /// Bounds of the forwarder's tables.
    #[serde(default)]
    pub limits: Limits,
}

impl ForwarderConfig {
    /// A load balancer on an interface, with the default ports and bounds.
    #[must_use]
    pub fn new(interface: impl Into<String>, balancer: LoadBalancer) -> Self {
        let (snat_ports, limits) = (SnatPorts::default(), Limits::default());
        let routed_interfaces = Vec::new();
        Self { interface: interface.into(), routed_interfaces, balancer, snat_ports, limits }
    }

    /// Reads a file, and checks it.
    ///
    /// # Errors
    /// Every error with its place: what cannot be read, and what [`Self::check`] finds.
    pub fn read(source: Source) -> Result<Self, Diagnostics> {
        let document = Document::parse(source);
        let Partial { value, mut diagnostics, omitted } = document.read_partial::<Self>();
        let is_whole = diagnostics.is_empty();
        let Some(config) = value else { return Err(diagnostics) };
        let places: Vec<_> = diagnostics.iter().map(|one| (one.line, one.column)).collect();
        for problem in config.check() {
            let span = document.span_of(problem.path.keys());
            let may_be_unread = !is_whole && problem.missing.is_some() && !omitted.is_empty();
            if !may_be_unread && !places.contains(&(span.line(), span.column())) {
                diagnostics.push(document.diagnostic(span, problem.code, problem.message));
            }
        }
        if diagnostics.is_empty() { Ok(config) } else { Err(diagnostics) }
    }

    /// The same without its pools' secrets, for readers who may see everything else.
    #[must_use]
    pub fn without_secrets(mut self) -> Self {
        let pools = self.balancer.pools.values_mut();
        for monitor in pools.filter_map(|pool| pool.monitor.as_mut()) {
            monitor.secret = None;
        }
        self
    }
}

/// A range of ports, both ends in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SnatPorts {
    /// The lowest.
    pub first: u16,
    /// The highest.
    pub last: u16,
}

impl SnatPorts {
    /// Whether `port` is one of them.
    #[must_use]
    pub const fn contains(self, port: u16) -> bool {
        self.first <= port && port <= self.last
    }
}

impl Default for SnatPorts {
    /// 61000 to 64999: above the ports that Linux gives to its own sockets (32768 to 60999).
    fn default() -> Self {
        Self { first: 61_000, last: 64_999 }
    }
}

/// Bounds of the forwarder's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Flows at the same time, 1000000 by default. A flow takes 92 bytes: 64 of entry, 16 of index
    /// and 12 of links; with source address translation another 80. Memory is only touched as flows
    /// come.
    pub flows: u32,
    /// Neighbours at the same time; 256 by default.
    pub neighbours: u32,
    /// Packets that wait for a neighbour's answer, over all neighbours; 64 by default. Each takes a
    /// frame's room.
    pub waiting_packets: u32,
    /// Clients that are remembered for persistence at the same time, over all virtual servers; 65536
    /// by default. Each takes 56 bytes: 40 in the table, of which memory is only touched as clients
    /// come, and 16 in the index. Without persistence none is reserved.
    pub persistence_entries: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { flows: 1_000_000, neighbours: 256, waiting_packets: 64, persistence_entries: 65_536 }
    }
}

#[cfg(test)]
mod tests {
    use super::ForwarderConfig;

    const CONFIG: &str = r#"{"interface":"eth0",
        "virtual_servers":{"vs":{"destination":"172.16.4.99:49","pool":"p"}},
        "pools":{"p":{"members":[{"address":"10.1.1.51:49"}]}}}"#;

    #[test]
    fn the_form_of_the_control_socket_has_the_keys_of_the_file_and_no_others() {
        let read = |text: &str| serde_json::from_str::<ForwarderConfig>(text);
        let config = read(CONFIG).unwrap();
        let written = serde_json::to_string(&config).unwrap();
        assert_eq!(read(&written).unwrap(), config);
        let file = ForwarderConfig::read(labsim_yaml::Source::new("forwarder.yaml", &written));
        assert_eq!(file.unwrap(), config);
        let error = read(&CONFIG.replace("eth0\",", "eth0\",\"pool\":1,")).unwrap_err();
        assert!(error.to_string().contains("unknown field `pool`"), "{error}");
    }
}
