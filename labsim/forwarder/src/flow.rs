//! Flows: what a client's packets are recognised by, which member they go to, and when they are
//! forgotten.

mod entry;
mod index;
mod table;
mod wheel;

pub(crate) use index::Index;
pub(crate) use table::{ExpiryReason, FlowId, Table};

use serde::{Deserialize, Serialize};
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU16;
use std::time::Duration;

/// After a SYN, the client's next packet has this long to come (F5's `tcp-handshake-timeout`).
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// After the FIN that ends a loosely closed flow, the last acknowledgements have this long to find
/// the same member (F5's `tcp-close-timeout`).
pub(crate) const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// What packets of one flow have in common. IPv4 addresses are held in their IPv6-mapped form
/// (RFC 4291 2.5.5.2), so that both families share a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key {
    source: [u64; 2],
    destination: [u64; 2],
    ports: u32,
    protocol: u8,
}

impl Key {
    #[inline]
    pub(crate) fn new(
        source: IpAddr,
        destination: IpAddr,
        source_port: u16,
        destination_port: u16,
        protocol: u8,
    ) -> Self {
        let ports = u32::from(source_port) << 16 | u32::from(destination_port);
        Self { source: number(source), destination: number(destination), ports, protocol }
    }

    /// A packet's between two ends of one family.
    pub(crate) fn between(source: SocketAddr, destination: SocketAddr, protocol: u8) -> Self {
        Self::new(source.ip(), destination.ip(), source.port(), destination.port(), protocol)
    }

    pub(crate) const fn protocol(&self) -> u8 {
        self.protocol
    }

    /// Upper and lower half.
    pub(crate) const fn source(&self) -> [u64; 2] {
        self.source
    }

    /// Upper and lower half.
    pub(crate) const fn destination(&self) -> [u64; 2] {
        self.destination
    }

    /// The source's in the upper half, the destination's in the lower.
    pub(crate) const fn ports(&self) -> u32 {
        self.ports
    }

    /// Source and destination.
    #[inline]
    pub(crate) fn endpoints(&self) -> (SocketAddr, SocketAddr) {
        let source = SocketAddr::new(address(self.source), (self.ports >> 16) as u16);
        (source, SocketAddr::new(address(self.destination), self.ports as u16))
    }
}

/// The upper 96 bits of an IPv6-mapped IPv4 address, as far as they are in the lower half.
const MAPPED: u64 = 0xffff_0000_0000;

#[inline]
fn v4(number: [u64; 2]) -> Option<Ipv4Addr> {
    (number[0] == 0 && number[1] & !0xffff_ffff == MAPPED)
        .then(|| Ipv4Addr::from_bits(number[1] as u32))
}

/// The address of that number. No packet with a mapped IPv6 address gets so far.
#[inline]
fn address(number: [u64; 2]) -> IpAddr {
    let [high, low] = number.map(u128::from);
    v4(number).map_or_else(|| Ipv6Addr::from_bits(high << 64 | low).into(), IpAddr::V4)
}

/// Upper and lower half.
#[inline]
fn number(address: IpAddr) -> [u64; 2] {
    match address {
        IpAddr::V4(address) => [0, MAPPED | u64::from(address.to_bits())],
        IpAddr::V6(address) => {
            let bits = address.to_bits();
            [(bits >> 64) as u64, bits as u64]
        }
    }
}

/// Hashes keys with a secret, so that a sender cannot choose packets that all collide.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hasher([u64; 2]);

impl Hasher {
    #[inline]
    pub(crate) fn new() -> Self {
        let random = RandomState::new();
        Self([random.hash_one(0u8) | 1, random.hash_one(1u8) | 1])
    }

    /// Folded multiplication of the words, each mixed with the one before.
    #[inline]
    pub(crate) fn hash(self, key: &Key) -> u32 {
        let fold = |a: u64, b: u64| {
            let product = u128::from(a).wrapping_mul(u128::from(b));
            (product as u64) ^ (product >> 64) as u64
        };
        let [one, two] = self.0;
        let ports = u64::from(key.ports) << 8 | u64::from(key.protocol);
        let source = key.source[1] ^ one;
        let destination = key.destination[1] ^ two;
        let mut hash = fold(source, destination.rotate_left(32) ^ ports.wrapping_mul(one));
        let high = (key.source[0], key.destination[0]);
        if high != (0, 0) {
            hash = fold(hash ^ high.0, two ^ high.1.rotate_left(17));
        }
        let hash = fold(hash ^ ports ^ two, one);
        (hash ^ (hash >> 32)) as u32
    }
}

/// Who sent a packet of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Side {
    Client = 1,
    Server = 2,
}

/// What was seen of a flow: whose FINs, whether the client acknowledged anything, and whether it
/// sent a second packet. Under DSR the server's FIN is never seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seen(u8);

impl Seen {
    const ACKNOWLEDGEMENT: u8 = 4;
    const SECOND_PACKET: u8 = 8;

    pub(crate) const fn with_fin(self, side: Side) -> Self {
        Self(self.0 | side as u8)
    }

    pub(crate) const fn with_acknowledgement(self) -> Self {
        Self(self.0 | Self::ACKNOWLEDGEMENT)
    }

    /// Whether both sides have sent a FIN: nothing but last acknowledgements can follow.
    pub(crate) const fn both_fins(self) -> bool {
        let both = Side::Client as u8 | Side::Server as u8;
        self.0 & both == both
    }

    pub(crate) const fn with_second_packet(self) -> Self {
        Self(self.0 | Self::SECOND_PACKET)
    }

    /// Whether the client has sent more than the packet that began the flow: one that only fills
    /// the table, with a new source each time, does not.
    pub(crate) const fn second_packet(self) -> bool {
        self.0 & Self::SECOND_PACKET != 0
    }

    pub(crate) const fn acknowledged(self) -> bool {
        self.0 & Self::ACKNOWLEDGEMENT != 0
    }
}

/// How far a flow has come, as far as the directions that are seen tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub(crate) enum State {
    /// Only SYNs were seen.
    Opening,
    /// More than a SYN was seen.
    Open,
    /// A FIN was seen, and the virtual server closes loosely; or both sides' FINs were seen.
    Closing,
}

/// What the table keeps of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flow {
    /// Index of its virtual server.
    pub(crate) server: u16,
    /// Index of its member.
    pub(crate) member: u16,
    pub(crate) state: State,
    pub(crate) seen: Seen,
    /// The SNAT binding, if the source is translated.
    pub(crate) snat: Option<SnatBinding>,
}

/// The address and port that replace the client's towards the member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SnatBinding {
    /// The number of the address in the table of source addresses.
    pub(crate) address: u16,
    pub(crate) port: NonZeroU16,
}

/// Where a TCP connection stands, as far as the client's packets tell: under DSR it is all that
/// is visible.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SequenceNumbers {
    /// The client's next sequence number.
    pub(crate) client_next: u32,
    /// The server's, if the client has acknowledged anything; see [`Seen::acknowledged`].
    pub(crate) server_next: u32,
}
