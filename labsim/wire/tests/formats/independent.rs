//! Packets built by an independent library are read the same here, and the other way round.

use etherparse::{NetHeaders, PacketBuilder, PacketHeaders, TransportHeader};
use labsim_wire::checksum::{self, AddressPair, ChecksumState, Sum};
use labsim_wire::decode::{LinkType, Transport, decode};
use labsim_wire::ethernet::Mac;
use labsim_wire::tcp::Flags;
use labsim_wire::{ethernet, ipv4, ipv6, protocol, tcp, udp};
use proptest::prelude::*;
use std::net::{Ipv4Addr, Ipv6Addr};

fn bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..most)
}

proptest! {
    #[test]
    fn sums_over_parts_agree(parts in proptest::collection::vec(bytes(50), 0..6)) {
        let whole: Vec<u8> = parts.concat();
        let sum = parts.iter().fold(Sum::new(), |sum, part| sum.with(part));
        let theirs = etherparse::checksum::Sum16BitWords::new().add_slice(&whole).ones_complement();
        prop_assert_eq!(sum.finish().to_be_bytes(), theirs.to_ne_bytes());
    }

    #[test]
    fn updates_agree_with_new_sums(mut packet in bytes(60), at in 0usize..29, new: u16) {
        packet.resize(60, 1);
        let before = checksum::of(&packet);
        let place = at * 2;
        let old = u16::from_be_bytes([packet[place], packet[place + 1]]);
        packet[place..place + 2].copy_from_slice(&new.to_be_bytes());
        let updated = checksum::update(before, old, new);
        // All zeros is the one sum that has two forms; no header is all zeros.
        prop_assert_eq!(updated, checksum::of(&packet));
    }

    #[test]
    fn a_tcp_frame_of_etherparse_is_read_alike(
        macs: ([u8; 6], [u8; 6]), addresses: ([u8; 4], [u8; 4]), ttl: u8, ports: (u16, u16),
        numbers: (u32, u32), window: u16, flags in 0u8..=255, payload in bytes(200),
    ) {
        let mut header = etherparse::TcpHeader::new(ports.0, ports.1, numbers.0, window);
        header.acknowledgment_number = numbers.1;
        header.fin = flags & 1 != 0;
        header.syn = flags & 2 != 0;
        header.rst = flags & 4 != 0;
        header.psh = flags & 8 != 0;
        header.ack = flags & 16 != 0;
        header.urg = flags & 32 != 0;
        header.ece = flags & 64 != 0;
        header.cwr = flags & 128 != 0;
        header.set_options(&[etherparse::TcpOptionElement::MaximumSegmentSize(1460)]).unwrap();
        let builder = PacketBuilder::ethernet2(macs.0, macs.1)
            .ipv4(addresses.0, addresses.1, ttl)
            .tcp_header(header);
        let mut frame = Vec::new();
        builder.write(&mut frame, &payload).unwrap();

        let decoded = decode(LinkType::Ethernet, &frame, frame.len());
        prop_assert_eq!(decoded.link.unwrap().source, Mac(macs.0));
        prop_assert_eq!(decoded.link.unwrap().destination, Mac(macs.1));
        let ip = decoded.innermost().unwrap();
        prop_assert_eq!(ip.source, Ipv4Addr::from(addresses.0));
        prop_assert_eq!(ip.destination, Ipv4Addr::from(addresses.1));
        prop_assert_eq!((ip.ttl, ip.checksum_ok), (ttl, Some(true)));
        let tcp = decoded.tcp().unwrap();
        prop_assert_eq!((tcp.source_port, tcp.destination_port), ports);
        prop_assert_eq!((tcp.sequence, tcp.acknowledgement), numbers);
        prop_assert_eq!((tcp.flags, tcp.window, tcp.mss), (Flags(flags), window, Some(1460)));
        prop_assert_eq!(tcp.payload as usize, payload.len());
        prop_assert_eq!(tcp.checksum, ChecksumState::Good);
        prop_assert!(decoded.outer().is_none());
    }

    #[test]
    fn a_udp_frame_over_ipv6_of_etherparse_is_read_alike(
        addresses: ([u8; 16], [u8; 16]), hops: u8, ports: (u16, u16), payload in bytes(200),
    ) {
        let builder = PacketBuilder::ipv6(addresses.0, addresses.1, hops).udp(ports.0, ports.1);
        let mut packet = Vec::new();
        builder.write(&mut packet, &payload).unwrap();
        let decoded = decode(LinkType::Raw, &packet, packet.len());
        let ip = decoded.innermost().unwrap();
        prop_assert_eq!(ip.source, Ipv6Addr::from(addresses.0));
        prop_assert_eq!((ip.ttl, ip.dont_fragment), (hops, None));
        let Transport::Udp(udp) = &decoded.packet().unwrap().transport else {
            return Err(TestCaseError::fail("no UDP"));
        };
        prop_assert_eq!((udp.source_port, udp.destination_port), ports);
        prop_assert_eq!(udp.payload as usize, payload.len());
        prop_assert_eq!(udp.checksum, ChecksumState::Good);
    }

    #[test]
    fn a_tcp_frame_of_ours_is_read_alike_by_etherparse(
        addresses: ([u8; 4], [u8; 4]), ttl: u8, tos: u8, id: u16, dont_fragment: bool,
        ports: (u16, u16), numbers: (u32, u32), window: u16, flags: u8, payload in bytes(200),
    ) {
        let (source, destination) = (Ipv4Addr::from(addresses.0), Ipv4Addr::from(addresses.1));
        let segment = tcp::Header {
            source_port: ports.0, destination_port: ports.1,
            sequence: numbers.0, acknowledgement: numbers.1,
            flags: Flags(flags), window, urgent: 0, options: &[2, 4, 5, 180],
        };
        let total = segment.length() + payload.len();
        let header = ipv4::Header {
            source, destination, protocol: protocol::TCP, ttl, tos, id, dont_fragment,
            more_fragments: false, fragment_offset: 0, options: &[], payload_length: total,
        };
        let link = ethernet::Header {
            destination: Mac([2; 6]), source: Mac([4; 6]), ethertype: ethernet::ethertype::IPV4,
        };
        let mut frame = vec![0; link.length() + header.length() + total];
        link.emit(&mut frame).unwrap();
        header.emit(&mut frame[14..]).unwrap();
        segment.emit(&mut frame[34..]).unwrap();
        frame[34 + segment.length()..].copy_from_slice(&payload);
        tcp::ViewMut::new(&mut frame[34..]).unwrap()
            .fill_checksum(&AddressPair::V4(source, destination));

        let theirs = PacketHeaders::from_ethernet_slice(&frame).unwrap();
        let Some(NetHeaders::Ipv4(ip, _)) = &theirs.net else {
            return Err(TestCaseError::fail("no IPv4"));
        };
        prop_assert_eq!((ip.source, ip.destination), addresses);
        prop_assert_eq!((ip.time_to_live, ip.identification), (ttl, id));
        prop_assert_eq!(ip.dont_fragment, dont_fragment);
        prop_assert_eq!((ip.dscp.value() << 2) | ip.ecn.value(), tos);
        prop_assert_eq!(ip.header_checksum, ip.calc_header_checksum());
        let Some(TransportHeader::Tcp(tcp)) = &theirs.transport else {
            return Err(TestCaseError::fail("no TCP"));
        };
        prop_assert_eq!((tcp.source_port, tcp.destination_port), ports);
        prop_assert_eq!((tcp.sequence_number, tcp.acknowledgment_number), numbers);
        prop_assert_eq!((tcp.syn, tcp.fin, tcp.ack), (flags & 2 != 0, flags & 1 != 0, flags & 16 != 0));
        prop_assert_eq!(tcp.checksum, tcp.calc_checksum_ipv4(ip, &payload).unwrap());
        prop_assert_eq!(theirs.payload.slice(), &payload[..]);
    }

    #[test]
    fn udp_checksums_over_ipv6_agree(
        addresses: ([u8; 16], [u8; 16]), ports: (u16, u16), payload in bytes(100),
    ) {
        let header = udp::Header {
            source_port: ports.0, destination_port: ports.1, payload_length: payload.len(),
        };
        let mut datagram = vec![0; 8 + payload.len()];
        header.emit(&mut datagram).unwrap();
        datagram[8..].copy_from_slice(&payload);
        let pair = AddressPair::V6(addresses.0.into(), addresses.1.into());
        udp::ViewMut::new(&mut datagram).unwrap().fill_checksum(&pair);
        let view = udp::View::new(&datagram).unwrap();
        let mut ip = vec![0; ipv6::HEADER_LEN];
        ipv6::Header {
            source: addresses.0.into(), destination: addresses.1.into(),
            next_header: protocol::UDP, hop_limit: 1, traffic_class: 0, flow_label: 0,
            payload_length: datagram.len(),
        }.emit(&mut ip).unwrap();
        let (theirs, _) = etherparse::Ipv6Header::from_slice(&ip).unwrap();
        let udp = etherparse::UdpHeader::with_ipv6_checksum(ports.0, ports.1, &theirs, &payload);
        prop_assert_eq!(view.checksum(), udp.unwrap().checksum);
    }
}
