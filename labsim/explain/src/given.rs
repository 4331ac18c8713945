//! What the user or files say of points and addresses, and where packets show something else.

use crate::connection::Connection;
use crate::devices::Shown;
use crate::roles::outweighs;
use crate::trace::{Role, Trace};
use std::collections::BTreeMap;

/// Sentences about what was given, or is in files, and is not what packets show.
pub(crate) fn contradictions<'a>(
    trace: &Trace,
    connections: &[Connection],
    shown: impl Iterator<Item = &'a BTreeMap<usize, Role>>,
    by_files: &[Option<Shown>],
) -> Vec<String> {
    let mut notices = Vec::new();
    let mut add = |text: String| {
        if !notices.contains(&text) {
            notices.push(text);
        }
    };
    for (point, files) in trace.points.iter().zip(by_files) {
        let (Some(given), Some(files)) = (point.given, files) else { continue };
        if given != files.role {
            add(format!(
                "{} is given as {}, and files show the {}: {}; what was given is taken",
                point.name,
                given.name(),
                files.role.name(),
                files.why
            ));
        }
    }
    for (place, role) in shown.flatten() {
        let Some(point) = trace.points.get(*place) else { continue };
        let by_files = by_files.get(*place).and_then(Option::as_ref);
        if let Some(given) = point.given {
            if contradicts(given, *role) {
                add(format!(
                    "{} is given as {}, and its packets show the {}: what was given is taken",
                    point.name,
                    given.name(),
                    role.name()
                ));
            }
        } else if let Some(files) =
            by_files.filter(|it| contradicts(it.role, *role) && !outweighs(it.role, *role))
        {
            add(format!(
                "{} is the {} by files ({}), and its packets show the {}: the packets are taken",
                point.name,
                files.role.name(),
                files.why,
                role.name()
            ));
        }
    }
    for vip in &trace.vips {
        let address = vip.address;
        let asks = connections.iter().find(|it| vip.is_at(it.client));
        if let Some(connection) = asks {
            notices.push(format!(
                "{address} is given as a VIP, and it asks {} itself: the packets are taken",
                connection.server
            ));
        } else if !connections.iter().any(|it| vip.is_at(it.server)) {
            let port = vip.port.map(|port| format!(" at port {port}")).unwrap_or_default();
            notices.push(format!(
                "{address} is given as a VIP, and no packet asks it{port}: is it translated before these points?"
            ));
        }
    }
    notices
}

/// Whether a point that was given one role, or has it by files, cannot have shown the other. The first and the last point may be of
/// any device.
fn contradicts(given: Role, shown: Role) -> bool {
    matches!(
        (given, shown),
        (Role::ClientSide | Role::ServerSide | Role::Router, Role::LoadBalancer)
            | (Role::ClientSide, Role::ServerSide)
            | (Role::ServerSide, Role::ClientSide)
    )
}

#[cfg(test)]
mod tests {
    use crate::trace::Vip;

    #[test]
    fn a_vip_has_a_port_or_is_meant_at_all() {
        let vip = |text: &str| text.parse::<Vip>().map(|vip| (vip.address.to_string(), vip.port));
        assert_eq!(vip("192.0.2.1"), Ok(("192.0.2.1".to_owned(), None)));
        assert_eq!(vip("192.0.2.1:49"), Ok(("192.0.2.1".to_owned(), Some(49))));
        assert_eq!(vip("2001:db8::1"), Ok(("2001:db8::1".to_owned(), None)));
        assert_eq!(vip("[2001:db8::1]:49"), Ok(("2001:db8::1".to_owned(), Some(49))));
        assert!(vip("vip.example.org").is_err());
        assert!(vip("192.0.2.1:70000").is_err());
    }
}
