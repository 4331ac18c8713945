//! Which address families go together: any in a tunnel, and with translation the same ones.

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
        if server.source_address_translation == SourceTranslation::None {
            return;
        }
        let vip = &server.destination;
        let path = at.join("source_address_translation");
        let mut addresses = pool.members.iter().map(|member| member.address);
        let other = addresses.find(|it| it.is_ipv4() != vip.is_ipv4() && !is_unread(*it));
        if let Some(member) = other.filter(|_| !server.translate_address) {
            problem(
                path.clone(),
                format!(
                    "source address translation is within one family, and {} is {} where member {member} \
                     of {} is {}; remove it",
                    quote(name),
                    family(vip.is_ipv4()),
                    quote(&server.pool),
                    family(member.is_ipv4())
                ),
            );
        }
        let SourceTranslation::Snat(addresses) = &server.source_address_translation else { return };
        for (index, address) in addresses.iter().enumerate() {
            if address.is_ipv4() != vip.is_ipv4() {
                let (own, name) = (family(address.is_ipv4()), quote(name));
                let wanted = family(vip.is_ipv4());
                let message = format!(
                    "{address} is {own}, and {name} is {wanted}; write an {wanted} address"
                );
                problem(path.join("snat").join(index), message);
            }
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
            _ if server.translate_address => Some(format!(
                "the member {member} is {outside}, and {name}, which translates addresses, is {inside}; \
                 write an {inside} member"
            )),
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
