//! What is wrong with a configuration that reads well: every mistake at once, in sentences.

mod family;
mod monitor;
mod pool;

use super::{Config, Member, Persistence, Pool, SourceTranslation, VirtualServer};
use family::check_families;
use monitor::check_monitors;
use pool::check_pools;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

/// The most flows that may be asked for; 1.5 GB of table.
const MOST_FLOWS: u32 = 1 << 24;
/// The most clients that may be remembered; 940 MB of table.
const MOST_PERSISTENCE_ENTRIES: u32 = 1 << 24;
/// The longest persistence: a week.
const LONGEST_PERSISTENCE: u32 = 604_800;
/// SNAT addresses over all virtual servers; each has a list of its ports.
const MOST_SNAT_ADDRESSES: usize = 256;
/// Longest interface name: `IFNAMSIZ` less the terminator (netdevice(7)).
const LONGEST_INTERFACE: usize = 15;

/// One mistake in a configuration, with the key that holds it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct Problem {
    /// The dotted path of the key, such as `pools.p_tacacs-test_49.members`.
    pub path: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl Problem {
    pub(crate) fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }
}

impl Config {
    /// Everything that is wrong with this configuration by itself; empty if nothing is.
    ///
    /// Whether it fits the interface that it runs on is found by [`crate::Engine::new`].
    #[must_use]
    pub fn check(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        self.check_interface(&mut problems);
        self.check_snat_ports(&mut problems);
        self.check_limits(&mut problems);
        if self.virtual_servers.is_empty() {
            problems.push(Problem::new("virtual_servers", "there is none; give at least one"));
        }
        let mut seen: BTreeMap<(SocketAddr, u8), &str> = BTreeMap::new();
        for (name, server) in &self.virtual_servers {
            self.check_virtual_server(name, server, &mut problems);
            let key = (server.destination, server.ip_protocol.number());
            if let Some(first) = seen.insert(key, name) {
                problems.push(Problem::new(
                    format!("virtual_servers.{name}.destination"),
                    format!("`{first}` has the same destination {} and protocol", key.0),
                ));
            }
        }
        check_pools(&self.pools, &mut problems);
        check_monitors(self, &mut problems);
        problems
    }

    fn check_interface(&self, problems: &mut Vec<Problem>) {
        let name = &self.interface;
        let bytes_ok = name.bytes().all(|b| b.is_ascii_graphic() && b != b'/' && b != b':');
        if name.is_empty() || name.len() > LONGEST_INTERFACE || !bytes_ok {
            problems.push(Problem::new(
                "interface",
                format!(
                    "`{}` cannot be an interface's name: 1 to {LONGEST_INTERFACE} visible \
                     characters without `/` and `:`",
                    name.escape_debug()
                ),
            ));
        }
    }

    fn check_snat_ports(&self, problems: &mut Vec<Problem>) {
        let ports = self.snat_ports;
        if ports.first == 0 || ports.first > ports.last {
            problems.push(Problem::new(
                "snat_ports",
                format!(
                    "{} to {} is no range of ports; give 1 to 65535, the lowest first",
                    ports.first, ports.last
                ),
            ));
        }
        let snat = |server: &VirtualServer| match &server.source_address_translation {
            SourceTranslation::Snat(addresses) => addresses.clone(),
            _ => Vec::new(),
        };
        let addresses: BTreeSet<IpAddr> = self.virtual_servers.values().flat_map(snat).collect();
        if addresses.len() > MOST_SNAT_ADDRESSES {
            problems.push(Problem::new(
                "virtual_servers",
                format!("more than {MOST_SNAT_ADDRESSES} SNAT addresses over all virtual servers"),
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
                    format!("limits.{key}"),
                    format!("{value} is out of range; give 1 to {most}"),
                ));
            }
        }
    }

    fn check_virtual_server(&self, name: &str, server: &VirtualServer, out: &mut Vec<Problem>) {
        let at = |key: &str| format!("virtual_servers.{name}.{key}");
        if let Some(advice) = unfit(server.destination) {
            let message = format!("{} cannot be a VIP; {advice}", server.destination.ip());
            out.push(Problem::new(at("destination"), message));
        }
        if let SourceTranslation::Snat(addresses) = &server.source_address_translation {
            check_snat(&at("source_address_translation"), addresses, out);
        }
        if server.fastl4.idle_timeout == 0 {
            out.push(Problem::new(
                at("fastl4.idle_timeout"),
                "0 s would forget a flow at once; give 1 s or more",
            ));
        }
        if let Persistence::SourceAddress(rule) = server.persistence {
            if rule.timeout == 0 || rule.timeout > LONGEST_PERSISTENCE {
                out.push(Problem::new(
                    at("persistence.source_address.timeout"),
                    format!("{} s is out of range; give 1 to {LONGEST_PERSISTENCE}", rule.timeout),
                ));
            }
            let most = if server.destination.is_ipv6() { 128 } else { 32 };
            if let Some(length) = rule.prefix_length.filter(|length| !(1..=most).contains(length)) {
                out.push(Problem::new(
                    at("persistence.source_address.prefix_length"),
                    format!("{length} is out of range; give 1 to {most} bits"),
                ));
            }
        }
        match self.pools.get(&server.pool) {
            None => {
                let known: Vec<&str> = self.pools.keys().map(String::as_str).collect();
                let known =
                    if known.is_empty() { "there is none".to_owned() } else { known.join(", ") };
                out.push(Problem::new(
                    at("pool"),
                    format!("no pool is named `{}`; known: {known}", server.pool),
                ));
            }
            Some(pool) => {
                check_families(name, server, pool, self.outer_source, out);
                check_pairing(name, server, pool, out);
            }
        }
    }
}

/// Why an address cannot be a VIP or a member, as what is to be done about it.
fn unfit(address: SocketAddr) -> Option<String> {
    let ip = address.ip();
    if ip.is_unspecified() || ip.is_multicast() || ip.is_loopback() {
        return Some("give a unicast address".to_owned());
    }
    let (SocketAddr::V6(zoned), IpAddr::V6(ip)) = (address, ip) else { return None };
    if let Some(ip) = ip.to_ipv4_mapped() {
        return Some(format!("write it as the IPv4 address that it is, {ip}"));
    }
    if ip.is_unicast_link_local() {
        return Some("give a global or unique local address".to_owned());
    }
    (zoned.scope_id() != 0).then(|| format!("leave its zone %{} away", zoned.scope_id()))
}

fn check_pairing(name: &str, server: &VirtualServer, pool: &Pool, out: &mut Vec<Problem>) {
    for Member { address: member, .. } in &pool.members {
        if member.ip() == server.destination.ip() {
            out.push(Problem::new(
                format!("pools.{}.members", server.pool),
                format!("member {member} is the VIP itself; give the server's own address"),
            ));
        }
        let stands_in = match &server.source_address_translation {
            SourceTranslation::Snat(addresses) => addresses.contains(&member.ip()),
            _ => false,
        };
        if stands_in {
            out.push(Problem::new(
                format!("virtual_servers.{name}.source_address_translation"),
                format!(
                    "{} is a member's address, and no server answers itself; give another",
                    member.ip()
                ),
            ));
        }
    }
}

fn check_snat(path: &str, addresses: &[IpAddr], problems: &mut Vec<Problem>) {
    if addresses.is_empty() {
        problems.push(Problem::new(path, "`snat` has no address; give at least one"));
    }
    for (index, address) in addresses.iter().enumerate() {
        let broadcast = *address == IpAddr::V4(std::net::Ipv4Addr::BROADCAST);
        if address.is_ipv6() {
            problems.push(Problem::new(
                path,
                format!("{address}: only IPv4 sources are translated; give an IPv4 address"),
            ));
        } else if address.is_unspecified()
            || address.is_multicast()
            || address.is_loopback()
            || broadcast
        {
            problems.push(Problem::new(
                path,
                format!("{address} cannot stand in for clients; give a unicast address"),
            ));
        }
        if addresses[..index].contains(address) {
            problems.push(Problem::new(path, format!("{address} is there twice")));
        }
    }
}
