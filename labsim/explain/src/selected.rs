//! The connections that are explained: all, or some of each kind.

use crate::connection::{Connection, Protocol};
use crate::explanation::MAX_CONNECTIONS;
use crate::sentence::number;
use crate::survey::{Selection, Survey};
use crate::trace::Trace;

/// The connections that are explained, and what is known of all others.
pub(crate) struct Selected<'a> {
    pub(crate) connections: Vec<&'a Connection>,
    selection: Option<Selection>,
    /// TCP connections and UDP exchanges that are not explained.
    pub(crate) further: [usize; 2],
}

impl<'a> Selected<'a> {
    /// Of all connections whose packets were kept.
    pub(crate) fn new(trace: &Trace, all: &'a [Connection]) -> Self {
        let is_asked = |it: &&Connection| {
            let mut flows = trace.flows.iter();
            trace.flows.is_empty() || flows.any(|end| end.is_at(it.client) || end.is_at(it.server))
        };
        let mut connections: Vec<&Connection> = all.iter().filter(is_asked).collect();
        let mut selection = trace.selection.clone();
        let mut further = selection.as_ref().map_or([0; 2], |it| it.further);
        if connections.len() > MAX_CONNECTIONS && selection.is_none() {
            let mut survey = Survey::new(&trace.flows);
            trace.rows.iter().for_each(|row| survey.add(row));
            let own = survey.select(MAX_CONNECTIONS, usize::MAX);
            let (kept, left): (Vec<_>, Vec<_>) =
                connections.into_iter().partition(|it| own.has_connection(it));
            left.into_iter().for_each(|it| count(&mut further, it));
            connections = kept;
            selection = Some(own);
        }
        // One pair of ports may have served many, and companions have no limit of their own.
        let most = connections.len().min(2 * MAX_CONNECTIONS);
        for connection in connections.split_off(most) {
            count(&mut further, connection);
        }
        Self { connections, selection, further }
    }

    /// How many further ones are like each of these.
    pub(crate) fn alike<'b>(&self, all: impl Iterator<Item = &'b Connection>) -> Vec<usize> {
        match &self.selection {
            Some(selection) => selection.alike(all),
            None => all.map(|_| 0).collect(),
        }
    }

    /// What is left out, in sentences.
    pub(crate) fn notices(&self) -> Vec<String> {
        let Some(selection) = &self.selection else { return Vec::new() };
        let mut notices = Vec::new();
        if selection.of_other_kinds > 0 {
            let what = number(selection.of_other_kinds, "connection");
            notices.push(format!(
                "{what} of kinds of which none is explained, as there was no room: give --flow ADDRESS:PORT of one, or \
                 captures of a shorter time"
            ));
        }
        if selection.beyond > 0 {
            let what = number(usize::try_from(selection.beyond).unwrap_or(usize::MAX), "packet");
            notices.push(format!(
                "{what} of connections that were not looked at, as there are more than {}: cut the captures by time, as \
                 `editcap -A START -B END FILE SMALLER` does",
                crate::survey::MAX_FLOWS
            ));
        }
        notices
    }
}

/// Counts a connection among those that are not explained.
fn count([tcp, udp]: &mut [usize; 2], connection: &Connection) {
    *if connection.protocol == Protocol::Udp { udp } else { tcp } += 1;
}
