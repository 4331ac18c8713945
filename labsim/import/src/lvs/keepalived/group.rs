//! `virtual_server_group`: addresses that several virtual servers have.

use super::tree::Node;
use crate::address::{Family, bits, check_unicast};
use crate::lvs::service::Destination;
use crate::lvs::words;
use crate::report::Report;
use crate::text::printable;
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::IpAddr;

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
        let Some((family, first, last)) = range(line.name()) else {
            // What is no range is no address either, and this says so.
            report.address(place, line.name(), &what);
            continue;
        };
        for bits in first..=last {
            if all.len() >= MOST {
                let why = format!("a lab takes {MOST} addresses of a group; the first are used");
                report.not_imported(place, what, why);
                break;
            }
            let Some(address) = report.check(place, check_unicast(family.address(bits))) else {
                break;
            };
            all.push(Destination { address, port, place });
        }
    }
    all
}

/// The family, the first and the last address of `10.0.0.1-10`, `2001:db8::1-1f`, `10.0.0.1-10.0.1.5`,
/// `10.0.0.8/29` or `10.0.0.1`.
fn range(text: &str) -> Option<(Family, u128, u128)> {
    if let Ok(net) = text.parse::<IpNet>() {
        return Some((Family::of(net.addr()), bits(net.network()), bits(net.broadcast())));
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let first: IpAddr = first.parse().ok()?;
    let family = Family::of(first);
    let from = bits(first);
    // The last part of an address, in the base that it is written in.
    let part = match family {
        Family::V4 => last.parse::<u8>().ok().map(|last| (from & !0xff) | u128::from(last)),
        Family::V6 => {
            u16::from_str_radix(last, 16).ok().map(|last| (from & !0xffff) | u128::from(last))
        }
    };
    let whole = || last.parse().ok().filter(|last| Family::of(*last) == family).map(bits);
    let to = part.or_else(whole)?;
    (from <= to).then_some((family, from, to))
}

#[cfg(test)]
mod tests {
    use super::range;
    use crate::address::{Family, bits};
    use std::net::IpAddr;

    #[test]
    fn ranges_have_three_forms() {
        for (text, expected) in [
            ("10.0.0.1", Some(("10.0.0.1", "10.0.0.1"))),
            ("10.0.0.1-10", Some(("10.0.0.1", "10.0.0.10"))),
            ("10.0.0.250-10.0.1.10", Some(("10.0.0.250", "10.0.1.10"))),
            ("10.0.0.8/29", Some(("10.0.0.8", "10.0.0.15"))),
            ("10.0.0.9-8", None),
            ("x", None),
            ("2001:db8::1", Some(("2001:db8::1", "2001:db8::1"))),
            ("2001:db8::1-1f", Some(("2001:db8::1", "2001:db8::1f"))),
            ("2001:db8::1-2001:db8::1:5", Some(("2001:db8::1", "2001:db8::1:5"))),
            ("2001:db8::8/125", Some(("2001:db8::8", "2001:db8::f"))),
            ("2001:db8::1-10.0.0.1", None),
        ] {
            let ip = |text: &str| text.parse::<IpAddr>().unwrap();
            let expected = expected
                .map(|(first, last)| (Family::of(ip(first)), bits(ip(first)), bits(ip(last))));
            assert_eq!(range(text), expected, "{text}");
        }
    }
}
