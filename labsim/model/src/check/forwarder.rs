//! Errors of a forwarder's file beside those of its load balancer.

use crate::forwarder::ForwarderConfig;
use crate::{Engine, KeyPath, Problem, quote};
use labsim_codes::file;

/// The most flows; 1.5 GB of table.
const MOST_FLOWS: u32 = 1 << 24;
/// The most clients that are remembered for persistence; 940 MB of table.
const MOST_PERSISTENCE_ENTRIES: u32 = 1 << 24;
/// Longest interface name: `IFNAMSIZ` less the terminator (netdevice(7)).
const LONGEST_INTERFACE: usize = 15;
/// Other interfaces at most: each has a ring of its own.
const MOST_ROUTED: usize = 15;

impl ForwarderConfig {
    /// Everything that is wrong with this configuration by itself; empty if nothing is. Whether it
    /// fits its interface is not known here.
    #[must_use]
    pub fn check(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        self.check_interface(&mut problems);
        self.check_snat_ports(&mut problems);
        self.check_limits(&mut problems);
        problems.extend(self.balancer.check());
        self.check_secrets(&mut problems);
        if self.balancer.engine == Engine::Ipvs {
            let message = "this is the file of labsim's own forwarder, and `ipvs` is Linux's; take `engine` out, \
                           or have a scenario's load balancer use it";
            problems.push(Problem::new(file::CONFLICT, KeyPath::new(["engine"]), message));
        }
        problems
    }

    fn check_interface(&self, problems: &mut Vec<Problem>) {
        let routed = self.routed_interfaces.iter().enumerate();
        let routed =
            routed.map(|(index, name)| (KeyPath::new(["routed_interfaces"]).join(index), name));
        let mut seen = Vec::new();
        for (path, name) in
            std::iter::once((KeyPath::new(["interface"]), &self.interface)).chain(routed)
        {
            let bytes_ok = name.bytes().all(|b| b.is_ascii_graphic() && b != b'/' && b != b':');
            if name.is_empty() || name.len() > LONGEST_INTERFACE || !bytes_ok {
                problems.push(Problem::new(
                    file::INVALID_VALUE,
                    path,
                    format!(
                        "{} is not an interface name; write 1 to {LONGEST_INTERFACE} visible ASCII \
                         characters without `/` and `:`",
                        quote(name)
                    ),
                ));
            } else if seen.contains(&name) {
                let message = format!("{} is named twice; keep one", quote(name));
                problems.push(Problem::new(file::DUPLICATE_VALUE, path, message));
            } else {
                seen.push(name);
            }
        }
        if self.routed_interfaces.len() > MOST_ROUTED {
            let message = format!("at most {MOST_ROUTED} are allowed");
            problems.push(Problem::new(
                file::TOO_MANY,
                KeyPath::new(["routed_interfaces"]),
                message,
            ));
        }
    }

    fn check_snat_ports(&self, problems: &mut Vec<Problem>) {
        let ports = self.snat_ports;
        if ports.first == 0 || ports.first > ports.last {
            problems.push(Problem::new(
                file::OUT_OF_RANGE,
                KeyPath::new(["snat_ports"]),
                format!(
                    "{} to {} is not a range of ports; write 1 to 65535, the lowest first",
                    ports.first, ports.last
                ),
            ));
        }
    }

    fn check_limits(&self, problems: &mut Vec<Problem>) {
        let bounds = [
            ("flows", self.limits.flows, MOST_FLOWS),
            ("neighbours", self.limits.neighbours, 65_536),
            ("waiting_packets", self.limits.waiting_packets, 4_096),
            ("persistence_entries", self.limits.persistence_entries, MOST_PERSISTENCE_ENTRIES),
        ];
        for (key, value, most) in bounds {
            if value == 0 || value > most {
                problems.push(Problem::new(
                    file::OUT_OF_RANGE,
                    KeyPath::new(["limits", key]),
                    format!("{value} is out of range; write 1 to {most}"),
                ));
            }
        }
    }

    /// A forwarder has no servers whose secret could be the default.
    fn check_secrets(&self, problems: &mut Vec<Problem>) {
        for (name, pool) in &self.balancer.pools {
            let Some(monitor) = &pool.monitor else { continue };
            let word = monitor.kind.word();
            if monitor.kind.needs_secret() && monitor.secret.is_none() {
                problems.push(Problem::absence(
                    file::MISSING_VALUE,
                    KeyPath::new(["pools", name, "monitor", word, "secret"]),
                    "",
                    format!("a `{word}` monitor needs the servers' secret; write it"),
                ));
            }
        }
    }
}
