//! A load balancer against the topology: who has its addresses, and which members it reaches.

use super::Part;
use crate::model::{Pool, SourceTranslation, TunnelKind};
use crate::resolve::Report;
use labsim_codes::file;
use labsim_model::{KeyPath, is_unread};
use std::net::SocketAddr;

/// The least that IPv6 must find on its way (RFC 8200, section 5).
const IPV6_MTU: u32 = 1280;

impl Part<'_> {
    /// Checks that no other node has a virtual server's addresses.
    pub(super) fn check_servers(&self, report: &mut Report<'_>) {
        for (name, server) in &self.balancer.virtual_servers {
            let at = KeyPath::new(["virtual_servers", name]);
            let owner = self.lookup.owner(server.destination.ip());
            if let Some(owner) = owner.filter(|owner| owner.node.as_str() != self.key) {
                let message = format!(
                    "the VIP is the address of `{}:{}`, whose kernel would answer itself; give the \
                     virtual server an address that no other node's interface has",
                    owner.node, owner.interface
                );
                let place = self.place(&at.join("destination"), report);
                report.at(place, file::DUPLICATE_ADDRESS, message);
            }
            let SourceTranslation::Snat(addresses) = &server.source_address_translation else {
                continue;
            };
            for (index, address) in addresses.iter().enumerate() {
                let owner = self.lookup.owner(*address);
                let Some(owner) = owner.filter(|owner| owner.node.as_str() != self.key) else {
                    continue;
                };
                let message = format!(
                    "{address} is the address of `{}:{}`; give SNAT one that no other node has",
                    owner.node, owner.interface
                );
                let path = at.join("source_address_translation").join("snat").join(index);
                let place = self.place(&path, report);
                report.at(place, file::DUPLICATE_ADDRESS, message);
            }
        }
    }

    /// Checks that the members are servers that the load balancer reaches.
    pub(super) fn check_pools(&self, report: &mut Report<'_>) {
        for (name, pool) in &self.balancer.pools {
            let at = KeyPath::new(["pools", name]);
            let mut servers = self.balancer.virtual_servers.values();
            let is_used = servers.any(|server| server.pool == *name);
            for (index, member) in pool.members.iter().enumerate() {
                let member = member.address;
                let Some((code, message)) = self.member_error(member, is_used) else { continue };
                let path = at.join("members").join(index).join("address");
                let place = self.place(&path, report);
                report.first_at(place, code, message);
            }
            if let Some(message) = self.mtu_error(name, pool) {
                let place = self.place(&at.join("profile"), report);
                report.first_at(place, file::MTU_TOO_SMALL, message);
            }
        }
    }

    /// Why a member is not a server that the load balancer reaches; the latter only if a virtual
    /// server uses it.
    fn member_error(
        &self,
        member: SocketAddr,
        is_used: bool,
    ) -> Option<(labsim_codes::Code, String)> {
        if is_unread(member) {
            return None;
        }
        if member.port() == 0 {
            let message = "`any` stands for every port; write one from 1 to 65535".to_owned();
            return Some((file::INVALID_VALUE, message));
        }
        if !self.lookup.knows_addresses() {
            return None;
        }
        let address = member.ip();
        if self.lookup.owner(address).is_none() {
            let message =
                format!("no node has the member's address {address}; name a real server's");
            return Some((file::UNKNOWN_ADDRESS, message));
        }
        let node = self.node.filter(|_| is_used)?;
        let mut own = node.interfaces.iter().flat_map(|one| &one.addresses);
        let is_reached = own.any(|net| net.addr().is_ipv4() == member.is_ipv4());
        (!is_reached).then(|| {
            let (node, family) = (&node.name, if member.is_ipv4() { "IPv4" } else { "IPv6" });
            let message =
                format!("`{node}` has no {family} address to reach {member} from; give it one");
            (file::ADDRESS_FAMILY, message)
        })
    }

    /// Why IPv6 does not fit into a pool's tunnel.
    fn mtu_error(&self, name: &str, pool: &Pool) -> Option<String> {
        let mut servers = self.balancer.virtual_servers.values();
        servers.find(|server| server.pool == name && server.destination.is_ipv6())?;
        let mtu = self.node?.interfaces.iter().map(|interface| interface.mtu).min()?;
        let tunnels = pool.tunnels().filter(|(member, _)| !is_unread(*member));
        let overhead = tunnels
            .map(|(member, tunnel)| TunnelKind::of(tunnel, member.is_ipv4(), false).overhead())
            .max()?;
        let needed = IPV6_MTU + overhead;
        (mtu < needed).then(|| {
            format!(
                "the load balancer's MTU of {mtu} bytes leaves IPv6 {} inside the tunnel, and it \
                 needs {IPV6_MTU}; give its interface {needed} or more",
                mtu.saturating_sub(overhead)
            )
        })
    }
}
