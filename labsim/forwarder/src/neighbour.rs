//! Neighbours: who owns which link-layer address, asked for and refreshed as a host does
//! (RFC 826; RFC 1122 2.3.2; RFC 4861 7.3). The states are Linux's NUD states
//! (net/core/neighbour.c), with "stale" being "reachable" whose time is over.

mod table;
mod waiting;

pub(crate) use table::{Due, NeighbourId, Resolution, Table};
pub(crate) use waiting::{AnswerKind, Purpose, QueuedPacket, WaitingQueue};

use std::time::Duration;

/// How long an answer is believed (`base_reachable_time_ms`, without its random half).
pub(crate) const REACHABLE_TIME: Duration = Duration::from_secs(30);
/// Between two requests (`retrans_time_ms`); RFC 1122 2.3.2.1 allows one a second, and RFC 4861 10
/// says so.
pub(crate) const RETRANSMIT_TIME: Duration = Duration::from_secs(1);
/// Requests before a neighbour counts as unreachable (`mcast_solicit`, `ucast_solicit`).
pub(crate) const REQUESTS: u8 = 3;
/// Packets that wait for one neighbour.
pub(crate) const WAITING_PER_NEIGHBOUR: usize = 16;
