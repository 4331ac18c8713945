//! The host's tunnel: which device it is, and what it takes off.

use super::addresses::Addresses;
use crate::address::check_unicast;
use crate::lab::server_state::{Tunnel, protocol};
use crate::linux::host::{Host, Link, TunnelOptions};
use crate::place::Place;
use crate::text::printable;
use labsim_model::{GreOptions, GueOptions, TunnelKind, TunnelProtocol};
use std::net::{IpAddr, Ipv4Addr};

impl<'a> Addresses<'a, '_> {
    /// The tunnel device for the scenario's packets: one of their kind that is up, else one of another
    /// kind that is up, else one of their kind.
    pub(super) fn tunnel(&mut self) -> Option<&'a Link> {
        let wanted = self.wanted();
        let is_wanted = |link: &&Link| kind(link) == wanted;
        let is_up = |link: &&Link| kind(link).is_some() && link.up != Some(false);
        let host: &'a Host = self.host;
        let links = &host.links;
        let chosen = links
            .iter()
            .find(|link| is_wanted(link) && is_up(link))
            .or_else(|| links.iter().find(is_up))
            .or_else(|| links.iter().find(|link| wanted.is_some() && is_wanted(link)))?;
        Some(chosen)
    }

    /// The kind of device that takes the load balancer's packets, as ip-link(8) names it.
    fn wanted(&self) -> Option<&'static str> {
        if let Some(tunnel) = self.base.and_then(|base| base.tunnels.first()) {
            return Some(tunnel.kind.link_type());
        }
        let pools = self.scenario.load_balancers.values().flat_map(|it| it.pools.values());
        let mut of_node = pools.filter(|pool| {
            pool.members.iter().any(|member| self.own.contains(&member.address.ip()))
        });
        let protocol = of_node.find_map(|pool| pool.profile.tunnel())?;
        Some(TunnelKind::of(protocol, true, true).link_type())
    }

    /// The end of the tunnel that a device is.
    pub(super) fn tunnel_end(&mut self, link: &Link) -> Tunnel {
        let what = format!("tunnel {}", printable(&link.name));
        let known = self.base.and_then(|base| base.tunnels.first()).map(|it| protocol(it.kind));
        let is_gre = kind(link).is_some_and(|kind| kind.ends_with("gre"));
        let protocol = match known {
            Some(TunnelProtocol::Gue(options)) if !is_gre && self.host.gue_port.is_none() => {
                let why = "whether UDP packets come to it is not shown (`ip fou show`); the scenario's \
                           GUE is used";
                self.report.warn(link.place, what.clone(), why);
                TunnelProtocol::Gue(options)
            }
            Some(TunnelProtocol::Gre(options)) if is_gre && !link.tunnel.is_known => {
                if options != GreOptions::default() {
                    let why = "its key and checksum are not shown (`ip -d link`); the scenario's are \
                               used";
                    self.report.warn(link.place, what.clone(), why);
                }
                TunnelProtocol::Gre(options)
            }
            _ if is_gre => {
                let TunnelOptions { key, checksum, .. } = link.tunnel;
                TunnelProtocol::Gre(GreOptions { key, checksum })
            }
            _ => match self.host.gue_port {
                Some(port) => TunnelProtocol::Gue(GueOptions { port, ..GueOptions::default() }),
                None => TunnelProtocol::Ipip,
            },
        };
        if let Some(remote) = link.tunnel.remote.filter(|remote| !remote.is_unspecified()) {
            let why = "labsim's tunnels take packets from every sender; this one takes none but the \
                       remote's";
            self.report.not_imported(link.place, format!("{what}: remote {remote}"), why);
        }
        let mut own = link.addresses.iter().filter_map(|it| match it.net.addr() {
            IpAddr::V4(address) if !self.is_vip(it.net.addr()) => Some((address, it.place)),
            _ => None,
        });
        let address = own.find(|(address, _)| check_unicast((*address).into()).is_ok());
        let address = address.map(|(address, _)| address);
        let others: Vec<(Ipv4Addr, Place)> = own.collect();
        for (other, place) in others {
            let why = "labsim's tunnels have one address beside VIPs";
            self.report.not_imported(place, format!("{what}: address {other}"), why);
        }
        Tunnel {
            place: Some(link.place),
            protocol,
            device: link.name.clone(),
            address,
            up: link.up != Some(false),
        }
    }
}

/// What a device is as a tunnel, as ip-link(8) names it.
pub(in crate::linux) fn kind(link: &Link) -> Option<&'static str> {
    match link.kind.as_deref()? {
        "ipip" => Some("ipip"),
        "sit" => Some("sit"),
        "tunnel6" | "ip6tnl" => Some("ip6tnl"),
        "gre" => Some("gre"),
        "gre6" | "ip6gre" => Some("ip6gre"),
        _ => None,
    }
}
