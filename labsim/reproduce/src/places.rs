//! Which capture points are compared: one for each role.

use labsim_explain::{ConnectionReport, Explanation, Role, Trace};
use std::collections::{BTreeMap, BTreeSet};

/// The roles whose points are compared, in the order of the client's packets.
pub(crate) const ROLES: [Role; 3] = [Role::ClientSide, Role::LoadBalancer, Role::ServerSide];

/// The point of each role.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Places(BTreeMap<Role, usize>);

impl Places {
    /// Of several points of one role, the one that saw the connection in a tunnel, or else most of it.
    pub(crate) fn new(
        trace: &Trace,
        explanation: &Explanation,
        connection: &ConnectionReport,
    ) -> Self {
        let mut counts: BTreeMap<usize, (bool, usize)> = BTreeMap::new();
        for row in connection.rows.iter().filter_map(|index| trace.rows.get(*index)) {
            let count = counts.entry(row.point).or_default();
            count.0 |= !row.packet.inner.is_empty();
            count.1 += 1;
        }
        let of_role = |role: Role| {
            let points = explanation.points.iter().enumerate();
            let mut points: Vec<usize> =
                points.filter(|(_, it)| it.role == Some(role)).map(|(place, _)| place).collect();
            let key = |point: &usize| {
                let (tunnelled, rows) = counts.get(point).copied().unwrap_or_default();
                (!(tunnelled && role == Role::ServerSide), usize::MAX - rows, *point)
            };
            points.sort_by_key(key);
            Some((role, *points.first()?))
        };
        Self(ROLES.into_iter().filter_map(of_role).collect())
    }

    pub(crate) fn point(&self, role: Role) -> Option<usize> {
        self.0.get(&role).copied()
    }

    pub(crate) fn roles(&self) -> impl Iterator<Item = Role> {
        self.0.keys().copied()
    }

    /// The names of points that saw the connection and are not compared.
    pub(crate) fn others(&self, trace: &Trace, connection: &ConnectionReport) -> Vec<String> {
        let rows = connection.rows.iter().filter_map(|index| trace.rows.get(*index));
        let seen: BTreeSet<usize> = rows.map(|row| row.point).collect();
        let compared: BTreeSet<usize> = self.0.values().copied().collect();
        let others = seen.difference(&compared).filter_map(|point| trace.points.get(*point));
        others.map(|point| point.name.clone()).collect()
    }
}
