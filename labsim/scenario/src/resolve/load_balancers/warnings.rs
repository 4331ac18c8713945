//! What a load balancer may have, and what cannot work under Direct Server Return.

use super::Part;
use crate::model::{Pool, Profile, SourceTranslation, VirtualServer};
use crate::resolve::Report;
use crate::text::quoted;
use labsim_codes::file;
use labsim_model::{KeyPath, is_unread};

impl Part<'_> {
    /// Warns of faults that the load balancer has on purpose, so that every report names them.
    pub(super) fn warn_of_faults(&self, report: &mut Report<'_>) {
        if let [first, others @ ..] = &self.balancer.faults[..] {
            let all = others.iter().fold(first.to_string(), |all, fault| format!("{all}, {fault}"));
            let place = self.place(&KeyPath::new(["faults"]), report);
            report.warn(
                place,
                file::DELIBERATE_FAULT,
                format!("this load balancer is faulty on purpose: {all}"),
            );
        }
    }

    /// Warns of virtual servers whose answers do not go straight from the server to the client.
    pub(super) fn warn_of_servers(&self, report: &mut Report<'_>) {
        for (name, server) in &self.balancer.virtual_servers {
            let Some(pool) = self.balancer.pools.get(&server.pool) else { continue };
            for (path, message) in warnings(name, server, pool) {
                let place = self.place(&path, report);
                report.warn(place, file::DSR_BROKEN, message);
            }
        }
    }
}

fn warnings(name: &str, server: &VirtualServer, pool: &Pool) -> Vec<(KeyPath, String)> {
    let quoted = quoted(name);
    let of_pool = KeyPath::new(["pools", &server.pool]);
    if server.translate_address {
        let message = |whose: &str| {
            format!(
                "{quoted} translates the destination address, and {whose} has a tunnel for packets \
                 that keep theirs: the server answers from its own address; write \
                 `translate_address: false`, or `profile: none`"
            )
        };
        let of_members = pool.members.iter().enumerate().filter_map(|(index, member)| {
            member.profile?.tunnel()?;
            let path = of_pool.join("members").join(index).join("profile");
            Some((path, message(&format!("the member `{}`", member.address))))
        });
        let is_used = pool.members.iter().any(|member| member.profile.is_none());
        let is_tunnelled = is_used && pool.profile != Profile::None;
        let own = is_tunnelled.then(|| (of_pool.join("profile"), message("its pool")));
        return own.into_iter().chain(of_members).collect();
    }
    let mut warnings = Vec::new();
    if server.source_address_translation != SourceTranslation::None {
        let message = format!(
            "{quoted} translates the source address and leaves the destination (Direct Server \
             Return): the servers take the load balancer for their client, and every answer returns \
             through it; take this out, or write `translate_address: true`"
        );
        let path = KeyPath::new(["virtual_servers", name, "source_address_translation"]);
        warnings.push((path, message));
    }
    // Of several ports, one of which is the member's, clients can ask for others.
    let ports = server.destination.ports();
    for (index, member) in pool.members.iter().enumerate().filter(|_| !ports.is_any()) {
        let member = member.address;
        let is_one = server.destination.port() == Some(member.port());
        let keeps = !server.translate_port && ports.contains(member.port());
        if is_unread(member) || member.port() == 0 || is_one || keeps {
            continue;
        }
        let (port, let_listen) = match server.destination.port() {
            Some(port) => (port.to_string(), format!("let the server listen on {port}")),
            None => (
                format!("one of {ports}"),
                "let it listen on these, and write `translate_port: false`".to_owned(),
            ),
        };
        let message = if server.translate_port {
            format!(
                "the member `{member}` has another port than {quoted}, whose address is not \
                 translated (Direct Server Return): the answer comes straight from that port, and \
                 the client asked port {port}; {let_listen}"
            )
        } else {
            format!(
                "the member `{member}` has another port than {quoted}, which translates neither \
                 address nor port: packets reach the server on port {port} all the same; write that \
                 port here"
            )
        };
        warnings.push((of_pool.join("members").join(index).join("address"), message));
    }
    warnings
}
