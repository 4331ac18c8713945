//! What of a UDP datagram tells it from others, and whether it asks or answers.

use crate::packet::{Known, Packet, Transport};
use crate::session::session;

/// Bytes of payload that a fingerprint is of: a RADIUS message's code, identifier, length and authenticator
/// (RFC 2865, 3), a DNS message's header and the beginning of its question.
const BEGINNING: usize = 20;
const UDP_HEADER: usize = 8;
const IPV6_HEADER: usize = 40;
const FRAGMENT_HEADER: usize = 8;

/// What is known of a datagram by its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Datagram {
    /// Differs, as good as surely, for datagrams whose payloads differ in length or in their first 20 bytes. `None` if
    /// these are not shown.
    pub fingerprint: Option<u32>,
    /// What it is, by its protocol.
    pub message: Option<Message>,
}

/// A message of a protocol that numbers its requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message {
    /// Whether it answers one.
    pub is_reply: bool,
    /// What a request and its answer have in common: RADIUS' identifier, the ID of DNS.
    pub identifier: u16,
}

impl Known {
    /// With what the bytes of the network layer say of a datagram's payload, or of a TACACS+ message in a segment.
    #[must_use]
    pub fn with_datagram(mut self, network: &[u8]) -> Self {
        if let Self::Ip(packet) = &mut self {
            let (found, begun) = (of(packet, network), session(packet, network));
            match &mut packet.transport {
                Transport::Udp { datagram, .. } => *datagram = found,
                Transport::Tcp(tcp) => tcp.session = begun,
                _ => {}
            }
        }
        self
    }
}

fn of(packet: &Packet, network: &[u8]) -> Option<Datagram> {
    let Transport::Udp { ports, payload: Some(length), .. } = packet.transport else { return None };
    let payload = innermost(packet, network)?.get(UDP_HEADER..)?;
    let wanted = BEGINNING.min(usize::try_from(length).ok()?);
    let beginning = payload.get(..wanted)?;
    let fingerprint = Some(fingerprint(beginning, length));
    Some(Datagram { fingerprint, message: message(ports, beginning) })
}

/// A payload's beginning and its length in one number (FNV-1a).
pub(crate) fn fingerprint(beginning: &[u8], length: u32) -> u32 {
    beginning
        .iter()
        .chain(&length.to_be_bytes())
        .fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

/// What the innermost packet carries, as far as it was captured. It ends where the outermost does; what the file has behind that is padding.
pub(crate) fn innermost<'a>(packet: &Packet, network: &'a [u8]) -> Option<&'a [u8]> {
    let outer = usize::try_from(packet.outermost.length?).ok()?;
    let innermost = packet.innermost();
    let start = outer.checked_sub(usize::try_from(innermost.length?).ok()?)?;
    let header = match (innermost.source.is_ipv4(), innermost.fragment) {
        (true, _) => usize::from(network.get(start)? & 15) * 4,
        (false, None) => IPV6_HEADER,
        (false, Some(_)) => IPV6_HEADER + FRAGMENT_HEADER,
    };
    let end = outer.min(network.len());
    network.get(start + header..end)
}

fn message(ports: (Option<u16>, Option<u16>), payload: &[u8]) -> Option<Message> {
    let has_port = |wanted: &[u16]| {
        [ports.0, ports.1].into_iter().flatten().any(|port| wanted.contains(&port))
    };
    match *payload {
        [code, identifier, ..] if has_port(&[1812, 1813, 1645, 1646]) => radius(code, identifier),
        [first, second, flags, ..] if has_port(&[53]) => {
            let identifier = u16::from_be_bytes([first, second]);
            Some(Message { is_reply: flags & 0x80 != 0, identifier })
        }
        _ => None,
    }
}

/// A RADIUS message (RFC 2865, 4; RFC 2866, 4; RFC 5997, 3).
pub(crate) fn radius(code: u8, identifier: u8) -> Option<Message> {
    let is_reply = match code {
        // Access-Request, Accounting-Request, Status-Server.
        1 | 4 | 12 => false,
        // Access-Accept, Access-Reject, Accounting-Response, Access-Challenge.
        2 | 3 | 5 | 11 => true,
        _ => return None,
    };
    Some(Message { is_reply, identifier: u16::from(identifier) })
}
