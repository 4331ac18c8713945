//! `ip route` and `ip rule` (ip-route(8), ip-rule(8)).

use super::host::{Host, Route};
use super::links::{after, net};
use crate::place::Place;
use crate::report::Report;
use crate::text::{has_word, printable};
use ipnet::{IpNet, Ipv4Net};
use std::net::Ipv4Addr;

/// A route that comes with an address, or is not of the main table's unicast ones.
const DERIVED: &str = "route that the kernel makes of an address";
/// What a kernel always has.
const USUAL_RULE: &str = "routing rule that every host has";
/// Routes of other kinds than unicast.
const KINDS: &str = "blackhole unreachable prohibit throw nat anycast multicast";

/// A route. Whether the line is one.
pub(super) fn route(line: &str, place: Place, host: &mut Host, report: &mut Report<'_>) -> bool {
    /// Most routes that are remembered.
    const MOST: usize = 10_000;
    let mut words = line.split_ascii_whitespace();
    let Some(first) = words.next() else { return false };
    if line.starts_with("nexthop ") || line.trim_start().starts_with("nexthop via ") {
        report.not_imported(place, "next hop of a route", "labsim's routes have one next hop");
        return true;
    }
    if has_word("local broadcast", first) && words.next().and_then(net).is_some() {
        report.left_out(place, DERIVED);
        return true;
    }
    if has_word(KINDS, first) && words.next().is_some_and(|it| it == "default" || net(it).is_some())
    {
        let what = format!("{first} route");
        report.not_imported(place, what, "labsim's routes have a next hop");
        return true;
    }
    let is_ipv6 = after(line, "via").is_some_and(|via| via.contains(':'));
    let destination = match first {
        "default" if is_ipv6 => "::/0".parse::<IpNet>().ok(),
        "default" => Some(IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0))),
        text => net(text),
    };
    let (Some(destination), Some(_)) = (destination, words.next()) else { return false };
    if !["via", "dev", "proto", "nhid", "scope", "metric"].iter().any(|word| has_word(line, word)) {
        return false;
    }
    if let Some(table) = after(line, "table").filter(|table| *table != "main") {
        let what = format!("route to {destination} in table {}", printable(table));
        report.not_imported(place, what, "labsim's nodes have one routing table");
        return true;
    }
    host.has_routes = true;
    if host.routes.len() < MOST {
        let number = |word| after(line, word).and_then(|text| text.parse().ok());
        host.routes.push(Route {
            place,
            destination,
            via: after(line, "via").and_then(|via| via.parse().ok()),
            device: after(line, "dev").map(str::to_owned),
            mtu: number("mtu"),
            advmss: number("advmss"),
        });
    }
    true
}

/// A rule, `0: from all lookup local`. Whether the line is one.
pub(super) fn rule(line: &str, place: Place, report: &mut Report<'_>) -> bool {
    let Some((number, rest)) = line.split_once(':') else { return false };
    let rest: Vec<&str> = rest.split_ascii_whitespace().collect();
    let is_rule = number.parse::<u32>().is_ok()
        && (rest.starts_with(&["from"]) || rest.starts_with(&["not", "from"]));
    if !is_rule {
        return false;
    }
    match (number, rest.as_slice()) {
        ("0", ["from", "all", "lookup", "local"])
        | ("32766", ["from", "all", "lookup", "main"])
        | ("32767", ["from", "all", "lookup", "default"]) => report.left_out(place, USUAL_RULE),
        _ => {
            let what = format!("routing rule {number}");
            report.not_imported(place, what, "labsim's nodes have one routing table");
        }
    }
    true
}
