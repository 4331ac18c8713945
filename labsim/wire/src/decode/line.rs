//! A decoded frame as one line, much as tcpdump writes it.

use super::{Content, Decoded, Icmp, IpHeader, Packet, Tcp, Transport};
use crate::checksum::ChecksumState;
use crate::ethernet::ethertype;
use crate::tcp::Flags;
use crate::{arp, icmpv4, icmpv6, protocol};
use std::fmt;

/// TCP numbers counted from the flow's first ones. A number that is not known is shown as it
/// stands, and in braces.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Relative {
    /// The sequence number.
    pub sequence: Option<u32>,
    /// The acknowledgement number.
    pub acknowledgement: Option<u32>,
}

/// A frame to be shown; see [`Decoded::line`].
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    decoded: &'a Decoded,
    relative: Option<Relative>,
}

impl<'a> Line<'a> {
    pub(super) fn new(decoded: &'a Decoded, relative: Option<Relative>) -> Self {
        Self { decoded, relative }
    }
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.decoded.content {
            Content::Arp(arp) => show_arp(f, arp),
            Content::Ip(packet) => show_packet(f, packet, self.relative),
            Content::Malformed(why) => write!(f, "malformed: {why}"),
            Content::Other => match self.decoded.link {
                Some(link) if link.ethertype == ethertype::MARKER => write!(f, "labsim marker"),
                Some(link) => write!(
                    f,
                    "{} > {} ethertype {:#06x}",
                    link.source, link.destination, link.ethertype
                ),
                None => write!(f, "unknown"),
            },
        }
    }
}

fn show_arp(f: &mut fmt::Formatter<'_>, arp: &arp::Packet) -> fmt::Result {
    match arp.operation {
        arp::operation::REQUEST => {
            write!(f, "ARP who-has {} tell {}", arp.target_ip, arp.sender_ip)
        }
        arp::operation::REPLY => write!(f, "ARP {} is-at {}", arp.sender_ip, arp.sender_mac),
        other => write!(f, "ARP operation {other} from {}", arp.sender_ip),
    }
}

fn show_packet(
    f: &mut fmt::Formatter<'_>,
    packet: &Packet,
    relative: Option<Relative>,
) -> fmt::Result {
    f.write_str(if packet.outermost.source.is_ipv4() { "IP " } else { "IP6 " })?;
    if let Some(outer) = packet.outer() {
        show_header(f, outer, None)?;
        for header in packet.inner.iter().take(packet.inner.len() - 1) {
            show_header(f, header, None)?;
        }
    }
    show_header(f, packet.innermost(), packet.ports())?;
    show_transport(f, packet, relative)
}

/// `10.1.1.51 > 10.1.1.52 ttl 255 id 1 DF IPIP 72: `
fn show_header(
    f: &mut fmt::Formatter<'_>,
    header: &IpHeader,
    ports: Option<(u16, u16)>,
) -> fmt::Result {
    match ports {
        Some((from, to)) => write!(f, "{}.{from} > {}.{to}", header.source, header.destination)?,
        None => write!(f, "{} > {}", header.source, header.destination)?,
    }
    write!(f, " ttl {}", header.ttl)?;
    if header.tos != 0 {
        write!(f, " tos {:#x}", header.tos)?;
    }
    if let Some(id) = header.id {
        write!(f, " id {id}")?;
    }
    if header.dont_fragment == Some(true) {
        f.write_str(" DF")?;
    }
    if header.is_fragment() {
        let more = if header.more_fragments { "+" } else { "" };
        write!(f, " frag {}{more}", header.fragment_offset)?;
    }
    if header.checksum_ok == Some(false) {
        f.write_str(" bad header checksum")?;
    }
    match protocol::name(header.protocol) {
        Some(name) => write!(f, " {name}")?,
        None => write!(f, " protocol {}", header.protocol)?,
    }
    if let Some(tunnel) = header.tunnel {
        write!(f, "{tunnel}")?;
    }
    write!(f, " {}: ", header.length)
}

fn show_transport(
    f: &mut fmt::Formatter<'_>,
    packet: &Packet,
    relative: Option<Relative>,
) -> fmt::Result {
    match &packet.transport {
        Transport::Tcp(tcp) => show_tcp(f, tcp, relative),
        Transport::Udp(udp) => {
            write!(f, "len {}", udp.payload)?;
            show_checksum(f, udp.checksum)
        }
        Transport::Icmp(icmp) => show_icmp(f, icmp, packet.innermost().source.is_ipv4()),
        Transport::Beginning { sequence: Some(sequence), .. } => {
            write!(f, "seq {{{sequence}}}, the rest is cut off")
        }
        Transport::Beginning { .. } => f.write_str("the rest is cut off"),
        Transport::Other { .. } if packet.innermost().protocol == protocol::MARKER => {
            f.write_str("labsim marker")
        }
        Transport::Other { payload } => write!(f, "len {payload}"),
        Transport::LaterFragment { payload } => write!(f, "len {payload}"),
        Transport::Malformed(why) => write!(f, "malformed: {why}"),
    }
}

fn show_tcp(f: &mut fmt::Formatter<'_>, tcp: &Tcp, relative: Option<Relative>) -> fmt::Result {
    let relative = relative.unwrap_or_default();
    write!(f, "{} seq ", tcp.flags)?;
    show_number(f, relative.sequence, tcp.sequence)?;
    if tcp.flags.contains(Flags::ACK) {
        f.write_str(" ack ")?;
        show_number(f, relative.acknowledgement, tcp.acknowledgement)?;
    }
    write!(f, " len {}", tcp.payload)?;
    show_checksum(f, tcp.checksum)
}

fn show_number(f: &mut fmt::Formatter<'_>, relative: Option<u32>, absolute: u32) -> fmt::Result {
    match relative {
        Some(number) => write!(f, "{number}"),
        None => write!(f, "{{{absolute}}}"),
    }
}

fn show_checksum(f: &mut fmt::Formatter<'_>, state: ChecksumState) -> fmt::Result {
    f.write_str(match state {
        ChecksumState::Bad => " bad checksum",
        ChecksumState::HalfMade => " half-made checksum",
        ChecksumState::Good | ChecksumState::Absent | ChecksumState::Unknown => "",
    })
}

fn show_icmp(f: &mut fmt::Formatter<'_>, icmp: &Icmp, v4: bool) -> fmt::Result {
    match icmp_name(icmp.kind, icmp.code, v4) {
        Some(name) => write!(f, "{name} (type {} code {})", icmp.kind, icmp.code)?,
        None => write!(f, "type {} code {}", icmp.kind, icmp.code)?,
    }
    if let Some(mtu) = icmp.mtu {
        write!(f, " mtu {mtu}")?;
    }
    if let Some((id, sequence)) = icmp.echo {
        write!(f, " id {id} seq {sequence}")?;
    }
    if let Some(target) = icmp.target {
        write!(f, " {target}")?;
    }
    show_checksum(f, icmp.checksum)?;
    if let Some(quoted) = &icmp.quoted {
        f.write_str(" about [")?;
        show_packet(f, quoted, None)?;
        f.write_str("]")?;
    }
    Ok(())
}

/// The name of an ICMP (`v4`) or ICMPv6 message in few words.
#[must_use]
pub fn icmp_name(kind: u8, code: u8, v4: bool) -> Option<&'static str> {
    use icmpv4::{kind as k4, unreachable};
    use icmpv6::{kind as k6, unreachable as u6};
    Some(match (v4, kind, code) {
        (true, k4::ECHO_REQUEST, _) | (false, k6::ECHO_REQUEST, _) => "echo request",
        (true, k4::ECHO_REPLY, _) | (false, k6::ECHO_REPLY, _) => "echo reply",
        (true, k4::UNREACHABLE, unreachable::NETWORK) => "network unreachable",
        (true, k4::UNREACHABLE, unreachable::HOST) => "host unreachable",
        (true, k4::UNREACHABLE, unreachable::PROTOCOL) => "protocol unreachable",
        (true, k4::UNREACHABLE, unreachable::PORT) => "port unreachable",
        (true, k4::UNREACHABLE, unreachable::FRAGMENTATION_NEEDED) => "fragmentation needed",
        (true, k4::UNREACHABLE, unreachable::PROHIBITED) => "prohibited",
        (false, k6::UNREACHABLE, u6::NO_ROUTE) => "no route",
        (false, k6::UNREACHABLE, u6::PROHIBITED) => "prohibited",
        (false, k6::UNREACHABLE, u6::ADDRESS) => "address unreachable",
        (false, k6::UNREACHABLE, u6::PORT) => "port unreachable",
        (false, k6::PARAMETER_PROBLEM, icmpv6::UNKNOWN_NEXT_HEADER) => "unrecognised next header",
        (true, k4::UNREACHABLE, _) | (false, k6::UNREACHABLE, _) => "unreachable",
        (true, k4::TIME_EXCEEDED, _) | (false, k6::TIME_EXCEEDED, _) => "time exceeded",
        (true, k4::PARAMETER_PROBLEM, _) | (false, k6::PARAMETER_PROBLEM, _) => "parameter problem",
        (false, k6::PACKET_TOO_BIG, _) => "packet too big",
        (false, k6::NEIGHBOUR_SOLICITATION, _) => "neighbour solicitation",
        (false, k6::NEIGHBOUR_ADVERTISEMENT, _) => "neighbour advertisement",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::icmp_name;

    #[test]
    fn an_error_has_the_name_that_its_family_gives_it() {
        for (kind, code, v4, v6) in [
            (1, 4, None, Some("port unreachable")),
            (1, 0, None, Some("no route")),
            (1, 6, None, Some("unreachable")),
            (3, 3, Some("port unreachable"), Some("time exceeded")),
            (4, 1, None, Some("unrecognised next header")),
            (4, 0, None, Some("parameter problem")),
            (2, 0, None, Some("packet too big")),
            (12, 0, Some("parameter problem"), None),
        ] {
            assert_eq!(icmp_name(kind, code, true), v4, "{kind} {code}");
            assert_eq!(icmp_name(kind, code, false), v6, "{kind} {code}");
        }
    }
}
