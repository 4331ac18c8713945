//! The kernel's counters: /proc/net/snmp, /proc/net/netstat, `nstat`. They are what happened, and no
//! settings; two of them show a fault of a real server.

use super::host::{Counter, Host};
use crate::place::Place;
use crate::report::Report;

/// A counter.
const COUNTER: &str = "counter of the kernel";
/// Groups of counters in /proc/net/snmp and /proc/net/netstat.
const GROUPS: [&str; 9] =
    ["Ip", "Icmp", "IcmpMsg", "Tcp", "Udp", "UdpLite", "TcpExt", "IpExt", "MPTcpExt"];

/// A line of names whose numbers are in the next line.
#[derive(Default)]
pub(super) struct Counters {
    group: String,
    names: Vec<String>,
}

impl Counters {
    /// A line of counters. Whether it is one.
    pub(super) fn line(
        &mut self,
        line: &str,
        place: Place,
        host: &mut Host,
        report: &mut Report<'_>,
    ) -> bool {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let group = words.first().and_then(|word| word.strip_suffix(':'));
        let is_nstat = |name: &str| {
            GROUPS.iter().any(|group| name.starts_with(group)) || name.starts_with("Ip6")
        };
        match (group, words.as_slice()) {
            (None, ["#kernel"]) => report.left_out(place, COUNTER),
            (None, [name, value, _]) if is_nstat(name) => {
                report.left_out(place, COUNTER);
                counter(name, value, place, host, report);
            }
            (Some(group), [_, rest @ ..]) if GROUPS.contains(&group) => {
                report.left_out(place, COUNTER);
                if rest.iter().all(|word| word.parse::<i64>().is_ok()) && self.group == group {
                    for (name, value) in self.names.iter().zip(rest) {
                        counter(&format!("{group}{name}"), value, place, host, report);
                    }
                } else {
                    self.group = group.to_owned();
                    self.names = rest.iter().map(|name| (*name).to_owned()).collect();
                }
            }
            _ => return false,
        }
        true
    }
}

/// Keeps a counter.
fn counter(name: &str, value: &str, place: Place, host: &mut Host, report: &mut Report<'_>) {
    /// Most counters that are remembered: a kernel has some hundred.
    const MOST: usize = 2000;
    if let Ok(number) = value.parse()
        && (host.counters.len() < MOST || host.counters.contains_key(name))
    {
        host.counters.insert(name.to_owned(), Counter { place, value: number });
    }
    evidence(name, value, place, report);
}

/// Warns where packets were dropped as those of a tunnel are.
fn evidence(name: &str, value: &str, place: Place, report: &mut Report<'_>) {
    let why = match name {
        "TcpExtIPReversePathFilter" => "so many packets were dropped by the reverse path filter",
        "IpInAddrErrors" => "so many packets were for an address that the host does not have",
        _ => return,
    };
    if let Ok(value @ 1..) = value.parse::<u64>() {
        let why = format!("{why} since the host started; it is not known which");
        report.warn(place, format!("{name} {value}"), why);
    }
}
