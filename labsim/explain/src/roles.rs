//! Where on the way each point is, as far as packets show it.

use crate::connection::Connection;
use crate::devices::Shown;
use crate::trace::{Role, Trace};
use crate::tunnel::{Tunnel, is_plain_at};
use crate::way::Ways;
use labsim_wire::pcapng::Direction;
use std::collections::{BTreeMap, BTreeSet};

/// What one connection shows of the points.
pub(crate) fn of_connection(
    trace: &Trace,
    connection: &Connection,
    ways: &Ways,
    tunnels: &[Tunnel],
    translated: &[&Connection],
) -> BTreeMap<usize, Role> {
    let mut roles = BTreeMap::new();
    let (requests, replies) = (&ways.requests, &ways.replies);
    for point in requests.points.iter().copied() {
        let begins = tunnels.iter().any(|it| it.begins_at.contains(&point));
        let ends = tunnels.iter().any(|it| it.ends_at.contains(&point));
        let answers_pass = replies.points.contains(&point);
        let role = if begins || is_translated_at(trace, connection, translated, point) {
            Role::LoadBalancer
        } else if requests.is_first(point)
            && is_plain_at(trace, requests, point)
            && (!answers_pass || replies.points.last() == Some(&point))
        {
            Role::ClientSide
        } else if answers_pass
            && (replies.is_first(point) || replies.points.len() == 1)
            && (requests.is_last(point)
                || ends
                || (!tunnels.is_empty() && !is_plain_at(trace, requests, point)))
        {
            Role::ServerSide
        } else {
            continue;
        };
        roles.insert(point, role);
    }
    roles
}

/// Whether a point saw the connection's first packet, and later with other addresses. On the wire beside a load
/// balancer the first one went out, and the second came in.
fn is_translated_at(
    trace: &Trace,
    connection: &Connection,
    translated: &[&Connection],
    point: usize,
) -> bool {
    let first = |connection: &Connection| {
        let mut rows = connection.requests.iter().copied();
        rows.find(|it| trace.rows.get(*it).is_some_and(|it| it.point == point))
    };
    let Some(before) = first(connection) else { return false };
    // This connection may be the one before the translation, or the one after it.
    translated
        .iter()
        .filter_map(|it| first(it))
        .any(|after| is_through(trace, before.min(after), before.max(after)))
}

/// Whether two rows of one point can be a packet before and after the host that captured it changed it.
pub(crate) fn is_through(trace: &Trace, before: usize, after: usize) -> bool {
    let direction = |row: usize| trace.rows.get(row).and_then(|row| row.direction);
    direction(before) != Some(Direction::Out) && direction(after) != Some(Direction::In)
}

/// The role of each point: what the user gave, else what all connections agree on, else what files say.
pub(crate) fn of_points<'a>(
    trace: &Trace,
    shown: impl Iterator<Item = &'a BTreeMap<usize, Role>>,
    by_files: &[Option<Shown>],
) -> Vec<Option<Role>> {
    let mut found: BTreeMap<usize, BTreeSet<Role>> = BTreeMap::new();
    for roles in shown {
        for (point, role) in roles {
            found.entry(*point).or_default().insert(*role);
        }
    }
    let role = |(place, point): (usize, &crate::trace::Point)| {
        let shown = found.get(&place).filter(|roles| roles.len() == 1);
        let by_packets = shown.and_then(|roles| roles.first().copied());
        let by_files = by_files.get(place).and_then(Option::as_ref).map(|it| it.role);
        let files = by_files.filter(|files| by_packets.is_none_or(|it| outweighs(*files, it)));
        point.given.or(files).or(by_packets)
    };
    trace.points.iter().enumerate().map(role).collect()
}

/// Whether what files say is more than what packets show: that a point is the first or the last one of those that were
/// captured, and so may be of a device in the midst.
pub(crate) fn outweighs(files: Role, packets: Role) -> bool {
    matches!(
        (files, packets),
        (Role::LoadBalancer, Role::ClientSide | Role::ServerSide)
            | (Role::ServerSide, Role::ClientSide)
    )
}
