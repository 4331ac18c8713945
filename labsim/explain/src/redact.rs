//! Pseudonyms in place of addresses and names.
//!
//! Names of files, places, devices and virtual servers are replaced in what is explained, and addresses in the
//! finished document: what is concluded of addresses rests on the real ones. The same input has the same
//! pseudonyms. Ports, times, lengths and words of tcpdump's filters stay.

use crate::document::Explanation;
use crate::sentence::Sentence;
use crate::trace::{Role, Trace};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Words of tcpdump's command lines and filters (tcpdump(1), pcap-filter(7)) that say nothing of a network.
const WORDS: &str = "tcpdump sudo any host port portrange net src dst and or not proto ip ip6 tcp udp icmp icmp6 arp \
                     vlan ether ipip gre less greater timeout && || ! ( )";
/// What names of devices begin with that every system has.
const DEVICES: [&str; 16] = [
    "eth", "ens", "enp", "eno", "bond", "tunl", "gretap", "gre", "ip6tnl", "ip6gre", "sit", "lo",
    "any", "dummy", "if", "veth",
];
/// What files' names end with.
const ENDINGS: [&str; 9] = ["pcap", "pcapng", "cap", "txt", "md", "log", "conf", "gz", "zst"];

/// Which pseudonym each address and each name has.
#[derive(Debug, Default)]
pub struct Redaction {
    names: BTreeMap<String, String>,
    files: BTreeMap<String, String>,
    addresses: BTreeMap<IpAddr, IpAddr>,
    /// Link-layer addresses, as they are printed.
    macs: BTreeMap<String, String>,
    /// All addresses of the document: no pseudonym is one of them.
    real: BTreeSet<IpAddr>,
}

impl Redaction {
    /// Replaces the names in what is to be explained.
    pub fn names(&mut self, trace: &mut Trace) {
        for point in &mut trace.points {
            point.name = self.place(&point.name);
            point.file = self.file(&point.file);
            point.command = point.command.as_deref().map(|command| self.command(command));
        }
        for one in trace.configuration.balancers.iter_mut().flat_map(|it| &mut it.virtuals) {
            one.what = self.name("virtual server ", &one.what);
            let own =
                [&mut one.line, &mut one.destination_translation.1, &mut one.source_translation.1];
            let members = one.members.iter_mut().flat_map(|it| [&mut it.line, &mut it.tunnel_line]);
            own.into_iter().chain(members).for_each(|line| line.file = self.file(&line.file));
        }
        for own in trace.configuration.balancers.iter_mut().flat_map(|it| &mut it.own) {
            own.line.file = self.file(&own.line.file);
        }
        for host in &mut trace.configuration.hosts {
            host.name = self.place(&host.name);
            let counters = host.counters.iter_mut().flat_map(|(before, after)| [before, after]);
            for state in std::iter::once(&mut host.state).chain(counters) {
                for address in state.addresses.iter_mut().flatten() {
                    address.device = self.device(&address.device);
                    address.line.file = self.file(&address.line.file);
                }
                for device in &mut state.devices {
                    device.name = self.device(&device.name);
                    device.line.file = self.file(&device.line.file);
                }
                for setting in &mut state.settings {
                    setting.device = self.device(&setting.device);
                    setting.line.file = self.file(&setting.line.file);
                }
                let sockets = state.tcp.iter_mut().chain(&mut state.udp).flatten();
                sockets.for_each(|it| it.line.file = self.file(&it.line.file));
                state.counters.iter_mut().for_each(|it| it.line.file = self.file(&it.line.file));
            }
        }
        // A name may be a part of another one.
        let mut files: Vec<(&String, &String)> = self.files.iter().collect();
        files.sort_by_key(|(file, _)| usize::MAX - file.len());
        for notice in &mut trace.notices {
            for (file, pseudonym) in &files {
                *notice = notice.replace(file.as_str(), pseudonym);
            }
        }
    }

    /// Replaces the addresses in the document.
    pub fn addresses(&mut self, explanation: &mut Explanation) {
        // Pseudonyms are none of the real ones.
        let mut real = BTreeSet::new();
        each_address(explanation, &mut |address| {
            real.insert(address);
            address
        });
        self.real.extend(real);
        let mut macs = std::mem::take(&mut self.macs);
        each_text(explanation, &mut |text| *text = replace_macs(text, &mut macs));
        self.macs = macs;
        each_address(explanation, &mut |address| self.address(address));
    }

    fn name(&mut self, kind: &str, name: &str) -> String {
        let count = self.names.values().filter(|it| it.starts_with(kind)).count() + 1;
        self.names.entry(name.to_owned()).or_insert_with(|| format!("{kind}{count}")).clone()
    }

    /// A place: what the user or a prompt calls the host, and perhaps a device.
    fn place(&mut self, name: &str) -> String {
        let (host, device) = match name.split_once(':') {
            Some((host, device)) => (host, Some(device)),
            None => (name, None),
        };
        let host = match Role::of_name(host) {
            Some(_) => host.to_owned(),
            None => self.name("host", host),
        };
        match device {
            Some(device) => format!("{host}:{}", self.device(device)),
            None => host,
        }
    }

    fn device(&mut self, name: &str) -> String {
        let is_usual = |start: &&str| {
            let rest = name.strip_prefix(*start);
            rest.is_some_and(|rest| rest.len() <= 4 && rest.bytes().all(|it| it.is_ascii_digit()))
        };
        if ["all", "default"].contains(&name) || DEVICES.iter().any(is_usual) {
            return name.to_owned();
        }
        self.name("device", name)
    }

    fn file(&mut self, name: &str) -> String {
        let count = self.files.len() + 1;
        let ending = name.rsplit_once('.').map(|(_, ending)| ending);
        let ending = ending.filter(|it| ENDINGS.contains(it));
        let ending = ending.map(|it| format!(".{it}")).unwrap_or_default();
        let pseudonym = || format!("file{count}{ending}");
        self.files.entry(name.to_owned()).or_insert_with(pseudonym).clone()
    }

    /// A command of tcpdump's: its options and the words of its filter stay.
    fn command(&mut self, command: &str) -> String {
        let words = command.split_whitespace().map(|word| {
            let bare = word.trim_matches(['\'', '"', '(', ')']);
            let is_number = !bare.is_empty() && bare.bytes().all(|it| it.is_ascii_digit());
            let is_option = bare.strip_prefix('-').is_some_and(|rest| {
                rest.len() <= 6 && rest.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-')
            });
            let is_word = bare.is_empty() || WORDS.split(' ').any(|known| known == bare);
            if is_number || is_option || is_word || bare.parse::<IpAddr>().is_ok() {
                return word.to_owned();
            }
            let is_tcpdump = bare.rsplit('/').next() == Some("tcpdump");
            word.replace(
                bare,
                &if is_tcpdump { "tcpdump".to_owned() } else { self.name("name", bare) },
            )
        });
        words.collect::<Vec<String>>().join(" ")
    }

    /// Addresses that no host has of its own stay.
    fn address(&mut self, address: IpAddr) -> IpAddr {
        if address.is_loopback() || address.is_unspecified() || address.is_multicast() {
            return address;
        }
        if let Some(known) = self.addresses.get(&address) {
            return *known;
        }
        let taken =
            |it: &IpAddr| self.real.contains(it) || self.addresses.values().any(|one| one == it);
        // Networks for tests (RFC 2544) and for documents (RFC 3849).
        let v4 = || (1..1 << 17).map(|it| Ipv4Addr::from_bits(0xC612_0000 + it).into());
        let v6 = || (1..1 << 17).map(|it| Ipv6Addr::from_bits((0x2001_0db8 << 96) + it).into());
        let found: Option<IpAddr> = match address {
            IpAddr::V4(_) => v4().find(|it| !taken(it)),
            IpAddr::V6(_) => v6().find(|it| !taken(it)),
        };
        let unspecified = match address {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let pseudonym = found.unwrap_or(unspecified);
        self.addresses.insert(address, pseudonym);
        pseudonym
    }
}

/// Every text of the document that may have an address in it.
fn each_text(all: &mut Explanation, change: &mut dyn FnMut(&mut String)) {
    let of_sentences = |them: &mut Vec<Sentence>, change: &mut dyn FnMut(&mut String)| {
        them.iter_mut().for_each(|it| change(&mut it.text));
    };
    for point in &mut all.points {
        point.command.iter_mut().for_each(&mut *change);
        point.role_in_files.iter_mut().for_each(&mut *change);
    }
    all.clock_contradiction.iter_mut().for_each(&mut *change);
    for connection in &mut all.connections {
        of_sentences(&mut connection.verdict.because, change);
        connection.verdict.next.iter_mut().for_each(&mut *change);
        of_sentences(&mut connection.configuration, change);
        of_sentences(&mut connection.story, change);
    }
    of_sentences(&mut all.icmp_errors, change);
    all.notices.iter_mut().for_each(change);
}

/// Every address of the document, in the order in which it is printed.
fn each_address(all: &mut Explanation, change: &mut dyn FnMut(IpAddr) -> IpAddr) {
    for connection in &mut all.connections {
        for end in [&mut connection.client, &mut connection.server] {
            *end = SocketAddr::new(change(end.ip()), end.port());
        }
        for tunnel in &mut connection.tunnels {
            tunnel.source = change(tunnel.source);
            tunnel.destination = change(tunnel.destination);
        }
    }
    each_text(all, &mut |text| *text = replace_addresses(text, change));
}

/// Replaces what stands in a text as an address.
fn replace_addresses(text: &str, change: &mut dyn FnMut(IpAddr) -> IpAddr) -> String {
    replace_runs(text, |run| {
        // A port or a full stop may stand behind it.
        let ends = (2..=run.len()).rev().filter(|end| run.is_char_boundary(*end));
        ends.into_iter().find_map(|end| {
            let (address, rest) = run.split_at(end);
            let is_whole = !rest.starts_with(|it: char| it.is_ascii_hexdigit());
            let address: IpAddr = address.parse().ok().filter(|_| is_whole)?;
            Some(format!("{}{rest}", change(address)))
        })
    })
}

fn replace_macs(text: &str, macs: &mut BTreeMap<String, String>) -> String {
    replace_runs(text, |run| {
        let (mac, rest) = run.split_at_checked(17)?;
        let bytes = mac.split(':').filter(|it| it.len() == 2 && !it.contains('.'));
        if bytes.count() != 6 || rest.starts_with(|it: char| it.is_ascii_hexdigit()) {
            return None;
        }
        let count = macs.len() + 1;
        let [high, low] = u16::try_from(count).unwrap_or(u16::MAX).to_be_bytes();
        let pseudonym = || format!("02:00:5e:10:{high:02x}:{low:02x}");
        Some(format!("{}{rest}", macs.entry(mac.to_owned()).or_insert_with(pseudonym)))
    })
}

/// Gives each run of characters of addresses to `replace`, which returns what stands for it.
fn replace_runs(text: &str, mut replace: impl FnMut(&str) -> Option<String>) -> String {
    let is_of_run = |it: char| it.is_ascii_hexdigit() || it == ':' || it == '.';
    let mut replaced = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(is_of_run) {
        let (before, from) = rest.split_at(start);
        let (run, behind) = from.split_at(from.find(|it| !is_of_run(it)).unwrap_or(from.len()));
        replaced.push_str(before);
        // A letter before it: the run is the end of a word.
        let is_of_word = replaced.ends_with(|it: char| it.is_alphanumeric());
        let found = if is_of_word { None } else { replace(run) };
        replaced.push_str(found.as_deref().unwrap_or(run));
        rest = behind;
    }
    replaced.push_str(rest);
    replaced
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(text: &str) -> String {
        replace_addresses(text, &mut |address| match address {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        })
    }

    #[test]
    fn addresses_are_found_whatever_stands_around_them() {
        for (text, expected) in [
            ("192.0.2.7:49 and 10.1.1.51.", "127.0.0.1:49 and 127.0.0.1."),
            ("[2001:db8::1]:49 -> 2001:db8::2: told", "[::1]:49 -> ::1: told"),
            ("(rs1.txt:3) `host 10.1.1.51`", "(rs1.txt:3) `host 127.0.0.1`"),
            ("10.1.1.0/24, 0.5 s, 10:00:00.25", "127.0.0.1/24, 0.5 s, 10:00:00.25"),
            ("a full stop. Dead: beef", "a full stop. Dead: beef"),
        ] {
            assert_eq!(redacted(text), expected);
        }
    }

    #[test]
    fn link_layer_addresses_have_pseudonyms_of_their_own() {
        let mut macs = BTreeMap::new();
        let text = "00:0c:29:aa:bb:cc claims it, 00:0c:29:aa:bb:cd as well, and 00:0c:29:aa:bb:cc";
        assert_eq!(
            replace_macs(text, &mut macs),
            "02:00:5e:10:00:01 claims it, 02:00:5e:10:00:02 as well, and 02:00:5e:10:00:01"
        );
    }
}
