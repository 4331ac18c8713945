//! What of a TCP segment or a UDP datagram stays the same on its way.

use labsim_captures::{Known, Number, Packet, Transport};
use labsim_wire::tcp::Flags;
use std::net::SocketAddr;

/// A packet that was seen at a point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// The point's number.
    pub point: usize,
    /// When, in nanoseconds by the point's own clock.
    pub time_ns: i64,
    /// What is known of it.
    pub known: Known,
}

/// A TCP segment or a UDP datagram by what tunnels, routers and load balancers without translation leave as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Segment {
    /// Who sent it, by the innermost header.
    pub source: SocketAddr,
    /// Who is to receive it.
    pub destination: SocketAddr,
    /// The control bits.
    pub flags: u8,
    /// The sequence number. `None` of a bare acknowledgement: texts without `-vv` do not show it.
    pub sequence: Option<u32>,
    /// The acknowledgement number.
    pub acknowledgement: Option<u32>,
    /// Bytes of payload.
    pub payload: u32,
    /// The window.
    pub window: u16,
    /// Whether it is a UDP datagram: `sequence` is its fingerprint, and there is no other number.
    pub is_udp: bool,
}

impl Segment {
    /// Of an IP packet; `None` if it is neither TCP nor UDP, or if one of these is not known. Numbers that are relative
    /// say nothing outside of their text.
    #[must_use]
    pub fn of(known: &Known) -> Option<Self> {
        let Known::Ip(packet) = known else { return None };
        Self::of_packet(packet)
    }

    /// Of an IP packet, see [`Segment::of`].
    #[must_use]
    pub fn of_packet(packet: &Packet) -> Option<Self> {
        if let Transport::Udp { ports: (Some(from), Some(to)), payload, datagram } =
            &packet.transport
        {
            let header = packet.innermost();
            return Some(Self {
                source: SocketAddr::new(header.source, *from),
                destination: SocketAddr::new(header.destination, *to),
                flags: 0,
                sequence: Some((*datagram)?.fingerprint?),
                acknowledgement: None,
                payload: (*payload)?,
                window: 0,
                is_udp: true,
            });
        }
        let tcp = packet.tcp()?;
        let (source, destination) = ends(packet)?;
        let flags = tcp.flags?;
        let payload = tcp.payload?;
        let takes_room = payload > 0
            || [Flags::SYN, Flags::FIN, Flags::RST].into_iter().any(|flag| flags.contains(flag));
        Some(Self {
            source,
            destination,
            flags: flags.0,
            sequence: if takes_room { Some(absolute(tcp.sequence)?) } else { None },
            acknowledgement: match tcp.acknowledgement {
                Some(number) => Some(absolute(Some(number))?),
                None => None,
            },
            payload,
            window: tcp.window?,
            is_udp: false,
        })
    }

    /// The acknowledgement number that covers all of it, if it asks for one.
    #[must_use]
    pub fn end(&self) -> Option<u32> {
        if self.is_udp {
            return None;
        }
        let flags = Flags(self.flags);
        let controls =
            [Flags::SYN, Flags::FIN].into_iter().filter(|it| flags.contains(*it)).count();
        let length = self.payload.wrapping_add(u32::try_from(controls).unwrap_or(0));
        (length > 0).then(|| self.sequence.map(|first| first.wrapping_add(length)))?
    }
}

fn ends(packet: &Packet) -> Option<(SocketAddr, SocketAddr)> {
    let header = packet.innermost();
    let (from, to) = packet.tcp()?.ports;
    Some((SocketAddr::new(header.source, from?), SocketAddr::new(header.destination, to?)))
}

fn absolute(number: Option<Number>) -> Option<u32> {
    match number? {
        Number::Absolute(number) => Some(number),
        Number::Relative(_) => None,
    }
}
