//! Crafted packets: built field by field from the scenario, and sent from a node.

use crate::error::RunError;
use crate::steps::StepEnd;
use labsim_codes::run;
use labsim_forwarder::TunnelHeader;
use labsim_lab::Lab;
use labsim_scenario::model::{CraftedHeader, CraftedPacket, IpOption};
use labsim_wire::checksum::AddressPair;
use labsim_wire::{EmitError, ipv4, ipv6, protocol, udp};
use std::net::{IpAddr, Ipv6Addr};

/// Sends a packet.
pub(super) fn send(lab: &Lab, packet: &CraftedPacket) -> Result<StepEnd, RunError> {
    let node = lab.node(&packet.from).ok_or_else(|| RunError::unknown_node(&packet.from))?;
    let bytes = build(packet)
        .map_err(RunError::from_source(run::PACKET_NOT_SENT, "the packet cannot be built"))?;
    let to = packet.outer.map_or(packet.header, |(_, header)| header).destination;
    let what = format!("{} cannot send the packet to {to}", packet.from);
    node.send_ip(&bytes, to).map_err(RunError::from_source(run::PACKET_NOT_SENT, &what))?;
    Ok(StepEnd::done(format!("{} sent {} bytes to {to}", packet.from, bytes.len())))
}

/// The packet's bytes, from its outermost header on.
fn build(packet: &CraftedPacket) -> Result<Vec<u8>, EmitError> {
    let header = udp::Header {
        source_port: packet.source_port,
        destination_port: packet.destination_port,
        payload_length: packet.payload,
    };
    let mut body = vec![0; header.length() + packet.payload];
    header.emit(&mut body)?;
    if let Ok(mut view) = udp::ViewMut::new(&mut body) {
        view.fill_checksum(&addresses(packet.header));
    }
    let options = IpOption::encode(&packet.options);
    let inner = ip(packet.header, &options, protocol::UDP, &body)?;
    let Some((tunnel, outer)) = packet.outer else { return Ok(inner) };
    let ipv4 = packet.header.source.is_ipv4();
    let mut body = vec![0; tunnel.header_length()];
    body.extend(inner);
    tunnel.emit(&addresses(outer), ipv4, &mut body)?;
    ip(outer, &[], tunnel.outer_protocol(ipv4), &body)
}

fn addresses(CraftedHeader { source, destination, .. }: CraftedHeader) -> AddressPair {
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => AddressPair::V4(source, destination),
        (source, destination) => AddressPair::V6(to_ipv6(source), to_ipv6(destination)),
    }
}

fn ip(
    header: CraftedHeader,
    options: &[u8],
    protocol: u8,
    body: &[u8],
) -> Result<Vec<u8>, EmitError> {
    let CraftedHeader { source, destination, ttl, tos, dont_fragment } = header;
    let payload_length = body.len();
    let mut bytes;
    if let (IpAddr::V4(source), IpAddr::V4(destination)) = (source, destination) {
        let header = ipv4::Header {
            source,
            destination,
            protocol,
            ttl,
            tos,
            // The kernel gives one to a packet that it sends for another host (raw(7)).
            id: 0,
            dont_fragment,
            more_fragments: false,
            fragment_offset: 0,
            options,
            payload_length,
        };
        bytes = vec![0; header.length()];
        header.emit(&mut bytes)?;
    } else {
        let header = ipv6::Header {
            source: to_ipv6(source),
            destination: to_ipv6(destination),
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
fn to_ipv6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use labsim_scenario::model::{GreOptions, NodeName, TunnelProtocol};
    use labsim_wire::checksum::ChecksumState;
    use labsim_wire::decode::{LinkType, Transport, decode};

    fn header(ipv4: bool, tos: u8) -> CraftedHeader {
        let [source, destination] = match ipv4 {
            true => ["192.0.2.1", "192.0.2.2"],
            false => ["2001:db8::1", "2001:db8::2"],
        }
        .map(|address| address.parse().unwrap());
        CraftedHeader { source, destination, ttl: 7, tos, dont_fragment: ipv4 }
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
            let packet = CraftedPacket {
                from: NodeName::new("lb").unwrap(),
                header: header(inside, 2),
                source_port: 4000,
                destination_port: 700,
                payload: 10,
                options: Vec::new(),
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
            let key = seen.outermost.tunnel.and_then(|tunnel| tunnel.key());
            assert_eq!(key, outer.filter(|(tunnel, _)| *tunnel == gre).and(Some(9)));
        }
    }

    #[test]
    fn options_stand_in_the_header_in_whole_words_and_each_as_it_is_written() {
        let through = vec!["192.0.2.9".parse().unwrap()];
        let options = vec![
            IpOption::RouterAlert,
            IpOption::NoOperation,
            IpOption::RecordRoute(1),
            IpOption::Timestamp(1),
            IpOption::SourceRoute { strict: false, through: through.clone() },
            IpOption::SourceRoute { strict: true, through },
        ];
        let packet = CraftedPacket {
            from: NodeName::new("lb").unwrap(),
            header: header(true, 0xb8),
            source_port: 4000,
            destination_port: 700,
            payload: 10,
            options,
            outer: None,
        };
        let bytes = build(&packet).unwrap();
        let ip = ipv4::View::new(&bytes).unwrap();
        assert!(ip.checksum_ok());
        let expected = [
            &[0x94, 4, 0, 0, 1][..],
            &[7, 7, 4, 0, 0, 0, 0],
            &[0x44, 8, 5, 0, 0, 0, 0, 0],
            &[0x83, 7, 4, 192, 0, 2, 9],
            &[0x89, 7, 4, 192, 0, 2, 9],
            &[0, 0],
        ];
        assert_eq!(ip.options(), expected.concat());
        assert_eq!((ip.tos(), ip.payload().len()), (0xb8, 18));
    }
}
