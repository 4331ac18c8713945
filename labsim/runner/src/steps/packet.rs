//! Made-up packets: built from what a scenario says, and sent from a node.

use crate::fault::Fault;
use crate::steps::Outcome;
use labsim_lab::Lab;
use labsim_scenario::model::{MadeHeader, MadePacket, TunnelProtocol};
use labsim_wire::checksum::AddressPair;
use labsim_wire::{EmitError, ethernet::ethertype, gre, ipv4, ipv6, protocol, udp};
use std::net::{IpAddr, Ipv6Addr};

/// Sends a packet.
pub(super) fn send(lab: &Lab, packet: &MadePacket) -> Result<Outcome, Fault> {
    let node = lab.node(&packet.from).ok_or_else(|| Fault::no_node(&packet.from))?;
    let bytes = build(packet).map_err(Fault::broken("the packet cannot be built"))?;
    let to = packet.outer.map_or(packet.header, |(_, header)| header).destination;
    let what = format!("{} cannot send the packet to {to}", packet.from);
    node.send_ip(&bytes, to).map_err(Fault::broken(&what))?;
    Ok(Outcome::done("done", format!("{} sent {} bytes to {to}", packet.from, bytes.len())))
}

/// The packet's bytes, from its outermost header on.
fn build(packet: &MadePacket) -> Result<Vec<u8>, EmitError> {
    let header = udp::Header {
        source_port: packet.source_port,
        destination_port: packet.destination_port,
        payload_length: packet.payload,
    };
    let mut body = vec![0; header.length() + packet.payload];
    header.emit(&mut body)?;
    let MadeHeader { source, destination, .. } = packet.header;
    let pair = match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => AddressPair::V4(source, destination),
        (source, destination) => AddressPair::V6(in_ipv6(source), in_ipv6(destination)),
    };
    if let Ok(mut view) = udp::ViewMut::new(&mut body) {
        view.fill_checksum(&pair);
    }
    let inner = ip(packet.header, protocol::UDP, &body)?;
    let Some((tunnel, outer)) = packet.outer else { return Ok(inner) };
    let ipv4 = source.is_ipv4();
    match tunnel {
        TunnelProtocol::Ipip => {
            ip(outer, if ipv4 { protocol::IPIP } else { protocol::IPV6 }, &inner)
        }
        TunnelProtocol::Gre(options) => {
            let (checksum, key) = (options.checksum, options.key);
            let protocol = if ipv4 { ethertype::IPV4 } else { ethertype::IPV6 };
            let header = gre::Header { protocol, checksum, key, sequence: None };
            let mut body = vec![0; header.length()];
            body.extend(inner);
            header.emit(&mut body)?;
            ip(outer, protocol::GRE, &body)
        }
    }
}

fn ip(header: MadeHeader, protocol: u8, body: &[u8]) -> Result<Vec<u8>, EmitError> {
    let MadeHeader { source, destination, ttl, tos, dont_fragment } = header;
    let payload_length = body.len();
    let mut bytes;
    if let (IpAddr::V4(source), IpAddr::V4(destination)) = (source, destination) {
        let header = ipv4::Header {
            source,
            destination,
            protocol,
            ttl,
            tos,
            // The kernel gives one to a packet that it sends for somebody else (raw(7)).
            id: 0,
            dont_fragment,
            more_fragments: false,
            fragment_offset: 0,
            options: &[],
            payload_length,
        };
        bytes = vec![0; header.length()];
        header.emit(&mut bytes)?;
    } else {
        let header = ipv6::Header {
            source: in_ipv6(source),
            destination: in_ipv6(destination),
            next_header: protocol,
            hop_limit: ttl,
            traffic_class: tos,
            flow_label: 0,
            payload_length,
        };
        bytes = vec![0; header.length()];
        header.emit(&mut bytes)?;
    }
    bytes.extend_from_slice(body);
    Ok(bytes)
}

/// An address of a packet that is not IPv4's; a valid file's are both of one family.
fn in_ipv6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use labsim_scenario::model::{GreOptions, NodeName};
    use labsim_wire::checksum::ChecksumState;
    use labsim_wire::decode::{LinkType, Transport, decode};

    fn header(ipv4: bool, tos: u8) -> MadeHeader {
        let [source, destination] = match ipv4 {
            true => ["192.0.2.1", "192.0.2.2"],
            false => ["2001:db8::1", "2001:db8::2"],
        }
        .map(|address| address.parse().unwrap());
        MadeHeader { source, destination, ttl: 7, tos, dont_fragment: ipv4 }
    }

    #[test]
    fn a_packet_is_built_as_it_is_written_with_right_checksums() {
        let gre = TunnelProtocol::Gre(GreOptions { key: Some(9), checksum: true });
        let (v4, v6, ipip) = (true, false, TunnelProtocol::Ipip);
        for (inside, outer, length) in [
            (v4, None, 38),
            (v4, Some((ipip, v4)), 58),
            (v4, Some((gre, v4)), 70),
            (v6, None, 58),
            (v6, Some((ipip, v4)), 78),
            (v4, Some((ipip, v6)), 78),
            (v6, Some((ipip, v6)), 98),
            (v6, Some((gre, v4)), 90),
            (v4, Some((gre, v6)), 90),
            (v6, Some((gre, v6)), 110),
        ] {
            let packet = MadePacket {
                from: NodeName::new("lb").unwrap(),
                header: header(inside, 2),
                source_port: 4000,
                destination_port: 700,
                payload: 10,
                outer: outer.map(|(tunnel, family)| (tunnel, header(family, 3))),
            };
            let bytes = build(&packet).unwrap();
            assert_eq!(bytes.len(), length);
            let decoded = decode(LinkType::Raw, &bytes, bytes.len());
            let seen = decoded.packet().unwrap();
            assert!(seen.headers().all(|header| header.checksum_ok != Some(false)), "{decoded}");
            assert_eq!(seen.innermost().tos, 2);
            assert_eq!(seen.outer().map(|outer| outer.tos), outer.map(|_| 3));
            let Transport::Udp(udp) = &seen.transport else { panic!("{decoded}") };
            assert_eq!((udp.payload, udp.checksum), (10, ChecksumState::Good));
            let key = seen.outermost.gre.and_then(|gre| gre.key);
            assert_eq!(key, outer.filter(|(tunnel, _)| *tunnel == gre).and(Some(9)));
        }
    }
}
