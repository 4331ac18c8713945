//! `ifcfg-NAME` of Red Hat's network scripts.

use super::{DETAIL, device, route, tunnel_kind};
use crate::linux::host::Host;
use crate::place::Place;
use crate::report::Report;
use crate::text::printable;
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// One file.
pub(super) struct Interface {
    name: String,
    /// Addresses by their number, such as `0` of `IPADDR0`.
    addresses: BTreeMap<String, IpAddr>,
}

/// The file that a line begins: `DEVICE=eth0`.
pub(super) fn first(text: &str) -> Option<Interface> {
    let name = text.strip_prefix("DEVICE=")?;
    let name = name.trim_matches(['"', '\'']).to_owned();
    (!name.is_empty()).then(|| Interface { name, addresses: BTreeMap::new() })
}

impl Interface {
    /// A line of the file. Whether it is one.
    pub(super) fn line(
        &mut self,
        text: &str,
        place: Place,
        host: &mut Host,
        report: &mut Report<'_>,
    ) -> bool {
        /// Most addresses of a file.
        const MOST: usize = 1000;
        let Some((key, value)) = text.split_once('=') else { return false };
        if key.is_empty()
            || !key
                .bytes()
                .all(|one| one.is_ascii_uppercase() || one.is_ascii_digit() || one == b'_')
        {
            return false;
        }
        let value = value.trim_matches(['"', '\'']);
        if key == "DEVICE" {
            *self = Self { name: value.to_owned(), addresses: BTreeMap::new() };
        }
        let name = &self.name;
        let (word, number) = split(key);
        let Some(link) = device(name, place, host) else { return true };
        match word {
            "DEVICE" => {}
            "IPADDR" | "MY_INNER_IPADDR" => {
                if let (Ok(address), true) = (value.parse(), self.addresses.len() < MOST) {
                    self.addresses.insert(number.to_owned(), address);
                }
                super::address(name, value, place, host, report);
            }
            "PREFIX" | "NETMASK" => {
                let length = value.parse::<u8>().ok();
                let length = length.or_else(|| crate::address::mask_length(value).ok());
                let address = self.addresses.get(number).copied();
                let net = address.and_then(|address| IpNet::new(address, length?).ok());
                let known = net.and_then(|net| {
                    link.addresses.iter_mut().find(|it| it.net.addr() == net.addr())
                });
                match (known, net) {
                    (Some(known), Some(net)) => known.net = net,
                    _ => {
                        let what = format!("{}: {key}", printable(name));
                        report.not_imported(place, what, "this is no mask of an address before it");
                    }
                }
            }
            "GATEWAY" => route(("default", value), Some(name), place, host, report),
            "MTU" => link.mtu = value.parse().ok(),
            "ONBOOT" => link.up = Some(value != "no"),
            "TYPE" => {
                if let Some(kind) = tunnel_kind(value) {
                    link.kind = Some(kind.to_owned());
                }
            }
            "PEER_OUTER_IPADDR" => link.tunnel.remote = value.parse().ok(),
            "KEY" if link.kind.as_deref() == Some("gre") => {
                link.tunnel.is_known = true;
                link.tunnel.key = value.parse().ok();
            }
            "BOOTPROTO" if value.eq_ignore_ascii_case("dhcp") => {
                let why = "the lab's interface has the scenario's addresses";
                report.not_imported(place, format!("{}: BOOTPROTO", printable(name)), why);
            }
            _ => report.left_out(place, DETAIL),
        }
        true
    }
}

/// A key without its number.
fn split(key: &str) -> (&str, &str) {
    key.split_at(key.trim_end_matches(|one: char| one.is_ascii_digit()).len())
}
