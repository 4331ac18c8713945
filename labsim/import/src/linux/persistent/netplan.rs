//! netplan: YAML files of `/etc/netplan`, read line by line.

use super::{DETAIL, device, route, tunnel_kind};
use crate::linux::host::Host;
use crate::place::Place;
use crate::report::Report;
use crate::text::{has_word, printable};

/// Kinds of devices, each with devices by name below.
const KINDS: &str = "ethernets bonds bridges vlans tunnels dummy-devices wifis modems vrfs";

/// Where a line is: the keys above it, with their indentation.
#[derive(Default)]
pub(super) struct Path {
    keys: Vec<(usize, String)>,
    /// A route's destination or gateway, while the other is not known.
    destination: Option<String>,
    via: Option<String>,
}

impl Path {
    /// A line below `network:`. Whether it is one.
    pub(super) fn line(
        &mut self,
        line: &str,
        place: Place,
        host: &mut Host,
        report: &mut Report<'_>,
    ) -> bool {
        /// Deepest nesting that is read.
        const DEPTH: usize = 16;
        let text = line.trim_start();
        let indent = line.len() - text.len();
        if text.starts_with('#') {
            report.left_out(place, DETAIL);
            return true;
        }
        if indent == 0 {
            return false;
        }
        let (is_item, text, indent) = match text.strip_prefix("- ") {
            Some(rest) => (true, rest.trim(), indent + 2),
            None => (false, text.trim(), indent),
        };
        self.keys.retain(|(other, _)| *other < indent);
        if is_item {
            (self.destination, self.via) = (None, None);
        }
        let pair = text.split_once(':').filter(|(key, rest)| {
            !key.contains('/') && (rest.is_empty() || rest.starts_with([' ', '\t']))
        });
        let Some((key, value)) = pair else {
            self.value(text, place, host, report);
            return true;
        };
        let (key, value) = (unquoted(key), value.trim());
        if value.is_empty() || value.starts_with('#') {
            if self.keys.len() < DEPTH {
                self.keys.push((indent, key.to_owned()));
                if let (Some(name), 2) = (self.device(), self.keys.len()) {
                    device(&name, place, host);
                }
            }
            return true;
        }
        self.keys.push((indent, key.to_owned()));
        self.value(value, place, host, report);
        self.keys.pop();
        true
    }

    /// The device that a line is about.
    fn device(&self) -> Option<String> {
        let (_, kind) = self.keys.first()?;
        let (_, name) = self.keys.get(1)?;
        has_word(KINDS, kind).then(|| name.clone())
    }

    fn value(&mut self, value: &str, place: Place, host: &mut Host, report: &mut Report<'_>) {
        let Some(name) = self.device() else { return report.left_out(place, DETAIL) };
        let keys: Vec<String> = self.keys.iter().skip(2).map(|(_, key)| key.clone()).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let Some(link) = device(&name, place, host) else { return };
        let word = unquoted(value);
        match keys.as_slice() {
            ["addresses"] => {
                for one in items(value) {
                    super::address(&name, one, place, host, report);
                }
            }
            ["gateway4" | "gateway6"] => route(("default", word), Some(&name), place, host, report),
            ["mtu"] => link.mtu = word.parse().ok(),
            ["mode"] => link.kind = tunnel_kind(word).map(str::to_owned),
            ["remote"] => link.tunnel.remote = word.parse().ok(),
            ["key" | "keys"] | ["keys", "input"] => {
                link.tunnel.is_known = true;
                let dotted = word.parse::<std::net::Ipv4Addr>().ok().map(u32::from);
                link.tunnel.key = word.parse().ok().or(dotted);
            }
            ["routes", "to"] => self.destination = Some(word.to_owned()),
            ["routes", "via"] => self.via = Some(word.to_owned()),
            ["dhcp4" | "dhcp6"] if ["true", "yes"].contains(&word) => {
                let why = "the lab's interface has the scenario's addresses";
                report.not_imported(place, format!("{}: dhcp", printable(&name)), why);
            }
            _ => report.left_out(place, DETAIL),
        }
        if let (Some(destination), Some(via)) = (&self.destination, &self.via) {
            route((destination, via), Some(&name), place, host, report);
            (self.destination, self.via) = (None, None);
        }
    }
}

/// A scalar without its quotes.
fn unquoted(text: &str) -> &str {
    text.trim().trim_matches(['"', '\''])
}

/// The items of `[a, b]`, or the one value.
fn items(text: &str) -> impl Iterator<Item = &str> {
    let inside = text.trim().trim_start_matches('[').trim_end_matches(']');
    inside.split(',').map(unquoted).filter(|one| !one.is_empty())
}
