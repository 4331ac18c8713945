//! What stands between the outer and the inner IP header of a tunnel packet, for each protocol.

use crate::{GreOptions, TunnelProtocol};
use labsim_model::GueOptions;
use labsim_wire::checksum::AddressPair;
use labsim_wire::ethernet::ethertype;
use labsim_wire::{EmitError, gre, gue, ipv4, ipv6, protocol, udp};

/// Headers between two IP headers.
pub trait TunnelHeader {
    /// The protocol number in the outer header, around an IPv4 packet or an IPv6 one.
    fn outer_protocol(&self, inner_ipv4: bool) -> u8;

    /// Writes the headers to the beginning of `packet`, whose rest is the inner packet already: a
    /// checksum covers both. `outer` are the outer header's addresses.
    ///
    /// # Errors
    /// [`EmitError`]: too small a buffer.
    fn emit(
        &self,
        outer: &AddressPair,
        inner_ipv4: bool,
        packet: &mut [u8],
    ) -> Result<(), EmitError>;

    /// The inner packet, and whether it is IPv4: of what an outer header of that protocol carries,
    /// as far as it is quoted. `None` if it is not a packet of this tunnel, or not quoted as far as
    /// that.
    fn inner<'a>(&self, protocol: u8, payload: &'a [u8]) -> Option<(bool, &'a [u8])>;

    /// Whether what an outer header of that protocol carries is of this tunnel.
    fn matches(&self, protocol: u8, payload: &[u8]) -> bool;
}

impl TunnelHeader for TunnelProtocol {
    #[inline]
    fn outer_protocol(&self, inner_ipv4: bool) -> u8 {
        match self {
            Self::Ipip => inner_protocol(inner_ipv4),
            Self::Gre(_) => protocol::GRE,
            Self::Gue(_) => protocol::UDP,
        }
    }

    #[inline]
    fn emit(
        &self,
        outer: &AddressPair,
        inner_ipv4: bool,
        packet: &mut [u8],
    ) -> Result<(), EmitError> {
        match *self {
            Self::Ipip => Ok(()),
            Self::Gre(GreOptions { key, checksum }) => {
                let protocol = if inner_ipv4 { ethertype::IPV4 } else { ethertype::IPV6 };
                gre::Header { protocol, checksum, key, sequence: None }.emit(packet)
            }
            Self::Gue(options) => emit_gue(options, outer, inner_ipv4, packet),
        }
    }

    fn inner<'a>(&self, protocol: u8, payload: &'a [u8]) -> Option<(bool, &'a [u8])> {
        match self {
            Self::Ipip => Some((protocol == protocol::IPIP, payload)),
            Self::Gre(_) => {
                let gre = gre::View::new(payload).ok()?;
                match gre.protocol() {
                    ethertype::IPV4 => Some((true, gre.payload())),
                    ethertype::IPV6 => Some((false, gre.payload())),
                    _ => None,
                }
            }
            Self::Gue(_) => {
                let datagram = udp::View::new_truncated(payload).ok()?;
                let gue = gue::View::new(datagram.payload()).ok()?;
                Some((gue.header.ipv4, gue.payload()))
            }
        }
    }

    fn matches(&self, protocol: u8, payload: &[u8]) -> bool {
        match self {
            Self::Ipip => matches!(protocol, protocol::IPIP | protocol::IPV6),
            Self::Gre(_) => protocol == protocol::GRE,
            Self::Gue(GueOptions { port, .. }) => {
                protocol == protocol::UDP
                    && udp::View::new_truncated(payload)
                        .is_ok_and(|datagram| datagram.destination_port() == *port)
            }
        }
    }
}

/// UDP and GUE. A checksum of 0 is allowed over IPv4, and costs nothing; over IPv6 a host may drop
/// such a packet (RFC 8200 8.1), and Linux's fou takes both. Not inlined: IPIP and GRE are slower by
/// some percent with it among their code.
#[inline(never)]
fn emit_gue(
    GueOptions { port, variant }: GueOptions,
    outer: &AddressPair,
    inner_ipv4: bool,
    packet: &mut [u8],
) -> Result<(), EmitError> {
    let header = gue::Header { variant, ipv4: inner_ipv4 };
    let start = udp::HEADER_LEN + header.length();
    let source_port = source_port(inner_ipv4, packet.get(start..).unwrap_or_default());
    let payload_length = packet.len().saturating_sub(udp::HEADER_LEN);
    udp::Header { source_port, destination_port: port, payload_length }.emit(packet)?;
    header.emit(&mut packet[udp::HEADER_LEN..])?;
    if let (AddressPair::V6(..), Ok(mut datagram)) = (outer, udp::ViewMut::new(packet)) {
        datagram.fill_checksum(outer);
    }
    Ok(())
}

/// The UDP source port of a flow. All fragments of a datagram have the same one, which only its addresses
/// give.
fn source_port(ipv4: bool, inner: &[u8]) -> u16 {
    let (addresses, protocol, ports) = match ipv4 {
        true => ipv4::View::new_truncated(inner).map(|packet| {
            let is_whole = !packet.more_fragments() && packet.fragment_offset() == 0;
            (inner.get(12..20), packet.protocol(), is_whole.then(|| packet.payload()))
        }),
        false => ipv6::View::new_truncated(inner).and_then(|packet| {
            let transport = packet.transport()?;
            let is_whole = transport.fragment.is_none();
            Ok((inner.get(8..40), transport.protocol, is_whole.then_some(transport.bytes)))
        }),
    }
    .unwrap_or_default();
    let has_ports = matches!(protocol, protocol::TCP | protocol::UDP);
    let ports = ports.filter(|_| has_ports).and_then(|transport| transport.get(..4));
    gue::source_port(protocol, addresses.unwrap_or_default(), ports)
}

/// The protocol number of a packet inside another.
const fn inner_protocol(ipv4: bool) -> u8 {
    if ipv4 { protocol::IPIP } else { protocol::IPV6 }
}
