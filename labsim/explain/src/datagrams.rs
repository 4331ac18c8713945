//! Datagrams whose payload is not shown, as far as texts word it.

use crate::exchange::{datagram, ends};
use crate::trace::Trace;
use labsim_captures::Transport;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// A message with the same identifier within this time is the same one (RFC 2865, 2.5, speaks of a short span).
const SAME_NS: i64 = 30_000_000_000;

/// A message by what texts word of it: whether it answers, its identifier, its length.
type Worded = (bool, u16, u32);

impl Trace {
    /// Gives the datagrams of an exchange one identity for all points, where texts show no more of them than their
    /// messages' identifiers: those of RADIUS and DNS. To be called when all was read.
    pub fn identify_messages(&mut self) {
        let mut exchanges: BTreeMap<(SocketAddr, SocketAddr), Vec<usize>> = BTreeMap::new();
        for (index, row) in self.rows.iter().enumerate() {
            if let Some((one, other)) = ends(row) {
                exchanges.entry((one.min(other), one.max(other))).or_default().push(index);
            }
        }
        for rows in exchanges.into_values() {
            let Some(found) = self.worded(&rows) else { continue };
            for (index, (is_reply, identifier, payload)) in found {
                let row = self.rows.get_mut(index).map(|row| &mut row.packet.transport);
                if let Some(Transport::Udp { datagram: Some(datagram), .. }) = row {
                    let words = [u32::from(is_reply), u32::from(identifier), payload];
                    datagram.fingerprint =
                        Some(words.iter().fold(0, |sum: u32, word| sum.rotate_left(11) ^ word));
                }
            }
        }
    }

    /// What is worded of each row; `None` if all payloads are shown, or a row does not show that much, or an
    /// identifier may have been used twice.
    fn worded(&self, rows: &[usize]) -> Option<Vec<(usize, Worded)>> {
        let is_shown = |index: &usize| {
            self.rows.get(*index).and_then(datagram).and_then(|it| it.fingerprint).is_some()
        };
        if rows.iter().all(is_shown) {
            return None;
        }
        let mut times: BTreeMap<(usize, Worded), i64> = BTreeMap::new();
        let mut found = Vec::new();
        for index in rows {
            let row = self.rows.get(*index)?;
            let Transport::Udp { payload, datagram, .. } = &row.packet.transport else {
                return None;
            };
            let message = (*datagram)?.message?;
            let worded = (message.is_reply, message.identifier, (*payload)?);
            if let Some(time) = row.time_ns {
                let first = *times.entry((row.point, worded)).or_insert(time);
                if time.abs_diff(first) > SAME_NS.unsigned_abs() {
                    return None;
                }
            }
            found.push((*index, worded));
        }
        Some(found)
    }
}
