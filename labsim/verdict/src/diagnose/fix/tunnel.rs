//! Tunnels' ends.

use super::super::subject::Served;
use super::{Change, Fix, Part, Subject, acos, pool};
use labsim_scenario::model::{
    GreOptions, GueOptions, InterfaceName, Member, NodeName, Profile, TunnelDevice, TunnelKind,
    TunnelProtocol,
};
use labsim_wire::protocol as ip_protocol;

/// A tunnel device for an IP protocol, or for what the pool sends; `has` is the one that the node
/// has.
pub(in crate::diagnose) fn tunnel(
    subject: &Subject<'_>,
    node: &NodeName,
    number: u8,
    has: Option<&TunnelDevice>,
) -> Fix {
    let served = subject.served();
    let pool = served.and_then(|served| served.pool);
    let is_its = |member: &&Member| subject.owner(member.address.ip()) == Some(node);
    let member = pool.and_then(|pool| pool.members.iter().find(is_its));
    let profile = match (pool, member) {
        (Some(pool), Some(member)) => Some(pool.profile_of(member)),
        (pool, _) => pool.map(|pool| pool.profile),
    };
    let has_own = member.is_some_and(|member| member.profile.is_some());
    let sent = profile.and_then(Profile::tunnel);
    let sent = sent.filter(|sent| number_of(*sent) == number || number == ip_protocol::IPV6);
    let wanted = sent.unwrap_or(match number {
        ip_protocol::GRE => TunnelProtocol::Gre(GreOptions::default()),
        ip_protocol::UDP => TunnelProtocol::Gue(GueOptions::default()),
        _ => TunnelProtocol::Ipip,
    });
    let outer_ipv4 = has.is_none_or(|has| has.kind.outer_ipv4());
    let kind = TunnelKind::of(wanted, outer_ipv4, subject.flow.destination.is_ipv4());
    let word = wanted.name();
    let fix = Fix::new(format!(
        "give {node} a tunnel device for {word}, or the {} the profile of the device that it has",
        if has_own { "member" } else { "pool" }
    ))
    .on_part(
        Part::of_real_server(subject, node),
        node,
        |part| {
            let mut change = match line(wanted) {
                (yaml, true) => part.change(&["tunnel"], yaml),
                (yaml, false) => part.change(&["tunnel", "mode"], yaml),
            };
            if let Some(has) = has {
                change.lay(&renamed(subject, part, node, &has.name, kind.usual_device()));
            }
            change
        },
        |_| commands(kind),
    );
    // Another device is the pool's to match.
    let (Some(served), Some(has), false) = (served, has, has_own) else { return fix };
    let profile = protocol_of(has.kind);
    let what = format!("give the pool {} the profile {}", served.server.pool, profile.name());
    fix.or(pool_profile(Fix::new(what), &served, profile))
}

/// A tunnel to the members, of the kind that they take, where the pool has none; otherwise `fix`.
pub(in crate::diagnose) fn tunnel_profile(fix: Fix, subject: &Subject<'_>) -> Fix {
    let Some(served) = subject.served() else { return fix };
    let members = served.pool.filter(|pool| pool.profile.tunnel().is_none());
    let members = members.into_iter().flat_map(|pool| &pool.members);
    let mut members = members.filter(|member| member.profile.is_none());
    let servers = &subject.context.scenario.real_servers;
    let device = members
        .find_map(|member| servers.get(subject.owner(member.address.ip())?)?.tunnels.first());
    let Some(device) = device else { return fix };
    let (profile, name) = (protocol_of(device.kind), &served.server.pool);
    let word = profile.name();
    let fix = Fix::new(format!(
        "give the pool {name} the profile {word}, which its members take, or correct the routes"
    ));
    pool_profile(fix, &served, profile)
}

/// The tunnel's protocol in the pool, as far as each product has it.
fn pool_profile(fix: Fix, served: &Served<'_>, profile: TunnelProtocol) -> Fix {
    let fix = fix.change(&pool(served, &["profile"], line(profile).0));
    let tmsh = format!("modify ltm pool {} profiles {{ {} }}", served.server.pool, profile.name());
    match profile {
        TunnelProtocol::Ipip => fix.tmsh(tmsh).acos(acos::virtual_port(served, "ipinip")),
        TunnelProtocol::Gre(_) => fix.tmsh(tmsh),
        TunnelProtocol::Gue(_) => fix,
    }
}

pub(in crate::diagnose) fn device_up(
    subject: &Subject<'_>,
    node: &NodeName,
    device: &TunnelDevice,
) -> Fix {
    Fix::new(format!("set {} of {node} up", device.name)).on_part(
        Part::of_real_server(subject, node),
        node,
        |part| {
            let mut change = part.change(&["tunnel", "mode"], mode(device.kind));
            change.lay(&part.change(&["tunnel", "up"], "true"));
            change
        },
        |_| vec![format!("ip link set {} up", device.name)],
    )
}

/// A device's protocol, as a file's `mode` has it.
pub(super) fn mode(kind: TunnelKind) -> String {
    line(protocol_of(kind)).0
}

const fn protocol_of(kind: TunnelKind) -> TunnelProtocol {
    match kind {
        TunnelKind::Ipip | TunnelKind::Sit | TunnelKind::Ip6tnl => TunnelProtocol::Ipip,
        TunnelKind::Gre(options) | TunnelKind::Ip6gre(options) => TunnelProtocol::Gre(options),
        TunnelKind::GueIpip(options)
        | TunnelKind::GueSit(options)
        | TunnelKind::GueIp6tnl(options) => TunnelProtocol::Gue(options),
    }
}

const fn number_of(sent: TunnelProtocol) -> u8 {
    match sent {
        TunnelProtocol::Ipip => ip_protocol::IPIP,
        TunnelProtocol::Gre(_) => ip_protocol::GRE,
        TunnelProtocol::Gue(_) => ip_protocol::UDP,
    }
}

/// A line of YAML, and whether it is a word.
fn line(tunnel: TunnelProtocol) -> (String, bool) {
    let options: Vec<String> = match tunnel {
        TunnelProtocol::Ipip => Vec::new(),
        TunnelProtocol::Gre(GreOptions { key, checksum }) => {
            let key = key.map(|key| format!("key: {key}"));
            key.into_iter().chain(checksum.then(|| "checksum: true".to_owned())).collect()
        }
        TunnelProtocol::Gue(options) if options == GueOptions::default() => Vec::new(),
        TunnelProtocol::Gue(GueOptions { port, variant }) => {
            vec![format!("port: {port}"), format!("variant: {variant}")]
        }
    };
    let word = tunnel.name();
    match options.is_empty() {
        true => (word.to_owned(), true),
        false => (format!("{{{word}: {{{}}}}}", options.join(", ")), false),
    }
}

/// The node's settings of one device, set for another one that takes its place.
fn renamed(
    subject: &Subject<'_>,
    part: &Part,
    node: &NodeName,
    old: &InterfaceName,
    new: &str,
) -> Change {
    let mut change = Change::default();
    let server = subject.context.scenario.real_servers.get(node);
    if old.as_str() == new {
        return change;
    }
    for (key, setting) in server.into_iter().flat_map(|server| &server.sysctls) {
        let (before, after) = (format!(".{old}."), format!(".{new}."));
        if key.contains(&before) {
            let key_of_new = key.replace(&before, &after);
            change.lay(&part.change(&["sysctls", key], "null"));
            change.lay(&part.change(&["sysctls", &key_of_new], setting.value.trim()));
        }
    }
    change
}

fn commands(kind: TunnelKind) -> Vec<String> {
    let device = kind.usual_device();
    let mut commands = vec![format!("modprobe {}", kind.module())];
    match kind {
        TunnelKind::GueIpip(options)
        | TunnelKind::GueSit(options)
        | TunnelKind::GueIp6tnl(options) => {
            commands.insert(0, "modprobe fou".to_owned());
            let inside = if options.variant == 0 { "gue" } else { "ipproto 4" };
            commands.push(format!("ip fou add port {} {inside}", options.port));
        }
        TunnelKind::Gre(options) if options != GreOptions::default() => {
            let key = options.key.map(|key| format!(" key {key}")).unwrap_or_default();
            let sums = if options.checksum { " csum" } else { "" };
            commands.push(format!("ip link add {device} type gre local any{key}{sums}"));
        }
        _ => {}
    }
    commands.push(format!("ip link set {device} up"));
    commands
}
