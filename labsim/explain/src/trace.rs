//! What was captured where: the input of an explanation.

use crate::configuration::Configuration;
use crate::segment::Sighting;
use crate::survey::Selection;
use labsim_captures::{Known, Mac, Packet};
use labsim_wire::pcapng::Direction;
use serde::Serialize;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// Packets that are explained at most: what is kept of each is some hundred bytes.
pub const MAX_ROWS: usize = 500_000;

/// Claims of addresses that are kept at most.
pub const MAX_CLAIMS: usize = 100_000;

/// Capture points that are explained at most.
pub const MAX_POINTS: usize = 64;

/// A place where packets were captured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// Its name, as the user or the capture gives it. Not to be shown without escaping.
    pub name: String,
    /// The file.
    pub file: String,
    /// What packets of the file are numbered by.
    pub unit: Unit,
    /// Which of the captures it belongs to: points of one capture stand in one file, in the order in which
    /// that was written.
    pub capture: usize,
    /// What its times are counted from.
    pub clock: Clock,
    /// The role that the user gave it.
    pub given: Option<Role>,
    /// The command that captured it, if the capture tells.
    pub command: Option<String>,
    /// Frames were cut at this many bytes, if the capture tells.
    pub snap_length: Option<u32>,
}

/// What the packets of a file are numbered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Lines of a text.
    Line,
    /// Frames, as Wireshark counts.
    Frame,
}

/// What the times of a point are counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// 1970, in UTC.
    Utc,
    /// 1970, in a time zone that is not known.
    Local,
    /// Midnight, in a time zone that is not known.
    TimeOfDay,
    /// The capture's first packet.
    FirstPacket,
    /// There are no times.
    None,
}

/// Where on the way a point is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The first to see what the clients send.
    ClientSide,
    /// What came in plain went out in a tunnel, or to another address.
    LoadBalancer,
    /// The last to see what the clients send, and the first to see the answers.
    ServerSide,
    /// Between the others. Never found out, as packets do not show it; the user says so.
    Router,
}

impl Role {
    /// The name of a role, as it is printed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ClientSide => "client side",
            Self::LoadBalancer => "load balancer",
            Self::ServerSide => "server side",
            Self::Router => "router",
        }
    }

    /// The role of a point that the user named so.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Some(match name {
            "client" => Self::ClientSide,
            "load-balancer" => Self::LoadBalancer,
            "server" => Self::ServerSide,
            "router" => Self::Router,
            _ => return None,
        })
    }
}

/// A packet at a point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The point's place in [`Trace::points`].
    pub point: usize,
    /// Its line or frame.
    pub number: u64,
    /// When, in nanoseconds by the point's own clock.
    pub time_ns: Option<i64>,
    /// Which way it went, seen from the host that captured it.
    pub direction: Option<Direction>,
    /// Whether an F5 said that it sent this on behalf of a virtual server.
    pub is_f5_out: bool,
    /// Why an F5 sent this reset.
    pub reset_cause: Option<String>,
    /// Who sent its frame, and to whom, by the link layer.
    pub link: Option<(Mac, Mac)>,
    /// The packet.
    pub packet: Packet,
}

/// A claim of an address by ARP or by a neighbour advertisement: the sender says that it is its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The point's place in [`Trace::points`].
    pub point: usize,
    /// Its line or frame.
    pub number: u64,
    /// The address.
    pub address: IpAddr,
    /// Where it is said to be.
    pub mac: Mac,
}

/// A virtual server's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vip {
    /// The address.
    pub address: IpAddr,
    /// The port; `None` for all.
    pub port: Option<u16>,
}

/// All that was captured.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    /// Where.
    pub points: Vec<Point>,
    /// What, in the order of the files.
    pub rows: Vec<Row>,
    /// Claims of addresses, in the order of the files.
    pub claims: Vec<Claim>,
    /// Addresses that clients ask, as the user gave them.
    pub vips: Vec<Vip>,
    /// The ends that an explained connection has one of; all connections if there are none.
    pub flows: Vec<Vip>,
    /// Which connections the rows are of, if there were too many packets to keep them all.
    pub selection: Option<Selection>,
    /// What files of the devices say.
    pub configuration: Configuration,
    /// What readers noticed, in sentences.
    pub notices: Vec<String>,
    /// Points whose captures have no packet of any kind.
    pub empty: BTreeSet<usize>,
    /// Rows of first fragments whose packets were not captured whole at their points.
    pub incomplete: BTreeSet<usize>,
}

impl Vip {
    /// Whether an end of a connection is at this address and port.
    #[must_use]
    pub fn is_at(&self, end: SocketAddr) -> bool {
        self.address == end.ip() && self.port.is_none_or(|port| port == end.port())
    }
}

impl FromStr for Vip {
    type Err = String;

    /// `ADDRESS` or `ADDRESS:PORT`; an IPv6 address before a port stands in brackets.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(address) = text.parse() {
            return Ok(Self { address, port: None });
        }
        let end: SocketAddr = text.parse().map_err(|_| {
            "not an address; write ADDRESS or ADDRESS:PORT, as in 192.0.2.1:49 or [2001:db8::1]:49"
                .to_owned()
        })?;
        Ok(Self { address: end.ip(), port: Some(end.port()) })
    }
}

impl Trace {
    /// Whether the user named an address and port as a VIP, or a configuration does.
    pub(crate) fn is_vip(&self, end: SocketAddr) -> bool {
        self.vips.iter().any(|vip| vip.is_at(end)) || self.configuration.is_vip(end)
    }

    /// Gives a role to the points of this name, or of this host; `false` if there is none.
    pub fn give_role(&mut self, name: &str, role: Role) -> bool {
        let is_named = |point: &&mut Point| {
            point.name == name
                || point.name.strip_prefix(name).is_some_and(|rest| rest.starts_with(':'))
        };
        let points: Vec<&mut Point> = self.points.iter_mut().filter(is_named).collect();
        let is_known = !points.is_empty();
        points.into_iter().for_each(|point| point.given = Some(role));
        is_known
    }

    /// The rows that have a time, for the clocks.
    pub(crate) fn sightings(&self) -> Vec<Sighting> {
        let sighting = |row: &Row| {
            Some(Sighting {
                point: row.point,
                time_ns: row.time_ns?,
                known: Known::Ip(row.packet.clone()),
            })
        };
        self.rows.iter().filter_map(sighting).collect()
    }
}

/// Nanoseconds of a day.
pub(crate) const DAY_NS: i64 = 86_400_000_000_000;

/// Times of day that go on at midnight.
#[derive(Debug, Clone, Copy, Default)]
pub struct Days {
    last_ns: Option<i64>,
    days: i64,
}

impl Days {
    /// Nanoseconds since the midnight before the first packet. A time that is half a day earlier than the one
    /// before it is of the next day.
    pub fn count(&mut self, time_of_day_ns: i64) -> i64 {
        if self.last_ns.is_some_and(|last| last - time_of_day_ns > DAY_NS / 2) {
            self.days += 1;
        }
        self.last_ns = Some(time_of_day_ns);
        time_of_day_ns.saturating_add(self.days.saturating_mul(DAY_NS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_day_go_on_at_midnight_and_small_disorder_is_none() {
        let mut days = Days::default();
        let hour = DAY_NS / 24;
        assert_eq!(days.count(23 * hour), 23 * hour);
        assert_eq!(days.count(23 * hour - 1), 23 * hour - 1);
        assert_eq!(days.count(1), DAY_NS + 1);
        assert_eq!(days.count(23 * hour), DAY_NS + 23 * hour);
    }
}
