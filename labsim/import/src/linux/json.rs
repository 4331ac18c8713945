//! `ip -j addr`, `ip -j link` and `ip -j route`: the same as text, in JSON.

use super::host::{Address, Host, Route};
use super::links::mac;
use crate::place::Place;
use crate::report::Report;
use crate::text::printable;
use ipnet::IpNet;
use serde_json::Value;

/// Longest JSON text that is read.
const LONGEST: usize = 4 << 20;
const DETAIL: &str = "rule or object of `ip -j`";

/// Reads a JSON list at the beginning of a text; its length, with what ends its line. None if there is
/// no such list.
pub(super) fn read(
    text: &str,
    place: Place,
    host: &mut Host,
    report: &mut Report<'_>,
) -> Option<usize> {
    let inside = text.strip_prefix('[')?.trim_start();
    inside.starts_with(['{', ']']).then_some(())?;
    let mut end = LONGEST.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut values = serde_json::Deserializer::from_str(text.get(..end)?).into_iter::<Vec<Value>>();
    let objects = values.next()?.ok()?;
    let length = values.byte_offset();
    for object in &objects {
        if object.get("ifname").is_some() {
            link(object, place, host, report);
        } else if object.get("dst").is_some() && object.get("src").is_none_or(|it| it != "all") {
            route(object, place, host, report);
        } else if object.as_object().is_some_and(|it| !it.is_empty()) {
            rule(object, place, report);
        }
    }
    let rest = text.get(length..).unwrap_or_default();
    Some(length + rest.find(|c: char| !c.is_ascii_whitespace()).unwrap_or(rest.len()))
}

fn text<'v>(object: &'v Value, key: &str) -> Option<&'v str> {
    object.get(key)?.as_str()
}

fn number(object: &Value, key: &str) -> Option<u32> {
    object.get(key)?.as_u64().and_then(|number| u32::try_from(number).ok())
}

fn link(object: &Value, place: Place, host: &mut Host, report: &mut Report<'_>) {
    let Some(name) = text(object, "ifname") else { return };
    let name = name.split('@').next().unwrap_or(name);
    let addresses = object.get("addr_info").and_then(Value::as_array);
    host.has_addresses |= addresses.is_some();
    let Some(link) = host.link(name, place) else { return };
    if let Some(flags) = object.get("flags").and_then(Value::as_array) {
        link.up = Some(flags.iter().any(|flag| flag == "UP"));
    }
    link.mtu = number(object, "mtu").or(link.mtu);
    link.kind = text(object, "link_type").map(str::to_owned).or(link.kind.take());
    let own = text(object, "address").filter(|_| link.kind.as_deref() == Some("ether"));
    link.mac = own.and_then(mac).or(link.mac);
    if let Some(data) = object.get("linkinfo").and_then(|info| info.get("info_data")) {
        link.tunnel.is_known = true;
        link.tunnel.remote = text(data, "remote").and_then(|it| it.parse().ok());
        let key = |key: &str| {
            number(data, key)
                .or_else(|| text(data, key)?.parse::<std::net::Ipv4Addr>().ok().map(u32::from))
        };
        link.tunnel.key = key("ikey").or_else(|| key("key")).filter(|key| *key != 0);
        link.tunnel.checksum = data.get("icsum").or(data.get("csum")).is_some_and(|it| *it == true);
    }
    for one in addresses.into_iter().flatten() {
        let Some(written) = text(one, "local") else { continue };
        let length = number(one, "prefixlen").and_then(|it| u8::try_from(it).ok());
        let net = written.parse().ok().zip(length);
        let net = net.and_then(|(address, length)| IpNet::new(address, length).ok());
        let what = format!("address {} of {}", printable(written), printable(name));
        match (net, text(one, "scope")) {
            (Some(_), _) if one.get("address").is_some() => {
                report.not_imported(place, what, "labsim's addresses have no peer");
            }
            (Some(net), Some(scope)) => {
                let is_label = |label: &&str| label.starts_with(&format!("{name}:"));
                let label = text(one, "label").filter(is_label).map(str::to_owned);
                link.add(Address { place, net, scope: scope.to_owned(), label });
            }
            _ => report.not_imported(place, what, "this is no address with its scope"),
        }
    }
}

fn route(object: &Value, place: Place, host: &mut Host, report: &mut Report<'_>) {
    /// Most routes that are remembered.
    const MOST: usize = 10_000;
    let written = text(object, "dst").unwrap_or_default();
    let via = text(object, "gateway").and_then(|it| it.parse::<std::net::IpAddr>().ok());
    let is_ipv6 = via.is_some_and(|via| via.is_ipv6());
    let destination = match written {
        "default" => (if is_ipv6 { "::/0" } else { "0.0.0.0/0" }).parse().ok(),
        text => super::links::net(text),
    };
    let what = format!("route to {}", printable(written));
    let Some(destination) = destination else {
        return report.not_imported(place, what, "this is no destination");
    };
    if let Some(table) = text(object, "table").filter(|table| *table != "main") {
        let what = format!("{what} in table {}", printable(table));
        return report.not_imported(place, what, "labsim's nodes have one routing table");
    }
    if let Some(kind) = text(object, "type").filter(|kind| *kind != "unicast") {
        let what = format!("{what} of type {}", printable(kind));
        return report.not_imported(place, what, "labsim's routes have a next hop");
    }
    host.has_routes = true;
    let metrics = object.get("metrics").and_then(|list| list.get(0)).unwrap_or(&Value::Null);
    if host.routes.len() < MOST {
        host.routes.push(Route {
            place,
            destination,
            via,
            device: text(object, "dev").map(str::to_owned),
            mtu: number(metrics, "mtu"),
            advmss: number(metrics, "advmss"),
        });
    }
}

fn rule(object: &Value, place: Place, report: &mut Report<'_>) {
    let table = text(object, "table").unwrap_or_default();
    match (number(object, "priority"), table) {
        (Some(0), "local") | (Some(32766), "main") | (Some(32767), "default") => {
            report.left_out(place, DETAIL);
        }
        (Some(priority), _) => {
            let what = format!("routing rule {priority}");
            report.not_imported(place, what, "labsim's nodes have one routing table");
        }
        (None, _) => report.not_imported(place, "object of JSON", "labsim does not know it"),
    }
}
