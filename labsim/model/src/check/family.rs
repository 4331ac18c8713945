//! Which address families go together: any in a tunnel, and translation for IPv4 alone.

use super::family;
use crate::load_balancer::{LoadBalancer, OuterSource, Pool, SourceTranslation, VirtualServer};
use crate::{KeyPath, Problem, Profile, is_unread, quote};
use labsim_codes::file;
use std::net::SocketAddr;

impl LoadBalancer {
    /// Finds what a virtual server and the members of its pool cannot do because of their
    /// addresses' families.
    pub(super) fn check_families(
        &self,
        name: &str,
        server: &VirtualServer,
        pool: &Pool,
        out: &mut Vec<Problem>,
    ) {
        let at = KeyPath::new(["virtual_servers", name]);
        let members = KeyPath::new(["pools", &server.pool, "members"]);
        let mut problem = |path, message| {
            out.push(Problem::new(file::ADDRESS_FAMILY, path, message));
        };
        for (index, member) in pool.members.iter().enumerate() {
            if let Some(message) =
                self.misfit(name, server, pool.profile_of(member), member.address)
            {
                problem(members.join(index).join("address"), message);
            }
        }
        let vip = &server.destination;
        let quoted = quote(name);
        if server.translate_address && vip.is_ipv6() {
            problem(
                at.join("translate_address"),
                format!("address translation is for IPv4, and {quoted} is IPv6; remove it"),
            );
        }
        let mut addresses = pool.members.iter().map(|member| member.address);
        let v6_member = addresses.find(|member| member.is_ipv6() && !is_unread(*member));
        let v6 = match v6_member {
            _ if vip.is_ipv6() => Some(quoted),
            Some(member) => Some(format!("member {member} of {}", quote(&server.pool))),
            None => None,
        };
        if let Some(who) =
            v6.filter(|_| server.source_address_translation != SourceTranslation::None)
        {
            problem(
                at.join("source_address_translation"),
                format!("source address translation is for IPv4, and {who} is IPv6; remove it"),
            );
        }
        if !server.translate_port || vip.is_ipv4() {
            return;
        }
        let ports = pool.members.iter().map(|member| member.address);
        for member in ports.filter(|member| member.port() != 0 && vip.port() != Some(member.port()))
        {
            problem(
                at.join("translate_port"),
                format!(
                    "ports of IPv6 packets are not translated; write `translate_port: false`, or \
                     give member {member} the port {}",
                    vip.ports()
                ),
            );
        }
    }

    /// Why a member that packets reach by `profile` cannot serve a virtual server, for its family.
    #[must_use]
    pub fn misfit(
        &self,
        name: &str,
        server: &VirtualServer,
        profile: Profile,
        member: SocketAddr,
    ) -> Option<String> {
        let vip = &server.destination;
        if vip.is_ipv4() == member.is_ipv4() || is_unread(member) {
            return None;
        }
        let (name, inside, outside) =
            (quote(name), family(vip.is_ipv4()), family(member.is_ipv4()));
        match profile {
            // Of an IPv6 VIP it is reported once.
            _ if server.translate_address => vip.is_ipv4().then(|| {
                format!("{name} translates addresses, which is for IPv4; write an IPv4 member")
            }),
            Profile::None => Some(format!(
                "the member {member} is {outside}, {name} is {inside}, and only a tunnel carries \
                 one in the other; write `profile: ipip` or `profile: gre`"
            )),
            _ if self.outer_source == OuterSource::Client => Some(format!(
                "tunnel packets to the member {member} are {outside}, and their source would be \
                 the client of {name}, which is {inside}; write `outer_source: egress`"
            )),
            _ => None,
        }
    }
}
