//! Made-up packets: built from what a scenario says, and sent from a node.

use crate::fault::Fault;
use crate::steps::Outcome;
use labsim_lab::Lab;
use labsim_scenario::model::{MadeHeader, MadePacket, TunnelProtocol};
use labsim_wire::checksum::AddressPair;
use labsim_wire::{EmitError, ethernet::ethertype, gre, ipv4, protocol, udp};

/// Sends a packet.
pub(super) fn send(lab: &Lab, packet: &MadePacket) -> Result<Outcome, Fault> {
    let node = lab.node(&packet.from).ok_or_else(|| Fault::no_node(&packet.from))?;
    let bytes = build(packet).map_err(Fault::broken("the packet cannot be built"))?;
    let to = packet.outer.map_or(packet.header, |(_, header)| header).destination;
    let what = format!("{} cannot send the packet to {to}", packet.from);
    node.send_ipv4(&bytes, to).map_err(Fault::broken(&what))?;
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
    if let Ok(mut view) = udp::ViewMut::new(&mut body) {
        view.fill_checksum(&AddressPair::V4(source, destination));
    }
    let inner = ip(packet.header, protocol::UDP, &body)?;
    let Some((tunnel, outer)) = packet.outer else { return Ok(inner) };
    match tunnel {
        TunnelProtocol::Ipip => ip(outer, protocol::IPIP, &inner),
        TunnelProtocol::Gre(options) => {
            let (checksum, key) = (options.checksum, options.key);
            let header = gre::Header { protocol: ethertype::IPV4, checksum, key, sequence: None };
            let mut body = vec![0; header.length()];
            body.extend(inner);
            header.emit(&mut body)?;
            ip(outer, protocol::GRE, &body)
        }
    }
}

fn ip(header: MadeHeader, protocol: u8, body: &[u8]) -> Result<Vec<u8>, EmitError> {
    let MadeHeader { source, destination, ttl, tos, dont_fragment } = header;
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
        payload_length: body.len(),
    };
    let mut bytes = vec![0; header.length()];
    header.emit(&mut bytes)?;
    bytes.extend_from_slice(body);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use labsim_scenario::model::{GreOptions, NodeName};
    use labsim_wire::checksum::ChecksumState;
    use labsim_wire::decode::{LinkType, Transport, decode};

    fn header(tos: u8) -> MadeHeader {
        let (source, destination) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        MadeHeader { source, destination, ttl: 7, tos, dont_fragment: true }
    }

    #[test]
    fn a_packet_is_built_as_it_is_written_with_right_checksums() {
        let gre = TunnelProtocol::Gre(GreOptions { key: Some(9), checksum: true });
        for (outer, length) in [(None, 38), (Some(TunnelProtocol::Ipip), 58), (Some(gre), 70)] {
            let packet = MadePacket {
                from: NodeName::new("lb").unwrap(),
                header: header(2),
                source_port: 4000,
                destination_port: 700,
                payload: 10,
                outer: outer.map(|tunnel| (tunnel, header(3))),
            };
            let bytes = build(&packet).unwrap();
            assert_eq!(bytes.len(), length);
            let decoded = decode(LinkType::Raw, &bytes, bytes.len());
            let seen = decoded.packet().unwrap();
            assert!(seen.headers().all(|header| header.checksum_ok == Some(true)), "{decoded}");
            assert_eq!(seen.innermost().tos, 2);
            assert_eq!(seen.outer().map(|outer| outer.tos), outer.map(|_| 3));
            let Transport::Udp(udp) = &seen.transport else { panic!("{decoded}") };
            assert_eq!((udp.payload, udp.checksum), (10, ChecksumState::Good));
            let key = seen.outermost.gre.and_then(|gre| gre.key);
            assert_eq!(key, (length == 70).then_some(9));
        }
    }
}
