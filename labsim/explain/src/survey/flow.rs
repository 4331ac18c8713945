//! What is kept of a connection while it is not known whether it is explained.

use crate::connection::{self, Protocol};
use crate::exchange::{self, FIRST_EPHEMERAL};
use crate::trace::Row;
use labsim_wire::tcp::Flags;
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::net::SocketAddr;

/// Its first sequence number is known.
pub(super) const HAS_ISN: u8 = 1;
/// A point saw a segment that was sent again.
const IS_REPEATED: u8 = 2;
/// It has an end that the user asks for.
pub(super) const WANTED: u8 = 4;
pub(super) const IS_UDP: u8 = 8;
/// [`Flow::reach`] of each direction is known.
const HAS_REACH: [u8; 2] = [16, 32];
/// Who is the client is shown by a SYN, and not by the ports alone.
const HAS_CLIENT: u8 = 64;

/// Connections of more packets are of one kind, however many packets they have.
const COUNTED: u32 = 100;

/// What a row says of its connection.
pub(super) struct Parts {
    pub(super) protocol: Protocol,
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
}

/// A connection by the ends of its packets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flow {
    pub(super) key: u64,
    /// The sum of what tells its packets apart.
    exact: u64,
    /// The same of SYN, FIN and RST alone.
    controls: u64,
    /// Which other packets there are, a bit for each.
    others: u64,
    pub(super) isn: u32,
    pub(super) rows: u32,
    /// The number of its first packet.
    pub(super) first: u32,
    /// Stands for the client's address and port.
    pub(super) client: u32,
    /// The end of what each direction sent, at the first point and in the first tunnel that showed it.
    reach: [u32; 2],
    watched: [u8; 2],
    pub(super) bits: u8,
}

impl Parts {
    /// Of a TCP packet, or of a datagram to one receiver.
    pub(super) fn of(row: &Row) -> Option<Self> {
        if let Some((source, destination)) = connection::ends(row) {
            return Some(Self { protocol: Protocol::Tcp, source, destination });
        }
        let (source, destination) = exchange::ends(row)?;
        (!exchange::is_group(&destination)).then_some(Self {
            protocol: Protocol::Udp,
            source,
            destination,
        })
    }

    /// Stands for the protocol and both ends.
    pub(super) fn key(&self) -> u64 {
        key(self.protocol, self.source, self.destination)
    }

    /// The client, as far as this packet tells.
    fn client(&self, row: &Row) -> SocketAddr {
        let flags = Flags(connection::flags(row));
        let message = exchange::datagram(row).and_then(|it| it.message);
        let is_request = match (flags.contains(Flags::SYN), message) {
            (true, _) => !flags.contains(Flags::ACK),
            (_, Some(message)) => !message.is_reply,
            (false, None) => self.is_request_by_ports(),
        };
        if is_request { self.source } else { self.destination }
    }

    fn is_request_by_ports(&self) -> bool {
        let (from, to) = (self.source.port(), self.destination.port());
        match (from < FIRST_EPHEMERAL, to < FIRST_EPHEMERAL, self.protocol) {
            (true, false, _) => false,
            (false, true, _) => true,
            (_, _, Protocol::Tcp) => from > to,
            // Who speaks first asks, as a rule.
            (_, _, Protocol::Udp) => true,
        }
    }
}

/// Stands for a connection's protocol and ends. Of two connections it is the same by a chance of 2 to the power
/// of -64: both were then of one kind.
pub(super) fn key(protocol: Protocol, one: SocketAddr, other: SocketAddr) -> u64 {
    hash((protocol == Protocol::Udp, one.min(other), one.max(other)))
}

/// The same input has the same number in each run.
fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

fn end(of: SocketAddr) -> u32 {
    u32::try_from(hash(of) >> 32).unwrap_or(0)
}

impl Flow {
    pub(super) fn new(key: u64, first: u32, row: &Row, parts: &Parts) -> Self {
        Self {
            key,
            exact: 0,
            controls: 0,
            others: 0,
            isn: 0,
            rows: 0,
            first,
            client: end(parts.client(row)),
            reach: [0; 2],
            watched: [0; 2],
            bits: if parts.protocol == Protocol::Udp { IS_UDP } else { 0 },
        }
    }

    /// One whose packets are of this kind.
    #[cfg(test)]
    pub(super) fn of_kind(number: u32, kind: u64) -> Self {
        Self {
            key: u64::from(number),
            exact: kind,
            controls: kind,
            others: 0,
            isn: 0,
            rows: 1,
            first: number,
            client: 0,
            reach: [0; 2],
            watched: [0; 2],
            bits: 0,
        }
    }

    /// Adds one of its packets.
    pub(super) fn add(&mut self, row: &Row, parts: &Parts) {
        self.rows = self.rows.saturating_add(1);
        let flags = Flags(connection::flags(row));
        let is_control =
            [Flags::SYN, Flags::FIN, Flags::RST].into_iter().any(|it| flags.contains(it));
        if flags.contains(Flags::SYN) && !self.has(HAS_CLIENT) {
            self.client = end(parts.client(row));
            self.bits |= HAS_CLIENT;
        }
        let is_request = end(parts.source) == self.client;
        let mark = mark(row, parts, is_request, flags);
        self.exact = self.exact.wrapping_add(mark);
        if is_control {
            self.controls = self.controls.wrapping_add(mark);
        } else {
            self.others |= 1 << (mark % 64);
        }
        if parts.protocol == Protocol::Tcp {
            if let Some(isn) = connection::first_number(row).filter(|_| !self.has(HAS_ISN)) {
                self.isn = isn;
                self.bits |= HAS_ISN;
            }
            self.watch(row, is_request, flags);
        }
    }

    pub(super) fn has(&self, bit: u8) -> bool {
        self.bits & bit != 0
    }

    /// What stands for its kind. `is_counted`: kinds differ also by how often each packet was seen.
    pub(super) fn kind(&self, is_counted: bool) -> u64 {
        let is_repeated = self.has(IS_REPEATED);
        if is_counted && self.rows <= COUNTED {
            hash((self.exact, is_repeated))
        } else {
            hash((self.controls, self.others, is_repeated))
        }
    }

    /// Notices what one point saw twice.
    fn watch(&mut self, row: &Row, is_request: bool, flags: Flags) {
        let direction = usize::from(is_request);
        let depth = row.packet.inner.len().min(3);
        let Ok(place) = u8::try_from(row.point % 64 * 4 + depth) else { return };
        let (Some(sequence), Some(payload)) =
            (connection::sequence(row), row.packet.tcp().and_then(|it| it.payload))
        else {
            return;
        };
        let controls = [Flags::SYN, Flags::FIN].into_iter().filter(|it| flags.contains(*it));
        let length = payload.wrapping_add(u32::try_from(controls.count()).unwrap_or(0));
        if length == 0 {
            return;
        }
        let (Some(bit), Some(watched), Some(reach)) = (
            HAS_REACH.get(direction),
            self.watched.get_mut(direction),
            self.reach.get_mut(direction),
        ) else {
            return;
        };
        let until = sequence.wrapping_add(length);
        if self.bits & bit == 0 {
            (*watched, *reach) = (place, until);
            self.bits |= bit;
        } else if *watched == place {
            if sequence.wrapping_sub(*reach).cast_signed() < 0 {
                self.bits |= IS_REPEATED;
            }
            if until.wrapping_sub(*reach).cast_signed() > 0 {
                *reach = until;
            }
        }
    }
}

/// What a packet of each connection of a kind has in common.
fn mark(row: &Row, parts: &Parts, is_request: bool, flags: Flags) -> u64 {
    let server = if is_request { parts.destination } else { parts.source };
    let packet = &row.packet;
    let tunnel = packet.inner.len();
    let outer = (tunnel > 0).then_some(packet.outermost.destination);
    let has_payload = packet.tcp().and_then(|it| it.payload).is_some_and(|it| it > 0);
    // A reset's distance tells who sent it.
    let ttl = flags.contains(Flags::RST).then_some(packet.innermost().ttl);
    let message = exchange::datagram(row).and_then(|it| it.message).map(|it| it.is_reply);
    hash((
        (row.point, row.direction.map(|it| it == labsim_wire::pcapng::Direction::Out)),
        (is_request, server, parts.protocol == Protocol::Udp),
        (tunnel, outer, ttl, packet.innermost().fragment.is_some()),
        (flags.0 & !Flags::PSH.0, has_payload, message, &row.reset_cause),
    ))
}
