//! What a node's kernel has counted, under the names that nstat(8) prints.

use crate::lab::Node;
use std::collections::BTreeMap;
use std::{fs, io};

/// Counters of one namespace by name: `IpInUnknownProtos`, `TcpInCsumErrors`,
/// `TcpExtIPReversePathFilter`. All begin at 0 with the namespace.
pub type Counters = BTreeMap<String, u64>;

/// Counters of one interface, as `/proc/net/dev` shows them (proc_pid_net(5)).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InterfaceCounters {
    /// Bytes received.
    pub rx_bytes: u64,
    /// Packets received.
    pub rx_packets: u64,
    /// Received with an error.
    pub rx_errors: u64,
    /// Received and dropped.
    pub rx_dropped: u64,
    /// Received out of their order, or with no room for them.
    pub rx_fifo: u64,
    /// Received with a wrong length, checksum or frame; a tunnel counts its checksums and its
    /// congestion marks here.
    pub rx_frame: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Not sent for an error.
    pub tx_errors: u64,
    /// Dropped instead of sent.
    pub tx_dropped: u64,
}

impl InterfaceCounters {
    /// Each by its name.
    #[must_use]
    pub fn by_name(&self) -> Counters {
        [
            ("rx_bytes", self.rx_bytes),
            ("rx_packets", self.rx_packets),
            ("rx_errors", self.rx_errors),
            ("rx_dropped", self.rx_dropped),
            ("rx_fifo", self.rx_fifo),
            ("rx_frame", self.rx_frame),
            ("tx_bytes", self.tx_bytes),
            ("tx_packets", self.tx_packets),
            ("tx_errors", self.tx_errors),
            ("tx_dropped", self.tx_dropped),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }
}

impl Node {
    /// The protocol counters of `/proc/net/snmp`, `/proc/net/netstat` and `/proc/net/snmp6`.
    ///
    /// # Errors
    /// The files cannot be read.
    pub fn counters(&self) -> io::Result<Counters> {
        self.run(of_this_namespace)?
    }

    /// The counters of each interface, by name.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn interface_counters(&self) -> io::Result<BTreeMap<String, InterfaceCounters>> {
        let text = self.run(|| fs::read_to_string("/proc/thread-self/net/dev"))??;
        Ok(text.lines().filter_map(parse_interface).collect())
    }
}

/// The protocol counters of the calling thread's namespace.
pub(crate) fn of_this_namespace() -> io::Result<Counters> {
    // `/proc/net` is the main thread's view; this thread is the one in the namespace.
    let snmp = fs::read_to_string("/proc/thread-self/net/snmp")?;
    let netstat = fs::read_to_string("/proc/thread-self/net/netstat")?;
    // A kernel without IPv6 has none.
    let snmp6 = fs::read_to_string("/proc/thread-self/net/snmp6").unwrap_or_default();
    let of_ipv4 = parse_counters(&snmp).chain(parse_counters(&netstat));
    Ok(of_ipv4.chain(parse_each(&snmp6)).collect())
}

/// A counter a line: `Ip6InReceives    42`.
fn parse_each(text: &str) -> impl Iterator<Item = (String, u64)> {
    text.lines().filter_map(|line| {
        let (name, value) = line.split_once(char::is_whitespace)?;
        Some((name.to_owned(), value.trim().parse().ok()?))
    })
}

/// Pairs of lines: `Ip: Forwarding DefaultTTL ...` and `Ip: 1 64 ...`. Values that are no counters
/// (`TcpMaxConn` is -1) are left out.
fn parse_counters(text: &str) -> impl Iterator<Item = (String, u64)> {
    let lines: Vec<_> = text.lines().filter_map(|line| line.split_once(':')).collect();
    let pairs = lines.chunks_exact(2).map(|pair| (pair[0], pair[1]));
    let same = pairs.filter(|((names, _), (values, _))| names == values);
    same.flat_map(|((group, names), (_, values))| {
        names
            .split_whitespace()
            .zip(values.split_whitespace())
            .filter_map(move |(name, value)| Some((format!("{group}{name}"), value.parse().ok()?)))
    })
    .collect::<Vec<_>>()
    .into_iter()
}

fn parse_interface(line: &str) -> Option<(String, InterfaceCounters)> {
    let (name, values) = line.split_once(':')?;
    let values: Vec<u64> =
        values.split_whitespace().map(str::parse).collect::<Result<_, _>>().ok()?;
    let &[rx_bytes, rx_packets, rx_errors, rx_dropped, rx_fifo, rx_frame, _, _, ref tx @ ..] =
        &values[..]
    else {
        return None;
    };
    let &[tx_bytes, tx_packets, tx_errors, tx_dropped, ..] = tx else { return None };
    let counters = InterfaceCounters {
        rx_bytes,
        rx_packets,
        rx_errors,
        rx_dropped,
        rx_fifo,
        rx_frame,
        tx_bytes,
        tx_packets,
        tx_errors,
        tx_dropped,
    };
    Some((name.trim().to_owned(), counters))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_named_as_nstat_names_them() {
        let snmp = "Ip: Forwarding InReceives\nIp: 1 42\nTcp: MaxConn InSegs\nTcp: -1 7\n";
        let netstat = "TcpExt: SyncookiesSent IPReversePathFilter\nTcpExt: 0 3\n";
        let counters: Counters = parse_counters(snmp).chain(parse_counters(netstat)).collect();
        let expected = [
            ("IpForwarding", 1),
            ("IpInReceives", 42),
            ("TcpExtIPReversePathFilter", 3),
            ("TcpExtSyncookiesSent", 0),
            ("TcpInSegs", 7),
        ];
        assert!(counters.iter().map(|(name, value)| (name.as_str(), *value)).eq(expected));
    }

    #[test]
    fn an_interface_line_is_read_and_a_heading_is_not() {
        let line = "  tunl0: 104 2 1 3 7 8 0 0 208 4 5 6 0 0 0 0";
        let (name, counters) = parse_interface(line).unwrap();
        assert_eq!(name, "tunl0");
        assert_eq!((counters.rx_packets, counters.rx_dropped), (2, 3));
        assert_eq!((counters.rx_fifo, counters.rx_frame), (7, 8));
        assert_eq!((counters.tx_bytes, counters.tx_dropped), (208, 6));
        assert_eq!(counters.by_name()["rx_frame"], 8);
        assert!(parse_interface(" face |bytes packets errs: drop").is_none());
    }
}
