//! Errors of virtual servers, and of load balancers as a whole.

use super::{monitor, pool, unicast_error};
use crate::load_balancer::{
    Announcements, DeliberateFault, IpProtocol, LoadBalancer, Persistence, Pool, SourceTranslation,
    VirtualServer,
};
use crate::{KeyPath, PortRange, Problem, is_plain, list_of, quote};
use labsim_codes::file;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

/// Most virtual servers, and most pools.
const MOST_OBJECTS: usize = 1024;
/// Longest name of a virtual server or a pool, in bytes.
const LONGEST_NAME: usize = 255;
/// SNAT addresses over all virtual servers; each has a list of its ports.
const MOST_SNAT_ADDRESSES: usize = 256;
/// The longest idle timeout and the longest persistence: a day, in seconds.
const LONGEST_TIMEOUT: u32 = 86_400;
/// Most announcements of an address.
const MOST_ANNOUNCEMENTS: u16 = 100;
/// The shortest and the longest time between two announcements.
const ANNOUNCEMENT_INTERVALS: RangeInclusive<Duration> =
    Duration::from_millis(10)..=Duration::from_secs(60);

impl LoadBalancer {
    /// Everything that is wrong with this load balancer by itself; empty if nothing is.
    #[must_use]
    pub fn check(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.virtual_servers.is_empty() {
            problems.push(Problem::absence(
                file::MISSING_VALUE,
                KeyPath::new(["virtual_servers"]),
                "",
                "there is no virtual server; add one",
            ));
        }
        check_names("virtual_servers", "virtual server", &self.virtual_servers, &mut problems);
        check_names("pools", "pool", &self.pools, &mut problems);
        for (name, server) in &self.virtual_servers {
            self.check_virtual_server(name, server, &mut problems);
        }
        self.check_common_ports(&mut problems);
        self.check_number_of_snat_addresses(&mut problems);
        self.check_announcements(&mut problems);
        self.check_faults(&mut problems);
        pool::check_pools(&self.pools, &mut problems);
        monitor::check_monitors(self, &mut problems);
        problems
    }

    /// Virtual servers with a port in common: a packet to it has one of them. Every port (`any`) is what
    /// the others leave.
    fn check_common_ports(&self, problems: &mut Vec<Problem>) {
        let mut taken: Vec<(IpAddr, u8, PortRange, &str)> = Vec::new();
        for (name, server) in &self.virtual_servers {
            if server.destination.is_unread() {
                continue;
            }
            let (vip, protocol) = (server.destination.ip(), server.ip_protocol.number());
            let ports = server.destination.ports();
            // No port is 0: two that take every one have it in common.
            let ranges =
                if ports.is_any() { &[PortRange { first: 0, last: 0 }] } else { ports.ranges() };
            taken.extend(ranges.iter().map(|range| (vip, protocol, *range, name.as_str())));
        }
        taken.sort_unstable();
        let mut told = BTreeSet::new();
        let mut before: Option<(IpAddr, u8, PortRange, &str)> = None;
        for one in taken {
            let (vip, protocol, range, name) = one;
            if let Some((other_vip, other_protocol, other, first)) = before
                && (other_vip, other_protocol) == (vip, protocol)
                && other.overlaps(range)
            {
                let (first, second) = if first < name { (first, name) } else { (name, first) };
                if told.insert((first, second)) {
                    problems.push(self.common_ports(first, second, other, range));
                }
            }
            // The one that reaches furthest is the one that the next can overlap.
            let reaches = |it: &(IpAddr, u8, PortRange, &str)| (it.0, it.1, it.2.last);
            before = before.filter(|it| reaches(it) >= reaches(&one)).or(Some(one));
        }
    }

    /// Two virtual servers with a port in common.
    fn common_ports(&self, first: &str, second: &str, one: PortRange, other: PortRange) -> Problem {
        let same = self.virtual_servers.get(first).map(|it| &it.destination)
            == self.virtual_servers.get(second).map(|it| &it.destination);
        let message = if same {
            format!("{} has the same destination and protocol; give each its own", quote(first))
        } else {
            let common =
                PortRange { first: one.first.max(other.first), last: one.last.min(other.last) };
            format!(
                "{} takes port {common} of the same address and protocol too; leave it to one of them",
                quote(first)
            )
        };
        let path = KeyPath::new(["virtual_servers", second, "destination"]);
        Problem::new(file::DUPLICATE_VALUE, path, message)
    }

    fn check_announcements(&self, out: &mut Vec<Problem>) {
        let Announcements { count, interval } = self.announcements;
        let at = KeyPath::new(["announcements"]);
        if count > MOST_ANNOUNCEMENTS {
            let message =
                format!("{count} announcements of an address; write 0 to {MOST_ANNOUNCEMENTS}");
            out.push(Problem::new(file::OUT_OF_RANGE, at.join("count"), message));
        }
        if !ANNOUNCEMENT_INTERVALS.contains(&interval) {
            let message = format!("{interval:?} between two announcements; write 10ms to 60s");
            out.push(Problem::new(file::OUT_OF_RANGE, at.join("interval"), message));
        }
    }

    fn check_virtual_server(&self, name: &str, server: &VirtualServer, out: &mut Vec<Problem>) {
        let at = KeyPath::new(["virtual_servers", name]);
        let is_read = !server.destination.is_unread();
        if let Some(message) = unicast_error(server.destination.address()).filter(|_| is_read) {
            out.push(Problem::new(file::UNUSABLE_ADDRESS, at.join("destination"), message));
        }
        let path = at.join("source_address_translation");
        if let SourceTranslation::Snat(addresses) = &server.source_address_translation {
            check_snat(&path.join("snat"), addresses, out);
        }
        let timeout = server.fastl4.idle_timeout;
        if !(1..=LONGEST_TIMEOUT).contains(&timeout) {
            out.push(Problem::new(
                file::OUT_OF_RANGE,
                at.join("fastl4").join("idle_timeout"),
                format!("an idle timeout of {timeout} s; write 1 to {LONGEST_TIMEOUT}"),
            ));
        }
        if let Persistence::SourceAddress(rule) = server.persistence {
            let path = at.join("persistence").join("source_address");
            if !(1..=LONGEST_TIMEOUT).contains(&rule.timeout) {
                out.push(Problem::new(
                    file::OUT_OF_RANGE,
                    path.join("timeout"),
                    format!(
                        "a persistence timeout of {} s; write 1 to {LONGEST_TIMEOUT}",
                        rule.timeout
                    ),
                ));
            }
            let most = if server.destination.is_ipv6() { 128 } else { 32 };
            if let Some(length) = rule.prefix_length.filter(|length| !(1..=most).contains(length)) {
                out.push(Problem::new(
                    file::OUT_OF_RANGE,
                    path.join("prefix_length"),
                    format!("a prefix of {length} bits; write 1 to {most}"),
                ));
            }
        }
        check_datagrams(&at, server, out);
        match self.pools.get(&server.pool) {
            None => out.push(Problem::absence(
                file::UNKNOWN_NAME,
                at.join("pool"),
                &server.pool,
                format!(
                    "there is no pool {}; `pools` has {}",
                    quote(&server.pool),
                    list_of(self.pools.keys())
                ),
            )),
            Some(pool) if is_read => {
                self.check_families(name, server, pool, out);
                check_addresses(name, server, pool, out);
            }
            Some(_) => {}
        }
    }

    /// Faults that are there twice, and those that leave nothing of what a virtual server wants.
    fn check_faults(&self, problems: &mut Vec<Problem>) {
        let at = KeyPath::new(["faults"]);
        for (index, fault) in self.faults.iter().enumerate() {
            if self.faults[..index].contains(fault) {
                let message = format!("`{fault}` is there twice; remove one");
                problems.push(Problem::new(file::DUPLICATE_VALUE, at.join(index), message));
            }
        }
        if !self.has_fault(DeliberateFault::ForgetFlows) {
            return;
        }
        for (name, server) in &self.virtual_servers {
            if server.source_address_translation != SourceTranslation::None {
                problems.push(Problem::new(
                    file::CONFLICT,
                    KeyPath::new(["virtual_servers", name, "source_address_translation"]),
                    "source address translation needs the flow table, and the load balancer keeps \
                     none (`faults: [forget_flows]`); remove one of them",
                ));
            }
        }
    }

    fn check_number_of_snat_addresses(&self, problems: &mut Vec<Problem>) {
        let servers = self.virtual_servers.values();
        let addresses = servers.flat_map(|server| match &server.source_address_translation {
            SourceTranslation::Snat(addresses) => addresses.as_slice(),
            _ => &[],
        });
        let addresses: BTreeSet<&IpAddr> = addresses.collect();
        if addresses.len() > MOST_SNAT_ADDRESSES {
            let number = addresses.len();
            problems.push(Problem::new(
                file::TOO_MANY,
                KeyPath::new(["virtual_servers"]),
                format!(
                    "{number} SNAT addresses over all virtual servers; at most \
                     {MOST_SNAT_ADDRESSES} are allowed"
                ),
            ));
        }
    }
}

/// Checks the names of virtual servers or pools, and how many there are.
fn check_names<T>(key: &str, what: &str, all: &BTreeMap<String, T>, problems: &mut Vec<Problem>) {
    if all.len() > MOST_OBJECTS {
        let message = format!("{} {what}s; at most {MOST_OBJECTS} are allowed", all.len());
        problems.push(Problem::new(file::TOO_MANY, KeyPath::new([key]), message));
    }
    for name in all.keys() {
        let message = if name.is_empty() {
            format!("an empty {what} name; write 1 to {LONGEST_NAME} bytes")
        } else if name.len() > LONGEST_NAME {
            format!("this {what} name has {} bytes; at most {LONGEST_NAME} are allowed", name.len())
        } else if !name.chars().all(is_plain) {
            format!("this {what} name has a control character; remove it")
        } else {
            continue;
        };
        problems.push(Problem::new(file::INVALID_VALUE, KeyPath::new([key, name]), message));
    }
}

/// Checks a virtual server's addresses against its members'.
fn check_addresses(name: &str, server: &VirtualServer, pool: &Pool, out: &mut Vec<Problem>) {
    let at = KeyPath::new(["virtual_servers", name]);
    let vip = server.destination.ip();
    if pool.members.iter().any(|member| member.address.ip() == vip) {
        out.push(Problem::new(
            file::CONFLICT,
            at.join("destination"),
            format!(
                "the VIP is a member of its own pool {}; give one of them another address",
                quote(&server.pool)
            ),
        ));
    }
    let SourceTranslation::Snat(addresses) = &server.source_address_translation else { return };
    for (index, address) in addresses.iter().enumerate() {
        if pool.members.iter().any(|member| member.address.ip() == *address) {
            out.push(Problem::new(
                file::CONFLICT,
                at.join("source_address_translation").join("snat").join(index),
                format!(
                    "{address} is a member's address, and a server does not answer itself; write \
                     another"
                ),
            ));
        }
    }
}

/// Checks that datagrams balanced each for itself are datagrams, and need no flow.
fn check_datagrams(at: &KeyPath, server: &VirtualServer, problems: &mut Vec<Problem>) {
    if !server.datagram_load_balancing {
        return;
    }
    let path = at.join("datagram_load_balancing");
    if server.ip_protocol != IpProtocol::Udp {
        let message = "TCP has no datagrams to balance: a connection stays with its member; remove this, or \
                       write `ip_protocol: udp`";
        problems.push(Problem::new(file::CONFLICT, path, message));
        return;
    }
    if server.source_address_translation != SourceTranslation::None {
        let message = "source address translation needs the flow, and none is kept; remove this, or the \
                       translation";
        problems.push(Problem::new(file::CONFLICT, path, message));
    }
}

fn check_snat(path: &KeyPath, addresses: &[IpAddr], problems: &mut Vec<Problem>) {
    if addresses.is_empty() {
        problems.push(Problem::absence(
            file::MISSING_VALUE,
            path.clone(),
            "",
            "`snat` has no address; add one, or write `automap`",
        ));
    }
    for (index, address) in addresses.iter().enumerate() {
        let (code, message) = if let Some(message) = unicast_error(SocketAddr::new(*address, 0)) {
            (file::UNUSABLE_ADDRESS, message)
        } else if addresses[..index].contains(address) {
            (file::DUPLICATE_VALUE, format!("{address} is there twice; remove one"))
        } else {
            continue;
        };
        problems.push(Problem::new(code, path.join(index), message));
    }
}
