//! `/etc/network/interfaces`: interfaces(5) of ifupdown.

use super::{DETAIL, device, route, tunnel_kind};
use crate::linux::host::Host;
use crate::place::Place;
use crate::report::Report;
use crate::text::{has_word, printable};
use ipnet::IpNet;
use std::net::IpAddr;

/// Words that begin something else than an interface.
const OTHERS: &str =
    "auto allow-auto allow-hotplug no-auto-down no-scripts source source-directory";

/// `iface NAME inet METHOD`, or one of the other stanzas.
pub(super) struct Stanza {
    /// None of a stanza that is about no interface.
    name: Option<String>,
    method: String,
    address: Option<(IpAddr, Place)>,
}

/// The stanza that a line begins.
pub(super) fn stanza(text: &str) -> Option<Stanza> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let (name, method) = match words.as_slice() {
        ["iface", name, family, method] if family.starts_with("inet") => {
            (Some((*name).to_owned()), *method)
        }
        [first, _, ..] if has_word(OTHERS, first) => (None, ""),
        _ => return None,
    };
    Some(Stanza { name, method: method.to_owned(), address: None })
}

impl Stanza {
    /// The stanza's first line.
    pub(super) fn begin(&self, place: Place, host: &mut Host, report: &mut Report<'_>) {
        let Some(name) = &self.name else { return report.left_out(place, DETAIL) };
        device(name, place, host);
        if ["dhcp", "auto", "bootp"].contains(&self.method.as_str()) {
            let what = format!("interface {}: {}", printable(name), self.method);
            let why = "the lab's interface has the scenario's addresses";
            report.not_imported(place, what, why);
        }
    }

    /// A line of the stanza. Whether it is one.
    pub(super) fn line(
        &mut self,
        text: &str,
        place: Place,
        host: &mut Host,
        report: &mut Report<'_>,
    ) -> bool {
        let Some(name) = self.name.clone() else { return false };
        let Some((key, value)) = text.split_once(char::is_whitespace) else { return false };
        let value = value.trim();
        match key {
            "address" => {
                let (address, length) = match value.split_once('/') {
                    Some((address, _)) => (address, Some(value)),
                    None => (value, None),
                };
                self.address = address.parse().ok().map(|address| (address, place));
                // Without a mask in its own line it is a host's address, or the next line's.
                super::address(&name, length.unwrap_or(address), place, host, report);
            }
            "netmask" => self.netmask(&name, value, place, host, report),
            "gateway" => route(("default", value), Some(&name), place, host, report),
            "mtu" => {
                if let Some(link) = device(&name, place, host) {
                    link.mtu = value.parse().ok();
                }
            }
            "mode" | "tunnel-mode" => {
                if let Some(link) = device(&name, place, host) {
                    link.kind = tunnel_kind(value).map(str::to_owned);
                }
            }
            "endpoint" | "tunnel-remote" | "dstaddr" => {
                if let Some(link) = device(&name, place, host) {
                    link.tunnel.remote = value.parse().ok();
                }
            }
            "up" | "down" | "pre-up" | "post-up" | "pre-down" | "post-down" => {
                let what = format!("interface {}: {key}", printable(&name));
                let why = "commands are not run; give the output of `ip addr` and `ip route`";
                report.not_imported(place, what, why);
            }
            key if key
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) =>
            {
                report.left_out(place, DETAIL);
            }
            _ => return false,
        }
        true
    }

    /// A mask in a line of its own: `255.255.255.0`, or a length.
    fn netmask(
        &self,
        name: &str,
        value: &str,
        place: Place,
        host: &mut Host,
        report: &mut Report<'_>,
    ) {
        let length = value.parse::<u8>().ok();
        let length = length.or_else(|| crate::address::mask_length(value).ok());
        let with_mask = self.address.and_then(|(address, _)| IpNet::new(address, length?).ok());
        let (Some(net), Some(link)) = (with_mask, device(name, place, host)) else {
            let what = format!("interface {}: netmask", printable(name));
            return report.not_imported(place, what, "this is no mask of an address before it");
        };
        let known = link.addresses.iter_mut().find(|one| one.net.addr() == net.addr());
        if let Some(known) = known {
            known.net = net;
        }
    }
}
