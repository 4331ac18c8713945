//! Units of systemd-networkd: systemd.netdev(5) and systemd.network(5).

use super::{DETAIL, device, route, tunnel_kind};
use crate::linux::host::{Address, Host};
use crate::linux::links::net;
use crate::place::Place;
use crate::report::Report;
use crate::text::{has_word, printable};

const SECTIONS: &str = "\
    Match Link Network Address Route NetDev Tunnel FooOverUDP RoutingPolicyRule DHCPv4 DHCPv6 DHCP \
    IPv6AcceptRA Neighbor NextHop Bridge Bond VLAN Peer";

/// A unit and one of its sections.
#[derive(Default)]
pub(super) struct Unit {
    section: String,
    /// The device that it is about.
    name: Option<String>,
    /// The destination of a route, before its gateway is known.
    destination: String,
    /// Whether the last address and route of the host are this section's.
    is_open: bool,
}

/// The name of a section in brackets, if it is one of networkd's.
pub(super) fn section(text: &str) -> Option<&str> {
    let name = text.strip_prefix('[')?.strip_suffix(']')?;
    has_word(SECTIONS, name).then_some(name)
}

impl Unit {
    /// The unit at the beginning of a section: `[Match]` and `[NetDev]` begin a new one.
    pub(super) fn begin(self, section: &str) -> Self {
        let name = self.name.filter(|_| !["Match", "NetDev"].contains(&section));
        Self { section: section.to_owned(), name, destination: String::new(), is_open: false }
    }

    /// A line of the section. Whether it is one.
    pub(super) fn line(
        &mut self,
        text: &str,
        place: Place,
        host: &mut Host,
        report: &mut Report<'_>,
    ) -> bool {
        if text.starts_with(['#', ';']) {
            report.left_out(place, DETAIL);
            return true;
        }
        let Some((key, value)) = text.split_once('=') else { return false };
        let (key, value) = (key.trim(), value.trim());
        if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return false;
        }
        self.setting(key, value, place, host, report);
        true
    }

    fn setting(
        &mut self,
        key: &str,
        value: &str,
        place: Place,
        host: &mut Host,
        report: &mut Report<'_>,
    ) {
        if let ("Match" | "NetDev", "Name") = (self.section.as_str(), key) {
            if value.contains(['*', '?', '[', '!', ' ']) {
                let what = format!("unit for {}", printable(value));
                let why = "a pattern of names; write the one device that it is about";
                return report.not_imported(place, what, why);
            }
            self.name = Some(value.to_owned());
            device(value, place, host);
            return;
        }
        if let ("FooOverUDP", "Port") = (self.section.as_str(), key) {
            // Its name is no device's.
            let own = self.name.take();
            host.links.retain(|link| Some(&link.name) != own.as_ref());
            host.gue_port = value.parse().ok().filter(|port| *port != 0);
            return;
        }
        let Some(name) = self.name.clone() else {
            return report.left_out(place, DETAIL);
        };
        let Some(link) = device(&name, place, host) else { return };
        match (self.section.as_str(), key) {
            ("NetDev", "Kind") => match tunnel_kind(value) {
                Some(kind) => link.kind = Some(kind.to_owned()),
                None if ["dummy", "fou"].contains(&value) => {}
                None => report.left_out(place, DETAIL),
            },
            ("NetDev" | "Link", "MTUBytes") => link.mtu = value.parse().ok(),
            ("Link", "ActivationPolicy") => {
                link.up = Some(!["down", "always-down", "manual"].contains(&value));
            }
            ("Tunnel", "Remote") => {
                link.tunnel.remote = value.parse().ok();
            }
            ("Tunnel", "Key" | "InputKey") => {
                link.tunnel.is_known = true;
                let dotted = value.parse::<std::net::Ipv4Addr>().ok().map(u32::from);
                link.tunnel.key = value.parse().ok().or(dotted);
            }
            ("Network" | "Address", "Address") => {
                self.is_open = self.section == "Address";
                super::address(&name, value, place, host, report);
            }
            ("Address", "Scope" | "Label") if self.is_open => {
                let Some(Address { scope, label, .. }) = link.addresses.last_mut() else { return };
                match key {
                    "Scope" => value.clone_into(scope),
                    _ => *label = Some(value.to_owned()),
                }
            }
            ("Network" | "Route", "Gateway") if value.parse::<std::net::IpAddr>().is_ok() => {
                self.is_open = self.section == "Route";
                let destination = std::mem::take(&mut self.destination);
                route((&destination, value), Some(&name), place, host, report);
            }
            ("Route", "Destination") if net(value).is_some() => {
                match host.routes.last_mut().filter(|_| self.is_open) {
                    Some(last) => {
                        if let Some(net) = net(value) {
                            last.destination = net;
                        }
                    }
                    None => value.clone_into(&mut self.destination),
                }
            }
            ("Route", "MTUBytes" | "TCPAdvertisedMaximumSegmentSize") if self.is_open => {
                let Some(last) = host.routes.last_mut() else { return };
                match key {
                    "MTUBytes" => last.mtu = value.parse().ok(),
                    _ => last.advmss = value.parse().ok(),
                }
            }
            ("Network", "DHCP" | "Bridge" | "Bond" | "VRF") => {
                let what = format!("{}: {key}", printable(&name));
                report.not_imported(
                    place,
                    what,
                    "the lab's interface has the scenario's addresses",
                );
            }
            ("RoutingPolicyRule", _) => {
                let what = format!("{}: routing rule", printable(&name));
                report.not_imported(place, what, "labsim's nodes have one routing table");
            }
            _ => report.left_out(place, DETAIL),
        }
    }
}
