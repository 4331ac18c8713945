//! `virtual_server_group`: addresses that several virtual servers have.

use super::tree::Node;
use crate::address::check_unicast;
use crate::lvs::service::Destination;
use crate::lvs::words;
use crate::report::Report;
use crate::text::printable;
use ipnet::Ipv4Net;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

/// Most addresses of a group that a lab takes.
const MOST: usize = 200;

/// The groups by name.
pub(super) struct Groups<'n> {
    by_name: BTreeMap<&'n str, &'n Node>,
    /// The addresses of those that were referred to.
    used: BTreeMap<&'n str, Vec<Destination>>,
}

impl<'n> Groups<'n> {
    /// Finds all groups.
    pub(super) fn read(roots: &'n [Node], report: &mut Report<'_>) -> Self {
        let mut by_name: BTreeMap<&str, &Node> = BTreeMap::new();
        for node in roots.iter().filter(|node| node.name() == "virtual_server_group") {
            let Some(name) = node.value(report) else { continue };
            if let Some(first) = by_name.get(name.text.as_str()) {
                let message = format!(
                    "a group of this name is there already ({}); keep one",
                    report.at(first.place)
                );
                report.diagnostic(node.place, message);
                continue;
            }
            by_name.insert(&name.text, node);
        }
        Self { by_name, used: BTreeMap::new() }
    }

    /// The addresses of a group; `None` if there is no such group.
    pub(super) fn destinations(
        &mut self,
        name: &str,
        report: &mut Report<'_>,
    ) -> Option<Vec<Destination>> {
        let (name, node) = self.by_name.get_key_value(name)?;
        Some(self.used.entry(name).or_insert_with(|| read(name, node, report)).clone())
    }

    /// Lists groups that nothing refers to.
    pub(super) fn report_unused(&self, report: &mut Report<'_>) {
        for (name, node) in self.by_name.iter().filter(|(name, _)| !self.used.contains_key(*name)) {
            let what = format!("virtual_server_group {}", printable(name));
            report.not_imported(node.place, what, "no virtual server refers to it");
        }
    }
}

/// The addresses of a group; the others are listed.
fn read(name: &str, node: &Node, report: &mut Report<'_>) -> Vec<Destination> {
    let mut all = Vec::new();
    for line in &node.children {
        let what = format!("virtual_server_group {}: {}", printable(name), printable(line.name()));
        if line.name() == "fwmark" {
            let why = "its addresses and ports are those of the firewall's rules that set the mark; \
                       write them in its place";
            report.not_imported(line.place, what, why);
            continue;
        }
        let port = match line.words.get(1) {
            Some(word) => words::port(word, report),
            None => Some(0),
        };
        let Some(port) = port else { continue };
        let place = line.place;
        let Some((first, last)) = range(line.name()) else {
            let address = report.ipv4(place, &v6(line.name()), &what);
            all.extend(address.map(|address| Destination { address, port, place }));
            continue;
        };
        for bits in first..=last {
            if all.len() >= MOST {
                let why = format!("a lab takes {MOST} addresses of a group; the first are used");
                report.not_imported(place, what, why);
                break;
            }
            let Some(address) = report.check(place, check_unicast(bits.into())) else { break };
            all.push(Destination { address, port, place });
        }
    }
    all
}

/// The first and the last address of `10.0.0.1-10`, `10.0.0.1-10.0.1.5`, `10.0.0.8/29` or `10.0.0.1`.
fn range(text: &str) -> Option<(u32, u32)> {
    if let Ok(net) = text.parse::<Ipv4Net>() {
        return Some((net.network().to_bits(), net.broadcast().to_bits()));
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let first: Ipv4Addr = first.parse().ok()?;
    let last = match last.parse::<u8>() {
        Ok(last) => {
            let [one, two, three, _] = first.octets();
            Ipv4Addr::new(one, two, three, last)
        }
        Err(_) => last.parse().ok()?,
    };
    (first <= last).then_some((first.to_bits(), last.to_bits()))
}

/// The first address of an IPv6 range, so that it is known as such; any other text as it is.
fn v6(text: &str) -> String {
    let first = text.split(['-', '/']).next().unwrap_or_default();
    match first.parse() {
        Ok(IpAddr::V6(_)) => first.to_owned(),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::range;
    use std::net::Ipv4Addr;

    #[test]
    fn ranges_have_three_forms() {
        for (text, expected) in [
            ("10.0.0.1", Some(("10.0.0.1", "10.0.0.1"))),
            ("10.0.0.1-10", Some(("10.0.0.1", "10.0.0.10"))),
            ("10.0.0.250-10.0.1.10", Some(("10.0.0.250", "10.0.1.10"))),
            ("10.0.0.8/29", Some(("10.0.0.8", "10.0.0.15"))),
            ("10.0.0.9-8", None),
            ("x", None),
            ("::1-2", None),
        ] {
            let bits = |text: &str| text.parse::<Ipv4Addr>().unwrap().to_bits();
            let expected = expected.map(|(first, last)| (bits(first), bits(last)));
            assert_eq!(range(text), expected, "{text}");
        }
    }
}
