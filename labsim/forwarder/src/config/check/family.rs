//! Which address families go together: any in a tunnel, and translation for IPv4 alone.

use super::Problem;
use crate::config::{Member, OuterSource, Pool, Profile, SourceTranslation, VirtualServer};

/// Everything that a virtual server and the members of its pool cannot do because of their addresses'
/// families.
pub(super) fn check_families(
    name: &str,
    server: &VirtualServer,
    pool: &Pool,
    outer_source: OuterSource,
    out: &mut Vec<Problem>,
) {
    let vip = server.destination;
    let mut problem = |key: &str, message: String| {
        out.push(Problem::new(format!("virtual_servers.{name}.{key}"), message));
    };
    let others = pool.members.iter().filter(|member| member.address.is_ipv4() != vip.is_ipv4());
    for Member { address: member, .. } in others {
        if pool.profile == Profile::None {
            problem(
                "pool",
                format!(
                    "member {member} of `{}` is of another address family than {vip} and the pool \
                     has no tunnel profile; give it `ipip` or `gre`",
                    server.pool
                ),
            );
        } else if outer_source == OuterSource::Client {
            problem(
                "pool",
                format!(
                    "member {member} of `{}` is of another address family than {vip}, so the \
                     client's address cannot be the outer source; set `outer_source` to `egress`",
                    server.pool
                ),
            );
        }
    }
    let Some(who) = of_ipv6(server, pool) else { return };
    if server.translate_address {
        problem(
            "translate_address",
            format!("{who} has an IPv6 address, and those are not translated; set it to `false`"),
        );
    }
    if server.source_address_translation != SourceTranslation::None {
        problem(
            "source_address_translation",
            format!("{who} has an IPv6 address, and only IPv4 is translated; set it to `none`"),
        );
    }
    if !server.translate_port || vip.is_ipv4() {
        return;
    }
    let ports = pool.members.iter().map(|member| member.address);
    for member in ports.filter(|member| ![0, vip.port()].contains(&member.port())) {
        problem(
            "translate_port",
            format!(
                "ports of IPv6 packets are not translated; set it to `false`, or give member \
                 {member} the port {}",
                vip.port()
            ),
        );
    }
}

/// Who of the virtual server and its members has an IPv6 address.
fn of_ipv6(server: &VirtualServer, pool: &Pool) -> Option<String> {
    if server.destination.is_ipv6() {
        return Some("the VIP".to_owned());
    }
    let member = pool.members.iter().find(|member| member.address.is_ipv6())?;
    Some(format!("member {} of `{}`", member.address, server.pool))
}
