//! `ip addr`, `ip link` and `ip -d link`: devices and their addresses (ip-address(8), ip-link(8)).

use super::host::{Address, Host, Link};
use crate::place::Place;
use crate::report::Report;
use crate::text::{has_word, printable};
use ipnet::IpNet;
use std::net::IpAddr;

/// What a device's lines say of its hardware, its queues and its lifetimes.
pub(super) const DETAIL: &str = "detail of a device";

/// A device's first line: `5: tunl0@NONE: <NOARP,UP,LOWER_UP> mtu 1480 qdisc noqueue ...`. Its name.
pub(super) fn header(line: &str, place: Place, host: &mut Host) -> Option<String> {
    let (number, rest) = line.split_once(": ")?;
    number.bytes().all(|byte| byte.is_ascii_digit()).then_some(())?;
    let (name, rest) = rest.split_once(": <")?;
    let (flags, rest) = rest.split_once('>')?;
    let name = name.split('@').next().unwrap_or(name);
    let link = host.link(name, place)?;
    link.up = Some(flags.split(',').any(|flag| flag == "UP"));
    if let Some(mtu) = after(rest, "mtu").and_then(|mtu| mtu.parse().ok()) {
        link.mtu = Some(mtu);
    }
    // `ip -o link` has all on one line.
    let (_, kind) = rest.split_once("link/").unwrap_or_default();
    if !kind.is_empty() {
        of_kind(kind, link);
    }
    Some(name.to_owned())
}

/// A line of `ip -o addr`: `2: eth0    inet 10.1.1.51/24 brd 10.1.1.255 scope global eth0\ ...`.
/// Whether it is one.
pub(super) fn one_line(line: &str, place: Place, host: &mut Host, report: &mut Report<'_>) -> bool {
    let mut words = line.split_ascii_whitespace();
    let number = words.next().and_then(|word| word.strip_suffix(':')).unwrap_or_default();
    let (Some(name), Some(family)) = (words.next(), words.next()) else { return false };
    if number.is_empty()
        || !number.bytes().all(|byte| byte.is_ascii_digit())
        || !["inet", "inet6"].contains(&family)
    {
        return false;
    }
    let (_, rest) = line.split_once(family).unwrap_or_default();
    let rest = rest.split('\\').next().unwrap_or_default();
    host.has_addresses = true;
    if let Some(link) = host.link(name, place) {
        address(rest, place, link, report);
    }
    true
}

/// An indented line below a device's first line.
pub(super) fn attribute(
    line: &str,
    place: Place,
    name: &str,
    host: &mut Host,
    report: &mut Report<'_>,
) {
    let text = line.trim();
    let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
    if ["inet", "inet6"].contains(&first) {
        host.has_addresses = true;
    }
    let Some(link) = host.link(name, place) else { return };
    match first {
        "inet" | "inet6" => address(rest, place, link, report),
        "valid_lft" => {}
        "ipip" | "gre" | "sit" | "ip6tnl" | "ip6gre" | "gretap" => {
            tunnel(rest, link);
        }
        _ => match text.strip_prefix("link/") {
            Some(kind) => of_kind(kind, link),
            None => report.left_out(place, DETAIL),
        },
    }
}

/// `ipip 10.1.1.51 peer 10.1.1.10`, behind `link/`.
fn of_kind(text: &str, link: &mut Link) {
    let mut words = text.split_ascii_whitespace();
    link.kind = words.next().map(str::to_owned);
    link.mac = words.next().and_then(mac).filter(|_| link.kind.as_deref() == Some("ether"));
    if let Some(remote) = after(text, "peer").and_then(|it| it.parse().ok()) {
        link.tunnel.remote = Some(remote);
    }
}

/// `02:00:00:00:00:01`
pub(super) fn mac(text: &str) -> Option<[u8; 6]> {
    let parts: Option<Vec<u8>> =
        text.split(':').map(|part| u8::from_str_radix(part, 16).ok()).collect();
    parts?.try_into().ok()
}

/// `any remote any local any ttl inherit nopmtudisc`, `gre remote any local any ikey 0.0.16.3 icsum`
fn tunnel(text: &str, link: &mut Link) {
    link.tunnel.is_known = true;
    if let Some(remote) = after(text, "remote").and_then(|it| it.parse().ok()) {
        link.tunnel.remote = Some(remote);
    }
    link.tunnel.key = ["key", "ikey"].iter().find_map(|word| after(text, word)).and_then(key);
    link.tunnel.checksum = ["csum", "icsum"].iter().any(|word| has_word(text, word));
}

/// A key of GRE, which ip-link(8) writes as a number or as an IPv4 address.
fn key(text: &str) -> Option<u32> {
    text.parse().ok().or_else(|| text.parse::<std::net::Ipv4Addr>().ok().map(u32::from))
}

/// The word behind another one.
pub(super) fn after<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    let mut words = text.split_ascii_whitespace();
    words.find(|it| *it == word)?;
    words.next()
}

/// `10.1.1.51/24 brd 10.1.1.255 scope global dynamic eth0`, behind its family.
fn address(text: &str, place: Place, link: &mut Link, report: &mut Report<'_>) {
    let mut words = text.split_ascii_whitespace();
    let written = words.next().unwrap_or_default();
    let what = || format!("address {} of {}", printable(written), printable(&link.name));
    let Some(net) = net(written) else {
        return report.not_imported(place, what(), "this is no address");
    };
    if let Some(peer) = after(text, "peer") {
        let why = format!("labsim's addresses have no peer ({})", printable(peer));
        return report.not_imported(place, what(), why);
    }
    let Some(scope) = after(text, "scope") else {
        return report.not_imported(place, what(), "its scope is not shown; give `ip addr`");
    };
    let label = words
        .last()
        .filter(|last| net.addr().is_ipv4() && last.starts_with(&format!("{}:", link.name)));
    let (scope, label) = (scope.to_owned(), label.map(str::to_owned));
    link.add(Address { place, net, scope, label });
}

/// An address with or without a prefix length.
pub(super) fn net(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}
