//! Files that configure a host's addresses, routes and tunnels at every start: units of systemd-networkd,
//! netplan, interfaces(5) and ifcfg. They say what a host should have, and a list of what it has counts more.

mod ifcfg;
mod interfaces;
mod netplan;
mod networkd;

use super::host::{Address, Host, Link, Route};
use super::links::net;
use crate::place::Place;
use crate::report::Report;
use crate::text::{has_word, printable};
use ipnet::{IpNet, Ipv4Net};
use std::net::{IpAddr, Ipv4Addr};

/// Words of such files that decide nothing of a real server's packets.
const DETAIL: &str = "setting of a network file that is not about addresses, routes or tunnels";
/// A kernel's module in a file of modules-load.d(5).
const MODULE: &str = "kernel module that is loaded at start";
const MODULES: &str = "ipip sit fou fou6 ip_gre ip6_gre ip6_tunnel dummy ip_vs";

/// What the files say, and where a text is in one of them.
#[derive(Default)]
pub(super) struct Persistent {
    found: Host,
    format: Format,
}

/// The file that a line belongs to.
#[derive(Default)]
enum Format {
    #[default]
    None,
    Networkd(networkd::Unit),
    Netplan(netplan::Path),
    Interfaces(interfaces::Stanza),
    Ifcfg(ifcfg::Interface),
}

impl Persistent {
    /// A line of such a file. Whether it is one.
    pub(super) fn line(&mut self, line: &str, place: Place, report: &mut Report<'_>) -> bool {
        let text = line.trim();
        if has_word(MODULES, text) {
            report.left_out(place, MODULE);
            return true;
        }
        if let Some(section) = networkd::section(text) {
            let unit = match std::mem::take(&mut self.format) {
                Format::Networkd(unit) => unit,
                _ => networkd::Unit::default(),
            };
            self.format = Format::Networkd(unit.begin(section));
            return true;
        }
        if line.starts_with("network:") {
            self.format = Format::Netplan(netplan::Path::default());
            return true;
        }
        if let Some(stanza) = interfaces::stanza(text) {
            stanza.begin(place, &mut self.found, report);
            self.format = Format::Interfaces(stanza);
            return true;
        }
        if let Format::None | Format::Networkd(_) | Format::Interfaces(_) = self.format
            && let Some(interface) = ifcfg::first(text)
        {
            self.format = Format::Ifcfg(interface);
        }
        let found = &mut self.found;
        let is_one = match &mut self.format {
            Format::None => false,
            Format::Networkd(unit) => unit.line(text, place, found, report),
            Format::Netplan(path) => path.line(line, place, found, report),
            Format::Interfaces(stanza) => stanza.line(text, place, found, report),
            Format::Ifcfg(interface) => interface.line(text, place, found, report),
        };
        if !is_one {
            self.end();
        }
        is_one
    }

    /// Ends a file.
    pub(super) fn end(&mut self) {
        self.format = Format::None;
    }

    /// Puts what the files say into the host, where no list shows what it has.
    pub(super) fn settle(self, host: &mut Host, report: &mut Report<'_>) {
        let Self { found, .. } = self;
        if !host.has_addresses {
            host.has_addresses = found.has_addresses;
            for link in found.links {
                merge(link, host);
            }
            host.gue_port = host.gue_port.or(found.gue_port);
        } else {
            for link in &found.links {
                for one in &link.addresses {
                    if host.link_with(one.net.addr()).is_none() {
                        let what = format!("address {} of {}", one.net, printable(&link.name));
                        let why = "a file configures it and the host does not have it now; what it has \
                                   is imported";
                        report.warn(one.place, what, why);
                    }
                }
            }
        }
        if !host.has_routes {
            host.has_routes = found.has_routes;
            host.routes = found.routes;
        }
    }
}

/// Adds a device, or what another text says of it.
fn merge(link: Link, host: &mut Host) {
    let Some(known) = host.link(&link.name, link.place) else { return };
    known.kind = known.kind.take().or(link.kind);
    known.up = known.up.or(link.up);
    known.mtu = known.mtu.or(link.mtu);
    if !known.tunnel.is_known {
        known.tunnel = link.tunnel;
    }
    for address in link.addresses {
        known.add(address);
    }
}

/// The device of a name; the kernel's own tunnels have their kind. It is up, as such files bring it up.
fn device<'h>(name: &str, place: Place, host: &'h mut Host) -> Option<&'h mut Link> {
    let kind = match name {
        "lo" => Some("loopback"),
        "tunl0" => Some("ipip"),
        "gre0" => Some("gre"),
        "sit0" => Some("sit"),
        _ => None,
    };
    host.has_addresses = true;
    let link = host.link(name, place)?;
    link.kind = link.kind.take().or_else(|| kind.map(str::to_owned));
    link.up = link.up.or(Some(true));
    Some(link)
}

/// Adds an address; one that is none is listed.
fn address(name: &str, text: &str, place: Place, host: &mut Host, report: &mut Report<'_>) {
    let Some(net) = net(text) else {
        let what = format!("address {} of {}", printable(text), printable(name));
        return report.not_imported(place, what, "this is no address");
    };
    if let Some(link) = device(name, place, host) {
        link.add(Address { place, net, scope: "global".to_owned(), label: None });
    }
}

/// Adds a route; `default` and what is no destination are told apart.
fn route(
    (destination, via): (&str, &str),
    device: Option<&str>,
    place: Place,
    host: &mut Host,
    report: &mut Report<'_>,
) {
    /// Most routes that are remembered.
    const MOST: usize = 10_000;
    let gateway = via.parse::<IpAddr>().ok();
    let destination = match destination {
        "default" | "" if via.contains(':') => "::/0".parse().ok(),
        "default" | "" => Some(IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0))),
        text => net(text),
    };
    let (Some(destination), Some(gateway)) = (destination, gateway) else {
        let what = format!("route via {}", printable(via));
        return report.not_imported(place, what, "its destination or its gateway is no address");
    };
    host.has_routes = true;
    if host.routes.len() < MOST {
        host.routes.push(Route {
            place,
            destination,
            via: Some(gateway),
            device: device.map(str::to_owned),
            mtu: None,
            advmss: None,
        });
    }
}

/// The kinds of tunnels, by all words that the formats have for them.
fn tunnel_kind(word: &str) -> Option<&'static str> {
    match word.to_ascii_lowercase().as_str() {
        "ipip" => Some("ipip"),
        "gre" => Some("gre"),
        "sit" => Some("sit"),
        "ip6tnl" | "ip6ip6" | "ipip6" => Some("ip6tnl"),
        "ip6gre" => Some("ip6gre"),
        _ => None,
    }
}
