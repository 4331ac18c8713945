//! A packet as it is compared: what two runs of one network have in common.

use labsim_captures::{Header, Number, Transport};
use labsim_explain::Row;
use labsim_wire::protocol;
use labsim_wire::tcp::Flags;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// Who has which address in a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) client: IpAddr,
    pub(crate) vip: IpAddr,
    /// Not where they were chosen: packets show whether they are one of these, and not which.
    pub(crate) balancer: Option<IpAddr>,
    pub(crate) server: Option<IpAddr>,
}

impl Names {
    pub(crate) fn name(&self, address: IpAddr) -> &'static str {
        if address == self.client {
            "the client"
        } else if address == self.vip {
            "the VIP"
        } else if Some(address) == self.server {
            "the server"
        } else if Some(address) == self.balancer {
            "the load balancer"
        } else {
            "another address"
        }
    }
}

/// Which way a packet goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    Request,
    Reply,
    /// An ICMP error.
    Error,
}

/// The header of a tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outer {
    pub(crate) kind: &'static str,
    pub(crate) from: &'static str,
    pub(crate) to: &'static str,
    pub(crate) ttl: Option<u8>,
}

/// A packet. What its capture does not show is `None`, and equal to everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) way: Way,
    pub(crate) from: &'static str,
    pub(crate) to: &'static str,
    /// The service's port; clients' ports are chosen anew.
    pub(crate) port: Option<u16>,
    /// TCP flags, or what the packet is.
    pub(crate) what: String,
    pub(crate) flags: Option<Flags>,
    /// Counted from the sender's first sequence number.
    pub(crate) sequence: Option<i64>,
    /// Counted from the receiver's.
    pub(crate) acknowledgement: Option<i64>,
    pub(crate) payload: Option<u32>,
    pub(crate) mss: Option<u16>,
    pub(crate) ttl: Option<u8>,
    pub(crate) outer: Option<Outer>,
}

/// What rows are read with.
pub(crate) struct Reading<'a> {
    pub(crate) names: &'a Names,
    /// The service's ends: VIP and port, and where packets for it were translated to.
    pub(crate) services: &'a [SocketAddr],
    /// First sequence numbers of client and server.
    pub(crate) first: (Option<u32>, Option<u32>),
    /// Whether the lengths of messages are compared.
    pub(crate) has_lengths: bool,
}

impl Reading<'_> {
    /// A packet of TCP or UDP.
    pub(crate) fn packet(&self, row: &Row) -> Option<Packet> {
        let header = row.packet.innermost();
        let (ports, what, flags, numbers, payload, mss) = match &row.packet.transport {
            Transport::Tcp(tcp) => {
                let flags = tcp.flags?;
                let numbers = (absolute(tcp.sequence), absolute(tcp.acknowledgement));
                (tcp.ports, flags.to_string(), Some(flags), numbers, tcp.payload, tcp.mss)
            }
            Transport::Udp { ports, payload, .. } => {
                (*ports, "UDP".to_owned(), None, (None, None), *payload, None)
            }
            _ => return None,
        };
        let source = SocketAddr::new(header.source, ports.0?);
        let is_reply = self.services.contains(&source);
        let (own, other) = if is_reply { (self.first.1, self.first.0) } else { self.first };
        let takes_room = payload.is_some_and(|it| it > 0) || flags.is_some_and(is_control);
        Some(Packet {
            way: if is_reply { Way::Reply } else { Way::Request },
            from: self.names.name(header.source),
            to: self.names.name(header.destination),
            port: if is_reply { ports.0 } else { ports.1 },
            what,
            flags,
            sequence: sequence(flags, numbers.0, own).filter(|_| takes_room),
            acknowledgement: count(numbers.1, other),
            payload: payload.filter(|_| self.has_lengths),
            mss,
            ttl: header.ttl,
            outer: self.outer(row),
        })
    }

    fn outer(&self, row: &Row) -> Option<Outer> {
        let header = &row.packet.outermost;
        (!row.packet.inner.is_empty()).then(|| Outer {
            kind: tunnel_kind(header),
            from: self.names.name(header.source),
            to: self.names.name(header.destination),
            ttl: header.ttl,
        })
    }

    /// An ICMP error, in the words of explanations.
    pub(crate) fn error(&self, row: &Row, what: String) -> Packet {
        let header = row.packet.innermost();
        Packet {
            way: Way::Error,
            from: self.names.name(header.source),
            to: self.names.name(header.destination),
            port: None,
            what,
            flags: None,
            sequence: None,
            acknowledgement: None,
            payload: None,
            mss: None,
            ttl: header.ttl,
            outer: None,
        }
    }
}

/// What carries a tunnelled packet.
pub(crate) fn tunnel_kind(outer: &Header) -> &'static str {
    match outer.protocol {
        Some(protocol::IPIP | protocol::IPV6) => "IPIP",
        Some(protocol::GRE) => "GRE",
        Some(protocol::UDP) => "GUE",
        _ => "a tunnel",
    }
}

pub(crate) fn absolute(number: Option<Number>) -> Option<u32> {
    match number? {
        Number::Absolute(number) => Some(number),
        Number::Relative(_) => None,
    }
}

/// Counted from the sender's first one.
fn count(number: Option<u32>, first: Option<u32>) -> Option<i64> {
    Some(i64::from(number?.wrapping_sub(first?).cast_signed()))
}

/// A sequence number counted from the sender's first one, which that of a SYN is: a server whose answer was reset
/// answers the repeated SYN with another one.
fn sequence(flags: Option<Flags>, number: Option<u32>, first: Option<u32>) -> Option<i64> {
    let is_first = flags.is_some_and(|flags| flags.contains(Flags::SYN));
    count(number, if is_first { number } else { first })
}

pub(crate) fn is_control(flags: Flags) -> bool {
    [Flags::SYN, Flags::FIN, Flags::RST].into_iter().any(|flag| flags.contains(flag))
}

impl Packet {
    /// Whether it does nothing but acknowledge.
    pub(crate) fn is_bare_acknowledgement(&self) -> bool {
        self.flags == Some(Flags::ACK) && self.payload.is_none_or(|it| it == 0)
    }

    /// Whether it ends the connection.
    pub(crate) fn is_end(&self) -> bool {
        self.flags.is_some_and(|it| it.contains(Flags::FIN) || it.contains(Flags::RST))
    }

    /// Whether two packets have the same ends, and both or neither are in a tunnel.
    pub(crate) fn has_form_of(&self, other: &Self) -> bool {
        (self.from, self.to, self.outer.is_some()) == (other.from, other.to, other.outer.is_some())
    }

    /// Whether two packets are of one place in the exchange, however they are carried.
    pub(crate) fn is_of_same_place(&self, other: &Self) -> bool {
        self.way == other.way
            && self.what == other.what
            && alike(self.sequence, other.sequence)
            && self.outer.is_some() == other.outer.is_some()
    }

    /// What is different: a field's name and its two values.
    pub(crate) fn differing(&self, other: &Self) -> Vec<(&'static str, [String; 2])> {
        let mut fields = Vec::new();
        let mut compare = |name, one: String, other: String| {
            if one != other {
                fields.push((name, [one, other]));
            }
        };
        compare("source", self.from.to_owned(), other.from.to_owned());
        compare("destination", self.to.to_owned(), other.to.to_owned());
        compare("packet", self.what.clone(), other.what.clone());
        let mut numbers = |name, one: Option<i64>, other: Option<i64>| {
            if let (Some(one), Some(other)) = (one, other) {
                compare(name, one.to_string(), other.to_string());
            }
        };
        numbers("port of the service", self.port.map(Into::into), other.port.map(Into::into));
        numbers("sequence number", self.sequence, other.sequence);
        numbers("acknowledgement", self.acknowledgement, other.acknowledgement);
        numbers("bytes of payload", self.payload.map(Into::into), other.payload.map(Into::into));
        numbers("MSS", self.mss.map(Into::into), other.mss.map(Into::into));
        numbers("TTL", self.ttl.map(Into::into), other.ttl.map(Into::into));
        let ttl = |packet: &Self| packet.outer.and_then(|it| it.ttl).map(i64::from);
        numbers("TTL of the tunnel's header", ttl(self), ttl(other));
        let outer = |packet: &Self| match packet.outer {
            Some(it) => format!("{} from {} to {}", it.kind, it.from, it.to),
            None => "none".to_owned(),
        };
        compare("tunnel", outer(self), outer(other));
        fields
    }

    /// Whether nothing is known to be different.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.way == other.way && self.differing(other).is_empty()
    }
}

fn alike<T: PartialEq>(one: Option<T>, other: Option<T>) -> bool {
    one.zip(other).is_none_or(|(one, other)| one == other)
}

impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = if self.flags.is_some() { "flags " } else { "" };
        write!(f, "{flags}{} from {} to {}", self.what, self.from, self.to)?;
        if let Some(sequence) = self.sequence {
            write!(f, ", sequence {sequence}")?;
        }
        if let Some(payload) = self.payload.filter(|it| *it > 0) {
            write!(f, ", {payload} bytes")?;
        }
        if let Some(ttl) = self.ttl {
            write!(f, ", TTL {ttl}")?;
        }
        match self.outer {
            Some(outer) => write!(f, ", in {} from {} to {}", outer.kind, outer.from, outer.to),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_to_a_repeated_syn_has_the_first_sequence_number() {
        let answer = Flags::SYN.with(Flags::ACK);
        for number in [7000, 15_639_053] {
            assert_eq!(sequence(Some(answer), Some(number), Some(7000)), Some(0));
        }
        assert_eq!(sequence(Some(Flags::ACK), Some(7100), Some(7000)), Some(100));
        assert_eq!(sequence(Some(Flags::ACK), Some(3), Some(u32::MAX)), Some(4));
        assert_eq!(sequence(Some(answer), None, Some(7000)), None);
    }
}
