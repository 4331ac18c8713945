//! What a node's kernel has counted, under the names that nstat(8) prints.

use crate::lab::{Lab, Node};
use labsim_scenario::model::NodeName;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read as _};

/// More than any of the files has, but that of the devices of a node with many.
const FILE_BYTES: usize = 16 << 10;

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

/// What a node's kernel had counted at one moment, as its files have it. Most of it never changes and
/// is never looked at, so that it is read into numbers only where it is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CounterText {
    snmp: String,
    netstat: String,
    snmp6: String,
    devices: String,
}

impl CounterText {
    /// In the calling thread's namespace; the same as before if no device, `lo` among them, has
    /// sent or received anything since.
    fn read(before: Option<&Self>) -> io::Result<Self> {
        // `/proc/net` is the main thread's view; this thread is the one in the namespace.
        let read = |name| read_file(&format!("/proc/thread-self/net/{name}"));
        // First: what comes in meanwhile is seen by the next reading.
        let devices = read("dev")?;
        if let Some(before) = before.filter(|before| before.devices == devices) {
            return Ok(before.clone());
        }
        Ok(Self {
            snmp: read("snmp")?,
            netstat: read("netstat")?,
            // A kernel without IPv6 has no such file.
            snmp6: read("snmp6").unwrap_or_default(),
            devices,
        })
    }

    /// All protocol counters.
    #[must_use]
    pub fn protocols(&self) -> Counters {
        let of_ipv4 = parse_counters(&self.snmp).chain(parse_counters(&self.netstat));
        of_ipv4.chain(parse_each(&self.snmp6)).collect()
    }

    /// The names of all protocol counters.
    #[must_use]
    pub fn names(&self) -> BTreeSet<String> {
        self.protocols().into_keys().collect()
    }

    /// By how much protocol counters have risen since; those that have not are left out.
    #[must_use]
    pub fn risen_since(&self, before: &Self) -> Counters {
        let mut risen = Counters::new();
        for (was, now) in [(&before.snmp, &self.snmp), (&before.netstat, &self.netstat)] {
            if was != now {
                add_risen(was, now, &mut risen);
            }
        }
        if before.snmp6 != self.snmp6 {
            let was: Counters = parse_each(&before.snmp6).collect();
            risen.extend(parse_each(&self.snmp6).filter_map(|(name, now)| {
                let rise = now.saturating_sub(was.get(&name).copied().unwrap_or_default());
                (rise > 0).then_some((name, rise))
            }));
        }
        risen
    }

    /// The counters of each interface, by name.
    pub fn interfaces(&self) -> impl Iterator<Item = (&str, InterfaceCounters)> {
        self.devices.lines().filter_map(parse_interface)
    }
}

/// Reads a file whose length the kernel does not tell, in a few calls.
fn read_file(path: &str) -> io::Result<String> {
    let mut text = String::with_capacity(FILE_BYTES);
    File::open(path)?.read_to_string(&mut text)?;
    text.shrink_to_fit();
    Ok(text)
}

impl Lab {
    /// As [`Node::counter_text_since`], of every node, in the plan's order.
    ///
    /// # Errors
    /// The namespaces cannot be entered; for each node, its files cannot be read.
    pub fn counter_texts_since(
        &self,
        before: &BTreeMap<NodeName, CounterText>,
    ) -> io::Result<Vec<(&Node, io::Result<CounterText>)>> {
        self.run_in_each(|node| node.read_since(before.get(node.name())))
    }
}

impl Node {
    /// The protocols' and the interfaces' counters up to now.
    ///
    /// # Errors
    /// The files cannot be read.
    pub fn counter_text(&self) -> io::Result<CounterText> {
        self.run_passive(|| CounterText::read(None))?
    }

    /// The same, after an earlier reading. A node in which nothing was started that sends by itself
    /// counts nothing as long as its devices do not, and is read in a fraction of the time.
    ///
    /// # Errors
    /// The files cannot be read.
    pub fn counter_text_since(&self, before: Option<&CounterText>) -> io::Result<CounterText> {
        self.run_passive(|| self.read_since(before))?
    }

    /// On a thread that is in the node.
    fn read_since(&self, before: Option<&CounterText>) -> io::Result<CounterText> {
        CounterText::read(before.filter(|_| !self.initiates()))
    }

    /// The protocol counters of `/proc/net/snmp`, `/proc/net/netstat` and `/proc/net/snmp6`.
    ///
    /// # Errors
    /// The files cannot be read.
    pub fn counters(&self) -> io::Result<Counters> {
        Ok(self.counter_text()?.protocols())
    }

    /// The counters of each interface, by name.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn interface_counters(&self) -> io::Result<BTreeMap<String, InterfaceCounters>> {
        let text = self.counter_text()?;
        Ok(text.interfaces().map(|(name, its)| (name.to_owned(), its)).collect())
    }
}

/// The protocol counters of the calling thread's namespace.
pub(crate) fn of_this_namespace() -> io::Result<Counters> {
    Ok(CounterText::read(None)?.protocols())
}

/// A counter a line: `Ip6InReceives    42`.
fn parse_each(text: &str) -> impl Iterator<Item = (String, u64)> {
    text.lines().filter_map(|line| {
        let (name, value) = line.split_once(char::is_whitespace)?;
        Some((name.to_owned(), value.trim().parse().ok()?))
    })
}

/// A section's name, its counters' names, and their values.
type Section<'a> = (&'a str, (&'a str, &'a str));

/// Pairs of lines: `Ip: Forwarding DefaultTTL ...` and `Ip: 1 64 ...`.
fn sections(text: &str) -> impl Iterator<Item = Section<'_>> {
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    std::iter::from_fn(move || Some((lines.next()?, lines.next()?)))
        .filter(|((names, _), (values, _))| names == values)
        .map(|((section, names), (_, values))| (section, (names, values)))
}

/// A section's counters. Values that are not counters (`TcpMaxConn` is -1) are left out.
fn columns<'a>((names, values): (&'a str, &'a str)) -> impl Iterator<Item = (&'a str, u64)> {
    let columns = names.split_whitespace().zip(values.split_whitespace());
    columns.filter_map(|(name, value)| Some((name, value.parse().ok()?)))
}

fn parse_counters(text: &str) -> impl Iterator<Item = (String, u64)> {
    sections(text).flat_map(|(section, lines)| {
        columns(lines).map(move |(name, value)| (format!("{section}{name}"), value))
    })
}

/// Adds the counters that have risen. A section may come later than others (`IcmpMsg`).
fn add_risen(before: &str, after: &str, risen: &mut Counters) {
    let was: BTreeMap<_, _> = sections(before).collect();
    for (section, now) in sections(after) {
        let was = was.get(section).copied();
        if was == Some(now) {
            continue;
        }
        let was: BTreeMap<_, _> = was.into_iter().flat_map(columns).collect();
        for (name, now) in columns(now) {
            let rise = now.saturating_sub(was.get(name).copied().unwrap_or_default());
            if rise > 0 {
                risen.insert(format!("{section}{name}"), rise);
            }
        }
    }
}

fn parse_interface(line: &str) -> Option<(&str, InterfaceCounters)> {
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
    Some((name.trim(), counters))
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
    fn what_rose_is_found_and_a_section_may_be_new() {
        let text = |snmp: &str, netstat: &str, snmp6: &str| CounterText {
            snmp: snmp.to_owned(),
            netstat: netstat.to_owned(),
            snmp6: snmp6.to_owned(),
            devices: String::new(),
        };
        let before = text(
            "Ip: InReceives InAddrErrors\nIp: 5 1\nTcp: MaxConn InSegs\nTcp: -1 7\n",
            "TcpExt: SyncookiesSent\nTcpExt: 3\n",
            "Ip6InReceives   4\nIp6OutRequests  4\n",
        );
        let after = text(
            "Ip: InReceives InAddrErrors\nIp: 7 1\nIcmpMsg: InType3\nIcmpMsg: 2\n\
             Tcp: MaxConn InSegs\nTcp: -1 7\n",
            "TcpExt: SyncookiesSent\nTcpExt: 3\n",
            "Ip6InReceives   4\nIp6OutRequests  5\n",
        );
        let risen = after.risen_since(&before);
        let expected = [("IcmpMsgInType3", 2), ("Ip6OutRequests", 1), ("IpInReceives", 2)];
        assert!(risen.iter().map(|(name, rise)| (name.as_str(), *rise)).eq(expected), "{risen:?}");
        assert_eq!(after.risen_since(&after), Counters::new());
        assert_eq!(before.risen_since(&CounterText::default()).len(), 6);
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
