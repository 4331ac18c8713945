//! The pool's further members: servers beside the one that the captures show.

use labsim_import::balancer::Member;
use labsim_model::{AdminState, LoadBalancingMode};
use std::net::{IpAddr, SocketAddr};

/// Further members of a lab at most.
const MAX_MEMBERS: usize = 16;
/// Members that are named at most of those that are not in the lab.
const MAX_NAMED: usize = 8;

/// A further member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FurtherMember {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    ratio: u16,
    state: AdminState,
    /// Where it is written.
    line: String,
}

/// The pool beside its server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Members {
    /// Those that the lab has, in the configuration's order.
    pub(crate) further: Vec<FurtherMember>,
    /// The server's ratio.
    ratio: u16,
    /// Why a new pool might not give its first connection to the server, although it is the first member.
    unsure: Option<String>,
    /// Members that the lab has not, and why.
    left_out: Vec<(String, &'static str)>,
}

/// How a pool gives its connections to members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Balancing {
    pub(crate) mode: LoadBalancingMode,
    /// Whether a member is chosen for each datagram.
    pub(crate) is_by_datagram: bool,
}

/// The name of a further member's node, by its place.
pub(crate) fn node_name(place: usize) -> String {
    format!("server{}", place + 2)
}

impl Members {
    /// The members of a pool beside `server`, of its family and reached in the same way. `others`: addresses of other
    /// hosts. `port`: where a member listens.
    pub(crate) fn new(
        members: &[Member],
        (server, others): (IpAddr, [IpAddr; 3]),
        balancing: Balancing,
        port: impl Fn(&Member) -> u16,
    ) -> Self {
        let own = members.iter().find(|it| it.address == server);
        // A server that no configuration has is reached as the first one is.
        let Some(alike) = own.or_else(|| members.first()) else { return Self::default() };
        let mut all = Self { ratio: own.map_or(1, |it| it.ratio.max(1)), ..Self::default() };
        for member in members.iter().filter(|it| own != Some(it)) {
            let address = SocketAddr::new(member.address, port(member));
            let mut known = all.further.iter().map(|it| it.address.ip()).chain([server]);
            let why = if known.any(|it| it == member.address) {
                "the server has one port in the lab"
            } else if others.contains(&member.address) {
                "another host of the lab has its address"
            } else if member.address.is_ipv4() != server.is_ipv4() {
                "its address is of the other family"
            } else if member.tunnel != alike.tunnel {
                "packets reach it in another way than the server"
            } else if all.further.len() == MAX_MEMBERS {
                "the lab has 16 further members"
            } else {
                let Member { ratio, state, .. } = *member;
                all.further.push(FurtherMember {
                    address,
                    ratio,
                    state,
                    line: member.line.to_string(),
                });
                continue;
            };
            all.left_out.push((format!("{} ({})", member.address, member.line), why));
        }
        all.unsure = all.why_unsure(balancing);
        all
    }

    /// Why the first connection may go to another member than the first. Equal members have their turns, and get their
    /// first connections, in the pool's order; a greater ratio comes before that.
    fn why_unsure(&self, Balancing { mode, is_by_datagram }: Balancing) -> Option<String> {
        let is_greater = |it: &FurtherMember| it.state.is_enabled() && it.ratio > self.ratio;
        if is_by_datagram {
            return Some("the load balancer chooses a member for each datagram".to_owned());
        }
        match mode {
            LoadBalancingMode::RoundRobin | LoadBalancingMode::LeastConnections => None,
            LoadBalancingMode::Ratio | LoadBalancingMode::RatioLeastConnections => {
                let greater = self.further.iter().find(|it| is_greater(it))?;
                Some(format!("the ratio of {} is greater than the server's", greater.address))
            }
            LoadBalancingMode::Maglev(_) => {
                Some("Maglev chooses by a hash of the client's port or address".to_owned())
            }
        }
    }

    /// Takes members out that the topology has no place for.
    pub(crate) fn without(&mut self, unplaced: &[IpAddr]) {
        let (left, further) =
            self.further.drain(..).partition(|it| unplaced.contains(&it.address.ip()));
        self.further = further;
        let left: Vec<FurtherMember> = left;
        self.left_out.extend(left.into_iter().map(|it| {
            (
                format!("{} ({})", it.address.ip(), it.line),
                "no network of the lab has room for its address",
            )
        }));
    }

    /// What the lab has of the pool, and what it has not, in sentences.
    pub(crate) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if !self.further.is_empty() {
            let named = self.further.iter().enumerate();
            let named = named
                .map(|(place, it)| format!("{} is {} ({})", node_name(place), it.address, it.line));
            let named: Vec<String> = named.collect();
            notes.push(format!(
                "the pool's further members are beside the server, and are set up as it is: {}",
                named.join(", ")
            ));
            notes.push(match &self.unsure {
                None => "the server is the pool's first member, as a pool's first connection goes to that"
                    .to_owned(),
                Some(why) => format!(
                    "the pool's further members are forced offline, so that the connection goes to the server: {why}"
                ),
            });
        }
        let mut reasons: Vec<&str> = Vec::new();
        for (_, why) in &self.left_out {
            if !reasons.contains(why) {
                reasons.push(why);
            }
        }
        for why in reasons {
            let of_reason = || self.left_out.iter().filter(|(_, it)| *it == why);
            let names: Vec<&str> =
                of_reason().map(|(name, _)| name.as_str()).take(MAX_NAMED).collect();
            let more = of_reason().count() - names.len();
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            notes.push(format!(
                "members of the pool that are not in the lab, as {why}: {}{more}",
                names.join(", ")
            ));
        }
        notes
    }

    /// The pool's members as YAML on one line, the server first. `is_alone`: the server has all connections.
    pub(crate) fn list(&self, server: SocketAddr, is_alone: bool) -> String {
        let is_offline = is_alone || self.unsure.is_some();
        let own = member(server, self.ratio.max(1), AdminState::Enabled);
        let further = self.further.iter().map(|it| {
            let state = if is_offline { AdminState::ForcedOffline } else { it.state };
            member(it.address, it.ratio, state)
        });
        std::iter::once(own).chain(further).collect::<Vec<_>>().join(", ")
    }

    /// The nodes of those that listen at each port.
    pub(crate) fn by_port(&self) -> Vec<(u16, Vec<String>)> {
        let mut ports: Vec<(u16, Vec<String>)> = Vec::new();
        for (place, it) in self.further.iter().enumerate() {
            let (port, name) = (it.address.port(), node_name(place));
            match ports.iter_mut().find(|(known, _)| *known == port) {
                Some((_, names)) => names.push(name),
                None => ports.push((port, vec![name])),
            }
        }
        ports
    }
}

/// A member on one line, without what is usual.
fn member(address: SocketAddr, ratio: u16, state: AdminState) -> String {
    let usual = (1, AdminState::Enabled);
    if (ratio, state) == usual {
        return format!("\"{address}\"");
    }
    let mut keys = vec![format!("address: \"{address}\"")];
    if ratio != usual.0 {
        keys.push(format!("ratio: {ratio}"));
    }
    if state != usual.1 {
        keys.push(format!("state: {}", state.word()));
    }
    format!("{{{}}}", keys.join(", "))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use labsim_import::Line;
    use labsim_model::{Maglev, TunnelProtocol};

    /// A member with a ratio, in IPIP.
    pub(crate) fn configured(address: &str, ratio: u16) -> Member {
        let line = Line { file: "bigip.conf".to_owned(), number: usize::from(ratio) };
        Member {
            line: line.clone(),
            address: address.parse().unwrap(),
            port: Some(49),
            tunnel: Some(TunnelProtocol::Ipip),
            tunnel_line: line,
            ratio,
            state: AdminState::Enabled,
        }
    }

    pub(crate) const SERVER: &str = "10.1.1.52";

    /// The members beside the server, with the client at 192.0.2.1.
    pub(crate) fn beside(members: &[Member], mode: LoadBalancingMode) -> Members {
        let address = |text: &str| text.parse().unwrap();
        let others = ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(address);
        let balancing = Balancing { mode, is_by_datagram: false };
        Members::new(members, (address(SERVER), others), balancing, |it| it.port.unwrap_or(49))
    }

    fn list(members: &Members, is_alone: bool) -> String {
        members.list(format!("{SERVER}:49").parse().unwrap(), is_alone)
    }

    #[test]
    fn the_server_is_the_first_member_whatever_the_configurations_order() {
        let pool = [configured("10.1.1.51", 1), configured(SERVER, 1), configured("10.1.1.53", 1)];
        for mode in [
            LoadBalancingMode::RoundRobin,
            LoadBalancingMode::LeastConnections,
            LoadBalancingMode::Ratio,
        ] {
            let members = beside(&pool, mode);
            assert_eq!(
                list(&members, false),
                "\"10.1.1.52:49\", \"10.1.1.51:49\", \"10.1.1.53:49\"",
                "{mode:?}"
            );
            assert!(members.notes().iter().any(|it| it.contains("the pool's first member")));
        }
        assert_eq!(
            list(&beside(&pool[..2], LoadBalancingMode::RoundRobin), true),
            "\"10.1.1.52:49\", {address: \"10.1.1.51:49\", state: forced_offline}"
        );
    }

    #[test]
    fn further_members_are_offline_where_the_mode_may_choose_one_first() {
        let pool = |further| [configured(SERVER, 2), configured("10.1.1.51", further)];
        let is_offline = |further, mode| {
            let members = beside(&pool(further), mode);
            let is_said = members.notes().iter().any(|it| it.contains("forced offline"));
            assert_eq!(list(&members, false).contains("state: forced_offline"), is_said);
            is_said
        };
        let maglev = LoadBalancingMode::Maglev(Maglev::default());
        for (further, mode, expected) in [
            (2, LoadBalancingMode::Ratio, false),
            (3, LoadBalancingMode::Ratio, true),
            (3, LoadBalancingMode::RatioLeastConnections, true),
            (3, LoadBalancingMode::RoundRobin, false),
            (1, maglev, true),
        ] {
            assert_eq!(is_offline(further, mode), expected, "{further} {mode:?}");
        }
    }

    #[test]
    fn members_that_the_lab_cannot_have_are_named_with_the_reason() {
        let mut pool =
            vec![configured(SERVER, 1), configured("192.0.2.1", 2), configured("2001:db8::1", 3)];
        pool.push(Member { tunnel: None, ..configured("10.1.1.53", 4) });
        pool.push(Member { port: Some(50), ..configured(SERVER, 5) });
        pool.extend((0..MAX_MEMBERS + 10).map(|it| configured(&format!("10.2.0.{}", it + 1), 6)));
        let members = beside(&pool, LoadBalancingMode::RoundRobin);
        assert_eq!(members.further.len(), MAX_MEMBERS);
        let notes = members.notes();
        for part in [
            "as another host of the lab has its address: 192.0.2.1 (bigip.conf:2)",
            "as its address is of the other family: 2001:db8::1 (bigip.conf:3)",
            "as packets reach it in another way than the server: 10.1.1.53 (bigip.conf:4)",
            "as the server has one port in the lab: 10.1.1.52 (bigip.conf:5)",
            "as the lab has 16 further members: 10.2.0.17 (bigip.conf:6)",
            "and 2 more",
        ] {
            assert!(notes.iter().any(|it| it.contains(part)), "{part}: {notes:#?}");
        }
    }
}
